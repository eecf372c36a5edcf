"""How many operations architectures have, on which their costs depend."""

from __future__ import annotations

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Features
from surrogate_nas.predictors.meta.cost_columns import CostColumns, leads_to_output
from surrogate_nas.predictors.meta.encoder import whole_space
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.operations import OPERATION_IDS, STRUCTURAL_OPERATIONS

_UNCOUNTED = [*STRUCTURAL_OPERATIONS, OPERATION_IDS["skip"]]


class OperationCounts:
    """Numbers of all operations and of those that lead to the output, before other features.

    Structural features know only what leads to the output, and latency or memory depend on the
    rest, too. See `surrogate_nas.predictors.meta.cost_columns.CostColumns`.

    Attributes:
        names: Name of each column.
    """

    def __init__(self, space: SearchSpace, others: Features | None = None) -> None:
        """Prepare the columns.

        Args:
            space: Of the encodings.
            others: Features that follow.

        Raises:
            NotImplementedError: If the space has no graphs.
        """
        self._columns = CostColumns.of(whole_space(space))
        self._counted = np.flatnonzero(self._columns.groups <= 1)
        self._others = others
        own = tuple(f"operations {i}" for i in range(len(self._counted)))
        self.names = own if others is None else (*own, *others.names)
        self._last: tuple[IntArray, FloatArray] | None = None

    @classmethod
    def of(cls, space: SearchSpace, others: Features | None = None) -> OperationCounts | None:
        """The columns of a space; None where it has no graphs, or nothing to count differs."""
        try:
            found = cls(space, others)
        except NotImplementedError:
            return None
        return found if len(found._counted) else None

    def __call__(self, choices: IntArray) -> FloatArray:
        """Columns of encodings (n, decisions): float32 (n, names), kept for a read-only array."""
        if self._last is not None and choices is self._last[0]:
            return self._last[1]
        found = self._columns(choices)[:, self._counted].astype(np.float32)
        if self._others is not None:
            found = np.concatenate([found, self._others(choices)], axis=1)
        if not choices.flags.writeable:
            self._last = choices, found
        return found


def sizes(space: SearchSpace, choices: IntArray) -> IntArray:
    """How many operations of architectures lead to the output, skip connections not counted.

    Args:
        space: Has graphs.
        choices: int (n, decisions).

    Returns:
        int (n,).
    """
    graphs = whole_space(space).graphs(choices)
    counted = leads_to_output(graphs) & ~np.isin(graphs.op, _UNCOUNTED)
    return np.bincount(graphs.graph[counted], minlength=len(graphs))
