"""What meta-trained encoders and kernels say about the architectures of a space."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from surrogate_nas._types import IntArray
from surrogate_nas.descriptors import Descriptor
from surrogate_nas.predictors.graph_encoder import GraphTensors
from surrogate_nas.predictors.lifted import DistinctRows, lifted
from surrogate_nas.predictors.meta.descriptors import Descriptors
from surrogate_nas.predictors.meta.encoder import (
    MultiTaskEncoder,
    State,
    graph_tensors,
    whole_space,
)
from surrogate_nas.predictors.meta.kernel import TransferInputs, TransferKernel
from surrogate_nas.predictors.meta.suite_prior import shrunk
from surrogate_nas.predictors.meta.unseen_space import (
    SizeScores,
    SourceTerms,
    VocabularyMapping,
    known_share,
)
from surrogate_nas.predictors.structure.decision_columns import VALUES, DecisionColumns
from surrogate_nas.predictors.structure.features import StructuralFeatures
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.rows import RowIndex, distinct

# Families of structural features in the kernel. Files of weights have parameters for each in this
# order, and then for the decisions, if a space of the sources has columns of decisions.
FAMILIES = ("without", "order", "through", "weighted", "without_max", "skip", "widths")
SAMPLE = 4_096
"""Architectures of a task that the kernel learns from, and of a space that cannot be listed."""
_COMPONENTS = 24  # of the learned encodings
_NEAR = 0.2  # difference of correlations that reduces the weight of a source by the factor e


_Reader = Callable[[IntArray], Sequence[GraphTensors]]


class MetaModel:
    """Encoders and kernels; the view of the last space is kept."""

    def __init__(
        self,
        terms: SourceTerms,
        states: list[State],
        kernels: tuple[TransferKernel, TransferKernel],
        descriptors: Descriptors | None = None,
    ) -> None:
        """Store the arguments.

        Args:
            terms: What the encoders know.
            states: Of encoders that were trained on the same tasks.
            kernels: With and without the sources.
            descriptors: Of the source tasks, in the order of the encoders' heads.
        """
        self.terms = terms
        self.states = states
        self.kernels = kernels
        self.descriptors = descriptors
        self._encoders = [MultiTaskEncoder.restored(state) for state in states]
        self._views: dict[object, SpaceView] = {}

    @functools.cached_property
    def shrunk(self) -> tuple[TransferKernel, TransferKernel]:
        """The kernels that a new task is adapted with, once they are learned."""
        return shrunk(self.kernels, len(self.states[0]["heads.bias"]))

    def view(self, space: SearchSpace, task: Descriptor | None = None) -> SpaceView:
        """What is known about a space, all of it or a part, for a task that may be described."""
        whole = whole_space(space)
        described = None if self.descriptors is None or task is None else tuple(task.items())
        key = (type(whole), whole.identity, whole.isomorphs, described)
        if key not in self._views:
            self._views = {key: SpaceView(self, whole, _pool(whole), task)}
        return self._views[key]

    def reader(self, space: SearchSpace, pool: IntArray) -> _Reader:
        """A function from encodings to inputs of the encoders; ``pool`` shows all operations."""
        if self.terms.of_space(space):
            return functools.partial(_readings, space, self.terms.features)
        mapping = VocabularyMapping(space.graphs(pool).pruned(), self.terms)
        return functools.partial(_mapped, space, mapping)

    @torch.no_grad()
    def encode(self, readings: Sequence[GraphTensors]) -> tuple[Tensor, Tensor]:
        """Source tasks' scores (n, t), mean over encoders, and learned encodings (n, h)."""
        described = [[encoder.describe(g) for encoder in self._encoders] for g in readings]
        scores = torch.stack([scores for found in described for scores, _ in found]).mean(dim=0)
        hidden = [torch.cat([hidden for _, hidden in found], dim=1) for found in described]
        return scores, torch.stack(hidden).mean(dim=0)


def _readings(
    space: SearchSpace, features: tuple[str, ...], choices: IntArray
) -> list[GraphTensors]:
    return [graph_tensors(space, choices, features)]


def _mapped(
    space: SearchSpace, mapping: VocabularyMapping, choices: IntArray
) -> list[GraphTensors]:
    return mapping(space.graphs(choices).pruned())


def _pool(space: SearchSpace) -> IntArray:
    """All architectures, or a sample that is the same in every process."""
    if space.enumerable:
        return space.unique()
    drawn = space.keys(space.sample_choices(np.random.default_rng(0), SAMPLE))
    return drawn[distinct(space, drawn)[0]]


class SpaceView:
    """The inputs of the kernel in one space, standardised over a pool of its architectures."""

    def __init__(
        self, model: MetaModel, space: SearchSpace, pool: IntArray, task: Descriptor | None = None
    ) -> None:
        """Describe the pool.

        Args:
            model: What was learned.
            space: All of it.
            pool: Architectures that stand for the space.
            task: Of the task to be predicted, which weighs the sources.
        """
        self._model, self._space = model, space
        self._structure = StructuralFeatures.of(space)
        decided = len(model.kernels[0].own) > len(FAMILIES)
        self._decisions = _Differences(space) if decided else None
        self._read = model.reader(space, pool)
        scores, hidden = model.encode(self._read(pool))
        self._heads = _Standard(scores)
        self.known: float | None = None  # share of the operations, in an unseen space
        self._sized: SizeScores | None = None
        if not model.terms.of_space(space):
            graphs = space.graphs(pool).pruned()
            self.known, self._sized = known_share(graphs, model.terms), SizeScores(graphs)
        predicted = self._predicted(pool, scores)
        self._sources = _Standard(predicted)
        sources = self._sources(predicted)
        self._weights = _source_weights(model.descriptors, task, sources)
        self._trend = _Standard(_trend(sources, self._weights))
        wanted = model.kernels[0].alike is not None
        self._alike = _likeness(sources, wanted=wanted)
        self._centre = hidden.mean(dim=0)
        centred = hidden - self._centre
        vectors = torch.linalg.eigh(centred.T @ centred)[1].flip(1)[:, :_COMPONENTS]
        size = (centred @ vectors).square().sum(dim=1).mean().sqrt()
        self._components = vectors / size if size > 0 else vectors
        self._rows = RowIndex.of(space, pool)
        self._inputs = self._of(pool, scores, hidden)
        self._last: IntArray | None = None  # a read-only array of the whole pool
        if space.enumerable:
            rows = [family.numpy()[:, :-2] for family in self._inputs.families]
            rows = [one for one in rows if one.shape[1]]
            if rows:
                self._inputs = replace(self._inputs, distinct=DistinctRows.of(rows))

    def __call__(self, choices: IntArray) -> TransferInputs:
        """Inputs of encodings (n, decisions)."""
        if choices is self._last:
            return self._inputs
        keys = self._space.keys(np.asarray(choices))
        row = self._rows.find(keys)
        if row is self._rows.all:
            self._last = None if choices.flags.writeable else choices
            return self._inputs
        if (row >= 0).all():
            return self._inputs.take(torch.from_numpy(row))
        return self._of(keys, *self._model.encode(self._read(keys)))

    def _of(self, choices: IntArray, scores: Tensor, hidden: Tensor) -> TransferInputs:
        structure = self._structure
        features = structure.transform(choices)
        families = []
        for family in FAMILIES:
            columns = structure.columns([family])
            scaled = (features[:, columns] - structure.centre[columns]) / structure.scale[columns]
            scaled /= math.sqrt(max(len(columns), 1))
            families.append(lifted(torch.from_numpy(scaled.astype(np.float32))))
        if self._decisions is not None:
            families.append(lifted(self._decisions(choices)))
        sources = self._sources(self._predicted(choices, scores))
        return TransferInputs(
            trend=self._trend(_trend(sources, self._weights)),
            sources=sources * self._weights.sqrt(),
            hidden=lifted((hidden - self._centre) @ self._components),
            families=tuple(families),
            alike=sources @ self._alike,
            counts=self._weights,
        )

    def _predicted(self, choices: IntArray, scores: Tensor) -> Tensor:
        """What the heads predict, (n, t), in an unseen space averaged with the size.

        Size predicts without experience with the operations.
        """
        if self._sized is None:
            return scores
        sizes = self._sized(self._space.graphs(choices).pruned())
        return self._heads(scores) + torch.from_numpy(sizes)[:, None]


class _Differences:
    """Rows whose squared distance measures how much decisions differ, of mean square 1.

    Any two options of a decision have the same distance; values and ranks are further columns.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._columns = columns = DecisionColumns.of(space)
        values = np.array([family == VALUES for family in columns.families], dtype=np.bool_)
        size = np.sqrt(np.where(values, 1, columns.scale**2).sum()) if len(columns) else 1.0
        self._scale = np.where(values, columns.scale, 1) * size

    def __call__(self, choices: IntArray) -> Tensor:
        rows = (self._columns.transform(choices) - self._columns.centre) / self._scale
        return torch.from_numpy(rows.astype(np.float32))


def _source_weights(
    descriptors: Descriptors | None, task: Descriptor | None, sources: Tensor
) -> Tensor:
    """How much each of the standardised source tasks (n, t) counts, of mean 1: (t,)."""
    equal = torch.ones(sources.shape[1])
    if descriptors is None or task is None:
        return equal
    found = descriptors.weights(task, _correlation(sources).double().numpy())
    return equal if found is None else torch.from_numpy(found.astype(np.float32))


def _correlation(sources: Tensor) -> Tensor:
    return sources.T @ sources / max(len(sources) - 1, 1)


def _likeness(sources: Tensor, *, wanted: bool) -> Tensor:
    """Weights (t, t) by which standardised source tasks (n, t) become means of similar ones.

    A weight is exponential in the correlation of two tasks. The means have variance 1.
    """
    count = sources.shape[1]
    if not wanted:
        return sources.new_zeros(count, 0)
    correlation = _correlation(sources)
    weights = torch.softmax(correlation / _NEAR, dim=0)
    variance = (weights * (correlation @ weights)).sum(dim=0)
    return weights / variance.clamp_min(1e-6).sqrt()


def _trend(sources: Tensor, counts: Tensor) -> Tensor:
    """Mean and soft minimum over the source tasks: what is bad in one of them may be bad."""
    mean = (sources * counts).mean(dim=1)
    return torch.stack([mean, -torch.logsumexp(counts.log() - sources, dim=1)], dim=1)


class _Standard:
    """Standardises by the mean and the standard deviation of the rows it was made of."""

    def __init__(self, rows: Tensor) -> None:
        std = rows.std(dim=0)
        self._mean, self._std = rows.mean(dim=0), torch.where(std > 0, std, 1.0)

    def __call__(self, rows: Tensor) -> Tensor:
        return (rows - self._mean) / self._std
