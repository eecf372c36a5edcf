"""A table that is read as a whole and written again is the same file."""

from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, read_table, write_table
from surrogate_nas.errors import FormatError
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces.nats_size import NATSSizeSpace


def spec() -> TableSpec:
    """Everything that a table can hold."""
    space = NATSSizeSpace()
    rng = np.random.default_rng(0)
    choices = space.all_choices()[rng.permutation(100)]
    values = rng.normal(size=(100, 2, 3))
    values[3, 1] = np.nan
    rich = TaskSpec(
        name="rich",
        goal=Goal("loss", maximise=False, unit="nats"),
        values=values,
        test=values + 1,
        metrics=[
            (Goal("latency", maximise=False, unit="ms"), rng.normal(size=100)),
            (Goal("size"), rng.normal(size=(100, 1, 3))),
        ],
        budgets=(1, 4, 9),
        costs=(0.5, 2.5, 3.5),
    )
    plain = TaskSpec("plain", Goal("accuracy"), rng.normal(size=100))
    return TableSpec("mine", space, choices, [rich, plain], source="a file", licence="MIT")


def test_it_comes_back_whole(tmp_path: Path) -> None:
    path, again = tmp_path / "a.h5", tmp_path / "b.h5"
    write_table(path, spec())
    read = read_table(HDF5Benchmark(path))
    assert (read.source, read.licence) == ("a file", "MIT")
    assert read.tasks[0].costs == (0.5, 2.5, 3.5)
    assert read.tasks[0].metrics[0][0] == Goal("latency", maximise=False, unit="ms")
    write_table(again, read)
    assert again.read_bytes() == path.read_bytes()


def test_damage_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    table = spec()
    write_table(path, table)
    content = bytearray(path.read_bytes())
    place = content.index(np.float64(table.tasks[0].values[0, 0, 0]).tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.h5 is damaged"):
        read_table(HDF5Benchmark(path))
