"""Recognises data sets that something was learnt on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from surrogate_nas.training.datasets.base import Dataset

_MOST = 1024


@dataclass(frozen=True, slots=True)
class SeenDataset:
    """A data set that something was learnt on.

    Attributes:
        name: Its name.
        fingerprint: See `Dataset.fingerprint`.
        examples: The first of `Dataset.sampled_hashes`, at most `_MOST`.
    """

    name: str
    fingerprint: str
    examples: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "examples", tuple(self.examples))  # JSON has lists

    @classmethod
    def of(cls, dataset: Dataset) -> SeenDataset:
        """What is noted of a data set."""
        return cls(dataset.name, dataset.fingerprint, tuple(sorted(dataset.sampled_hashes)[:_MOST]))

    def same(self, dataset: Dataset) -> bool:
        """Whether this data set is it in any folder, has its name, or shares noted inputs."""
        return (
            self.fingerprint == dataset.fingerprint
            or self.name == dataset.name
            or not dataset.sampled_hashes.isdisjoint(self.examples)
        )


def saw(seen: Iterable[SeenDataset], dataset: Dataset) -> bool:
    """Whether a data set is among those that something was learnt on."""
    return any(one.same(dataset) for one in seen)
