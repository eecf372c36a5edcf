import bz2
import os
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.folders import tables_folder
from surrogate_nas.benchmarks.importers.base import Imported, Listener
from surrogate_nas.benchmarks.importers.nats_bench import import_nats_sss, import_nats_tss
from surrogate_nas.errors import (
    FormatError,
    InvalidArgumentError,
    MissingRecordError,
    UnsafePickleError,
)
from tests.benchmarks.nats_files import (
    CELLS,
    EPOCHS,
    PARTS,
    SEEDS,
    Notes,
    arch_state,
    assert_agrees,
    write_bz2,
)

SIZES = ["8:8:8:8:8", "64:8:16:24:32", "40:48:56:64:8"]
"""In the order of their numbers, which is not that of our encodings."""


def tss_entry(number: int, rng: np.random.Generator) -> dict[str, Any]:
    """The runs of one cell, with one to three seeds, as the official files have them."""
    short = {dataset: SEEDS[: 2 if dataset == "cifar10-valid" else 1] for dataset in PARTS}
    long = {dataset: SEEDS[: number + 1] for dataset in PARTS}
    long["cifar10"] = SEEDS[2 - number :]  # other seeds than those of cifar10-valid
    arch = CELLS[number]
    return OrderedDict(
        {
            "12": arch_state(number, arch, EPOCHS["12"], short, rng, old=False),
            "200": arch_state(number, arch, EPOCHS["200"], long, rng, old=True),
        }
    )


def sss_entry(number: int, rng: np.random.Generator) -> dict[str, Any]:
    """The runs of one network of the size space."""
    seeds = dict.fromkeys(PARTS, SEEDS[:1])
    return OrderedDict(
        (hp, arch_state(number, SIZES[number], EPOCHS[hp], seeds, rng, old=False))
        for hp in ("01", "12", "90")
    )


def meta(archs: list[str], entries: Mapping[int, Any] | None) -> dict[str, Any]:
    return {
        "meta_archs": archs,
        "total_archs": len(archs),
        "arch2infos": entries,
        "evaluated_indexes": set(entries or ()),
    }


def write_folder(folder: Path, archs: list[str], entries: Mapping[int, Any]) -> Path:
    folder.mkdir()
    write_bz2(folder / "meta.pickle.pbz2", meta(archs, None))
    for number, entry in entries.items():
        write_bz2(folder / f"{number:06d}.pickle.pbz2", entry)
    return folder


@pytest.fixture(scope="module")
def tss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("tss") / "NATS-tss-v1_0-3ffb9-simple"
    return write_folder(folder, CELLS, {i: tss_entry(i, rng) for i in range(len(CELLS))})


@pytest.fixture(scope="module")
def sss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("sss") / "NATS-sss-v1_0-50262-simple"
    return write_folder(folder, SIZES, {i: sss_entry(i, rng) for i in range(len(SIZES))})


def test_topology_agrees_with_the_official_reader(tss: Path) -> None:
    nats_bench = pytest.importorskip("nats_bench")
    made = import_nats_tss(tss, name="tss", listener=Listener())
    assert (made.name, made.architectures) == ("tss", 3)
    assert made.tasks == ("cifar10", "cifar100", "ImageNet16-120")
    assert [table.name for table in made.also] == ["tss-hp12"]
    api = nats_bench.create(str(tss), "tss", fast_mode=True, verbose=False)
    # Per task and length: epochs with a validation accuracy, times trainings and a mean a cell.
    assert assert_agrees("tss", api, "200", CELLS) == (8 + 1 + 1) * (1 + 2 + 3 + 3)
    assert assert_agrees("tss-hp12", api, "12", CELLS) == 4 * 3 * (3 + 2 + 2)


def test_size_agrees_with_the_official_reader(sss: Path) -> None:
    nats_bench = pytest.importorskip("nats_bench")
    made = import_nats_sss(sss, name="sss", listener=Listener())
    assert [table.name for table in (made, *made.also)] == ["sss", "sss-hp01", "sss-hp12"]
    api = nats_bench.create(str(sss), "sss", fast_mode=True, verbose=False)
    for table, hp in (("sss", "90"), ("sss-hp12", "12"), ("sss-hp01", "01")):
        assert assert_agrees(table, api, hp, SIZES) == EPOCHS[hp] * 3 * 3 * 2


def test_the_single_file_gives_the_same_tables(tss: Path, tmp_path: Path) -> None:
    entries = {
        i: pickle.loads(bz2.decompress((tss / f"{i:06d}.pickle.pbz2").read_bytes()))
        for i in range(len(CELLS))
    }
    single = tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2"
    write_bz2(single, meta(CELLS, entries))
    listener = Notes()
    made = import_nats_tss(single, name="single", listener=listener)
    assert "GB of memory" in listener.notes[0]
    assert "3 of 15,625 architectures" in listener.notes[1]
    folder = import_nats_tss(tss, name="folder", listener=Listener())
    for one, other in zip((made, *made.also), (folder, *folder.also), strict=True):
        for name in one.tasks:
            mine, its = (open_benchmark(t.name).task(name) for t in (one, other))
            assert mine.fingerprint == its.fingerprint
            assert mine.budgets == its.budgets


def test_budgets_are_the_epochs_with_a_validation_accuracy(tss: Path) -> None:
    import_nats_tss(tss, name="tss", listener=Listener())
    table = open_benchmark("tss")
    assert table.task("cifar10").budgets == tuple(range(1, 9))
    assert table.task("cifar100").budgets == (8,)
    arch = table.space.parse(CELLS[2])
    with pytest.raises(MissingRecordError, match="recorded: 8"):
        table.task("cifar100").evaluate(arch, budget=4)


def test_inconsistent_parameters_are_those_of_the_checked_seed(tmp_path: Path) -> None:
    nats_bench = pytest.importorskip("nats_bench")
    entry = tss_entry(2, np.random.default_rng(0))
    results = entry["200"]["all_results"]
    results["cifar100", 777]["params"] = 5.0
    results["cifar100", 999]["latency"] = None
    folder = write_folder(tmp_path / "folder", CELLS, {2: entry})
    import_nats_tss(folder, name="fixed", listener=Listener())
    task = open_benchmark("fixed").task("cifar100")
    found = task.evaluate(task.space.parse(CELLS[2])).metrics
    api = nats_bench.create(str(folder), "tss", fast_mode=True, verbose=False)
    cost = api.get_cost_info(2, "cifar100", "200")
    assert found["params"] == pytest.approx(cost["params"]) != pytest.approx(5.0)
    assert found["latency"] == pytest.approx(cost["latency"])


def test_what_some_trainings_lack_is_the_mean_of_the_others(tmp_path: Path) -> None:
    entry = tss_entry(2, np.random.default_rng(0))
    results = entry["200"]["all_results"]
    times = [results["cifar100", seed]["train_times"][0] for seed in (777, 999)]
    results["cifar100", 888]["train_times"] = None
    for seed in SEEDS:
        results["cifar10-valid", seed].update(train_times=None, latency=None)
    folder = write_folder(tmp_path / "folder", CELLS, {2: entry})
    import_nats_tss(folder, name="lacking", listener=Listener())
    table = open_benchmark("lacking")
    arch = table.space.parse(CELLS[2])
    found = table.task("cifar100").evaluate(arch).metrics
    assert found["train_seconds"] == pytest.approx(np.mean(times))
    assert set(table.task("cifar10").evaluate(arch).metrics) == {"params", "flops"}


def tables() -> set[str]:
    return {path.name for path in tables_folder().glob("*")}


def refused(source: Path, error: type[FormatError], told: str) -> None:
    before = tables()
    with pytest.raises(error) as caught:
        import_nats_tss(source, name="refused", listener=Listener())
    assert told in str(caught.value)
    assert tables() == before


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("single", [False, True])
def test_malicious_files_are_refused(single: bool, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    entry = tss_entry(0, np.random.default_rng(0))
    entry["200"]["all_results"]["cifar10", 999]["net_state_dict"] = Evil(marker)
    if single:
        source = tmp_path / "all.pickle.pbz2"
        write_bz2(source, meta(CELLS, {0: entry}))
        file = source
    else:
        source = write_folder(tmp_path / "folder", CELLS, {0: entry})
        file = source / "000000.pickle.pbz2"
    refused(source, UnsafePickleError, str(file))
    assert not marker.exists()
    pickle.loads(bz2.decompress(file.read_bytes()))
    assert marker.exists()  # so the file would have worked


def test_a_file_of_the_folder_that_is_cut_off_is_named(tss: Path, tmp_path: Path) -> None:
    whole = (tss / "000001.pickle.pbz2").read_bytes()
    folder = write_folder(tmp_path / "folder", CELLS, {0: tss_entry(0, np.random.default_rng(0))})
    file = folder / "000001.pickle.pbz2"
    for content in (b"", whole[:-1], whole[: len(whole) // 2], bz2.compress(b""), b"text" * 9):
        file.write_bytes(content)
        refused(folder, FormatError, f"{file} is not a whole pickle compressed by bzip2")


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.clear(),
        lambda entry: entry.update({"7": entry["12"]}),
        lambda entry: entry["200"].update(arch_str=CELLS[2]),
        lambda entry: entry["12"].pop("dataset_seed"),
        lambda entry: entry["12"]["all_results"].clear(),
        lambda entry: entry["12"]["all_results"]["cifar10", 777].update(epochs="many"),
        lambda entry: entry["12"]["all_results"]["cifar10", 777].update(eval_acc1es=[1.0]),
        lambda entry: [entry[hp].update(arch_str="8:8:8:8:8") for hp in entry],
        lambda entry: [entry[hp].update(arch_str=CELLS[0]) for hp in entry],
    ],
)
def test_an_entry_of_another_layout_is_named(change: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    entries = {0: tss_entry(0, rng), 1: tss_entry(1, rng)}
    change(entries[1])
    folder = write_folder(tmp_path / "folder", CELLS, entries)
    refused(folder, FormatError, f"{folder / '000001.pickle.pbz2'} does not hold results")


def test_other_files_and_folders_are_refused(sss: Path, tmp_path: Path) -> None:
    refused(sss, FormatError, "'nasbench201'")
    refused(tmp_path, FormatError, "000000.pickle.pbz2")
    refused(sss / "000000.pickle.pbz2", FormatError, "arch2infos")
    refused(sss / "meta.pickle.pbz2", FormatError, "arch2infos")
    empty = write_folder(
        tmp_path / "empty",
        CELLS,
        {0: {"12": arch_state(0, CELLS[0], 12, {}, np.random.default_rng(0), old=False)}},
    )
    refused(empty, FormatError, "no validation accuracy")
    with pytest.raises(InvalidArgumentError, match="absent"):
        import_nats_tss(tmp_path / "absent", name="refused", listener=Listener())
    with pytest.raises(InvalidArgumentError, match="name"):
        import_nats_tss(sss, name="no/name", listener=Listener())


def test_an_import_replaces_the_tables_of_the_one_before(tss: Path, tmp_path: Path) -> None:
    first = import_nats_tss(tss, name="again", listener=Listener())
    folder = write_folder(tmp_path / "folder", CELLS, {0: tss_entry(0, np.random.default_rng(7))})
    second: Imported = import_nats_tss(folder, name="again", listener=Listener())
    assert (first.architectures, second.architectures) == (3, 1)
    assert open_benchmark("again").architectures == 1
    assert open_benchmark("again-hp12").architectures == 1
