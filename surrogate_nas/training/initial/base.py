"""What a training may start from."""

from __future__ import annotations

from typing import Protocol

from torch import nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.devices import DeviceExamples


class Initial(Protocol):
    """Gives networks their first weights, in place of random ones."""

    @property
    def identity(self) -> str:
        """Recognises it in checkpoints, studies and tables."""
        ...

    def begin(
        self,
        network: nn.Module,
        examples: DeviceExamples,
        *,
        arch: Architecture,
        dataset: Dataset,
        seed: int,
    ) -> None:
        """Change a fresh network in place, before its first step.

        Args:
            network: On its device.
            examples: The training part of the data set, on the same device.
            arch: What the network was built from.
            dataset: The data set.
            seed: Of the training.

        Raises:
            InvalidArgumentError: If it has nothing for this network.
        """
        ...

    def keep(self, arch: Architecture, network: nn.Module, value: float) -> None:
        """Take note of a training that is finished, with its validation accuracy in %."""
        ...
