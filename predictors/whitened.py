"""Gaussian processes that are conditioned on further rows without starting anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from surrogate_nas._types import FloatArray


def inverse_factor(covariance: FloatArray) -> FloatArray:
    """Inverse of the lower Cholesky factor of a covariance with noise: float64 (n, n)."""
    factor = cholesky(covariance, lower=True)
    return np.asarray(solve_triangular(factor, np.eye(len(covariance)), lower=True))


@dataclass(frozen=True, slots=True)
class Growth:
    """How the inverse of the Cholesky factor of A becomes that of [[A, B'], [B, C]].

    Attributes:
        whiten: float64 (n + k, n + k), that of the larger matrix.
        below: float64 (k, n), B times the transposed inverse of A's factor.
        corner: float64 (k, k), the lower right block of ``whiten``.
    """

    whiten: FloatArray
    below: FloatArray
    corner: FloatArray

    @classmethod
    def of(cls, whiten: FloatArray, cross: FloatArray, own: FloatArray) -> Self:
        """From the inverse of A's factor, B (k, n) and C (k, k), which has the noise."""
        n = len(whiten)
        below = cross @ whiten.T
        corner = inverse_factor(own - below @ below.T)
        larger = np.zeros((n + len(own), n + len(own)))
        larger[:n, :n] = whiten
        larger[n:, :n] = -corner @ below @ whiten
        larger[n:, n:] = corner
        return cls(larger, below, corner)


@dataclass(frozen=True, slots=True)
class Whitened:
    """What n rows say about m others.

    Attributes:
        block: float (n or more, m), the inverse of the rows' Cholesky factor times their
            covariances with the others. The rows after the first n belong to one that was
            `extended` from this, or are unused.
        n: Number of rows.
        filled: How many rows of ``block`` are used by this or by one extended from it.
        variance: float64 (m,), of the others' scores without noise, given the rows.
    """

    block: FloatArray
    n: int
    filled: list[int]
    variance: FloatArray

    @classmethod
    def of(cls, block: FloatArray, prior: FloatArray) -> Self:
        """From the block (n, m), and the variance (m,) without any row."""
        variance = prior.astype(np.float64) - np.einsum("ij,ij->j", block, block)
        return cls(block, len(block), [len(block)], variance)

    def mean(self, white: FloatArray) -> FloatArray:
        """Means by the whitened scores (n,) of the rows: float (m,)."""
        return np.asarray(white.astype(self.block.dtype) @ self.block[: self.n])

    def extended(self, cross: FloatArray, growth: Growth) -> Whitened:
        """With k more rows, whose covariances with the others are (k, m)."""
        n, k, block, filled = self.n, len(cross), self.block, self.filled
        if filled[0] > n or n + k > len(block):
            block, filled = np.empty(((n + k) * 4 // 3, cross.shape[1]), cross.dtype), [n]
            block[:n] = self.block[:n]
        below, corner = growth.below.astype(block.dtype), growth.corner.astype(block.dtype)
        fresh = block[n : n + k]
        np.matmul(corner, cross - below @ block[:n], out=fresh)
        filled[0] = n + k
        variance = self.variance - np.einsum("ij,ij->j", fresh, fresh)
        return Whitened(block, n + k, filled, variance)
