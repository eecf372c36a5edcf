"""The surrogate benchmarks that come with the program: spaces too large for a table."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from surrogate_nas.benchmarks.surrogate import SurrogateBenchmark

TASKS = ("digits", "mnist5k-14")


class _Shipped(SurrogateBenchmark):
    """A file of this folder."""

    file: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(Path(__file__).with_name(self.file))
        self.how_to_get = "it comes with surrogate-nas"


class LargeLayerwise(_Shipped):
    """`layerwise` on two small data sets. See ``docs/large-benchmarks.md``."""

    file = "large-layerwise.h5"


class LargeHierarchical(_Shipped):
    """`hierarchical` on two small data sets. See ``docs/large-benchmarks.md``."""

    file = "large-hierarchical.h5"
