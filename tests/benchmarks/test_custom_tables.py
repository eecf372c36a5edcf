"""Spaces of the user as the space of a table, on a machine that does not have their file."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from surrogate_nas.benchmarks.catalog import list_benchmarks, open_benchmark
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.importers.csv import import_csv
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, read_table, write_table
from surrogate_nas.cli import main
from surrogate_nas.errors import FormatError, StoreError
from surrogate_nas.evaluation import FunctionObjective, Goal, fingerprint
from surrogate_nas.predictors.structure.features import StructuralFeatures
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.store import Stored, open_storage

DEFINITION = """
name = "own"
graph = "chain"
decisions = 4
options = ["none", "conv3", "gate"]

[operations]
conv3 = {operation = "conv", kernel = 3}
gate = {operation = "linear"}
"""
SAME = DEFINITION.replace("kernel = 3}", "kernel=3}  # as ever")
OTHER = DEFINITION.replace("kernel = 3", "kernel = 5")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed table of all 81 architectures; the file of its space is gone."""
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    declared = tmp_path / "own.toml"
    declared.write_text(DEFINITION)
    space = open_space(declared)
    rows = [f"{space.format(space.architecture(c))},{_value(c)}" for c in space.all_choices()]
    (tmp_path / "own.csv").write_text("\n".join(["arch,v", *rows]))
    made = import_csv(
        tmp_path / "own.csv", name="mine", space=declared, arch="arch", tasks={"toy": "v"}
    )
    declared.unlink()
    return made.path


def _value(choices: np.ndarray[tuple[int], np.dtype[np.int16]]) -> float:
    return float(choices @ [1, 2, 4, 8] + (choices == 2).sum() ** 2)


def test_the_table_holds_its_space(table: Path) -> None:
    opened = HDF5Benchmark(table)
    opened.check()
    assert isinstance(opened.space, CustomSpace)
    assert opened.space.definition == DEFINITION
    task = opened.task("toy")
    arch = task.space.parse("conv3:gate:none:conv3")
    assert task.evaluate(arch).value == _value(np.array(arch.choices, dtype=np.int16))
    assert len(task) == task.space.size == 81
    listed = {listing.name: listing for listing in list_benchmarks()}["mine"]
    assert (listed.space, listed.tasks, listed.architectures) == ("own", ("toy",), 81)
    assert listed.available


def test_only_such_tables_are_of_the_newer_version(table: Path, tmp_path: Path) -> None:
    """Programs that know version 1 alone refuse these with their message, and read the others."""
    with h5py.File(table) as file:
        assert file.attrs["format_version"] == 2
        assert file["definition"][()].tobytes().decode() == DEFINITION
    space = open_space("nasbench201")
    choices = space.all_choices()[:5]
    spec = TableSpec("t", space, choices, (TaskSpec("a", Goal("x"), np.arange(5.0)),))
    write_table(tmp_path / "t.h5", spec)
    with h5py.File(tmp_path / "t.h5") as file:
        assert file.attrs["format_version"] == 1
        assert "definition" not in file


def test_a_long_definition(tmp_path: Path) -> None:
    """HDF5 has no attributes of more than 64 kB."""
    text = DEFINITION + "# ö\n" * 40_000
    space = CustomSpace(text)
    spec = TableSpec("t", space, space.all_choices(), (TaskSpec("a", Goal("x"), np.arange(81.0)),))
    write_table(tmp_path / "t.h5", spec)
    opened = HDF5Benchmark(tmp_path / "t.h5")
    assert opened.space.definition == text
    write_table(tmp_path / "again.h5", read_table(opened))
    assert HDF5Benchmark(tmp_path / "again.h5").space.definition == text


def test_damage_in_the_definition_is_noticed(table: Path) -> None:
    with h5py.File(table) as file:
        place = file["definition"].id.get_offset()
    content = bytearray(table.read_bytes())
    content[place + 3] ^= 1
    table.write_bytes(content)
    opened = HDF5Benchmark(table)
    for use in (lambda: opened.space, opened.check, lambda: opened.task("toy")):
        with pytest.raises(FormatError, match="/definition does not have its checksum"):
            use()


def test_fingerprints_and_features_tell_definitions_apart() -> None:
    first, same, other = (CustomSpace(text) for text in (DEFINITION, SAME, OTHER))
    assert first.identity == same.identity != other.identity
    choices = first.all_choices()
    values = np.arange(81.0)
    prints = [fingerprint(space, choices, values) for space in (first, same, other)]
    assert prints[0] == prints[1] != prints[2]
    part = first.restricted(choices[:9])
    assert (part.identity, part.definition) == (first.identity, DEFINITION)
    features = [StructuralFeatures.of(space).transform(choices) for space in (first, other)]
    np.testing.assert_array_equal(features[0], StructuralFeatures(first).transform(choices))
    np.testing.assert_array_equal(features[1], StructuralFeatures(other).transform(choices))


def test_fingerprints_of_registered_spaces_stay() -> None:
    space = open_space("nasbench201")
    found = fingerprint(space, space.all_choices()[:5], np.arange(5) / 7)
    assert found == "3c250555aed6888feb0463aa46ab6e62"


def test_another_process_opens_the_task(table: Path) -> None:
    task = open_benchmark("mine").task("toy")
    script = (
        "import pickle, sys\n"
        "task = pickle.load(sys.stdin.buffer)\n"
        "print(task.evaluate(task.space.parse('gate:gate:gate:gate')).value)\n"
    )
    done = subprocess.check_output([sys.executable, "-c", script], input=pickle.dumps(task))
    assert float(done) == 46


def test_search_and_resume(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(tmp_path / "run.journal")
    command = ["search", "--benchmark", "mine", "--task", "toy", "--predictor", "gp", "--json"]

    def found(trials: int, *more: str) -> list[str]:
        assert main([*command, "--trials", str(trials), *more]) == 0
        return [trial["arch"] for trial in json.loads(capsys.readouterr().out)["trials"]]

    whole = found(26)
    assert found(22, "--store", store) == whole[:22]
    assert found(26, "--store", store) == whole


def test_a_store_tells_definitions_apart(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "run.journal")

    def stored(text: str) -> Stored:
        objective = FunctionObjective(CustomSpace(text), lambda arch: 0.0)
        return Stored(objective, storage, name="study", settings={})

    stored(DEFINITION)
    stored(SAME)
    with pytest.raises(StoreError, match="is of the space 'own#"):
        stored(OTHER)


def test_compare_and_evaluate(table: Path, tmp_path: Path) -> None:
    common = ["--benchmark", "mine", "--task", "toy"]
    out = str(tmp_path / "out")
    assert main(["compare", *common, "--searcher", "evolution+gp", "--trials", "22",
                 "--seeds", "1", "--out", out]) == 0  # fmt: skip
    assert main(["evaluate", *common, "--predictor", "gp", "--train-sizes", "20",
                 "--seeds", "1"]) == 0  # fmt: skip
