"""The meta-trained graph predictor."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import SurrogateNASError
from surrogate_nas.evaluation import TaskData
from surrogate_nas.files import reason, write_bytes
from surrogate_nas.parallel import cores, each
from surrogate_nas.predictors.base import MetaPredictor, Predictor, not_fitted, require_rows
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.graph_encoder import GraphTensors
from surrogate_nas.predictors.lifted import DistinctRows, lifted
from surrogate_nas.predictors.meta.encoder import (
    EncoderJob,
    MultiTaskEncoder,
    SourceGroup,
    State,
    check_any_task,
    decision_names,
    encoder_edition,
    graph_tensors,
    group_tasks,
    sampled,
    terms_of,
    train_encoder,
    whole_space,
)
from surrogate_nas.predictors.meta.kernel import TransferInputs, TransferKernel
from surrogate_nas.predictors.meta.process import AdaptedProcess
from surrogate_nas.predictors.meta.stacked import Stacked
from surrogate_nas.predictors.meta.suite_prior import shrunk
from surrogate_nas.predictors.meta.unseen_space import (
    SizeScores,
    SourceTerms,
    VocabularyMapping,
    known_share,
)
from surrogate_nas.predictors.scores import normal_scores
from surrogate_nas.predictors.structure.decision_columns import VALUES, DecisionColumns
from surrogate_nas.predictors.structure.features import StructuralFeatures
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.operations import EDITIONS, edition, widened
from surrogate_nas.spaces.rows import RowIndex, distinct
from surrogate_nas.tensor_files import open_tensors, read_tensors, tensor_file

# Families of structural features in the kernel. Files of weights have parameters for each in this
# order, and then for the decisions, if a space of the sources has columns of decisions.
_FAMILIES = ("without", "order", "through", "weighted", "without_max", "skip", "widths")
_ENCODERS = 2
_FOLDS = 8
_COMPONENTS = 24  # of the learned encodings
_TERMS = ("operations", "centre", "scale")  # the arrays of `SourceTerms`
_COLUMNS = [1 + attributes for _, attributes in EDITIONS]  # of `SourceTerms.operations`
_NEAR = 0.2  # difference of correlations that reduces the weight of a source by the factor e
_SAMPLE = 4_096  # architectures of a task that the kernel learns from
_EPISODES = 16  # tasks that the kernel learns from: more add time, and its parameters are few


class MetaGNN(MetaPredictor):
    """A graph encoder with a head a source task, and a Gaussian process on its outputs.

    The encoder is trained on all source tasks at once. The predictions of its heads, its learned
    encodings and structural features are the inputs of a Gaussian process, `TransferKernel`. Its
    parameters are learned with each source task in turn as the new task (or each of eight groups,
    if there are more than eight tasks): an encoder that never saw the task describes it, and the
    marginal likelihood of its values is maximised. As a few tasks say little about them, they are
    drawn towards those of other suites when a new task is adapted to, see `suite_prior`. Adapting
    to a support set is then closed-form.

    A second process sees structural features alone. The two are weighted by their evidence on the
    support, so that misleading sources lose weight. In an unseen space, `Stacked` adds a process
    that is trained on the support alone, and is trusted more the less the sources know of it.

    If the spaces of the sources have columns of decisions (see `DecisionColumns`), the encoders and
    the kernels see them, too, and the prior mean is a mixture over groups of similar sources.
    Without such columns, a mixture was no better than the linear kernel.

    Related work: deep-kernel transfer (Patacchiola et al., "Bayesian Meta-Learning for the Few-Shot
    Setting via Deep Kernels", NeurIPS 2020) and two-stage transfer surrogates (Wistuba et al.,
    "Two-Stage Transfer Surrogate Model for Automatic Hyperparameter Optimization", ECML 2016).

    Example:
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("transnas-macro")
        >>> choices = space.all_choices()[::40]
        >>> source = TaskData("source", space, choices, choices.sum(axis=1) * 1.0)
        >>> learner = MetaGNN(steps=5).meta_fit([source])  # really more of both
        >>> prediction = learner.adapt(source.take(np.arange(10))).predict(choices)
        >>> bool((prediction.std > 0).all())
        True
    """

    any_space = True
    conditions = True

    _model: _Model | None = None

    def __init__(self, *, steps: int = 600, **settings: Any) -> None:
        """Store the arguments.

        Args:
            steps: Gradient steps of each encoder.
            settings: See `MetaPredictor`.
        """
        super().__init__(**settings)
        self.steps = steps

    def parts(self, tasks: int) -> int:
        """Encoders with and without each part of the tasks, and two kernels."""
        folds = len(_folds(tasks))
        return _ENCODERS + folds + (2 if folds else 0)

    def meta_fit(self, tasks: Sequence[TaskData]) -> Self:
        """Train the encoders, with and without each part of the tasks, then the kernel."""
        check_any_task(tasks)
        for task in tasks:
            require_rows(task, 2)
        folds = _folds(len(tasks))
        groups = tuple(sampled(group) for group in group_tasks(tasks))
        terms = terms_of(groups)
        jobs = [self._job(groups, (), i) for i in range(_ENCODERS)]
        jobs += [self._job(groups, fold, 0) for fold in folds]
        states = self._train(jobs)
        decided = any(decision_names(group.space) for group in groups)
        kernels = _new_kernels(len(_FAMILIES) + decided, mixture=decided)
        self._model = _Model(terms, states[:_ENCODERS], kernels)
        episodes = []
        taught = set(_spread(len(tasks), _EPISODES))
        for fold, state in zip(folds, states[_ENCODERS:], strict=True):
            without = _Model(terms, [state], self._model.kernels)
            for i in sorted(taught.intersection(fold)):
                rng = np.random.default_rng([self.seed, i])
                part = tasks[i].take(np.sort(rng.permutation(len(tasks[i]))[:_SAMPLE]))
                view = _View(without, whole_space(part.space), part.choices)
                episodes.append((view(part.choices), part.values))
        if episodes:
            transfer, scratch = self._model.kernels
            transfer.fit(episodes, normal_scores, self.seed)
            self.on_step("kernel with the sources")
            scratch.fit([(x.without_sources(), y) for x, y in episodes], normal_scores, self.seed)
            self.on_step("kernel without the sources")
        return self

    def _job(
        self, groups: tuple[SourceGroup, ...], held_out: tuple[int, ...], i: int
    ) -> EncoderJob:
        return EncoderJob(groups, held_out, (1_000 * self.seed + i) % 2**63, self.steps)

    def _train(self, jobs: Sequence[EncoderJob]) -> list[State]:
        """The jobs' results in their order; finished ones are read from the checkpoint."""
        files = [self._file(job) for job in jobs]
        states = [{} if file is None else _read(file) for file in files]
        missing = [i for i, state in enumerate(states) if not state]
        done = len(jobs) - len(missing)
        for _ in range(done):
            self.on_step("was there")
        work = [jobs[i] for i in missing]
        for position, state in each(train_encoder, work, workers=self.workers or cores()):
            i = missing[position]
            states[i] = state
            file = files[i]
            if file is not None:
                _write(file, state)
            done += 1
            self.on_step(f"encoder {done} of {len(jobs)}")
        return states

    def _file(self, job: EncoderJob) -> Path | None:
        """Named after what the encoder learns from, so that other trainings may share it.

        That of tasks A and B without B is that of B and A without A.
        """
        if self.checkpoint is None:
            return None
        digest = hashlib.sha256(json.dumps([job.seed, job.steps]).encode())
        for group in job.groups:
            used = [c for c, task in enumerate(group.tasks) if task not in job.held_out]
            digest.update(f"{group.space.identity}{group.space.isomorphs}{len(used)}".encode())
            digest.update(group.choices.tobytes() + group.scores[:, used].tobytes())
        return self.checkpoint / f"{digest.hexdigest()[:24]}.safetensors"

    def prior(self, space: SearchSpace) -> Predictor:
        """A predictor of normal scores, whose order and spread alone have a meaning."""
        view = self._learnt.view(space)
        adapted = AdaptedProcess(self._learnt.shrunk, view)
        if view.known is None:
            return adapted
        return Stacked(adapted, GaussianProcess(seed=self.seed), known=view.known)

    def adapt(self, support: TaskData) -> Predictor:
        """Condition on the support."""
        return self.prior(support.space).fit(support)

    @property
    def _learnt(self) -> _Model:
        if self._model is None:
            raise not_fitted(self)
        return self._model

    def tensors(self) -> dict[str, FloatArray]:
        """Encoders, the kernels, and the sources' statistics of features."""
        model = self._learnt
        found = {f"terms.{name}": getattr(model.terms, name) for name in _TERMS}
        known = found["terms.operations"]
        found["terms.operations"] = known[:, : 1 + edition(known[:, 0], known[:, 1:])[1]]
        for i, kernel in enumerate(model.kernels):
            found |= {f"kernel{i}.{name}": t.numpy() for name, t in kernel.state_dict().items()}
        for i, state in enumerate(model.states):
            found |= {f"encoder{i}.{name}": tensor for name, tensor in state.items()}
        return found

    def settings(self) -> dict[str, Any]:
        """The seed, and what the encoders know."""
        terms = self._learnt.terms
        return {
            "seed": self.seed,
            "spaces": list(terms.spaces),
            "features": list(terms.features),
        }

    @classmethod
    def restored(cls, tensors: Mapping[str, FloatArray], settings: Mapping[str, Any]) -> Self:
        """The meta-learner that `tensors` and `settings` came from."""
        parts: dict[str, State] = {}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = tensor
        learned = [parts.pop(f"kernel{i}") for i in range(2)]
        families = len(learned[0]["own"])
        if families not in (len(_FAMILIES), len(_FAMILIES) + 1):
            raise ValueError(f"its kernel has {families} families of features")
        kernels = _new_kernels(families, mixture="alike" in learned[0])
        for kernel, state in zip(kernels, learned, strict=True):
            kernel.load_state_dict({name: torch.from_numpy(a) for name, a in state.items()})
        described = parts["terms"]["operations"]
        if described.ndim != 2 or described.shape[1] not in _COLUMNS:
            raise ValueError("its parts do not fit together")
        parts["terms"]["operations"] = widened(described, _COLUMNS[-1])
        terms = SourceTerms(
            spaces=tuple(settings["spaces"]),
            features=tuple(settings["features"]),
            **parts.pop("terms"),
        )
        columns = {len(terms.features), len(terms.centre), len(terms.scale)}
        columns |= {state["encoder.structure.weight"].shape[1] for state in parts.values()}
        heads = {len(state["heads.bias"]) for state in parts.values()}
        editions = {encoder_edition(state) for state in parts.values()}
        if len(columns) != 1 or len(heads) != 1 or not editions <= set(EDITIONS):
            raise ValueError("its parts do not fit together")
        learner = cls(seed=settings["seed"])
        learner._model = _Model(terms, [parts[name] for name in sorted(parts)], kernels)
        return learner


def _new_kernels(families: int, *, mixture: bool) -> tuple[TransferKernel, TransferKernel]:
    """With the sources, and with structural features and decisions alone."""
    return TransferKernel(families, mixture=mixture), TransferKernel(families)


def _folds(tasks: int) -> list[tuple[int, ...]]:
    """Groups of tasks that are held out together; none if no task would remain."""
    if tasks < 2:
        return []
    parts = np.array_split(np.arange(tasks), min(tasks, _FOLDS))
    return [tuple(part.tolist()) for part in parts]


def _spread(count: int, most: int) -> list[int]:
    """At most ``most`` of the numbers 0, …, count - 1, at even distances, so of all folds."""
    return [i * count // min(count, most) for i in range(min(count, most))]


def _read(file: Path) -> State:
    try:
        with open_tensors(file) as opened:
            return read_tensors(opened, file)
    except Exception:  # not there, or damaged
        return {}


def _write(file: Path, state: State) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, tensor_file(state, {}))
    except OSError as error:
        raise SurrogateNASError(
            f"cannot keep a finished part in {file.parent}: {reason(error)}; it must be a folder "
            "with space that can be written"
        ) from error


_Reader = Callable[[IntArray], Sequence[GraphTensors]]


class _Model:
    """Encoders and kernels; the view of the last space is kept."""

    def __init__(
        self,
        terms: SourceTerms,
        states: list[State],
        kernels: tuple[TransferKernel, TransferKernel],
    ) -> None:
        self.terms = terms
        self.states = states
        self.kernels = kernels
        self._encoders = [MultiTaskEncoder.restored(state) for state in states]
        self._views: dict[object, _View] = {}

    @functools.cached_property
    def shrunk(self) -> tuple[TransferKernel, TransferKernel]:
        """The kernels that a new task is adapted with, once they are learned."""
        return shrunk(self.kernels, len(self.states[0]["heads.bias"]))

    def view(self, space: SearchSpace) -> _View:
        """What is known about a space, all of it or a part."""
        whole = whole_space(space)
        key = (type(whole), whole.identity, whole.isomorphs)
        if key not in self._views:
            self._views = {key: _View(self, whole, _pool(whole))}
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
    drawn = space.keys(space.sample_choices(np.random.default_rng(0), _SAMPLE))
    return drawn[distinct(space, drawn)[0]]


class _View:
    """The inputs of the kernel in one space, standardised over a pool of its architectures."""

    def __init__(self, model: _Model, space: SearchSpace, pool: IntArray) -> None:
        self._model, self._space = model, space
        self._structure = StructuralFeatures.of(space)
        decided = len(model.kernels[0].own) > len(_FAMILIES)
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
        self._trend = _Standard(_trend(self._sources(predicted)))
        self._alike = _likeness(self._sources(predicted), model.kernels[0].alike is not None)
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
        for family in _FAMILIES:
            columns = structure.columns([family])
            scaled = (features[:, columns] - structure.centre[columns]) / structure.scale[columns]
            scaled /= math.sqrt(max(len(columns), 1))
            families.append(lifted(torch.from_numpy(scaled.astype(np.float32))))
        if self._decisions is not None:
            families.append(lifted(self._decisions(choices)))
        sources = self._sources(self._predicted(choices, scores))
        return TransferInputs(
            trend=self._trend(_trend(sources)),
            sources=sources,
            hidden=lifted((hidden - self._centre) @ self._components),
            families=tuple(families),
            alike=sources @ self._alike,
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


def _likeness(sources: Tensor, wanted: bool) -> Tensor:
    """Weights (t, t) by which standardised source tasks (n, t) become means of similar ones.

    A weight is exponential in the correlation of two tasks. The means have variance 1.
    """
    count = sources.shape[1]
    if not wanted:
        return sources.new_zeros(count, 0)
    correlation = sources.T @ sources / max(len(sources) - 1, 1)
    weights = torch.softmax(correlation / _NEAR, dim=0)
    variance = (weights * (correlation @ weights)).sum(dim=0)
    return weights / variance.clamp_min(1e-6).sqrt()


def _trend(sources: Tensor) -> Tensor:
    """Mean and soft minimum over the source tasks: what is bad in one of them may be bad."""
    return torch.stack([sources.mean(dim=1), -torch.logsumexp(-sources, dim=1)], dim=1)


class _Standard:
    """Standardises by the mean and the standard deviation of the rows it was made of."""

    def __init__(self, rows: Tensor) -> None:
        std = rows.std(dim=0)
        self._mean, self._std = rows.mean(dim=0), torch.where(std > 0, std, 1.0)

    def __call__(self, rows: Tensor) -> Tensor:
        return (rows - self._mean) / self._std
