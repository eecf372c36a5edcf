"""The kernel of the Gaussian process and its marginal likelihood with gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.linalg.lapack import dpotri

from surrogate_nas._types import FloatArray, IntArray

_JITTER = 1e-6
_FREEDOM = 36.0  # variance of all columns' departures together
_OF_AN_OPTION = 0.5  # standard deviation of the departure of a decision's column
_FARTHEST = 20.0  # standard deviations of a prior
_PARTS_MEAN = (0.0, -1.0, -2.0)
_PARTS = len(_PARTS_MEAN)
NOISE_OF_DECISIONS = -1.0  # decisions explain a task less far than a graph that is known

Pullback = Callable[[FloatArray], FloatArray]
"""From twice the derivative by a covariance (n, n) to that by the parameters: (parameters,)."""


class KernelParameters(Protocol):
    """Hyperparameters of a kernel, whatever they are."""

    @property
    def noise(self) -> float:
        """Variance of the noise."""
        ...


class KernelRows(Protocol):
    """Rows in the form that a kernel's `between` takes."""

    def __len__(self) -> int: ...

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """The precision of the rows."""
        ...

    def take(self, rows: slice) -> Self:
        """Only these rows."""
        ...


class Kernel(Protocol):
    """What a Gaussian process needs to know of a kernel.

    Each kernel has its own kinds of hyperparameters and of scaled rows, and takes no others.

    Attributes:
        prior_mean: float64 (parameters,), means of the parameters' Gaussian priors.
        prior_std: float64 (parameters,), their standard deviations.
        shared: Number of parameters that are not of a single column.
    """

    prior_mean: FloatArray
    prior_std: FloatArray
    shared: int

    def unpack(self, theta: FloatArray) -> Any:
        """Hyperparameters from the vector of parameters."""
        ...

    def __call__(self, a: FloatArray, b: FloatArray, hyper: Any) -> FloatArray:
        """Covariance without noise of rows (n, d) and (m, d): (n, m), in the inputs' precision."""
        ...

    def scaled(self, x: FloatArray, hyper: Any) -> Any:
        """What `between` needs to know of rows (n, d)."""
        ...

    def between(self, a: Any, b: Any, hyper: Any) -> FloatArray:
        """Covariance without noise of scaled rows, n and m of them: (n, m)."""
        ...

    def diagonal(self, x: FloatArray, hyper: Any) -> FloatArray:
        """Variance without noise of each row (n, d): (n,)."""
        ...

    def covariance(self, theta: FloatArray, x: FloatArray) -> tuple[FloatArray, Pullback]:
        """Covariance with noise of rows (n, d), float64 (n, n), and its `Pullback`."""
        ...

    def arrays(self, hyper: Any) -> dict[str, FloatArray]:
        """What `restored` takes."""
        ...

    def restored(self, arrays: Mapping[str, FloatArray]) -> Any:
        """Hyperparameters from `arrays`; None if they are not of such a kernel."""
        ...


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Relevances and variances.

    Attributes:
        relevance: float64 (d,), squared inverse lengthscale of each column.
        families: float64 (g,), variance of each family's own part.
        joint: Variance of the part over all columns.
        linear: Variance of the linear part.
        noise: Variance of the noise.
    """

    relevance: FloatArray
    families: FloatArray
    joint: float
    linear: float
    noise: float


@dataclass(frozen=True, slots=True)
class Scaled:
    """Rows in units of their lengthscales.

    Attributes:
        parts: The columns of each family, (n, k).
        norms: Squared norms of their rows, (n,) each.
    """

    parts: tuple[FloatArray, ...]
    norms: tuple[FloatArray, ...]

    def __len__(self) -> int:
        return len(self.parts[0])

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """The precision of the rows."""
        return self.parts[0].dtype

    def take(self, rows: slice) -> Scaled:
        """Only these rows."""
        return Scaled(tuple(p[rows] for p in self.parts), tuple(n[rows] for n in self.norms))


class FamilyKernel:
    """Rational-quadratic kernels, one a family of columns and one over all, plus a linear one.

    With D_f² = Σ_c w_c (x_c - x'_c)² over the columns of family f and R(q) = 1 / (1 + q / 2)
    (the rational quadratic with α = 1, a mixture of Gaussian kernels of all lengthscales), ::

        k(x, x') = Σ_f a_f R(D_f²) + joint R(Σ_f D_f²) + linear Σ_c w_c x_c x'_c
        w_c = exp(-2 (l_f + h_c)) / columns of the family

    Sums over families learn from few rows (Duvenaud et al., "Additive Gaussian Processes",
    NeurIPS 2011). Parameters are l (one a family), h (one a column) and the logarithms of the
    parts' standard deviations, all with Gaussian priors. A column is penalised for departing from
    its family, the more the more columns there are, so that many columns do not overfit few rows.
    Families of decisions have as much variance together as all others have.
    """

    def __init__(self, groups: IntArray, decisions: Collection[int] = ()) -> None:
        """Columns with the same number in ``groups`` (d,) are a family; they are consecutive.

        Those with a number in ``decisions`` are columns of decisions. `shared` is the number of
        parameters that are not of a single column, and `first_variance` the position of the first
        one of a variance; all that follow are such, and the last is that of the noise.
        `of_decisions`, bool (g,), tells which families are of decisions, and `slices` which columns
        are of each family.
        """
        numbers, first, self._group, sizes = np.unique(
            groups, return_index=True, return_inverse=True, return_counts=True
        )
        self._count = len(numbers)
        self.slices = [slice(a, a + n) for a, n in zip(first, sizes, strict=True)]
        self._sizes = sizes[self._group].astype(np.float64)
        columns = len(groups)
        self.of_decisions = chosen = np.isin(numbers, list(decisions))
        self._sharing = np.where(chosen, chosen.sum(), (~chosen).sum())
        self.shared = 2 * self._count + _PARTS
        self.first_variance = self._count + columns
        zeros = np.zeros(2 * self._count + columns)
        self.prior_mean = np.concatenate([zeros, _PARTS_MEAN])
        # Narrow: fewer than fifty rows say less about the kernel than other tasks do.
        self.prior_std = np.full(len(self.prior_mean), 0.5)
        of_options = chosen[self._group]
        others = max(columns - int(of_options.sum()), 1)
        departures = self.prior_std[self._count : self._count + columns]
        departures[:] = min(1.0, math.sqrt(_FREEDOM / others))
        departures[of_options] = _OF_AN_OPTION
        if chosen.any():
            self.prior_mean[-1] = NOISE_OF_DECISIONS

    def unpack(self, theta: FloatArray) -> Hyperparameters:
        """From the vector of parameters, in the order l, h, families, joint, linear, noise."""
        n = self._count
        scales, columns, own, parts = np.split(theta, [n, self.first_variance, len(theta) - _PARTS])
        joint, linear, noise = np.exp(2 * parts).tolist()
        relevance = np.exp(-2 * (scales[self._group] + columns)) / self._sizes
        return Hyperparameters(
            relevance, np.exp(2 * own) / self._sharing, joint, linear, noise + _JITTER
        )

    def __call__(self, a: FloatArray, b: FloatArray, hyper: Hyperparameters) -> FloatArray:
        """Covariance without noise of rows (n, d) and (m, d): (n, m), in the inputs' precision."""
        return self.between(self.scaled(a, hyper), self.scaled(b, hyper), hyper)

    def scaled(self, x: FloatArray, hyper: Hyperparameters) -> Scaled:
        """What `between` needs to know of rows (n, d); worth keeping where they are many."""
        root = np.sqrt(hyper.relevance).astype(x.dtype)
        parts = tuple(np.ascontiguousarray(x[:, part] * root[part]) for part in self.slices)
        return Scaled(parts, tuple(np.einsum("ij,ij->i", part, part) for part in parts))

    def between(self, a: Scaled, b: Scaled, hyper: Hyperparameters) -> FloatArray:
        """Covariance without noise of scaled rows, n and m of them: (n, m)."""
        inner = np.zeros((len(a), len(b)), dtype=a.parts[0].dtype)
        squares, total = np.zeros_like(inner), np.zeros_like(inner)
        for i, variance in enumerate(hyper.families.tolist()):
            with np.errstate(invalid="ignore"):  # OpenBLAS raises it for what lies beside the rows
                product = a.parts[i] @ b.parts[i].T
            inner += product
            product *= -2
            product += a.norms[i][:, None]
            product += b.norms[i]
            squares += product
            total += variance * _shape(product)
        total += hyper.joint * _shape(squares)
        total += hyper.linear * inner
        return total

    def diagonal(self, x: FloatArray, hyper: Hyperparameters) -> FloatArray:
        """Variance without noise of each row (n, d): (n,)."""
        constant = float(hyper.families.sum()) + hyper.joint
        return constant + hyper.linear * ((x * x) @ hyper.relevance.astype(x.dtype))

    def covariance(self, theta: FloatArray, x: FloatArray) -> tuple[FloatArray, Pullback]:
        """Covariance with noise of rows (n, d), float64 (n, n), and its `Pullback`."""
        hyper = self.unpack(theta)
        scaled = x * np.sqrt(hyper.relevance)
        inner = scaled @ scaled.T
        squares = [_squares(scaled[:, part], scaled[:, part]) for part in self.slices]
        own = [_shape(square) for square in squares]
        joint = _shape(np.sum(squares, axis=0))
        covariance = hyper.joint * joint + hyper.linear * inner
        for variance, shape in zip(hyper.families, own, strict=True):
            covariance += variance * shape
        covariance[np.diag_indices(len(x))] += hyper.noise

        def pullback(weight: FloatArray) -> FloatArray:
            by_column = -hyper.linear * (scaled * (weight @ scaled)).sum(axis=0)
            by_joint = hyper.joint * joint * joint
            for part, variance, shape in zip(self.slices, hyper.families, own, strict=True):
                # R' = -R² / 2, and relevance falls by the factor exp(-2) as a parameter grows
                # by 1.
                pull = weight * (variance * shape * shape + by_joint)
                columns = scaled[:, part]
                by_column[part] += (columns * columns).T @ pull.sum(axis=1)
                by_column[part] -= (columns * (pull @ columns)).sum(axis=0)
            parts = [
                hyper.joint * float((weight * joint).sum()),
                hyper.linear * float((weight * inner).sum()),
                (hyper.noise - _JITTER) * float(np.trace(weight)),
            ]
            families = [
                float(variance) * float((weight * shape).sum())
                for variance, shape in zip(hyper.families, own, strict=True)
            ]
            scales = np.bincount(self._group, by_column, minlength=self._count)
            return np.concatenate([scales, by_column, families, parts])

        return covariance, pullback

    def arrays(self, hyper: Hyperparameters) -> dict[str, FloatArray]:
        """What `restored` takes."""
        return {
            "relevance": hyper.relevance,
            "families": hyper.families,
            "parts": np.array([hyper.joint, hyper.linear, hyper.noise]),
        }

    def restored(self, arrays: Mapping[str, FloatArray]) -> Hyperparameters | None:
        """Hyperparameters from `arrays`; None if they are not of such a kernel."""
        relevance, families, parts = (
            np.asarray(arrays[name], np.float64) for name in ("relevance", "families", "parts")
        )
        sound = (
            relevance.shape == self._group.shape
            and families.shape == (self._count,)
            and parts.shape == (_PARTS,)
            and all(np.isfinite(array).all() for array in (relevance, families, parts))
            and (relevance >= 0).all()
            and parts[-1] > 0
        )
        return Hyperparameters(relevance, families, *parts.tolist()) if sound else None


def negative_log_posterior(
    kernel: Kernel, theta: FloatArray, x: FloatArray, y: FloatArray
) -> tuple[float, FloatArray]:
    """Negative logarithm of marginal likelihood times priors, and its gradient.

    Additive constants are omitted. See Rasmussen and Williams (2006), equations 5.8 and 5.9.

    Args:
        kernel: The kernel.
        theta: float64 (parameters,), see its `unpack`.
        x: float64 (n, d).
        y: float64 (n,).
    """
    z = (theta - kernel.prior_mean) / kernel.prior_std
    if np.abs(z).max() > _FARTHEST:  # of a step too long, where exponentials overflow
        return np.inf, np.zeros_like(theta)
    covariance, pullback = kernel.covariance(theta, x)
    try:
        factor = cholesky(covariance, lower=True, check_finite=False)
    except LinAlgError:
        return np.inf, np.zeros_like(theta)
    lower = np.tril(dpotri(factor, lower=1)[0])
    inverse = lower + np.tril(lower, -1).T
    alpha = inverse @ y
    white = solve_triangular(factor, y, lower=True, check_finite=False)
    value = 0.5 * float(white @ white) + float(np.log(np.diag(factor)).sum())
    gradient = pullback(inverse - np.outer(alpha, alpha))
    return value + 0.5 * float(z @ z), gradient + z / kernel.prior_std


def _squares(a: FloatArray, b: FloatArray) -> FloatArray:
    """Squared distances of rows (n, d) and (m, d): (n, m), zero up to rounding, not clipped."""
    square: FloatArray = a @ b.T
    square *= -2
    square += (a * a).sum(axis=1)[:, None]
    square += (b * b).sum(axis=1)
    return square


def _shape(square: FloatArray) -> FloatArray:
    shape = square * 0.5
    shape += 1
    np.reciprocal(shape, out=shape)
    return shape
