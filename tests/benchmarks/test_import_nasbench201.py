import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.folders import tables_folder
from surrogate_nas.benchmarks.importers.base import Imported, Listener
from surrogate_nas.benchmarks.importers.nasbench201 import import_nasbench201
from surrogate_nas.errors import FormatError, UnsafePickleError
from tests.benchmarks.nats_files import (
    CELLS,
    EPOCHS,
    PARTS,
    SEEDS,
    Notes,
    arch_state,
    assert_agrees,
)


def entry(number: int, rng: np.random.Generator, *, version: str = "1.1") -> dict[str, Any]:
    """The two runs of one cell; version 1.0 has the short one of CIFAR-10's half alone."""
    short = {dataset: SEEDS[: 2 if dataset == "cifar10-valid" else 1] for dataset in PARTS}
    if version == "1.0":
        short = {"cifar10-valid": SEEDS[:1]}
    long = {dataset: SEEDS[: number + 1] for dataset in PARTS}
    arch = CELLS[number]
    return {
        "full": arch_state(number, arch, EPOCHS["200"], long, rng, old=True),
        "less": arch_state(number, arch, EPOCHS["12"], short, rng, old=version == "1.0"),
    }


def whole(version: str = "1.1") -> dict[str, Any]:
    """The content of the single file."""
    rng = np.random.default_rng(0)
    return {
        "meta_archs": CELLS,
        "total_archs": len(CELLS),
        "basestr": "C16-N5",
        "arch2infos": {i: entry(i, rng, version=version) for i in range(len(CELLS))},
        "evaluated_indexes": set(range(len(CELLS))),
    }


def save(content: Any, path: Path, *, zipped: bool) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


@pytest.mark.parametrize(("version", "zipped"), [("1.1", False), ("1.1", True), ("1.0", False)])
def test_it_agrees_with_the_official_reader(version: str, zipped: bool, tmp_path: Path) -> None:
    nas_201_api = pytest.importorskip("nas_201_api")
    content = whole(version)
    api = nas_201_api.NASBench201API(content, verbose=False)
    path = save(content, tmp_path / "NAS-Bench-201.pth", zipped=zipped)
    listener = Notes()
    made = import_nasbench201(path, name="nb", listener=listener)
    assert "GB of memory" in listener.notes[0]
    assert "3 of 15,625 architectures" in listener.notes[1]
    assert (made.name, made.architectures) == ("nb", 3)
    assert [table.name for table in made.also] == ["nb-hp12"]
    # Epochs with a validation accuracy per task, times trainings and a mean a cell.
    assert assert_agrees("nb", api, "200", CELLS) == (8 + 1 + 1) * (2 + 3 + 4)
    short = 4 * 3 * (2 if version == "1.0" else 3 + 2 + 2)
    assert assert_agrees("nb-hp12", api, "12", CELLS) == short


def test_the_short_run_of_version_1_0_has_no_test_accuracy(tmp_path: Path) -> None:
    path = save(whole("1.0"), tmp_path / "NAS-Bench-201-v1_0-e61699.pth", zipped=False)
    import_nasbench201(path, name="nb", listener=Listener())
    assert open_benchmark("nb-hp12").tasks == ("cifar10",)
    assert open_benchmark("nb-hp12").task("cifar10").test_values is None
    assert open_benchmark("nb").task("cifar10").test_values is not None


@pytest.mark.parametrize("suffix", ["FULL", "SIMPLE"])
def test_the_archives_give_the_same_tables(suffix: str, tmp_path: Path) -> None:
    content = whole()
    path = save(content, tmp_path / "NAS-Bench-201-v1_1-096897.pth", zipped=False)
    single = import_nasbench201(path, name="single", listener=Listener())
    folder = tmp_path / "NAS-Bench-201-v1_1-archive"
    folder.mkdir()
    for number, states in content["arch2infos"].items():
        if suffix == "FULL":
            for state in states.values():
                for result in state["all_results"].values():
                    result["net_state_dict"] = torch.nn.Linear(3, 2).state_dict()
        save(states, folder / f"{number:06d}-{suffix}.pth", zipped=False)
    archive = import_nasbench201(folder, name="archive", listener=Listener())
    assert_same_tables(single, archive)


def test_of_two_files_of_an_architecture_the_one_without_weights_is_read(tmp_path: Path) -> None:
    content = whole()
    for number, states in content["arch2infos"].items():
        save(states, tmp_path / f"{number:06d}-SIMPLE.pth", zipped=False)
        (tmp_path / f"{number:06d}-FULL.pth").write_bytes(b"not read")
    made = import_nasbench201(tmp_path, name="both", listener=Listener())
    assert made.architectures == 3


def assert_same_tables(one: Imported, other: Imported) -> None:
    for mine, its in zip((one, *one.also), (other, *other.also), strict=True):
        assert mine.tasks == its.tasks
        for name in mine.tasks:
            a, b = (open_benchmark(table.name).task(name) for table in (mine, its))
            assert a.fingerprint == b.fingerprint
            assert a.budgets == b.budgets


def refused(source: Path, error: type[FormatError], told: str) -> None:
    before = set(tables_folder().glob("*"))
    with pytest.raises(error) as caught:
        import_nasbench201(source, name="refused", listener=Listener())
    assert told in str(caught.value)
    assert set(tables_folder().glob("*")) == before


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("single", [False, True])
def test_malicious_files_are_refused(single: bool, zipped: bool, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    content = whole()
    states = content["arch2infos"][1]
    states["full"]["all_results"]["cifar10", 777]["net_state_dict"] = {"w": Evil(marker)}
    folder = tmp_path / "archive"
    folder.mkdir()
    file = folder / "000001-FULL.pth"
    save(content if single else states, file, zipped=zipped)
    refused(file if single else folder, UnsafePickleError, str(file))
    assert not marker.exists()


def test_damaged_and_other_files_are_named(tmp_path: Path) -> None:
    content = whole()
    path = save(content, tmp_path / "whole.pth", zipped=False)
    cut = tmp_path / "000000-FULL.pth"
    for length in (0, 1, 1000, path.stat().st_size - 1):
        cut.write_bytes(path.read_bytes()[:length])
        refused(cut, FormatError, f"{cut} is not a whole file of PyTorch")
        refused(tmp_path, FormatError, f"{cut} is not a whole file of PyTorch")
    save(content["arch2infos"][0], cut, zipped=False)
    refused(cut, FormatError, "arch2infos")
    save(content, cut, zipped=False)
    refused(tmp_path, FormatError, f"{cut} does not hold results")
    content["arch2infos"][2]["full"]["all_results"].clear()
    save(content, path, zipped=False)
    refused(path, FormatError, f"architecture 2 of {path} does not hold results")
