"""The kernel of the Gaussian process in a space whose decisions are known beside the graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.predictors.kernels import (
    NOISE_OF_DECISIONS,
    FamilyKernel,
    Hyperparameters,
    Pullback,
    Scaled,
)
from surrogate_nas.predictors.structure.decision_states import DecisionStates

# Priors of logarithms, but for the loss. They were chosen on six of the eleven tasks of M-DESIGN
# and on made-up functions of chains and of numbers.
_LOSS = 0.3  # of each of six decisions; the loss of all together is the same where there are more
_LOSS_STD = 1.2
_OPTION, _LEVEL, _SLOPE = -1.0, -1.9, -1.6  # a pair of options is as far apart, and of levels
_OPTION_STD = 1.5
_FREEDOM = 56.0  # variance of all options' departures together
_USUAL = 6  # decisions for which losses are stated
_NUMBERS = -0.5  # share of the product where all decisions are numbers, see `DecisionKernel`
_REST = -1.5  # share of the rest where none is
_REST_STD, _VARIANCE_STD = 1.5, 1.0
_VALUES = -2.5  # of the values of few numbers, which would outweigh all other decisions
_LEAST_STD = 0.1


@dataclass(frozen=True, slots=True)
class DecisionHyperparameters:
    """Hyperparameters of a `DecisionKernel`.

    Attributes:
        rest: Those of the rest, its share of the variance included.
        tables: float64 (s, s) for each decision: logarithms of the factors of its states.
        variance: Variance of the product.
    """

    rest: Hyperparameters
    tables: tuple[FloatArray, ...]
    variance: float

    @property
    def noise(self) -> float:
        """Variance of the noise."""
        return self.rest.noise


@dataclass(frozen=True, slots=True)
class ScaledDecisions:
    """Rows as `DecisionKernel` needs them: those of the rest, and states, int64 (n, decisions)."""

    rest: Scaled
    states: IntArray

    def __len__(self) -> int:
        return len(self.states)

    @property
    def dtype(self) -> np.dtype[np.floating[Any]]:
        """The precision of the rows."""
        return self.rest.dtype

    def take(self, rows: slice) -> ScaledDecisions:
        """Only these rows."""
        return ScaledDecisions(self.rest.take(rows), self.states[rows])


class DecisionKernel:
    """A product over decisions, and a `FamilyKernel` of what is seen beside them.

    With the states s_d of decisions d and the kernel k_rest of the structure, of the values of
    numbers and of features, ::

        k(x, x') = variance Π_d (1 - p_d (1 - exp(-q_d(s_d, s'_d)))) + share k_rest(x, x')
        q_d(s, s') = [s ≠ s'] (w_s + w_s') + u_d (v_s - v_s')²

    Each p_d says how much similarity is lost if decision d differs (the relevance of a decision),
    w_s how much option s differs from the others, and u_d v_s is for ordinals and numbers alone.
    The product has interactions of all orders, and the fewer decisions are in one the more it
    explains (Duvenaud et al., "Additive Gaussian Processes", NeurIPS 2011).

    The share is one parameter for all of the rest. So the marginal likelihood decides how far the
    graph describes a task: operations that say nothing about it, as those that a user has to
    choose for options that the vocabulary does not know, change little. Where decisions are
    numbers, the rest has their values, and the prior of its share grows.

    Columns are those of the rest, and then one a decision with its state.
    """

    def __init__(
        self,
        rest: FamilyKernel,
        decisions: DecisionStates,
        *,
        structure: bool = True,
        features: bool = False,
    ) -> None:
        """Set the priors.

        Args:
            rest: The kernel of the other columns; its families of decisions are those of values.
            decisions: The states of the decisions.
            structure: Whether the rest has columns of the structure.
            features: Whether it has features of the data, which are more than structure.
        """
        self._rest, self._decisions = rest, decisions
        sizes = np.array([len(there) for there in decisions.occurs])
        count = len(sizes)
        self.shared = rest.shared + 2 + min(count, _USUAL)
        self._ends = np.cumsum(sizes)
        self._slices = [slice(e - n, e) for e, n in zip(self._ends, sizes, strict=True)]
        numbers = [values is not None for values in decisions.values]
        share = sum(numbers) / count
        loss = 1 - (1 - _LOSS) ** (_USUAL / count)
        options = sum(int(there.sum()) for there in decisions.occurs)
        self._cuts = np.cumsum([count, self._ends[-1], sum(numbers), 1, len(rest.prior_mean)])
        of_rest = rest.prior_mean.copy()
        of_rest[-1] = NOISE_OF_DECISIONS
        own = of_rest[rest.first_variance :][: len(rest.of_decisions)]
        own[rest.of_decisions] += _VALUES * (1 - share)
        weight, width = _REST * (1 - share), _REST_STD
        if features:
            weight = 0.0
        elif not structure:  # only values are left
            weight += _VALUES * (1 - share)
            width = max(_REST_STD * share, _LEAST_STD)
        self.prior_mean = np.concatenate(
            [
                np.full(count, math.log(loss / (1 - loss))),
                np.repeat(np.where(numbers, _LEVEL, _OPTION), sizes),
                np.full(sum(numbers), _SLOPE),
                [_NUMBERS * share],
                of_rest,
                [weight],
            ]
        )
        self.prior_std = np.concatenate(
            [
                np.full(count, _LOSS_STD * min(1.0, math.sqrt(_USUAL / count))),
                np.full(self._ends[-1], min(_OPTION_STD, math.sqrt(_FREEDOM / options))),
                np.ones(sum(numbers)),
                [_VARIANCE_STD],
                rest.prior_std,
                [width],
            ]
        )

    def unpack(self, theta: FloatArray) -> DecisionHyperparameters:
        """From the vector of parameters.

        Its order is p (logit), w, u, the product's and the rest's parameters, and the share.
        """
        tables = tuple(table.log for table in self._tables(theta))
        variance = float(np.exp(2 * theta[self._cuts[2]]))
        return DecisionHyperparameters(self._rest.unpack(self._of_rest(theta)), tables, variance)

    def __call__(self, a: FloatArray, b: FloatArray, hyper: DecisionHyperparameters) -> FloatArray:
        """Covariance without noise of rows (n, d) and (m, d): (n, m), in the inputs' precision."""
        return self.between(self.scaled(a, hyper), self.scaled(b, hyper), hyper)

    def scaled(self, x: FloatArray, hyper: DecisionHyperparameters) -> ScaledDecisions:
        """What `between` needs to know of rows (n, d); worth keeping where they are many."""
        rest, states = self._split(x)
        return ScaledDecisions(self._rest.scaled(rest, hyper.rest), states)

    def between(
        self, a: ScaledDecisions, b: ScaledDecisions, hyper: DecisionHyperparameters
    ) -> FloatArray:
        """Covariance without noise of scaled rows, n and m of them: (n, m)."""
        total = self._rest.between(a.rest, b.rest, hyper.rest)
        product = self._looked_up(hyper.tables, a.states).astype(a.dtype)
        product = product @ self._one_hot(b.states, a.dtype).T
        np.exp(product, out=product)
        product *= hyper.variance
        total += product
        return total

    def diagonal(self, x: FloatArray, hyper: DecisionHyperparameters) -> FloatArray:
        """Variance without noise of each row (n, d): (n,)."""
        return self._rest.diagonal(self._split(x)[0], hyper.rest) + hyper.variance

    def covariance(self, theta: FloatArray, x: FloatArray) -> tuple[FloatArray, Pullback]:
        """Covariance with noise of rows (n, d), float64 (n, n), and its `Pullback`."""
        rest, states = self._split(x)
        covariance, of_rest = self._rest.covariance(self._of_rest(theta), rest)
        tables = self._tables(theta)
        one_hot = self._one_hot(states, x.dtype)
        looked_up = self._looked_up([table.log for table in tables], states)
        product = np.exp(2 * theta[self._cuts[2]] + looked_up @ one_hot.T)
        covariance += product

        def pullback(weight: FloatArray) -> FloatArray:
            pull = 0.5 * weight * product
            by_state = one_hot.T @ pull
            parts = [
                table.gradient(by_state[part] @ one_hot[:, part])
                for table, part in zip(tables, self._slices, strict=True)
            ]
            losses, options, slopes = zip(*parts, strict=True)
            rest = of_rest(weight)
            own = [2 * float(pull.sum())]
            return np.concatenate(
                [losses, *options, *slopes, own, rest, [self._variances(rest).sum()]]
            )

        return covariance, pullback

    def arrays(self, hyper: DecisionHyperparameters) -> dict[str, FloatArray]:
        """What `restored` takes."""
        tables = np.concatenate([table.ravel() for table in hyper.tables])
        decisions = {"decisions": tables, "product": np.array([hyper.variance])}
        return self._rest.arrays(hyper.rest) | decisions

    def restored(self, arrays: Mapping[str, FloatArray]) -> DecisionHyperparameters | None:
        """Hyperparameters from `arrays`; None if they are not of such a kernel."""
        rest = self._rest.restored(arrays)
        sizes = [part.stop - part.start for part in self._slices]
        cuts = np.cumsum([size * size for size in sizes])
        if rest is None or "decisions" not in arrays or "product" not in arrays:
            return None
        flat, variance = (np.asarray(arrays[name], np.float64) for name in ("decisions", "product"))
        known = flat.shape == (cuts[-1],) and variance.shape == (1,)
        if not known or not (flat <= 0).all() or not np.isfinite([*flat, *variance]).all():
            return None
        found = np.split(flat, cuts[:-1])
        tables = tuple(t.reshape(n, n) for t, n in zip(found, sizes, strict=True))
        return DecisionHyperparameters(rest, tables, float(variance[0]))

    def _tables(self, theta: FloatArray) -> list[_Table]:
        losses, options, slopes = np.split(theta[: self._cuts[2]], self._cuts[:2])
        losses, options, slopes = 1 / (1 + np.exp(-losses)), np.exp(options), np.exp(slopes)
        found, number = [], 0
        for d, values in enumerate(self._decisions.values):
            slope = 0.0 if values is None else float(slopes[number])
            number += values is not None
            found.append(_Table.of(float(losses[d]), options[self._slices[d]], slope, values))
        return found

    def _of_rest(self, theta: FloatArray) -> FloatArray:
        """Parameters of the rest, with its share of the variance."""
        own = theta[self._cuts[3] : self._cuts[4]].copy()
        self._variances(own)[:] += theta[-1]
        return own

    def _variances(self, of_rest: FloatArray) -> FloatArray:
        """Those of the rest's parameters that are logarithms of variances, but for the noise."""
        return of_rest[self._rest.first_variance : -1]

    def _split(self, x: FloatArray) -> tuple[FloatArray, IntArray]:
        columns = x.shape[1] - len(self._slices)
        return x[:, :columns], x[:, columns:].astype(np.int64)

    def _looked_up(self, tables: Sequence[FloatArray], states: IntArray) -> FloatArray:
        """The rows of states (n, decisions) in the tables: (n, states of all decisions)."""
        return np.concatenate([table[states[:, d]] for d, table in enumerate(tables)], axis=1)

    def _one_hot(self, states: IntArray, precision: np.dtype[np.floating[Any]]) -> FloatArray:
        found = np.zeros((len(states), self._ends[-1]), dtype=precision)
        starts = np.array([part.start for part in self._slices])
        found[np.arange(len(states))[:, None], states + starts] = 1
        return found


@dataclass(frozen=True, slots=True)
class _Table:
    """The factors of the states of one decision; all arrays but two are (states, states).

    Attributes:
        log: Logarithms of the factors.
        similar: exp(-q).
        other: 1 where the states differ.
        loss: p.
        options: w, (states,).
        steps: u (v - v')²; None if the decision has no values.
    """

    log: FloatArray
    similar: FloatArray
    other: FloatArray
    loss: float
    options: FloatArray
    steps: FloatArray | None

    @classmethod
    def of(
        cls, loss: float, options: FloatArray, slope: float, values: FloatArray | None
    ) -> _Table:
        other = 1 - np.eye(len(options))
        far = (options[:, None] + options) * other
        steps = None if values is None else slope * (values[:, None] - values) ** 2
        similar = np.exp(-far if steps is None else -far - steps)
        return cls(np.log1p(-loss * (1 - similar)), similar, other, loss, options, steps)

    def gradient(self, by_log: FloatArray) -> tuple[float, FloatArray, list[float]]:
        """Derivatives by the parameters p, w and u, given those by `log`."""
        by_factor = by_log * np.exp(-self.log)
        of_loss = -self.loss * (1 - self.loss) * float((by_factor * (1 - self.similar)).sum())
        by_far = by_factor * (-self.loss * self.similar)
        of_options = 2 * self.options * (by_far * self.other).sum(axis=1)
        slopes = [] if self.steps is None else [float((by_far * self.steps).sum())]
        return of_loss, of_options, slopes
