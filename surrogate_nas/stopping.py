"""Ending a training early, by its learning curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_nas.errors import InvalidArgumentError


class MedianStopping:
    """Ends a training that is worse than half of the earlier ones at the same epoch.

    The training's best value so far is compared with the median of the others' values there, as in
    Golovin et al., "Google Vizier: a service for black-box optimization", KDD 2017 (who take
    running averages). Values of earlier trainings that were ended count, too.
    """

    def __init__(self, *, first: int = 1, least: int = 5, maximise: bool = True) -> None:
        """Start without any curve.

        Args:
            first: Epoch from which on trainings may end.
            least: Number of earlier trainings that reached an epoch before one may end there.
            maximise: Whether larger values are better.

        Raises:
            InvalidArgumentError: If ``first`` or ``least`` is below 1.
        """
        for name, number in (("first", first), ("least", least)):
            if number < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {number}")
        self.first = first
        self.least = least
        self.sign = 1 if maximise else -1
        self._curves: list[tuple[float, ...]] = []
        self._best = -np.inf

    def learn(self, curve: Sequence[float]) -> None:
        """Compare later trainings with these values after epochs 1, 2 and so on."""
        self._curves.append(tuple(self.sign * value for value in curve))

    def __call__(self, epoch: int, value: float) -> bool:
        """Whether to end the training, given its value at this epoch; epoch 1 starts a new one."""
        value *= self.sign
        self._best = value if epoch == 1 else max(value, self._best)
        if epoch < self.first:
            return False
        others = [curve[epoch - 1] for curve in self._curves if len(curve) >= epoch]
        return len(others) >= self.least and self._best < float(np.median(others))
