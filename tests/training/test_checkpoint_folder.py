"""Trainings that go on in another process, from a folder or a URL that all see."""

from __future__ import annotations

import errno
import functools
import os
import pickle
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest
from torch import nn

from surrogate_nas.cluster import ClusterOptions
from surrogate_nas.errors import (
    InvalidArgumentError,
    MissingDependencyError,
    SurrogateNASError,
    TrainingError,
)
from surrogate_nas.evaluation import Evaluation
from surrogate_nas.run import search
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import Stored, open_storage
from surrogate_nas.training.log import TrainingLog
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.record import Epoch, Record
from surrogate_nas.training.recorder import TrainingRecorder
from surrogate_nas.workflows.build import Task, build, log_of
from tests.training.data import squares

ROOT = Path(__file__).resolve().parents[2]
SPACE = open_space("dense-cell")
ARCH = SPACE.parse("conv3x3-skip-skip-maxpool3x3")
DATA = squares()


class Cut(BaseException):
    """Stands for the end of a process."""


def objective(where: str | None, **options: Any) -> TrainingObjective:
    chosen: dict[str, Any] = {"epochs": 4, "device": "cpu", "settings": {"channels": 2}} | options
    return TrainingObjective(SPACE, DATA, checkpoints=where, **chosen)


def cut(where: str, epoch: int, **options: Any) -> None:
    """Begin the training, and end it after an epoch."""

    def watch(point: Epoch) -> None:
        if point.epoch == epoch:
            raise Cut

    with pytest.raises(Cut):
        objective(where, watch=watch, **options).evaluate(ARCH)


def finished(where: str | None, **options: Any) -> tuple[Evaluation, list[int]]:
    """The evaluation without its time, and the epochs that were trained for it."""
    epochs: list[int] = []
    trained = objective(where, watch=lambda point: epochs.append(point.epoch), **options)
    found = trained.evaluate(ARCH)
    return Evaluation(found.values, hidden=found.hidden, curve=found.curve), epochs


@pytest.fixture(params=["folder", "file", "memory"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An address of each kind."""
    if request.param == "folder":
        yield f"{tmp_path}/new/folder"
    elif request.param == "file":
        yield f"file://{tmp_path}/folder"
    else:
        yield f"memory://{uuid.uuid4().hex}/folder"


def files(where: str) -> list[str]:
    system, path = fsspec.core.url_to_fs(where)
    return sorted(system.ls(path, detail=False))


def damage(where: str) -> None:
    system, _ = fsspec.core.url_to_fs(where)
    for name in files(where):
        system.pipe_file(name, system.cat_file(name)[:-9])


def test_a_training_goes_on_exactly(where: str) -> None:
    expected, _ = finished(None)
    cut(where, 1)
    cut(where, 3)
    found, epochs = finished(where)
    assert epochs == [4]
    assert found == expected
    # Until its result is recorded it is there: whoever asks again has it at once.
    assert finished(where) == (expected, [])
    objective(where).forget(ARCH)
    assert files(where) == []


def test_nothing_is_mixed(tmp_path: Path) -> None:
    where = str(tmp_path)
    cut(where, 2)
    for other in ({"seed": 1}, {"epochs": 3}, {"recipe": "adamw"}, {"settings": {"channels": 3}}):
        assert finished(where, **other)[1][0] == 1
    assert finished(where)[1] == [3, 4]


def test_a_damaged_checkpoint_begins_anew(where: str, caplog: pytest.LogCaptureFixture) -> None:
    expected, _ = finished(None)
    cut(where, 3)
    damage(where)
    found, epochs = finished(where)
    assert (found, epochs) == (expected, [1, 2, 3, 4])
    (told,) = caplog.messages
    assert told.endswith("is not a whole checkpoint of a training; the training begins anew")


def test_a_torn_upload_costs_one_epoch() -> None:
    """A file system that does not replace files at once has the state of the epoch before."""
    where = f"memory://{uuid.uuid4().hex}"
    expected, _ = finished(None)
    cut(where, 3)
    system, _ = fsspec.core.url_to_fs(where)
    newest = next(name for name in files(where) if name.endswith("-1.ckpt"))
    system.pipe_file(newest, system.cat_file(newest)[:1000])
    assert finished(where) == (expected, [3, 4])


def test_another_version_begins_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = str(tmp_path)
    cut(where, 2)
    monkeypatch.setattr("surrogate_nas.training.checkpoint_folder.__version__", "9.9")
    assert finished(where)[1] == [1, 2, 3, 4]
    (told,) = caplog.messages
    assert "was written by another version" in told
    assert "surrogate-nas 9.9" in told


def other_code(arch: Architecture, task: NetworkTask, width: int = 2) -> nn.Module:
    """A network whose layers may be changed between two processes."""
    return nn.Sequential(nn.Flatten(), nn.Linear(36, width), nn.Linear(width, task.classes))


def test_changed_code_of_a_network_begins_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"network": other_code, "settings": {}}
    cut(str(tmp_path), 2, **options)
    monkeypatch.setattr("surrogate_nas.training.objective.source_digest", lambda build: "f" * 64)
    assert finished(str(tmp_path), **options)[1] == [1, 2, 3, 4]
    assert "code ffff" in caplog.text
    # A function that can only be told from others by its arguments, and one that cannot be told.
    cut(str(tmp_path), 3, network=functools.partial(other_code, width=3), settings={})
    wider = functools.partial(other_code, width=4)
    assert finished(str(tmp_path), network=wider, settings={})[1][0] == 1
    with pytest.raises(InvalidArgumentError, match="function is that of a module"):
        objective(str(tmp_path), network=lambda arch, task: other_code(arch, task), settings={})


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("{folder}/file", "File exists"),
        ("/proc/no/such", "No such file"),
        ("nonsense://me:secret@host/x", r"nonsense://me:\*\*\*@host/x.*Protocol not known"),
    ],
)
def test_an_address_that_cannot_be_written_is_refused(
    address: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgumentError, match=f"--checkpoints must be.*{told}"):
        objective(address.format(folder=tmp_path))


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingDependencyError, match="Install s3fs"):
        objective("s3://bucket/folder")


def test_a_full_disk_does_not_end_a_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = objective(str(tmp_path))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("surrogate_nas.training.checkpoint_folder.write_bytes", full)
    assert trained.evaluate(ARCH).budget == 4
    (told,) = caplog.messages
    assert "No space left on device; the training goes on without it" in told


@dataclass(frozen=True)
class DiesOnce:
    """Notes the epochs, and kills its process after the second one, the first time."""

    log: str

    def __call__(self, point: Epoch) -> None:
        with open(self.log, "a") as file:
            file.write(f"{point.epoch} ")
        if Path(self.log).read_text() == "1 2 ":
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_lost_training_of_a_table_goes_on_when_it_is_tried_again(tmp_path: Path) -> None:
    where, out = f"{tmp_path}/folder", tmp_path / "t.h5"
    trained = objective(where, watch=DiesOnce(f"{tmp_path}/log"))
    tasks = {"squares": Task(TrainingRecorder(trained), {})}
    rows = SPACE.all_choices()[:1]
    with pytest.raises(SurrogateNASError, match=r"every training of 'squares' failed.*SIGKILL"):
        build(SPACE, tasks, rows, out=out, workers=1)
    build(SPACE, tasks, rows, out=out, workers=1, retry="SIGKILL")
    assert (tmp_path / "log").read_text() == "1 2 3 4 "
    curve = objective(None).evaluate(SPACE.architecture(rows[0])).curve
    with TrainingLog(log_of(out)) as log:
        (record,) = log.done.values()
    assert isinstance(record, Record)
    assert record.validation == curve
    assert files(where) == []


@pytest.mark.extra
def test_a_lost_training_goes_on_elsewhere_in_a_cluster(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    trained = objective(f"{tmp_path}/folder", watch=DiesOnce(f"{tmp_path}/log"))
    cluster = ClusterOptions("local", workers=1)
    (trial,) = search(RandomSearch(SPACE, seed=0), trained, trials=1, cluster=cluster).trials
    assert trial.evaluation is not None
    assert (tmp_path / "log").read_text() == "1 2 3 4 "
    assert trial.evaluation.curve == objective(None).evaluate(trial.arch).curve
    assert files(f"{tmp_path}/folder") == []


def test_finished_trials_leave_nothing(tmp_path: Path) -> None:
    """Also those that fail by themselves, as they would again."""
    where = f"{tmp_path}/folder"
    trained = objective(where, epochs=1)
    copied: TrainingObjective = pickle.loads(pickle.dumps(trained))
    result = search(RandomSearch(SPACE, seed=0), copied, trials=3, workers=1)
    assert all(trial.error is None for trial in result.trials)
    diverges = objective(where, watch=_diverge)
    with pytest.raises(TrainingError):
        diverges.evaluate(ARCH)
    assert files(where) == []


def _diverge(point: Epoch) -> None:
    raise TrainingError("diverged")


CHILD = """
import sys, time
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.store import Shared, open_storage
from tests.training.test_checkpoint_folder import SPACE, objective

def watch(point):
    print(point.epoch, flush=True)
    time.sleep(float(sys.argv[3]))

board = Shared(objective(sys.argv[1], watch=watch), open_storage(sys.argv[2]), name="toy",
               settings={"seed": 0})
search(make_searcher("random", SPACE, seed=0), board, trials=1)
"""


def test_a_claim_that_is_taken_over_goes_on(tmp_path: Path) -> None:
    """The process that trains is killed, and another one that shares the search goes on."""
    where, store = f"{tmp_path}/checkpoints", f"{tmp_path}/run.journal"

    def start(pause: float) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", CHILD, where, store, str(pause)]
        return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    first = start(30.0)
    assert first.stdout is not None
    assert first.stdout.readline() == "1\n"
    first.kill()
    first.wait()
    second = start(0.0)
    assert second.communicate(timeout=120)[0].split() == ["2", "3", "4"]
    assert second.returncode == 0
    assert files(where) == []
    (trial,) = Stored(objective(None), open_storage(store), name="toy", settings={}).known
    expected = objective(None).evaluate(trial.arch)
    assert trial.evaluation is not None
    assert trial.evaluation.curve == expected.curve
    assert trial.evaluation.hidden == expected.hidden
