"""Decisions as numbers: what was chosen, read off the encoding and not off the graph."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.predictors.structure.decision_states import (
    SAMPLE,
    DecisionStates,
    state_shares,
    states_of,
    step_values,
)
from surrogate_nas.spaces.base import RestrictedSpace, SearchSpace
from surrogate_nas.spaces.joint import JointSpace
from surrogate_nas.spaces.operations import OPERATION_IDS

OPTIONS = "options"
"""Family of the columns that are 1 where an option was chosen, else 0."""

VALUES = "values"
"""Family of the columns with the value of a number, or the rank of an ordinal's option."""

_GRAPHS = 1_000  # of which operations are looked up


class DecisionColumns:
    """The decisions of one space as columns, by `of`; without columns that are constant.

    A decision has a column for each option. A number also has a column with its value, an ordinal
    one with its rank. An inactive decision is a state of its own with a further column; its value
    is the mean of the others.

    A space with a rule of isomorphism has several encodings of one network, and the graph is the
    better description. So it has no columns, unless it has operations that the vocabulary does
    not know, as graphs do not distinguish these. Nor has one that declares its graphs complete,
    see `SearchSpace`.

    Attributes:
        names: Name of each column, for example ``layers=4`` or ``layers``.
        families: Family of each column: those of `OPTIONS` come first, then those of `VALUES`.
        centre: float32 (k,), mean of each column over the space (or a sample of it).
        scale: float32 (k,), standard deviation, never 0.
        states: The states of the decisions, if all decisions have columns.
    """

    def __init__(self, space: SearchSpace, *, every: bool = False) -> None:
        """Prepare the columns of ``space``; prefer `of`, which keeps them.

        Args:
            space: The space.
            every: Whether all decisions have columns, also those that graphs show.
        """
        self._space = space
        found: list[_Block] = []
        self.states: DecisionStates | None = None
        positions = range(len(space.decisions)) if every else _described(space)
        if positions:
            shares = state_shares(space)
            if len(positions) == len(space.decisions):
                self.states = DecisionStates(space, shares)
            found = [block for d in positions for block in _blocks(space, d, shares[d])]
        found.sort(key=lambda block: block.family == VALUES)
        self._blocks = [block for block in found if block.names]
        self.names = tuple(name for block in self._blocks for name in block.names)
        self.families = tuple(block.family for block in self._blocks for _ in block.names)
        none = np.zeros(0, dtype=np.float32)
        self.centre = np.concatenate([none, *(b.centre for b in self._blocks)], dtype=np.float32)
        self.scale = np.concatenate([none, *(b.scale for b in self._blocks)], dtype=np.float32)

    @staticmethod
    def of(space: SearchSpace) -> DecisionColumns:
        """The columns of a space, made at first use."""
        if isinstance(space, RestrictedSpace):
            if space not in _RESTRICTED:
                _RESTRICTED[space] = DecisionColumns(space)
            return _RESTRICTED[space]
        key = (type(space), space.identity, space.decisions, space.isomorphs)
        if key not in _WHOLE:
            _WHOLE[key] = DecisionColumns(space)
        return _WHOLE[key]

    def __len__(self) -> int:
        return len(self.names)

    def transform(self, choices: IntArray) -> FloatArray:
        """Columns of encodings (n, decisions): float32 (n, columns).

        In a space with merged isomorphs, those of the canonical forms.
        """
        rows = np.empty((len(choices), len(self)), dtype=np.float32)
        if not self._blocks:
            return rows
        states = states_of(self._space, self._space.keys(np.asarray(choices)))
        start = 0
        for block in self._blocks:
            end = start + len(block.names)
            rows[:, start:end] = block.table[states[:, block.decision]]
            start = end
        return rows


_WHOLE: dict[tuple[object, ...], DecisionColumns] = {}
_RESTRICTED: WeakKeyDictionary[SearchSpace, DecisionColumns] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class _Block:
    """Columns of one family of one decision.

    Attributes:
        decision: Its position.
        family: `OPTIONS` or `VALUES`.
        names: Name of each column.
        table: float32 (options + 1, k), the columns in each state, the last one inactive.
        centre: float64 (k,), their means.
        scale: float64 (k,), their standard deviations.
    """

    decision: int
    family: str
    names: tuple[str, ...]
    table: FloatArray
    centre: FloatArray
    scale: FloatArray


def _described(space: SearchSpace) -> range:
    """Positions of the decisions that have columns."""
    space = space.whole if isinstance(space, RestrictedSpace) else space
    count = len(space.decisions)
    if isinstance(space, JointSpace):  # no graph shows what is beside an architecture
        shown = graph_is_the_description(space.architectures)
        return range(len(space.architectures.decisions) if shown else 0, count)
    return range(0 if not graph_is_the_description(space) else count, count)


def graph_is_the_description(space: SearchSpace) -> bool:
    """Whether a space needs no columns, as its graphs show everything, see `DecisionColumns`."""
    whole = space.whole if isinstance(space, RestrictedSpace) else space
    if whole.graph_is_complete:
        return True
    if type(whole).canonicalise is SearchSpace.canonicalise:
        return False
    drawn = whole.sample_choices(np.random.default_rng(0), SAMPLE)
    # Setting inactive decisions to their first options is not such a rule.
    if not ((whole.canonicalise(drawn) != drawn) & whole.active(drawn)).any():
        return False
    return bool((whole.graphs(drawn[:_GRAPHS]).op != OPERATION_IDS["unknown"]).all())


def _blocks(space: SearchSpace, position: int, share: FloatArray) -> list[_Block]:
    """The columns of a decision whose states (options + 1,) have these shares of the space."""
    decision = space.decisions[position]
    options = np.eye(len(share))
    labels = [f"{decision.name}={option}" for option in (*decision.options, "inactive")]
    found = [_block(position, OPTIONS, labels, options, share)]
    values = step_values(decision)
    if values is not None and share[:-1].sum() > 0:
        mean = float(values @ share[:-1] / share[:-1].sum())
        table = np.append(values, mean)[:, None]
        found.append(_block(position, VALUES, [decision.name], table, share))
    return found


def _block(
    position: int, family: str, labels: list[str], table: FloatArray, share: FloatArray
) -> _Block:
    present = table[share > 0]
    kept = present.max(axis=0) > present.min(axis=0)
    table = table[:, kept]
    centre = share @ table
    scale = np.sqrt(share @ (table - centre) ** 2)
    names = tuple(label for label, there in zip(labels, kept.tolist(), strict=True) if there)
    return _Block(position, family, names, table.astype(np.float32), centre, scale)
