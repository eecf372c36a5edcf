"""What trackers keep of a search, read back by their own readers."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from surrogate_nas import Evaluation, Goal, Proposal, Trial
from surrogate_nas.callbacks import (
    MLflowCallback,
    SearchStart,
    TensorBoardCallback,
    TrackingCallback,
    WandBCallback,
)
from surrogate_nas.errors import InvalidArgumentError, MissingDependencyError
from tests.callbacks.conftest import SPACE, Run, fail, stop

PREDICTED = [(step, 2.0) for step in range(4)]
EXPECTED = {
    "val loss (nats)": [(0, 3.0), (2, 5.0), (3, 1.0)],
    "best val loss (nats)": [*Run.best_so_far],
    "predicted val loss (nats)": PREDICTED,
    "failed": [(0, 0.0), (1, 1.0), (2, 1.0), (3, 1.0)],
    "cost": [(0, 1.0), (1, 1.0), (2, 2.0), (3, 3.0)],
}
BEST = SPACE.format(Run.archs[3])


@pytest.mark.extra
def test_tensorboard(tmp_path: Path, run: Run) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    callback = TensorBoardCallback(tmp_path / "log", params={"data": "a | b"})
    run([callback])
    events = EventAccumulator(str(tmp_path / "log")).Reload()
    found = {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }
    assert found == EXPECTED
    texts = {
        tag.removesuffix("/text_summary"): [
            event.tensor_proto.string_val[0].decode() for event in events.Tensors(tag)
        ]
        for tag in events.Tags()["tensors"]
    }
    assert texts["best architecture"] == [SPACE.format(Run.archs[0]), BEST]
    assert texts["error"] == ["RuntimeError: diverged"]
    assert texts["status"] == ["finished"]
    assert "| data | a   b |" in texts["settings"][0]
    assert "| space | nats-size |" in texts["settings"][0]


@pytest.mark.extra
def test_tensorboard_names_a_folder_that_cannot_be_written(tmp_path: Path, run: Run) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidArgumentError, match="folder must be one that can be written"):
        run([TensorBoardCallback(tmp_path / "file" / "log")])


@pytest.mark.extra
def test_mlflow(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # newer versions advise a database
    uri = (tmp_path / "runs").as_uri()
    callback = MLflowCallback(uri, experiment="mine", params={"data": "digits"})
    run([callback])
    client = MlflowClient(tracking_uri=uri)
    assert callback.run_id is not None
    found = client.get_run(callback.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params["data"] == "digits"
    assert found.data.params["trials"] == "4"
    assert found.data.tags["best architecture"] == BEST
    assert found.data.tags["error"] == "RuntimeError: diverged"
    for name, points in EXPECTED.items():
        tag = name.replace("(", "_").replace(")", "_")
        history = client.get_metric_history(callback.run_id, tag)
        assert [(point.step, point.value) for point in history] == points

    for end, status, raises in ((stop, "KILLED", False), (fail, "FAILED", True)):
        if raises:
            with pytest.raises(OSError, match="full"):
                run([callback, end])
        else:
            run([callback, end])
        assert client.get_run(callback.run_id).info.status == status
    experiment = client.get_experiment_by_name("mine")
    assert len(client.search_runs([experiment.experiment_id])) == 3


@pytest.mark.extra
def test_wandb_offline(tmp_path: Path, run: Run) -> None:
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    callback = WandBCallback("mine", params={"data": "digits"}, mode="offline", dir=str(tmp_path))
    run([callback])
    (file,) = tmp_path.rglob("*.wandb")
    rows: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}
    config: dict[str, Any] = {}
    code = None
    for data in _records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "history":
            rows.append({_key(item): json.loads(item.value_json) for item in record.history.item})
        elif kind == "summary":
            summary |= {_key(item): json.loads(item.value_json) for item in record.summary.update}
        elif kind == "exit":
            code = record.exit.exit_code
        elif kind == "run":
            config |= {_key(i): json.loads(i.value_json) for i in record.run.config.update}
    for name, points in EXPECTED.items():
        assert [(row["_step"], row[name]) for row in rows if name in row] == points
    assert summary["best architecture"] == BEST
    assert code == 0
    assert config["data"] == "digits"


def _records(content: bytes, block: int = 32_768) -> Iterator[bytes]:
    """The records of a LevelDB log, which is what wandb writes after 7 bytes of its own."""
    position, parts = 7, b""
    while position < len(content):
        if block - position % block < 7:  # no room for a header: padding
            position += block - position % block
            continue
        _, length, kind = struct.unpack_from("<IHB", content, position)
        parts += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield parts
            parts = b""


def _key(item: object) -> str:
    return getattr(item, "key", "") or ".".join(getattr(item, "nested_key", ()))


def test_wandb_makes_its_own_configuration() -> None:
    with pytest.raises(InvalidArgumentError, match="give params="):
        WandBCallback("mine", config={})


@pytest.mark.parametrize(
    ("module", "make"),
    [
        ("torch.utils.tensorboard", lambda folder: TensorBoardCallback(folder)),
        ("mlflow.tracking", lambda folder: MLflowCallback(folder.as_uri())),
        ("wandb", lambda folder: WandBCallback("mine")),
    ],
)
def test_a_missing_package_is_named(
    module: str,
    make: Callable[[Path], TrackingCallback],
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    if module.startswith("mlflow"):
        monkeypatch.setitem(sys.modules, "mlflow.entities", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'surrogate-nas\["):
        run([make(tmp_path)])


class Written(TrackingCallback):
    """Keeps what a tracker is given."""

    def __init__(self) -> None:
        super().__init__()
        self.best: list[float | None] = []

    def open_run(self, params: Mapping[str, Any]) -> None: ...

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        self.best.append(metrics.get("best value"))

    def write_text(self, name: str, text: str, step: int) -> None: ...

    def close_run(self, status: str) -> None: ...


def test_the_best_keeps_all_limits() -> None:
    goals = (Goal("value"), Goal("size", maximise=False, limit=3.0))
    callback = Written()
    callback.on_start(SearchStart(SPACE, goals, "a searcher", trials=3))
    for number, values in enumerate([(1.0, -2.0), (5.0, -4.0), (3.0, -3.0)]):
        proposal = Proposal(number, Run.archs[number])
        callback(Trial(proposal, Evaluation(values)))
    assert callback.best == [1.0, 1.0, 3.0]
