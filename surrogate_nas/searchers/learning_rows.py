"""Which trials a guide learns from, and when it learns them anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from surrogate_nas._types import IntArray

_GROWTH = 4 / 3  # of the number of rows from one complete fit to the next


class LearningRows:
    """Chooses the rows for each update or fit of a guide's predictors.

    New rows are added to those of the last fit until the number of rows has grown by a third. Then
    they are chosen anew. To bound the time of a fit, they are the best of many trials and a random
    sample of the others.

    Attributes:
        fitted: Number of rows of the last complete fit; 0 before the first.
    """

    def __init__(self, labels: int) -> None:
        """Choose about ``labels`` rows where there are more."""
        self.labels = labels
        # Positions of the trials of the last complete fit.
        self._chosen: IntArray = np.zeros(0, dtype=np.int64)
        self._told_then = 0
        self.fitted = 0

    def choose(
        self,
        trials: int,
        believed: int,
        worst: Callable[[int], IntArray],
        rng: np.random.Generator,
    ) -> tuple[IntArray, bool]:
        """The rows to learn from, and whether to fit anew.

        Args:
            trials: Number of finished trials, the first rows.
            believed: Number of pending ones, the rows after these; all of them are chosen.
            worst: Returns the positions of all trials but the best of a number.
            rng: Draws the sample.
        """
        new = np.arange(self._told_then, trials + believed)
        if len(self._chosen) + len(new) < _GROWTH * self.fitted:
            return np.append(self._chosen, new), False
        self._chosen, self._told_then = self._representatives(trials, believed, worst, rng), trials
        rows = np.append(self._chosen, np.arange(trials, trials + believed))
        self.fitted = len(rows)
        return rows, True

    def _representatives(
        self,
        trials: int,
        believed: int,
        worst: Callable[[int], IntArray],
        rng: np.random.Generator,
    ) -> IntArray:
        surplus = trials + believed - self.labels
        if surplus <= 0:
            return np.arange(trials)
        others = worst(self.labels // 2)
        drawn = rng.choice(len(others), size=min(surplus, len(others)), replace=False)
        return np.delete(np.arange(trials), others[drawn])
