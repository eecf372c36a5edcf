"""Points of a learning curve, what a table keeps of one training, and what makes it."""

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
        latency: Milliseconds in which the network answers for one image, or a whole graph.
    """

    validation: tuple[float, ...]
    test: tuple[float, ...]
    elapsed: tuple[float, ...]
    parameters: int
    flops: int
    latency: float


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
        """Of each training."""
        ...

    def devices(self) -> Sequence[str]:
        """The devices over which trainings are spread."""
        ...

    def machine(self, device: str) -> Mapping[str, str]:
        """What decides the last digits of a training beside its seed."""
        ...

    def record(self, arch: Architecture, seed: int, device: str) -> Record:
        """Train once.

        Raises:
            TrainingError: If the training diverges or runs out of memory.
        """
        ...
