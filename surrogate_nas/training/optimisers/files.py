"""Files of learned optimisers: safetensors with what they saw."""

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
from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.tensor_files import FileKind
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.datasets.seen import SeenDataset, saw
from surrogate_nas.training.optimisers.learned import LearnedOptimiser
from surrogate_nas.training.optimisers.rule import SIZES

KIND = FileKind(
    "surrogate-nas optimizer", 1, "learned optimizers", "surrogate-nas meta-train --learn optimizer"
)
SHIPPED = Path(__file__).parent / "shipped"
"""Optimisers that come with the program."""

_NUMBERS = "numbers"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a learned optimiser saw, and what it cost.

    Attributes:
        space: Identity of the space of the networks.
        datasets: The data sets.
        architectures: In the notation of the space, each once.
        source: Where they come from: ``random``, or the names of searches.
        recipe: Batch size and augmentation of the trainings.
        settings: Sizes of the networks, by data set.
        trainings: Number of trainings.
        seconds: Of all processes together.
        seed: Of the meta-training.
        created: Seconds since 1970.
        program: Version of the program that made it.
    """

    space: str
    datasets: tuple[SeenDataset, ...]
    architectures: tuple[str, ...]
    source: str
    recipe: str
    settings: Mapping[str, Mapping[str, Any]]
    trainings: int
    seconds: float
    seed: int
    created: int
    program: str

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read what `dataclasses.asdict` gave; it takes the content apart.

        Raises:
            TypeError, KeyError: If it is something else.
        """
        datasets = tuple(SeenDataset(**seen) for seen in content.pop("datasets"))
        architectures = tuple(map(str, content.pop("architectures")))
        read = cls(datasets=datasets, architectures=architectures, **content)
        texts = [read.space, read.source, read.recipe, read.program]
        texts += [text for seen in datasets for text in (seen.name, seen.fingerprint)]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a name is no text")
        return read


@dataclass(frozen=True, eq=False)
class LearnedRule:
    """The numbers of a learned optimiser, with their provenance.

    Attributes:
        numbers: float32 (n,), see `surrogate_nas.training.optimisers.rule.SIZES`.
        provenance: None for numbers that were not learnt.
        name: Of its file, for people.
    """

    numbers: FloatArray
    provenance: Provenance | None = None
    name: str = field(default="numbers", compare=False)

    @property
    def identity(self) -> str:
        """Form and checksum of the numbers, by which trainings recognise them."""
        form = next(form for form, size in SIZES.items() if size == len(self.numbers))
        return f"{form} {checksum_of({_NUMBERS: self.numbers})}"

    def optimiser(self, network: nn.Module, steps: int) -> LearnedOptimiser:
        """A new optimiser for a network."""
        return LearnedOptimiser(network, torch.from_numpy(self.numbers), steps=steps)

    def saw(self, dataset: Dataset) -> bool:
        """Whether it was learnt on a data set."""
        return self.provenance is not None and saw(self.provenance.datasets, dataset)

    def check_unseen(self, dataset: Dataset) -> None:
        """Refuse to train on what was learnt from.

        Raises:
            InvalidArgumentError: If it was learnt on the data set.
        """
        if self.saw(dataset):
            raise InvalidArgumentError(
                f"the optimizer {self.name} was learnt on the data set {dataset.name!r}, and must "
                "not be judged by it; choose another file, or give --allow-seen"
            )


def write_optimizer(path: str | os.PathLike[str], rule: LearnedRule) -> None:
    """Write a file, whole or not at all.

    Raises:
        InvalidArgumentError: If the name does not end in ``.safetensors``, or nothing is known of
            what the rule saw.
        SurrogateNASError: If it cannot be written.
    """
    if rule.provenance is None:
        raise InvalidArgumentError("a learned optimizer must say what it saw; it has no provenance")
    KIND.write(path, {_NUMBERS: rule.numbers}, asdict(rule.provenance))


def read_optimizer(path: str | os.PathLike[str]) -> LearnedRule:
    """Read a file.

    Raises:
        InvalidArgumentError: If there is no such file.
        FormatError: If it is no such file, damaged, or of another version.
    """
    tensors, provenance = KIND.read(path, Provenance.from_json)
    numbers = tensors.get(_NUMBERS)
    sizes = [(size,) for size in SIZES.values()]
    if numbers is None or numbers.shape not in sizes or numbers.dtype != np.float32:
        raise FormatError(f"{path} has no numbers of a rule that this program knows")
    return LearnedRule(numbers, provenance, os.fspath(path))
