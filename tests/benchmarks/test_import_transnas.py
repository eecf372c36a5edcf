"""The official file of TransNAS-Bench-101, made in small in exactly its layout.

Its own reader hands out the dictionaries as they are, so they are the oracle.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from surrogate_nas.benchmarks.catalog import list_benchmarks, open_benchmark
from surrogate_nas.benchmarks.folders import tables_folder
from surrogate_nas.benchmarks.importers.base import Imported, Listener
from surrogate_nas.benchmarks.importers.transnas import GOALS, import_transnas
from surrogate_nas.benchmarks.published import PUBLISHED
from surrogate_nas.cli import main
from surrogate_nas.errors import FormatError, InvalidArgumentError, SurrogateNASError
from surrogate_nas.evaluation import Goal
from tests.answers import validator
from tests.test_pickles import Evil, _touch

ARCHITECTURES = {
    "macro": ["64-1234-basic", "64-2311-basic", "64-121313-basic", "64-23111-basic"],
    "micro": ["64-41414-1_02_333", "64-41414-0_00_000", "64-41414-3_21_032"],
}
EPOCHS = {"class_scene": 4, "class_object": 4, "room_layout": 3, "jigsaw": 2}
EPOCHS |= {"segmentsemantic": 3, "normal": 3, "autoencoder": 3}
KINDS = {
    **dict.fromkeys(("class_scene", "class_object", "jigsaw"), ("top1", "top5", "loss")),
    "room_layout": ("loss", "neg_loss"),
    "segmentsemantic": ("loss", "acc", "mIoU"),
    **dict.fromkeys(("normal", "autoencoder"), ("l1_loss", "ssim")),
}
INFO = ["inference_time", "encoder_params", "model_params", "model_FLOPs", "encoder_FLOPs"]
METRICS = {
    task: [f"{data}_{kind}" for data in ("train", "valid", "test") for kind in kinds]
    + ["time_elapsed"]
    for task, kinds in KINDS.items()
}


def database() -> dict[str, Any]:
    """The content of the official file."""
    rng = random.Random(0)

    def record(task: str) -> dict[str, Any]:
        return {
            "total_epochs": EPOCHS[task],
            "model_info": {info: rng.random() for info in INFO},
            "metrics": {
                metric: [rng.random() for _ in range(EPOCHS[task])] for metric in METRICS[task]
            },
        }

    return {
        "data": {
            part: {text: {task: record(task) for task in EPOCHS} for text in texts}
            for part, texts in ARCHITECTURES.items()
        },
        "metrics_dict": METRICS,
        "info_names": INFO,
        "task_list": list(EPOCHS),
    }


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    return tmp_path


def saved(home: Path, content: Any, *, old: bool = False) -> Path:
    path = home / "transnas.pth"
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    return path


def imported(path: Path) -> Imported:
    return import_transnas(path, name="mine", listener=Listener())


def tables() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(tables_folder().glob("*"))}


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 1.6"])
def test_every_number_is_that_of_the_file(home: Path, old: bool) -> None:
    content = database()
    made = imported(saved(home, content, old=old))
    (other,) = made.also
    assert (made.name, made.architectures, other.name, other.architectures) == (
        ("mine-micro", 3, "mine-macro", 4)
    )
    assert made.tasks == other.tasks == tuple(EPOCHS)
    for part, records in content["data"].items():
        benchmark = open_benchmark(f"mine-{part}")
        assert benchmark.space.name == f"transnas-{part}"
        for name, epochs in EPOCHS.items():
            task = benchmark.task(name)
            kind = GOALS[name].metric
            assert task.goal == GOALS[name]
            assert (task.budgets, len(task)) == (tuple(range(1, epochs + 1)), len(records))
            for text, results in records.items():
                official = results[name]
                for epoch in range(epochs):
                    found = task.evaluate(task.space.parse(text), budget=epoch + 1)
                    now = {metric: curve[epoch] for metric, curve in official["metrics"].items()}
                    assert found.value == now.pop(f"valid_{kind}")
                    assert found.hidden == {kind: now.pop(f"test_{kind}")}
                    seen = {metric for metric in now if not metric.startswith("test_")}
                    expected = {metric: now[metric] for metric in seen} | official["model_info"]
                    assert found.metrics == expected
                    assert found.cost == epoch + 1


def test_directions_and_units(home: Path) -> None:
    made = imported(saved(home, database()))
    columns = open_benchmark(made.name).columns("segmentsemantic")  # type: ignore[attr-defined]
    goals = {goal.metric: goal for goal, _ in columns.values()}
    assert goals["valid_acc"] == Goal("valid_acc", unit="%")
    assert goals["train_mIoU"].maximise
    assert goals["valid_loss"] == Goal("valid_loss", maximise=False)
    assert goals["time_elapsed"] == Goal("time_elapsed", maximise=False, unit="s")
    assert not goals["model_FLOPs"].maximise
    columns = open_benchmark(made.name).columns("room_layout")  # type: ignore[attr-defined]
    goals = {goal.metric: goal for goal, _ in columns.values()}
    assert goals["train_neg_loss"].maximise


def test_times_as_texts_missing_facts_and_shorter_trainings(home: Path) -> None:
    content = database()
    texts = list(content["data"]["micro"])
    for text in texts:
        record = content["data"]["micro"][text]["jigsaw"]
        record["metrics"]["time_elapsed"] = ["00:01:30", "01:00:01"]
        record["model_info"]["model_params"] = ""
    short = content["data"]["micro"][texts[1]]["jigsaw"]
    short["total_epochs"] = 1
    short["metrics"] = {metric: curve[:1] for metric, curve in short["metrics"].items()}
    imported(saved(home, content))
    task = open_benchmark("mine-micro").task("jigsaw")
    found = task.evaluate(task.space.parse(texts[0]))
    assert found.metrics["time_elapsed"] == 3601
    assert "model_params" not in found.metrics
    assert len(task) == 2  # one has no value at the largest budget


def broken() -> dict[str, tuple[Any, str]]:
    """Contents that are not the official one, and what the error names."""
    cases: dict[str, tuple[Any, str]] = {}
    changes: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
        "no metric": ("jigsaw", lambda record: record["metrics"].pop("valid_top1")),
        "no number": ("normal", lambda record: record["metrics"].update(valid_ssim=["a"] * 3)),
        "too long": ("normal", lambda record: record["metrics"].update(valid_ssim=[0.5] * 4)),
        "no epochs": ("normal", lambda record: record.pop("total_epochs")),
    }
    for name, (task, change) in changes.items():
        content = database()
        change(content["data"]["micro"]["64-41414-0_00_000"][task])
        cases[name] = content, "not transnas-bench"
    content = database()
    content["data"]["macro"]["64-1111-basic"] = content["data"]["macro"].pop("64-1234-basic")
    cases["no architecture"] = content, "64-1111-basic"
    content = database()
    del content["data"]["macro"]["64-1234-basic"]["jigsaw"]
    cases["no task"] = content, "jigsaw"
    cases["no space"] = {"data": {"nano": {}}, "task_list": ["jigsaw"]}, "neither micro nor macro"
    cases["no records"] = {"data": {"micro": {}}, "task_list": ["jigsaw"]}, "not transnas-bench"
    cases["a list"] = [1, 2], "not transnas-bench"
    cases["malicious"] = {"data": Evil(_touch)}, "_touch"
    cases["malicious metric"] = (
        {"data": {}, "task_list": [Evil(os.system, "touch $EVIL_MARKER")]},
        "system",
    )
    return cases


@pytest.mark.parametrize("kind", broken())
def test_another_file_is_refused_and_the_old_tables_stay(
    home: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    marker = home / "executed"
    monkeypatch.setenv("EVIL_MARKER", str(marker))
    before = {f"mine-{part}.h5": b"old" for part in ARCHITECTURES}
    tables_folder().mkdir(parents=True)
    for name, old in before.items():
        (tables_folder() / name).write_bytes(old)
    content, named = broken()[kind]
    with pytest.raises(FormatError, match=r"transnas\.pth") as caught:
        imported(saved(home, content))
    assert named in str(caught.value)
    assert tables() == before
    assert not marker.exists()


def test_damaged_files(home: Path) -> None:
    whole = saved(home, database()).read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:-30]):
        path = home / "transnas.pth"
        path.write_bytes(content)
        with pytest.raises(FormatError, match=r"transnas\.pth"):
            imported(path)
    for missing in (home / "absent.pth", home):
        with pytest.raises(SurrogateNASError, match=str(missing)):
            imported(missing)
    with pytest.raises(InvalidArgumentError, match="name must"):
        import_transnas(path, name="a/b", listener=Listener())
    assert tables() == {}


def test_the_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(home, database())
    listed = {listing.name: listing for listing in list_benchmarks()}
    for name in ("transnas-micro", "transnas-macro"):
        assert not listed[name].available
        assert "import transnas SOURCE" in listed[name].how_to_get
        assert PUBLISHED[name].tasks == tuple(GOALS)
    assert main(["import", "transnas", str(path), "--json"]) == 0
    shown = capsys.readouterr()
    assert "GB of memory" in shown.err
    found = json.loads(shown.out)
    validator("import").validate(found)
    (other,) = found.pop("also")
    assert found.pop("seconds") > 0
    for table, name, rows in ((found, "transnas-micro", 3), (other, "transnas-macro", 4)):
        assert table == {
            "name": name,
            "path": str(tables_folder() / f"{name}.h5"),
            "architectures": rows,
            "tasks": list(EPOCHS),
        }
        assert {listing.name: listing for listing in list_benchmarks()}[name].available
    assert main(["import", "transnas", str(path), "--name", "mine"]) == 0
    assert "mine-macro: 4 architectures" in capsys.readouterr().out
    path.write_bytes(b"text")
    assert main(["import", "transnas", str(path)]) == 2
    assert str(path) in capsys.readouterr().err
