"""A bank of starting weights, and its file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from surrogate_nas._types import FloatArray
from surrogate_nas.checksums import checksum_of
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.tensor_files import FileKind
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.datasets.seen import SeenDataset, saw
from surrogate_nas.training.initial.base import FreshTraining
from surrogate_nas.training.initial.keys import parameter_keys
from surrogate_nas.training.initial.start import copy_shared, fit_to_data

KIND = FileKind(
    "surrogate-nas starting weights",
    1,
    "starting weights",
    "surrogate-nas meta-train --learn weights",
)
SHIPPED = Path(__file__).parent / "shipped"
"""Starting weights that come with the program."""


@dataclass(frozen=True, slots=True)
class BankProvenance:
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
class WeightBank:
    """Starting weights by position and operation, for every architecture of a space.

    Attributes:
        tensors: By the keys of `parameter_keys`.
        provenance: What they saw.
        identity: Recognises them in checkpoints, studies and tables.
    """

    tensors: Mapping[str, FloatArray]
    provenance: BankProvenance
    identity: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", checksum_of(self.tensors))

    def begin(self, network: nn.Module, training: FreshTraining) -> None:
        """Start a network from the bank; statistics and head come from the data, see `Initial`."""
        data = training.dataset
        keys = parameter_keys(network, data.task)
        tensors = {key: torch.from_numpy(array) for key, array in self.tensors.items()}
        if not copy_shared(network, keys, tensors):
            raise InvalidArgumentError(
                f"the starting weights ({self.identity}) have none for this network: they are for "
                f"{self.provenance.space.partition('#')[0]} with the settings "
                f"{dict(self.provenance.settings)}; give those settings, or other weights"
            )
        fit_to_data(network, keys, training.examples, data.classes, training.seed)

    def keep(self, arch: Architecture, network: nn.Module, value: float) -> None:
        """Nothing: trainings do not change a bank."""


def write_bank(path: str | os.PathLike[str], bank: WeightBank) -> None:
    """Write a file.

    Raises:
        SurrogateNASError: If its name does not end in ``.safetensors``, or it cannot be written.
    """
    KIND.write(path, bank.tensors, asdict(bank.provenance))


def read_bank(path: str | os.PathLike[str]) -> WeightBank:
    """Read a file.

    Raises:
        InvalidArgumentError: If there is no such file.
        FormatError: If it is no such file, damaged, or of another version.
    """
    tensors, provenance = KIND.read(path, BankProvenance.from_json)
    return WeightBank({k: np.asarray(v, np.float32) for k, v in tensors.items()}, provenance)


def read_provenance(path: str | os.PathLike[str]) -> BankProvenance:
    """Read what a file saw alone; see `read_bank`."""
    return KIND.read(path, BankProvenance.from_json, tensors=False)[1]
