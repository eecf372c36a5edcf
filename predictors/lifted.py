"""Squared distances as matrix products."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from surrogate_nas._types import FloatArray, IntArray

_TIMES = 3  # average occurrences of a row, from which on a family is not divided
_FEW = 2_000  # most distinct rows of a part of a divided family


def lifted(rows: Tensor) -> Tensor:
    """Rows (n, k) with their squared norm and 1 as further columns: (n, k + 2), see `turned`.

    Rows without columns stay without columns.
    """
    if not rows.shape[1]:
        return rows
    norms = rows.square().sum(dim=1, keepdim=True)
    return torch.cat([rows, norms, torch.ones_like(norms)], dim=1)


def turned(rows: Tensor, factor: Tensor | float = 1.0, extra: Tensor | float = 0.0) -> Tensor:
    """The matrix by which `lifted` rows are multiplied to give squared distances to others.

    Args:
        rows: The others, lifted, (n, k + 2).
        factor: Scales the squared distances.
        extra: Is added to the scaled distances.

    Returns:
        (k + 2, n).
    """
    norms = factor * rows[:, -2:-1] + extra
    return torch.cat([(-2 * factor) * rows[:, :-2], factor * rows[:, -1:], norms], dim=1).T


@dataclass(frozen=True, slots=True)
class DistinctRows:
    """Many rows of several families of columns, with few distinct rows in each family.

    The squared distances of a distinct row are computed once. A family with too many distinct
    rows is divided into parts of a few columns; a distance is the sum over the parts.

    Attributes:
        families: The distinct rows of each family, (u, k + 2). Those of a part have zeros in the
            other columns and are `lifted`, but for the 1, which only the first part has.
        numbers: int32 (m, families that are whole), which of these rows each of the many has,
            counted through all families that are whole; None if none is.
        parted: int32 (m, parts) for each other family, by its position: which rows are its sum.
    """

    families: tuple[Tensor, ...]
    numbers: Tensor | None
    parted: Mapping[int, Tensor]

    @classmethod
    def of(cls, families: Sequence[FloatArray]) -> Self:
        """From float32 rows (m, k) of each family, k >= 1."""
        distinct, whole, parted, start = [], [], {}, 0
        for i, rows in enumerate(families):
            parts = _parts(rows, slice(0, rows.shape[1]), len(rows) // _TIMES)
            stacked = np.zeros((sum(len(first) for _, first, _ in parts), rows.shape[1] + 2))
            numbers, end = [], 0
            for columns, first, number in parts:
                stacked[end : end + len(first), columns] = rows[first, columns]
                numbers.append(number + end)
                end += len(first)
            stacked[:, -2] = (stacked * stacked).sum(axis=1)
            stacked[: len(parts[0][1]), -1] = 1
            distinct.append(torch.from_numpy(stacked.astype(np.float32)))
            if len(parts) == 1:
                whole.append(numbers[0] + start)
                start += end
            else:
                parted[i] = _beside(numbers)
        return cls(tuple(distinct), _beside(whole) if whole else None, parted)

    def inverse(self, products: Sequence[Tensor]) -> Callable[[slice], Iterator[Tensor]]:
        """What sums up to Σ_f 1 / (rows of family f times a matrix).

        Args:
            products: Of the distinct rows and a matrix (k + 2, n), for each family.

        Returns:
            From some of the m rows to the terms, (rows, n) each.
        """
        whole = [p.reciprocal() for i, p in enumerate(products) if i not in self.parted]
        table = torch.cat(whole) if whole else products[0]

        def terms(some: slice) -> Iterator[Tensor]:
            if self.numbers is not None:
                yield embedding_bag(self.numbers[some], table, mode="sum")
            for i, numbers in self.parted.items():
                yield embedding_bag(numbers[some], products[i], mode="sum").reciprocal_()

        return terms


def _beside(numbers: Sequence[IntArray]) -> Tensor:
    return torch.from_numpy(np.stack(numbers, axis=1).astype(np.int32))


def _parts(rows: FloatArray, columns: slice, most: int) -> list[tuple[slice, IntArray, IntArray]]:
    """Columns, where their distinct rows come first, and each row's number among these."""
    # A random projection: distinct rows get distinct numbers, which sort fast.
    weights = np.random.default_rng(0).normal(size=columns.stop - columns.start)
    mixed = rows[:, columns].astype(np.float64) @ weights
    _, first, number = np.unique(mixed, return_index=True, return_inverse=True)
    middle = (columns.start + columns.stop) // 2
    if len(first) <= most or middle == columns.start:
        return [(columns, first, number)]
    halves = slice(columns.start, middle), slice(middle, columns.stop)
    return [part for half in halves for part in _parts(rows, half, _FEW)]
