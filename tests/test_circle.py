"""From real trainings to a table, to a predictor, to the search of another task."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from surrogate_nas import open_benchmark
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.evaluation import Goal
from surrogate_nas.predictors.meta.weights import read_settings
from surrogate_nas.spaces import open_space
from surrogate_nas.store import open_storage, read_study
from tests.scripts import load_script


@pytest.fixture
def script() -> ModuleType:
    return load_script("circle")


def test_the_circle_closes(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = open_space("dense-cell")
    choices = space.all_choices()[::10]
    convolutions = (choices < 2).sum(axis=1)
    other = tmp_path / "other.h5"
    tasks = [
        TaskSpec(name, Goal("accuracy"), convolutions + np.arange(len(choices)) % step / 10)
        for name, step in (("seen", 7), ("new", 5))
    ]
    write_table(other, TableSpec("other", space, choices, tasks))
    monkeypatch.setenv("SURROGATE_NAS_HOME", "")  # the script sets it
    out = tmp_path / "out"
    options = ["--dataset", "tests.training.data:source", "--epochs", "1", "--device", "cpu"]
    options += ["--settings", "channels=2", "--trials", "8", "--predictor", "none"]
    given = {"table": str(other), "task": "new", "predictor": "transfer-ridge"}
    script.circle(out, **given, search=options)
    study = read_study(open_storage(out / "search.journal"))
    task = open_benchmark("own").task("tests.training.data:source")
    assert len(task) == 8
    for trial in study.trials:
        assert task.evaluate(trial.arch).value == trial.value
    assert task.training is not None
    assert task.training["settings"] == {"channels": 2}
    learnt = {source.name for source in read_settings(str(out / "weights.safetensors")).tasks}
    assert learnt == {"own/tests.training.data:source", "other/seen"}
