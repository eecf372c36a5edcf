"""Learning curves, the record of a training in a table, and the interface that makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from surrogate_nas.spaces.base import Architecture


@dataclass(frozen=True, slots=True)
class Record:
    """One training.

    Attributes:
        validation: Accuracy in % after each epoch.
        test: Likewise.
        elapsed: Seconds since the training began, after each epoch.
        parameters: Number of trainable parameters.
        flops: Multiply-adds of one image.
        latency: Milliseconds of a forward pass for one image, or for a whole graph.
        fell_back: 1 if it diverged with a learned optimiser and was made with the recipe's, else 0;
            None without a learned optimiser.
    """

    validation: tuple[float, ...]
    test: tuple[float, ...]
    elapsed: tuple[float, ...]
    parameters: int
    flops: int
    latency: float
    fell_back: float | None = None


@dataclass(frozen=True, slots=True)
class Epoch:
    """One point of a learning curve.

    Attributes:
        epoch: From 1 on.
        loss: Mean cross-entropy of the training batches.
        validation_accuracy: In %.
        test_accuracy: In %, for reports only.
        seconds: Since the training began, evaluations and earlier runs included.
    """

    epoch: int
    loss: float
    validation_accuracy: float
    test_accuracy: float
    seconds: float


class Recorder(Protocol):
    """Trains architectures; it is sent to other processes."""

    @property
    def epochs(self) -> int:
        """Number of epochs of each training."""
        ...

    def devices(self) -> Sequence[str]:
        """The devices to which trainings are dispatched."""
        ...

    def machine(self, device: str) -> Mapping[str, str]:
        """The properties of a machine on which the last digits of a training depend."""
        ...

    def record(self, arch: Architecture, seed: int, device: str) -> Record:
        """Train once.

        Raises:
            TrainingError: If the training diverges or runs out of memory.
        """
        ...

    def forget(self, arch: Architecture, seed: int) -> None:
        """Remove whatever lets a training that was cut off go on, as its record is kept."""
        ...
