"""Zero-cost proxies of a whole space, looked up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.rows import RowIndex


class ProxyTable:
    """Ranks of all architectures by some proxies, as `Features`.

    Only the order is used, as proxies differ by tens of orders of magnitude. Ranks are standardised
    over the space, equal values share one, and values that are not finite come last.

    Attributes:
        names: Names of the proxies.
        identity: A hash of everything that decides the values.
    """

    def __init__(
        self, space: SearchSpace, names: Sequence[str], values: FloatArray, identity: str
    ) -> None:
        """Rank the values.

        Args:
            space: A space that can be listed.
            names: Names of the proxies.
            values: float (n, names), of the architectures that `SearchSpace.unique` lists.
            identity: See above.
        """
        self.names = tuple(names)
        self.identity = identity
        self._space = space
        self._rows = RowIndex.of(space, space.unique())
        columns = [_standard_ranks(column) for column in values.T]
        self._ranks = np.stack(columns, axis=1).astype(np.float32)

    def __call__(self, choices: IntArray) -> FloatArray:
        """Standardised ranks of encodings (n, decisions): float32 (n, names).

        Raises:
            ArchitectureError: If a row is not part of the space.
        """
        keys = self._space.keys(np.asarray(choices))
        return np.asarray(self._ranks[self._rows.require(keys)])


def _standard_ranks(values: FloatArray) -> FloatArray:
    """Ranks of values (n,), with mean 0 and standard deviation 1, or all 0."""
    values = np.where(np.isfinite(values), values, -np.inf)
    _, number, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - count / 2)[number]
    ranks -= ranks.mean()
    return np.asarray(ranks / (ranks.std() or 1.0))
