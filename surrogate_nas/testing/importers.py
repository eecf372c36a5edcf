"""Contract tests of importers of tables."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

import numpy as np

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.folders import tables_folder
from surrogate_nas.benchmarks.importers.base import Imported
from surrogate_nas.errors import SurrogateNASError
from surrogate_nas.testing.contract import Contract, raises


class ImporterContract(Contract):
    """Promises of a function that imports tables; a subclass defines `write` and `run`.

    Attributes:
        part: Why the first third of a source is valid, too; empty if it counts as damaged.
    """

    part: ClassVar[str] = ""

    def write(self, folder: Path) -> Path:
        """Write a small source, a file or a folder, the same each time."""
        raise NotImplementedError

    def run(self, source: Path) -> Imported:
        """Import it."""
        raise NotImplementedError

    @contextmanager
    def _source(self) -> Iterator[Path]:
        """The source; the user's tables are in an empty folder."""
        with tempfile.TemporaryDirectory() as name:
            home = {"SURROGATE_NAS_HOME": os.path.join(name, "home")}
            with patch.dict(os.environ, home):
                folder = Path(name, "source")
                folder.mkdir()
                yield self.write(folder)

    def test_the_table_is_searched_by_its_name(self) -> None:
        """The table is complete, and each task has a finite value for each architecture."""
        with self._source() as source:
            made = self.run(source)
            assert made.path.is_file()
            table = open_benchmark(made.name)
            table.check()
            assert table.tasks == made.tasks
            assert table.architectures == made.architectures > 0
            for name in table.tasks:
                task = table.task(name)
                assert np.isfinite(task.values).all()
                arch = task.space.sample(np.random.default_rng(0))
                assert task.evaluate(arch).values == (task.lookup(np.array([arch.choices]))[0],)

    def test_importing_again_gives_the_same_table(self) -> None:
        """A second import gives the same table to the last bit, and the source is not changed."""
        with self._source() as source:
            first = self.run(source).path.read_bytes()
            assert self.run(source).path.read_bytes() == first

    def test_a_damaged_source_is_refused_and_leaves_no_table(self) -> None:
        """A file that was cut off, or is of another kind, is refused with one message."""
        for cut in (False,) if self.part else (False, True):
            with self._source() as source:
                files = [source] if source.is_file() else sorted(source.rglob("*"))
                for file in (path for path in files if path.is_file()):
                    content = file.read_bytes()
                    file.write_bytes(content[: len(content) // 3] if cut else b"\x93 nothing \0")
                before = _tables()
                with raises(SurrogateNASError):
                    self.run(source)
                assert _tables() == before


def _tables() -> list[str]:
    folder = tables_folder()
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
