"""Every format of ``surrogate-nas import``, on small files in its official layout."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from surrogate_nas.benchmarks.importers import analog
from surrogate_nas.benchmarks.importers.base import Imported, Listener, install
from surrogate_nas.benchmarks.importers.hw_nas_bench import import_hw_nas_bench
from surrogate_nas.benchmarks.importers.optuna import import_optuna
from surrogate_nas.benchmarks.published import PUBLISHED, reader
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec
from surrogate_nas.cli.import_ import _OWN
from surrogate_nas.evaluation import Goal
from surrogate_nas.store import open_storage
from surrogate_nas.testing import ImporterContract
from tests.benchmarks import (
    test_import_analog,
    test_import_csv,
    test_import_hw_nas_bench,
    test_import_nasbench101,
    test_import_nasbench201,
    test_import_nasbench_macro,
    test_import_nats,
    test_import_transnas,
    tfrecords,
)
from tests.benchmarks.nats_files import CELLS
from tests.contracts.implementations import declare


class Published(ImporterContract):
    name: str
    files: Callable[[Path], Path]

    def write(self, folder: Path) -> Path:
        return type(self).files(folder)

    def run(self, source: Path) -> Imported:
        return reader(self.name)(source, name="mine", listener=Listener())


def nasbench101(folder: Path) -> Path:
    return tfrecords.write(folder / "nb.tfrecord", test_import_nasbench101.trainings((4, 108)))


def nasbench201(folder: Path) -> Path:
    whole = test_import_nasbench201.whole()
    return test_import_nasbench201.save(whole, folder / "nb.pth", zipped=True)


def nats(archs: list[str], entry: Callable[..., Any]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        rng = np.random.default_rng(0)
        entries = {i: entry(i, rng) for i in range(len(archs))}
        return test_import_nats.write_folder(folder / "simple", archs, entries)

    return write


def macro(folder: Path) -> Path:
    import json

    path = folder / "macro.json"
    texts = test_import_nasbench_macro.TEXTS
    path.write_text(json.dumps(test_import_nasbench_macro.results(texts)))
    return path


def transnas(folder: Path) -> Path:
    return test_import_transnas.saved(folder, test_import_transnas.database())


FILES = {
    "nasbench101": nasbench101,
    "nasbench201": nasbench201,
    "nats-tss": nats(CELLS, test_import_nats.tss_entry),
    "nats-sss": nats(test_import_nats.SIZES, test_import_nats.sss_entry),
    "nasbench-macro": macro,
}
declare(
    globals(),
    Published,
    {name: {"name": name, "files": staticmethod(files)} for name, files in FILES.items()},
)


class TestTransNAS(ImporterContract):
    def write(self, folder: Path) -> Path:
        return transnas(folder)

    def run(self, source: Path) -> Imported:
        return test_import_transnas.imported(source)


class TestCsv(ImporterContract):
    def write(self, folder: Path) -> Path:
        return test_import_csv.written(folder, *test_import_csv.ROWS)

    def run(self, source: Path) -> Imported:
        return test_import_csv.imported(source)


class TestOptuna(ImporterContract):
    part = "a journal that was cut off holds the trials before"

    def write(self, folder: Path) -> Path:
        path = folder / "study.journal"
        study = optuna.create_study(storage=open_storage(path), study_name="s")
        for number in range(5):
            trial = study.ask()
            for layer in range(1, 6):
                trial.suggest_categorical(f"layer{layer}", (8, 16, 24, 32, 40, 48, 56, 64))
            study.tell(trial, float(number))
        return path

    def run(self, source: Path) -> Imported:
        return import_optuna(open_storage(source), name="mine", space="nats-size", task="toy")


class TestHwNasBench(ImporterContract):
    def write(self, folder: Path) -> Path:
        space, rows = test_import_hw_nas_bench.SPACE, test_import_hw_nas_bench.ROWS
        choices = space.from_index(np.sort(rows[:50]))
        values = np.random.default_rng(0).random(len(choices))
        task = TaskSpec("cifar10-valid", Goal("accuracy"), values)
        install(TableSpec("nb201", space, choices, [task]))
        return test_import_hw_nas_bench.saved(folder, test_import_hw_nas_bench.official())

    def run(self, source: Path) -> Imported:
        return import_hw_nas_bench(source, into="nb201", listener=Listener())


class TestAnalog(ImporterContract):
    def write(self, folder: Path) -> Path:
        path = folder / "data.anb"
        test_import_analog.written(path, test_import_analog.records())
        return path

    def run(self, source: Path) -> Imported:
        installed = analog._installed
        try:
            analog._installed = lambda: (source, "0.1.3")
            return test_import_analog.imported()
        finally:
            analog._installed = installed


def test_every_format_is_here() -> None:
    tested = {*FILES, "transnas", "csv", "optuna", "hw-nas-bench", "analog"}
    assert {*(name for name, table in PUBLISHED.items() if not table.word), *_OWN} == tested
