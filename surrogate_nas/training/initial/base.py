"""What a training may start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.devices import DeviceExamples


@dataclass(frozen=True, slots=True)
class FreshTraining:
    """A training that has built its network and made no step yet.

    Attributes:
        arch: What the network was built from.
        dataset: The data set.
        examples: Its training part, on the network's device.
        seed: Of the training.
        epochs: How many it will have.
    """

    arch: Architecture
    dataset: Dataset
    examples: DeviceExamples
    seed: int
    epochs: int


class Initial(Protocol):
    """Gives networks their first weights, in place of random ones."""

    @property
    def identity(self) -> str:
        """Recognises it in checkpoints, studies and tables."""
        ...

    def begin(self, network: nn.Module, training: FreshTraining) -> None:
        """Change a fresh network in place, before its first step.

        Args:
            network: On its device.
            training: What begins.

        Raises:
            InvalidArgumentError: If it has nothing for this network.
        """
        ...

    def keep(self, arch: Architecture, network: nn.Module, value: float) -> None:
        """Take note of a training that is finished, with its validation accuracy in %."""
        ...
