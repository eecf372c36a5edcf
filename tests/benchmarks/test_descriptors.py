"""Tables whose tasks are described by numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.importers.base import Imported
from surrogate_nas.benchmarks.importers.csv import import_csv
from surrogate_nas.benchmarks.table_writer import read_table, write_table
from surrogate_nas.cli import main
from surrogate_nas.errors import FormatError, InvalidArgumentError, UnknownNameError
from surrogate_nas.transfer import choose_predictor, meta_train
from tests.benchmarks.csv_files import own_home

home = pytest.fixture(autouse=True, name="home")(own_home)

FACTS = "task,nodes,classes\na,100,2\n\n b , 2000 ,\n"


def results(folder: Path) -> Path:
    """Rows of a small space: two tasks that agree."""
    rows = [f"{c}:8:8:8:{d},{c + d},{c + 2 * d}" for c in range(8, 65, 8) for d in range(8, 65, 8)]
    (folder / "results.csv").write_text("\n".join(["arch,x,y", *rows]))
    return folder / "results.csv"


def imported(folder: Path, descriptors: Any = None, name: str = "mine", **tasks: str) -> Imported:
    return import_csv(
        results(folder),
        name=name,
        space="nats-size",
        arch="arch",
        tasks=tasks or {"a": "x"},
        descriptors=descriptors,
    )


def facts(folder: Path, text: str = FACTS) -> Path:
    (folder / "facts.csv").write_text(text)
    return folder / "facts.csv"


def test_a_file_describes_tasks_and_the_table_keeps_it(tmp_path: Path) -> None:
    given = ["--space", "nats-size", "--arch", "arch", "--task", "a=x", "--task", "b=y"]
    file, described = str(results(tmp_path)), str(facts(tmp_path))
    assert main(["import", "csv", file, *given, "--name", "mine", "--describe", described]) == 0
    table = open_benchmark("mine")
    assert isinstance(table, HDF5Benchmark)
    assert table.task("a").descriptor == {"nodes": 100, "classes": 2}
    assert table.task("b").descriptor == {"nodes": 2000}
    assert main(["report", str(table.path), "--out", str(tmp_path / "page.html")]) == 0
    assert "classes 2, nodes 100" in (tmp_path / "page.html").read_text()
    assert table.task("a").data(np.arange(3)).descriptor == {"nodes": 100, "classes": 2}
    table.check()
    imported(tmp_path, {"a": {"nodes": np.int64(100)}}, name="other")
    assert open_benchmark("other").task("a").descriptor == {"nodes": 100}
    write_table(tmp_path / "again.h5", read_table(table))
    again = HDF5Benchmark(tmp_path / "again.h5")
    assert again.task("b").descriptor == {"nodes": 2000}
    assert again.task("b").fingerprint == table.task("b").fingerprint


def test_a_table_without_descriptors_has_none(tmp_path: Path) -> None:
    imported(tmp_path)
    assert open_benchmark("mine").task("a").descriptor is None


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("task,nodes\nc,1\n", UnknownNameError, "'c'"),
        ("task,nodes\na,many\n", FormatError, "a number as 'nodes' of 'a', got 'many'"),
        ("task,nodes\na,nan\n", InvalidArgumentError, "finite numbers, got nan for 'nodes'"),
        ("task,nodes\na,1,2\n", FormatError, "one row for 'a' with 1 numbers"),
        ("task,nodes\na,1\na,2\n", FormatError, "one row for 'a'"),
        ("task,nodes,nodes\na,1,2\n", FormatError, "different names of columns"),
        ("task\na\n", FormatError, "a header like"),
        ("", FormatError, "a header like"),
        ('task,nodes\na,"1\n', FormatError, "no CSV text, line 2"),
    ],
)
def test_wrong_files_are_refused(
    tmp_path: Path, text: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        imported(tmp_path, facts(tmp_path, text), a="x", b="y")


def test_wrong_numbers_of_a_caller_are_refused(tmp_path: Path) -> None:
    for wrong, message in (
        ({"a": {"nodes": math.inf}}, "finite"),
        ({"a": {"nodes": "many"}}, "finite"),
        ({"q": {"nodes": 1}}, "unknown task 'q'"),
        ([1], "numbers by name by task"),
    ):
        with pytest.raises((InvalidArgumentError, UnknownNameError), match=message):
            imported(tmp_path, wrong)


def test_a_damaged_descriptor_is_a_fault_of_the_file(tmp_path: Path) -> None:
    made = imported(tmp_path, {"a": {"nodes": 1.0}})
    for text in (b"[1]", b"{", b'{"nodes": "x"}', b'{"nodes": NaN}'):
        with h5py.File(made.path, "r+") as file:
            file["tasks/a"].attrs["descriptor"] = np.bytes_(text)
        with pytest.raises(FormatError, match="damaged"):
            HDF5Benchmark(made.path).task("a")


def test_the_choice_of_a_predictor_knows_the_descriptor(tmp_path: Path) -> None:
    imported(tmp_path, facts(tmp_path), a="x", b="y")
    table = open_benchmark("mine")
    weights = tmp_path / "w.safetensors"
    meta_train([table.task("b")], predictor="transfer-ridge", out=weights)
    choice = choose_predictor(str(weights), table.task("a"))
    assert dict(choice.descriptor) == {"nodes": 100, "classes": 2}
    assert choice.identity != choice.digest
    assert replace(choice, descriptor=()).identity == choice.digest
    assert choice.make(table.space, 0).predict(table.task("a").choices).mean.any()
