from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.benchmarks.base import Benchmark
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.evaluation import Goal
from surrogate_nas.registry import names
from surrogate_nas.spaces.nasbench201 import NASBench201Space
from surrogate_nas.testing import BenchmarkContract
from tests.contracts.implementations import declare


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> object:
    """What benchmarks convert lies in a temporary folder."""
    folder = tmp_path_factory.mktemp("benchmarks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SURROGATE_NAS_CACHE", str(folder))
        patch.setattr(TestATableInAFile, "folder", folder, raising=False)
        yield


class Registered(BenchmarkContract):
    name: str

    def make(self) -> Benchmark:
        return open_benchmark(self.name)


declare(globals(), Registered, {name: {"name": name} for name in names("benchmark")})


class TestATableInAFile(BenchmarkContract):
    folder: Path

    def make(self) -> Benchmark:
        write(self.folder / "tiny.h5")
        return open_benchmark(self.folder / "tiny.h5")


def write(path: Path) -> None:
    """Two tasks with seeds, budgets and missing values; one of the two is minimised."""
    space = NASBench201Space()
    rng = np.random.default_rng(0)
    choices = space.all_choices()[::40]
    cube = rng.normal(size=(len(choices), 3, 2))
    cube[rng.random(len(choices)) < 0.2] = np.nan
    tasks = (
        TaskSpec("loss", Goal("loss", maximise=False), cube, cube + 1, budgets=(4, 9)),
        TaskSpec("accuracy", Goal("accuracy"), rng.random(len(choices)), rng.random(len(choices))),
    )
    write_table(path, TableSpec("tiny", space, choices, tasks))
