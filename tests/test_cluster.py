"""Trainings on a Ray cluster of this machine."""

import math
import socket
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from surrogate_nas import cluster as cluster_module
from surrogate_nas.cli import main
from surrogate_nas.cluster import Cluster, ClusterOptions
from surrogate_nas.errors import InvalidArgumentError, MissingDependencyError, SurrogateNASError
from surrogate_nas.evaluation import FunctionObjective, Trial
from surrogate_nas.limits import TrialLimits
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import Stored, open_storage
from surrogate_nas.workflows.build import Task, build, log_of
from tests.misbehaviour import misbehave
from tests.recorders import ROWS, SPACE, Arithmetic
from tests.test_failures import REASONS
from tests.test_failures import SPACE as LIMITED
from tests.workflows.test_build import columns, results


@pytest.mark.extra
def test_a_killed_worker_is_replaced_and_its_training_repeated(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    attempts = tmp_path / "attempts"
    attempts.mkdir()
    rows = ROWS[:8]
    killed, diverged = SPACE.index(rows)[[2, 5]].tolist()
    recorder = Arithmetic(
        "one", pause=0.05, attempts=str(attempts), dies_once=(killed,), diverges=(diverged,)
    )
    tasks = {"one": Task(recorder, {})}
    built = build(
        SPACE, tasks, rows, out=tmp_path / "t.h5", cluster=ClusterOptions("local", workers=2)
    )
    assert len(results(log_of(built.path))) == built.trained == 8
    begun = {path.name: path.stat().st_size for path in attempts.iterdir()}
    assert begun.pop(f"one-{killed}-0") == 2  # the cluster tried again by itself
    assert set(begun.values()) == {1}
    assert [reason for *_, reason in built.failed] == [
        "TrainingError: the training diverged in epoch 1"
    ]
    without = {"one": Task(Arithmetic("one", diverges=(diverged,)), {})}
    build(SPACE, without, rows, out=tmp_path / "here.h5", workers=1)
    here = dict(columns(tmp_path / "here.h5"))
    for name, values in columns(built.path):
        assert np.array_equal(values, here[name], equal_nan=True)


@pytest.mark.extra
@pytest.mark.parametrize(
    ("address", "gpus", "message"),
    [("local", 999.0, "needs 999 GPU"), ("127.0.0.1:1", 0.0, "--ray must be the address.*refused")],
)
def test_a_cluster_that_cannot_train_is_refused(address: str, gpus: float, message: str) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    cluster = Cluster(ClusterOptions(address, gpus, workers=1), print)
    with pytest.raises(InvalidArgumentError, match=message), cluster:
        pass


@pytest.mark.parametrize(
    ("answer", "told"), [(b"", "it does not answer"), (b"HTTP/1.1 400 Bad", "another server")]
)
def test_another_server_is_no_cluster(
    answer: bytes, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray itself would try for minutes."""
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    monkeypatch.setattr(cluster_module, "_PATIENCE", 0.5)
    held: list[socket.socket] = []

    def serve(server: socket.socket) -> None:
        held.append(server.accept()[0])
        held[0].sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as thread:
        thread.submit(serve, server)
        cluster = Cluster(ClusterOptions(f"ray://127.0.0.1:{server.getsockname()[1]}"), print)
        with pytest.raises(InvalidArgumentError, match=told), cluster:
            pass
        held[0].close()


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match="pip install ray"):
        Cluster(ClusterOptions("local"), print)


@pytest.mark.parametrize("gpus", [-1, 1.5, math.nan, math.inf])
def test_other_than_whole_gpus_or_shares_of_one_are_refused(gpus: float) -> None:
    with pytest.raises(InvalidArgumentError, match="a share from 0 to 1 or a whole number"):
        ClusterOptions("local", gpus)
    with pytest.raises(InvalidArgumentError, match="a share from 0 to 1 or a whole number"):
        ClusterOptions("local", cpus=gpus)


@dataclass(frozen=True)
class Noted:
    """A function that notes what it evaluates, and on which node of the cluster."""

    log: str
    seconds: float

    def __call__(self, arch: Architecture) -> float:
        import ray

        node = ray.get_runtime_context().get_node_id()
        with open(self.log, "a") as file:
            file.write(f"{node} {SPACE.format(arch)}\n")
        time.sleep(self.seconds)
        return float(sum(arch.choices))


@pytest.mark.extra
def test_a_node_leaves_and_another_joins_in_the_middle(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    from ray.cluster_utils import Cluster as LocalCluster

    log = tmp_path / "log"
    head = {"num_cpus": 1, "include_dashboard": False}
    local: Any = LocalCluster(initialize_head=True, head_node_args=head)
    leaving = local.add_node(num_cpus=1)
    nodes = [local.head_node.node_id, leaving.node_id]

    def change(trial: Trial) -> None:
        done.append(trial)
        if len(done) == 4:
            local.remove_node(leaving, allow_graceful=False)
        if len(done) == 6:
            nodes.append(local.add_node(num_cpus=1).node_id)

    done: list[Trial] = []
    stored = Stored(
        FunctionObjective(SPACE, Noted(str(log), 0.5)),
        open_storage(tmp_path / "run.journal"),
        name="toy",
        settings={},
    )
    try:
        result = search(
            make_searcher("random", SPACE, seed=0),
            stored,
            trials=18,
            callbacks=[change],
            cluster=ClusterOptions(local.address),
        )
    finally:
        local.shutdown()
    begun = [line.split() for line in log.read_text().splitlines()]
    times = Counter(arch for _, arch in begun)
    assert [t.value for t in result.trials] == [float(sum(t.arch.choices)) for t in result.trials]
    assert len(times) == len({t.arch for t in result.trials}) == 18
    again = {arch for arch, n in times.items() if n > 1}
    assert again <= {arch for node, arch in begun if node == leaving.node_id}
    assert {node for node, _ in begun} == set(nodes)


@pytest.mark.extra
def test_limits_on_a_cluster_are_those_of_this_machine() -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    result = search(
        RandomSearch(LIMITED, seed=0),
        FunctionObjective(LIMITED, misbehave),
        trials=LIMITED.size,
        limits=TrialLimits(seconds=4, gigabytes=0.6),
        cluster=ClusterOptions("local", workers=2, retries=0),
    )
    reasons = {t.arch.choices: t.error for t in result.trials if t.error is not None}
    assert reasons == {k: v for k, v in REASONS.items() if k in reasons}
    assert len(reasons) == len({t.arch for t in result.trials if t.arch.choices[0]})
    assert {"TimeoutError", "MemoryError"} <= {text.partition(":")[0] for text in reasons.values()}
    assert result.value == 3.0


def test_a_start_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: object) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with:\n  Ray: 2.40\n  Py: 3")

    fake = SimpleNamespace(init=init, shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", fake)
    said = "with: Ray: 2.40 Py: 3$"
    with pytest.raises(InvalidArgumentError, match=said), Cluster(ClusterOptions("auto"), print):
        pass


def test_a_cluster_that_goes_away_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        raise ConnectionError("the head\nis gone")

    fake = SimpleNamespace(wait=lost)
    monkeypatch.setitem(sys.modules, "ray", fake)
    said = r"is gone \(the head is gone\); what was finished is kept"
    with pytest.raises(SurrogateNASError, match=said):
        Cluster(ClusterOptions("auto"), print).wait()


@pytest.mark.parametrize(
    "words",
    [
        ("search", "--ray", "local"),
        ("search", "--dataset", "digits", "--gpus-per-trial", "1"),
        ("build", "--retries", "1", "--out", "x.h5"),
        ("verify", "x.journal", "--cpus-per-trial", "2"),
        ("build", "--ray", "local", "--cpus-per-trial", "0", "--out", "x.h5"),
    ],
)
def test_options_that_need_a_cluster_or_a_training(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--ray" in line or "-per-trial" in line
