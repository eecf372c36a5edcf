"""One graph encoder for many tasks, and its training on the source tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.graph_encoder import GraphEncoder, GraphTensors, seeded
from surrogate_nas.predictors.meta.unseen_space import SourceTerms
from surrogate_nas.predictors.scores import normal_scores
from surrogate_nas.predictors.structure.decision_columns import DecisionColumns
from surrogate_nas.predictors.structure.features import StructuralFeatures
from surrogate_nas.predictors.structure.paths import unique_rows
from surrogate_nas.spaces.base import RestrictedSpace, SearchSpace
from surrogate_nas.spaces.operations import EDITIONS
from surrogate_nas.spaces.rows import RowIndex, distinct

_WIDTH = 64
_BATCH = 256
_RATE = 3e-3
_DECAY = 1e-2
_ARCHITECTURES = 32_768  # of one space, to save memory; 600 batches show each some five times
_AT_ONCE = 4_096  # architectures whose features are standardised together, to save memory

State = dict[str, FloatArray]
"""Parameters of an encoder and its heads, float32."""


@dataclass(frozen=True)
class SourceGroup:
    """The source tasks of one space.

    Attributes:
        space: The whole space.
        choices: int (n, decisions), all architectures that any of the tasks measured.
        scores: float32 (n, t), normal scores of their values, NaN where a task has none.
        tasks: Position of each task among all, (t,).
    """

    space: SearchSpace
    choices: IntArray
    scores: FloatArray
    tasks: tuple[int, ...]


def whole_space(space: SearchSpace) -> SearchSpace:
    """The space itself, or the one that it is a part of."""
    return space.whole if isinstance(space, RestrictedSpace) else space


def group_tasks(tasks: Sequence[TaskData]) -> list[SourceGroup]:
    """Source tasks by space, in the order in which spaces first appear."""
    by_space: dict[object, list[int]] = {}
    for i, task in enumerate(tasks):
        space = whole_space(task.space)
        by_space.setdefault((type(space), space.identity, space.isomorphs), []).append(i)
    return [_group(tasks, members) for members in by_space.values()]


def tasks_of_one_space(tasks: Sequence[TaskData], learner: str, advice: str) -> SourceGroup:
    """Source tasks of a meta-learner that serves one space only.

    Args:
        tasks: Of the sources.
        learner: Its name, for the message.
        advice: What to do with tasks of several spaces, for the message.

    Raises:
        InvalidArgumentError: If there is no task, or they are of several spaces.
    """
    check_any_task(tasks)
    groups = group_tasks(tasks)
    if len(groups) != 1:
        raise InvalidArgumentError(
            f"{learner} learns from tasks of one space, got {len(groups)}; {advice}"
        )
    return groups[0]


def check_any_task(tasks: Sequence[TaskData]) -> None:
    """Refuse a meta-training without tasks.

    Raises:
        InvalidArgumentError: If there is none.
    """
    if not tasks:
        raise InvalidArgumentError("a meta-learner needs at least one task, got none")


def _group(tasks: Sequence[TaskData], members: Sequence[int]) -> SourceGroup:
    space = whole_space(tasks[members[0]].space)
    choices = np.concatenate([tasks[i].choices for i in members])
    known = choices[distinct(space, choices)[0]]
    index = RowIndex.of(space, known)
    scores = np.full((len(index), len(members)), np.nan, dtype=np.float32)
    for column, i in enumerate(members):
        scores[index.find(tasks[i].choices), column] = normal_scores(tasks[i].values)
    return SourceGroup(space, known, scores, tuple(members))


def terms_of(groups: Sequence[SourceGroup]) -> SourceTerms:
    """The operations, structural features and decisions of all spaces, each once."""
    structures = [StructuralFeatures.of(group.space) for group in groups]
    operations = unique_rows(np.concatenate([s.operations for s in structures]))[0]
    names = list(dict.fromkeys(name for s in structures for name in s.names))
    moments = np.full((2, len(groups), len(names)), np.nan)
    for i, structure in enumerate(structures):
        columns = [names.index(name) for name in structure.names]
        moments[:, i, columns] = structure.centre, structure.scale
    centre, scale = np.nanmean(moments, axis=1).astype(np.float32)
    spaces = tuple(dict.fromkeys(group.space.identity for group in groups))
    decided = list(dict.fromkeys(name for g in groups for name in decision_names(g.space)))
    return SourceTerms(
        spaces,
        operations,
        (*names, *decided),
        # Those of decisions are standardised already, and 0 in all spaces but their own.
        np.concatenate([centre, np.zeros(len(decided), dtype=np.float32)]),
        np.concatenate([scale, np.ones(len(decided), dtype=np.float32)]),
    )


def decision_names(space: SearchSpace) -> list[str]:
    """Names of a space's columns of decisions that are unique among all spaces."""
    return [f"{space.identity}:{name}" for name in DecisionColumns.of(space).names]


def graph_tensors(space: SearchSpace, choices: IntArray, names: Sequence[str]) -> GraphTensors:
    """Graphs of encodings (n, decisions) with features in the order of ``names``.

    Features are structural ones and columns of decisions, standardised over the space. A feature
    that the space does not have is 0, the mean.
    """
    features = np.zeros((len(choices), len(names)), dtype=np.float32)
    structure, decisions = StructuralFeatures.of(space), DecisionColumns.of(space)
    for known, listed in ((structure, structure.names), (decisions, decision_names(space))):
        own = {name: i for i, name in enumerate(listed)}
        there = np.array([i for i, name in enumerate(names) if name in own], dtype=np.int64)
        columns = np.array([own[names[i]] for i in there], dtype=np.int64)
        for start in range(0, len(choices), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            raw = known.transform(choices[part])[:, columns]
            features[part, there] = (raw - known.centre[columns]) / known.scale[columns]
    tensors = GraphTensors.from_graphs(space.graphs(space.keys(choices)).pruned(), features)
    return tensors.shared() if len(decisions) else tensors


class MultiTaskEncoder(nn.Module):
    """A graph encoder with one linear head a task, trained on normal scores of values."""

    def __init__(self, features: int, tasks: int, edition: tuple[int, int] = EDITIONS[0]) -> None:
        """Random weights from torch's generator, see `seeded`."""
        super().__init__()
        self.encoder = GraphEncoder(features, width=_WIDTH, edition=edition)
        self.heads = nn.Linear(_WIDTH, tasks)

    def forward(self, graphs: GraphTensors) -> Tensor:
        """Scores in every task, (n, tasks)."""
        return torch.as_tensor(self.heads(torch.relu(self.encoder(graphs))))

    @torch.no_grad()
    def describe(self, graphs: GraphTensors) -> tuple[Tensor, Tensor]:
        """Scores in every task (n, tasks), and learned encodings (n, width)."""
        hidden = torch.relu(self.encoder.encode(graphs))
        return self.heads(hidden), hidden

    def state(self) -> State:
        """All parameters by name."""
        return {name: tensor.numpy().copy() for name, tensor in self.state_dict().items()}

    @classmethod
    def restored(cls, state: Mapping[str, FloatArray]) -> MultiTaskEncoder:
        """The encoder that `state` came from.

        Raises:
            KeyError, RuntimeError: If it is of another kind.
        """
        model = cls(
            state["encoder.structure.weight"].shape[1],
            len(state["heads.bias"]),
            encoder_edition(state),
        )
        model.load_state_dict({name: torch.from_numpy(a.copy()) for name, a in state.items()})
        return model.eval()


def encoder_edition(state: Mapping[str, FloatArray]) -> tuple[int, int]:
    """How many operations and attributes an encoder knows, see `GraphEncoder`."""
    return len(state["encoder.operation.weight"]), state["encoder.attributes.weight"].shape[1]


@dataclass(frozen=True, eq=False)
class EncoderJob:
    """The training of one encoder; it may be sent to another process.

    Attributes:
        groups: All source tasks.
        held_out: Positions of those tasks that it must not see.
        seed: Of the weights and the batches.
        steps: Number of batches.
    """

    groups: tuple[SourceGroup, ...]
    held_out: tuple[int, ...]
    seed: int
    steps: int


def train_encoder(job: EncoderJob) -> State:
    """Train one encoder: squared error of normal scores, one-cycle AdamW."""
    used = sorted(i for group in job.groups for i in group.tasks if i not in job.held_out)
    names, graphs = _prepared(job.groups)
    position = {task: column for column, task in enumerate(used)}
    parts = []  # graphs, scores, heads, usable rows
    for group, tensors in zip(job.groups, graphs, strict=True):
        columns = [c for c, task in enumerate(group.tasks) if task in position]
        if columns:
            scores = torch.from_numpy(group.scores[:, columns])
            heads = torch.tensor([position[group.tasks[c]] for c in columns])
            usable = torch.nonzero(~torch.isnan(scores).all(dim=1))[:, 0]
            parts.append((tensors, scores, heads, usable))
    shares = torch.tensor([float(len(heads)) for _, _, heads, _ in parts])
    with seeded(job.seed):
        model = MultiTaskEncoder(len(names), len(used), max(g.edition for g in graphs))
        optimiser = torch.optim.AdamW(model.parameters(), weight_decay=_DECAY, foreach=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=job.steps)
        for _ in range(job.steps):
            which = int(torch.multinomial(shares, 1)) if len(parts) > 1 else 0
            tensors, scores, heads, usable = parts[which]
            rows = usable[torch.randint(len(usable), (_BATCH,))]
            wanted = scores[rows]
            known = ~torch.isnan(wanted)
            error = model(tensors.take(rows))[:, heads] - wanted
            loss = error[known].square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.state()


def sampled(group: SourceGroup) -> SourceGroup:
    """The group, or as many of its architectures as fit into memory, with a fair share a task."""
    count = len(group.scores)
    if count <= _ARCHITECTURES:
        return group
    order = np.random.default_rng(0).permutation(count)
    known = ~np.isnan(group.scores[order])
    # A row of the least common task counts most: its place among the rows of that task.
    place = np.where(known, np.cumsum(known, axis=0, dtype=np.int32), count).min(axis=1)
    rows = np.sort(order[np.argsort(place, kind="stable")[:_ARCHITECTURES]])
    return replace(group, choices=group.choices[rows], scores=group.scores[rows])


_PREPARED: dict[object, tuple[tuple[str, ...], list[GraphTensors]]] = {}


def _prepared(groups: Sequence[SourceGroup]) -> tuple[tuple[str, ...], list[GraphTensors]]:
    """Names of features, and the graphs; those of the last suite are kept for other trainings."""
    key = tuple((g.space.identity, g.space.isomorphs, hash(g.choices.tobytes())) for g in groups)
    if key not in _PREPARED:
        _PREPARED.clear()
        names = terms_of(groups).features
        _PREPARED[key] = names, [graph_tensors(g.space, g.choices, names) for g in groups]
    return _PREPARED[key]
