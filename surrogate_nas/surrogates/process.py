"""The mean and the uncertainty of a fitted Gaussian process, from arrays alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import FormatError
from surrogate_nas.predictors.gp import GaussianProcess, ProcessInputs
from surrogate_nas.predictors.kernels import (
    FamilyKernel,
    Hyperparameters,
    Kernel,
    KernelParameters,
)
from surrogate_nas.predictors.whitened import inverse_factor

_BLOCK = 500  # rows at once, so that covariances stay small


@dataclass(frozen=True)
class Process:
    """A Gaussian process on scores, conditioned on rows.

    Attributes:
        kernel: Of its columns.
        hyper: The hyperparameters.
        x: float64 (n, columns), the rows.
        weights: float64 (n, outputs), the weight of each row in the means of the outputs.
    """

    kernel: Kernel
    hyper: KernelParameters
    x: FloatArray
    weights: FloatArray

    @classmethod
    def of(cls, predictor: GaussianProcess, inputs: ProcessInputs, x: FloatArray) -> Self:
        """That of a predictor that was fitted to rows x (n, columns)."""
        hyper, weights = predictor.score_weights()
        return cls(inputs.kernel(), hyper, x.astype(np.float64), weights[:, None])

    def with_outputs(self, scores: FloatArray) -> Self:
        """With further outputs, whose values at the rows are (n, k)."""
        more = self._whiten.T @ (self._whiten @ scores)
        weights = np.concatenate([self.weights, more], axis=1)
        return type(self)(self.kernel, self.hyper, self.x, weights)

    def arrays(self) -> dict[str, FloatArray]:
        """What `restored` takes beside the rows."""
        return self.kernel.arrays(self.hyper) | {"weights": self.weights}

    @classmethod
    def restored(
        cls, arrays: Mapping[str, FloatArray], inputs: ProcessInputs, x: FloatArray
    ) -> Self:
        """From `arrays` and the rows (n, columns).

        Raises:
            FormatError: If they do not fit together.
        """
        kernel = inputs.kernel()
        hyper = kernel.restored(arrays)
        weights = np.asarray(arrays["weights"], np.float64)
        fitting = weights.ndim == 2 and len(weights) == len(x) and np.isfinite(weights).all()
        if hyper is None or not fitting:
            raise FormatError("the Gaussian process of the surrogate is damaged")
        return cls(kernel, hyper, x.astype(np.float64), weights)

    def mean(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Means of rows (m, columns), and how similar the most similar known row is.

        Returns:
            float64 (m, outputs), and float64 (m,), the largest correlation with a known row, at
            most 1.
        """
        means, nearest = [], []
        for start in range(0, max(len(x), 1), _BLOCK):
            scaled = self.kernel.scaled(x[start : start + _BLOCK].astype(np.float64), self.hyper)
            cross = self.kernel.between(scaled, self._scaled, self.hyper)
            means.append(cross @ self.weights)
            own = self._prior(x[start : start + _BLOCK])
            cross /= self._root
            nearest.append(cross.max(axis=1) / np.sqrt(own))
        return np.concatenate(means), np.minimum(np.concatenate(nearest), 1.0)

    def std(self, x: FloatArray) -> FloatArray:
        """Standard deviation of a measured score at rows (m, columns): float64 (m,)."""
        found = []
        for start in range(0, max(len(x), 1), _BLOCK):
            part = x[start : start + _BLOCK].astype(np.float64)
            scaled = self.kernel.scaled(part, self.hyper)
            white = self._whiten @ self.kernel.between(self._scaled, scaled, self.hyper)
            known = np.einsum("ij,ij->j", white, white)
            found.append((self._prior(part) - known).clip(0))
        return np.sqrt(np.concatenate(found) + self.hyper.noise)

    def similarity_left_out(self) -> FloatArray:
        """Correlation of each known row with the most similar other one: float64 (n,)."""
        cross = self.kernel.between(self._scaled, self._scaled, self.hyper)
        cross /= self._root
        cross /= self._root[:, None]
        np.fill_diagonal(cross, -np.inf)
        return np.asarray(cross.max(axis=1))

    def _prior(self, x: FloatArray) -> FloatArray:
        return self.kernel.diagonal(x.astype(np.float64), self.hyper)

    @cached_property
    def _scaled(self) -> Any:
        return self.kernel.scaled(self.x, self.hyper)

    @cached_property
    def _root(self) -> FloatArray:
        return np.sqrt(self._prior(self.x))

    @cached_property
    def _whiten(self) -> FloatArray:
        covariance = self.kernel.between(self._scaled, self._scaled, self.hyper)
        covariance[np.diag_indices(len(self.x))] += self.hyper.noise
        return inverse_factor(covariance)


class Together:
    """Several processes that know the same rows, and answer for one row in one pass."""

    @classmethod
    def of(cls, processes: Sequence[Process]) -> Self | None:
        """That of ``processes``; None if their rows or their kernels do not allow it."""
        kernel, x = processes[0].kernel, processes[0].x
        hypers = [p.hyper for p in processes if isinstance(p.hyper, Hyperparameters)]
        same = all(np.array_equal(process.x, x) for process in processes)
        if not same or not isinstance(kernel, FamilyKernel) or len(hypers) < len(processes):
            return None
        return cls(processes, kernel, hypers)

    def __init__(
        self, processes: Sequence[Process], kernel: FamilyKernel, hypers: Sequence[Hyperparameters]
    ) -> None:
        """Prepare the means of ``processes``, all with the same x; prefer `of`, which checks it."""
        self._processes = processes
        x = processes[0].x
        relevance = np.stack([hyper.relevance for hyper in hypers])
        self._parts = [
            (part, np.ascontiguousarray(x[:, part].T), np.ascontiguousarray(relevance[:, part]))
            for part in kernel.slices
        ]
        self._families = np.stack([hyper.families for hyper in hypers])[:, :, None]
        self._joint = np.array([[hyper.joint] for hyper in hypers])
        self._linear = np.array([[hyper.linear] for hyper in hypers])
        self._relevance, self._norms = relevance, relevance @ (x * x).T
        self._root = np.stack([process._root for process in processes])
        self._prior = self._families[:, :, 0].sum(axis=1) + self._joint[:, 0]

    def mean(self, x: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        """What `Process.mean` says of one row (1, columns), for each process."""
        row = x[0].astype(np.float64)
        cross = np.zeros_like(self._norms)
        squares = np.zeros_like(cross)
        for i, (part, known, relevance) in enumerate(self._parts):
            difference = known - row[part, None]
            difference *= difference
            square = relevance @ difference
            squares += square
            cross += _rational(square, self._families[:, i])
        norm = self._relevance @ (row * row)
        inner = self._norms + norm[:, None]
        inner -= squares
        inner *= 0.5 * self._linear
        cross += inner
        cross += _rational(squares, self._joint)
        nearest = (cross / self._root).max(axis=1)
        nearest /= np.sqrt(self._prior + self._linear[:, 0] * norm)
        means = [k @ process.weights for k, process in zip(cross, self._processes, strict=True)]
        return [
            (mean[None], similarity[None])
            for mean, similarity in zip(means, np.minimum(nearest, 1.0), strict=True)
        ]


def _rational(square: FloatArray, variance: FloatArray) -> FloatArray:
    """A part of the kernel, see `FamilyKernel`."""
    shape = 0.5 * square
    shape += 1
    return np.asarray(np.divide(variance, shape, out=shape))
