"""Several processes on one study; threads stand for them where nobody is killed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from surrogate_nas.errors import StoreError
from surrogate_nas.evaluation import Evaluation, FunctionObjective, Proposal, Trial
from surrogate_nas.records import SearchResult
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import Shared, Stored, open_storage
from surrogate_nas.store import shared as module
from surrogate_nas.store.checks import trials_of as trials_of_study
from tests.searchers.toys import ToySpace

ROOT = Path(__file__).resolve().parents[2]
SPACE = open_space("nats-size")
ODD = Architecture(SPACE.name, (3, 2, 1, 0, 7))


class Slow:
    """A function that notes what it evaluates."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.begun: list[Architecture] = []

    def __call__(self, arch: Architecture) -> float:
        self.begun.append(arch)
        time.sleep(self.seconds)
        if arch.choices[:2] == (1, 1):
            raise FloatingPointError("diverged")
        return float(sum(arch.choices))


def shared(store: str, function: Slow) -> Shared:
    objective = FunctionObjective(SPACE, function)
    return Shared(objective, open_storage(store), name="toy", settings={"seed": 0})


def part(
    store: str, function: Slow, method: str = "random", *, trials: int = 24, seed: int = 0
) -> SearchResult:
    return search(make_searcher(method, SPACE, seed=seed), shared(store, function), trials=trials)


def trials_of(store: str) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="toy", storage=open_storage(store)).get_trials()


@pytest.mark.parametrize("method", ["random", "evolution+gp"])
def test_nothing_is_evaluated_twice(store: str, method: str) -> None:
    """With one seed, all propose the same architectures at first."""
    shared(store, Slow())
    function = Slow(0.01)
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: part(store, function, method), range(4)))
    assert max(Counter(function.begun).values()) == 1
    assert len(function.begun) == 24
    for result in results:
        assert [t.proposal.number for t in result.trials] == [
            t.number for t in trials_of(store) if t.state in (TrialState.COMPLETE, TrialState.FAIL)
        ]
        assert {t.arch for t in result.trials} == set(function.begun)
        for trial in result.trials:
            assert trial.value == (
                None if trial.arch.choices[:2] == (1, 1) else sum(trial.arch.choices)
            )
    assert not [t for t in trials_of(store) if t.state == TrialState.RUNNING]


def test_a_shared_study_goes_on_with_one_owner_and_the_other_way_round(store: str) -> None:
    function = Slow()
    part(store, function, trials=6)
    objective = FunctionObjective(SPACE, function)
    alone = Stored(objective, open_storage(store), name="toy", settings={"seed": 0})
    search(make_searcher("random", SPACE, seed=0), alone, trials=10)
    result = part(store, function, trials=12)
    assert len(result.trials) == len(function.begun) == len(set(function.begun)) == 12


def test_an_owner_keeps_those_who_share_away_and_they_an_owner(store: str) -> None:
    objective = FunctionObjective(SPACE, Slow())
    alone = Stored(objective, open_storage(store), name="toy", settings={"seed": 0})
    with alone.owned(), pytest.raises(StoreError, match="was started without --share"):
        part(store, Slow())
    one, two = shared(store, Slow()), shared(store, Slow())
    with (
        one.owned(),
        two.owned(),
        pytest.raises(StoreError, match=r"is shared by process .* --sha"),
    ):
        search(make_searcher("random", SPACE, seed=0), alone, trials=1)
    search(make_searcher("random", SPACE, seed=0), alone, trials=1)


def test_other_settings_are_refused(store: str) -> None:
    part(store, Slow(), trials=2)
    objective = FunctionObjective(SPACE, Slow())
    with pytest.raises(StoreError, match="seed 0, now 1"):
        Shared(objective, open_storage(store), name="toy", settings={"seed": 1})


def test_what_was_begun_and_not_ended_is_evaluated_first(store: str) -> None:
    """An interrupt gives claims back, and a full study does not."""
    board = shared(store, Slow())
    left = ODD
    with board.owned():
        board.news()
        claimed = board.claim(Proposal(0, left), lambda older: True)
        assert claimed is not None
        other = shared(store, Slow())
        with other.owned():
            assert [p.arch for p in other.news().running] == [left]
            assert other.claim(Proposal(0, left), lambda older: True) is None
            assert other.abandoned == []
    function = Slow()
    result = part(store, function, trials=3)
    assert function.begun[0] == left
    assert len(result.trials) == 3
    assert [t.state for t in trials_of(store)].count(TrialState.PRUNED) == 2


def test_a_claim_of_another_machine_is_free_without_signs_of_life(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = shared(store, Slow())
    far._me |= {"machine": "elsewhere", "host": "far", "pid": 7}
    claimed = far.claim(Proposal(0, ODD), lambda older: True)
    assert claimed is not None
    monkeypatch.setattr(Shared, "patience", 0.6)
    near = shared(store, Slow())
    near.news()
    for _ in range(4):  # signs of life
        time.sleep(0.25)
        far._renew()
        near.news()
        assert [p.arch for p in near.running] == [claimed.arch]
    time.sleep(0.8)
    assert [p.arch for p in near.news().ended] == [claimed.arch]
    assert [p.arch for p in near.abandoned] == [claimed.arch]
    again = near.claim(near.abandoned[0], lambda older: True)
    assert again is not None
    objective = near.objective
    far.record(Trial(claimed, objective.evaluate(claimed.arch)))  # it was only late
    near.record(Trial(again, objective.evaluate(claimed.arch)))
    known = shared(store, Slow()).known
    assert [trial.arch for trial in known] == [claimed.arch]


def test_an_architecture_that_kills_its_processes_fails(store: str) -> None:
    deadly = ODD
    for _ in range(5):
        board = shared(store, Slow())
        board._me["pid"], board._me["started"] = 2**22 - 1, "1"  # of no process
        assert board.claim(Proposal(0, deadly), lambda older: True) is not None
    function = Slow()
    result = part(store, function, trials=3)
    assert deadly not in function.begun
    (failed,) = [trial for trial in result.trials if trial.arch == deadly]
    assert failed.error == "BrokenProcessPool: every process that evaluated it died"
    assert len(result.trials) == 3


def test_running_trials_count_as_believed_values() -> None:
    searcher = make_searcher("evolution+gp", SPACE, seed=0)
    for proposal in searcher.ask(8):
        searcher.tell([Trial(proposal, Evaluation((float(sum(proposal.arch.choices)),)))])
    (best,) = searcher.ask(1)
    other = searcher.fork()
    believed = searcher._believed  # type: ignore[attr-defined]
    far = Architecture(SPACE.name, (0, 0, 0, 0, 0))
    other.expect([far, best.arch])
    assert set(other._believed) == {*believed, far}  # type: ignore[attr-defined]
    assert other._believed[best.arch] == believed[best.arch]  # type: ignore[attr-defined]
    other.forget([far])
    assert set(other._believed) == set(believed)  # type: ignore[attr-defined]
    assert far not in {proposal.arch for proposal in other.ask(200)}


def test_a_small_space_is_used_up(tmp_path: Path) -> None:
    space = ToySpace((2, 3))
    functions = [Slow(0.01), Slow(0.01)]

    def start(function: Slow) -> SearchResult:
        board = Shared(
            FunctionObjective(space, function),
            open_storage(tmp_path / "run.journal"),
            name="toy",
            settings={},
        )
        return search(make_searcher("random", space, seed=0), board, trials=5)

    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(start, functions))
    assert [len(result.trials) for result in results] == [5, 5]
    assert len(functions[0].begun) + len(functions[1].begun) == 5


CHILD = """
import sys, time
from pathlib import Path
from surrogate_nas.evaluation import FunctionObjective
from surrogate_nas.store import Shared, open_storage
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces import open_space
import os
log = open(sys.argv[2], "a", buffering=1)
space = open_space("nats-size")
def function(arch):
    log.write(f"begin {os.getpid()} {space.format(arch)}\\n")
    time.sleep(0.05)
    return float(sum(arch.choices))
board = Shared(FunctionObjective(space, function), open_storage(sys.argv[1]), name="toy",
               settings={"seed": 0})
search(make_searcher("random", space, seed=0), board, trials=int(sys.argv[3]))
"""


@pytest.mark.parametrize(
    "store",
    [
        "journal",
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("mysql", marks=pytest.mark.mysql),
    ],
    indirect=True,
)
def test_kills(store: str, tmp_path: Path) -> None:
    """What a killed process evaluated is evaluated again, and nothing else."""
    log, chance = tmp_path / "log", random.Random(0)
    log.touch()

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", CHILD, store, str(log), "60"], cwd=ROOT)

    shared(store, Slow())
    children = [start(), start()]
    killed: list[int] = []
    deadline = time.monotonic() + 120
    while len(killed) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
        if len(log.read_text().splitlines()) >= 15 * (len(killed) + 1):
            time.sleep(chance.random() * 0.1)
            victim = children.pop(0)
            victim.kill()
            victim.wait()
            killed.append(victim.pid)
            children.append(start())
    for child in children:
        assert child.wait(120) == 0
    begun = [line.split()[1:] for line in log.read_text().splitlines()]
    ended = [t for t in trials_of(store) if t.state == TrialState.COMPLETE]
    assert len(ended) == len({t.user_attrs["arch"] for t in ended}) == 60
    times = Counter(arch for _, arch in begun)
    cut = {arch for pid, arch in begun if int(pid) in killed}
    assert {arch for arch, n in times.items() if n > 1} <= cut
    assert sum(times.values()) - 60 <= len(killed)
    assert not [t for t in trials_of(store) if t.state == TrialState.RUNNING]


def test_a_process_that_ended_right_after_its_result(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who read the claim before the result must not take it for one that was left behind."""
    far, near = shared(store, Slow()), shared(store, Slow())
    far._me |= {"pid": 2**22 - 1, "started": "1"}  # no process
    claimed = far.claim(Proposal(0, ODD), lambda older: True)
    assert claimed is not None
    before = [*near._study.get_trials()]
    far.record(Trial(claimed, far.objective.evaluate(ODD)))
    with monkeypatch.context() as patch:
        patch.setattr(module, "trials_of", lambda *_: before)
        assert not near.news().ended
        assert near.abandoned == []
    assert near.claim(Proposal(0, ODD), lambda older: True) is None
    assert [trial.arch for trial in near.news().finished] == [ODD]


def unreachable(times: int, action: Callable[..., Any]) -> Callable[..., Any]:
    """An action of a storage that cannot be reached some times."""
    left = iter(range(times))

    def attempt(*given: Any) -> Any:
        if next(left, None) is not None:
            raise OperationalError("SELECT 1", {}, OSError("the server closed the connection"))
        return action(*given)

    return attempt


@pytest.mark.filterwarnings("ignore:.*trying again")
def test_an_outage_of_the_storage_loses_nothing(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY", 0.0)
    board = shared(store, Slow())
    monkeypatch.setattr(module, "trials_of", unreachable(2, trials_of_study))
    monkeypatch.setattr(board, "_end", unreachable(3, board._end))
    claimed = board.claim(Proposal(0, ODD), lambda older: True)
    assert claimed is not None
    board.record(Trial(claimed, Evaluation((3.0,))))
    assert [trial.value for trial in shared(store, Slow()).known] == [3.0]
    monkeypatch.setattr(module, "_OUTAGE", -1.0)
    monkeypatch.setattr(module, "trials_of", unreachable(1, trials_of_study))
    with pytest.raises(StoreError, match="cannot be used: the server closed"):
        board.news()
