"""Starting weights that were learnt, and a bank of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from surrogate_nas._types import FloatArray
from surrogate_nas.checksums import checksum_of
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.datasets.seen import SeenDataset, saw
from surrogate_nas.training.initial.base import FreshTraining
from surrogate_nas.training.initial.keys import ParameterKeys, parameter_keys
from surrogate_nas.training.initial.start import copy_shared, fit_to_data


@dataclass(frozen=True, slots=True)
class WeightsProvenance:
    """What starting weights saw, and what they cost.

    Attributes:
        space: Identity of the space of the networks.
        datasets: The data sets.
        settings: Sizes of the networks, by data set.
        held_out: Architectures that were never drawn, in the notation of the space.
        method: How they were learnt, with its numbers.
        trainings: Number of short trainings.
        seconds: Processor time.
        seed: Of everything that was drawn.
        created: Seconds since 1970.
        program: Version of the program that made them.
    """

    space: str
    datasets: tuple[SeenDataset, ...]
    settings: Mapping[str, Mapping[str, Any]]
    held_out: tuple[str, ...]
    method: Mapping[str, Any]
    trainings: int
    seconds: float
    seed: int
    created: int
    program: str

    def saw(self, dataset: Dataset) -> bool:
        """Whether a data set is among those that were learnt from."""
        return saw(self.datasets, dataset)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read what `dataclasses.asdict` gave; it takes the content apart.

        Raises:
            TypeError, KeyError: If it is something else.
        """
        seen = tuple(SeenDataset(**d) for d in content.pop("datasets"))
        held_out = tuple(map(str, content.pop("held_out")))
        read = cls(datasets=seen, held_out=held_out, **content)
        if not isinstance(read.space, str) or not isinstance(read.settings, dict):
            raise TypeError("space is no text, or settings are no object")
        return read


@dataclass(frozen=True)
class LearnedWeights(ABC):
    """Starting weights for every architecture of a space.

    Attributes:
        tensors: What a file keeps.
        provenance: What they saw.
        identity: Recognises them in checkpoints, studies and tables.
    """

    tensors: Mapping[str, FloatArray]
    provenance: WeightsProvenance
    identity: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", checksum_of(self.tensors))

    @abstractmethod
    def shared(self, network: nn.Module, keys: ParameterKeys) -> Mapping[str, Tensor]:
        """Tensors for a network's parameters by their key; others may be among them."""

    def begin(self, network: nn.Module, training: FreshTraining) -> None:
        """Start a network from them; statistics and head come from the data, see `Initial`."""
        data = training.dataset
        keys = parameter_keys(network, data.task)
        if not copy_shared(network, keys, self.shared(network, keys)):
            raise InvalidArgumentError(
                f"the starting weights ({self.identity}) have none for this network: they are for "
                f"{self.provenance.space.partition('#')[0]} with the settings "
                f"{dict(self.provenance.settings)}; give those settings, or other weights"
            )
        fit_to_data(network, keys, training.examples, data.classes, training.seed)

    def keep(self, arch: Architecture, network: nn.Module, value: float) -> None:  # noqa: B027
        """Nothing: trainings do not change them."""


@dataclass(frozen=True)
class WeightBank(LearnedWeights):
    """Starting weights by position and operation.

    Attributes:
        tensors: By the keys of `parameter_keys`.
    """

    def shared(self, network: nn.Module, keys: ParameterKeys) -> dict[str, Tensor]:
        """All of them, see `LearnedWeights`."""
        return {key: torch.from_numpy(array) for key, array in self.tensors.items()}
