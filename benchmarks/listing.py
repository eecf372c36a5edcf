"""An entry of the list of benchmarks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listing:
    """What the list of benchmarks says about one of them.

    Attributes:
        name: What `open_benchmark` takes.
        space: Name of its space; None if it cannot be read.
        tasks: Names of its tasks.
        architectures: Number of rows; None if it cannot be read.
        available: Whether it can be searched now.
        how_to_get: How to make it available, or why it is not.
    """

    name: str
    space: str | None
    tasks: tuple[str, ...]
    architectures: int | None
    available: bool
    how_to_get: str
