"""Recognises data sets that something was learnt on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from surrogate_nas.training.datasets.base import Dataset

_SHARE = 16  # one example in so many is noted
_MOST = 1024


@dataclass(frozen=True, slots=True)
class SeenDataset:
    """A data set that something was learnt on.

    Attributes:
        name: Its name.
        fingerprint: See `Dataset.fingerprint`.
        examples: Hashes of about a sixteenth of its inputs, at most `_MOST`, chosen by the hashes
            themselves, so that those of a part of the data set are among them.
    """

    name: str
    fingerprint: str
    examples: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "examples", tuple(self.examples))  # JSON has lists

    @classmethod
    def of(cls, dataset: Dataset) -> SeenDataset:
        """What is noted of a data set."""
        return cls(dataset.name, dataset.fingerprint, tuple(sorted(_noted(dataset))[:_MOST]))

    def same(self, dataset: Dataset) -> bool:
        """Whether this data set is it in any folder, has its name, or shares noted inputs."""
        return (
            self.fingerprint == dataset.fingerprint
            or self.name == dataset.name
            or not _noted(dataset).isdisjoint(self.examples)
        )


def _noted(dataset: Dataset) -> set[int]:
    """Hashes of the inputs that are noted."""
    parts = (dataset.train, dataset.validation, dataset.test)
    if dataset.graph is None:
        arrays = [part.inputs for part in parts]
    else:
        arrays = [dataset.graph.features]
    found = set()
    for array in arrays:
        for row in np.ascontiguousarray(array):
            digest = hashlib.blake2b(row.tobytes(), digest_size=6).digest()
            number = int.from_bytes(digest, "big")
            if number % _SHARE == 0:
                found.add(number)
    return found
