"""Numbers that describe tasks, and how much each source counts for a task that is described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.descriptors import Descriptor

_LENGTHS = (0.5, 0.7, 1.0, 1.4, 2.0)  # root mean square of standardised differences
_MAGNITUDES = 10.0  # positive numbers with a larger ratio than this are compared by logarithm
_FEWEST = 3  # sources from which a length can be learned
_SUREST = 0.99  # largest share of the weights, so that no source is ruled out
_LARGEST = 1e100  # of a number, so that its square is finite


@dataclass(frozen=True, eq=False)
class Descriptors:
    """Numbers that describe each source task.

    Attributes:
        names: Of the numbers.
        values: float64 (tasks, names).
    """

    names: tuple[str, ...]
    values: FloatArray

    @classmethod
    def of(cls, tasks: Sequence[Descriptor | None]) -> Self | None:
        """The numbers that all tasks have; None if there are none or fewer than three tasks."""
        found = [task or {} for task in tasks]
        if len(found) < _FEWEST:
            return None
        names = sorted(set(found[0]).intersection(*found))
        values = np.array([[task[name] for name in names] for task in found], dtype=np.float64)
        return cls(tuple(names), values) if names else None

    def to_json(self) -> dict[str, list[float]]:
        """The numbers of the tasks by name."""
        return {name: self.values[:, i].tolist() for i, name in enumerate(self.names)}

    @classmethod
    def from_json(cls, content: Mapping[str, Sequence[float]], tasks: int) -> Self:
        """Read what `to_json` gave of so many tasks.

        Raises:
            ValueError, TypeError: If it is something else.
        """
        if not isinstance(content, Mapping):
            raise TypeError("its descriptors are no object")
        values = np.array([*content.values()], dtype=np.float64).T
        if values.shape != (tasks, len(content)) or not np.isfinite(values).all():
            raise ValueError("its descriptors do not fit its tasks")
        return cls(tuple(content), values)

    def weights(self, task: Descriptor | None, correlation: FloatArray) -> FloatArray | None:
        """How much each source counts for a task, of mean 1: float64 (tasks,).

        A weight falls with the distance d of the descriptors as exp(-d² / 2l²). The length l is
        the one by which the weighted mean of the other sources agrees most with each source. As
        descriptors may say nothing, the weights are drawn towards equal ones, by the positive-part
        rule of James and Stein ("Estimation with Quadratic Loss", 1961): the share of the weights
        is one minus the squared standard error of the gain over its square.

        Args:
            task: Of the task; None if it is not described.
            correlation: Of what the sources predict, (tasks, tasks).

        Returns:
            None if all sources count the same.
        """
        if task is None or not set(self.names) <= set(task):
            return None
        own = np.array([[task[name] for name in self.names]])
        square = _squares(np.concatenate([self.values, own]).clip(-_LARGEST, _LARGEST))
        gains = np.array([_gains(square[:-1, :-1], length, correlation) for length in _LENGTHS])
        best = int(gains.mean(axis=1).argmax())
        gain = float(gains[best].mean())
        if gain <= 0:
            return None
        error = float(gains[best].var(ddof=1)) / len(self.values)
        share = min(1 - error / gain**2, _SUREST)
        if share <= 0:
            return None
        near = _near(square[-1, :-1], _LENGTHS[best])
        return np.asarray(1 + share * (near * len(near) - 1))


def _squares(values: FloatArray) -> FloatArray:
    """Squared distances between tasks, the last of which is the new one: (n, n)."""
    low, high = values.min(axis=0), values.max(axis=0)
    wide = (low > 0) & (high > _MAGNITUDES * low)
    scaled = np.where(wide, np.log(np.where(wide, values, 1.0)), values)
    std = scaled[:-1].std(axis=0)
    scaled = (scaled / np.where(std > 0, std, 1.0))[:, std > 0]
    if not scaled.shape[1]:
        return np.zeros((len(values), len(values)))
    return np.asarray(((scaled[:, None] - scaled) ** 2).mean(axis=2))


def _near(square: FloatArray, length: float) -> FloatArray:
    """Weights of sum 1 at squared distances (n,)."""
    weights = np.exp((square.min() - square) / (2 * length**2))
    return np.asarray(weights / weights.sum())


def _gains(square: FloatArray, length: float, correlation: FloatArray) -> FloatArray:
    """For each source, what weights add to the correlation with the mean of the others: (n,)."""
    gains = []
    for i in range(len(square)):
        others = np.arange(len(square)) != i
        among, own = correlation[np.ix_(others, others)], correlation[others, i]
        equal = np.full(len(own), 1 / len(own))
        agree = [
            float(w @ own) / max(float(w @ among @ w), 1e-12) ** 0.5
            for w in (_near(square[i, others], length), equal)
        ]
        gains.append(agree[0] - agree[1])
    return np.array(gains)
