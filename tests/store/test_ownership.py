"""A stored search has one owner; `tests.store.test_shared` tests those that share one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest

from surrogate_nas.errors import StoreError
from surrogate_nas.evaluation import Evaluation, FunctionObjective, Proposal, Trial
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.store import Stored, open_storage, ownership, processes
from surrogate_nas.store.public_database import database_of
from tests.searchers.toys import ToySpace

ROOT = Path(__file__).resolve().parents[2]
SPACE = ToySpace((4, 4, 4))
HOLDER = """
import sys, time
from tests.store.test_ownership import stored
with stored(sys.argv[1]).owned():
    print("held", flush=True)
    time.sleep(60)
"""


def stored(store: str, name: str = "toy", values: list[str] | None = None) -> Stored:
    def value(arch: object) -> float:
        if values is not None:
            values.append(str(arch))
        return 1.0

    objective = FunctionObjective(SPACE, value)
    return Stored(objective, open_storage(store), name=name, settings={"seed": 0})


def hold(store: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, store], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_second_process_is_refused_until_the_first_is_killed(store: str) -> None:
    before = stored(store)
    process = hold(store)
    try:
        said = rf"process {process.pid} on .*, since 20\d\d-.* each with --share"
        with pytest.raises(StoreError, match=said):
            search(make_searcher("random", SPACE, seed=0), before, trials=2)
        with pytest.raises(StoreError, match=said):
            stored(store)
        stored(store, "another study")
    finally:
        end(process)
    started = time.monotonic()
    search(make_searcher("random", SPACE, seed=0), stored(store), trials=2)
    assert time.monotonic() - started < 20
    with stored(store).owned():
        pass


def test_one_of_many_starts_at_once_owns(store: str) -> None:
    kept = stored(store)
    where = kept._study._storage, kept._study._study_id
    over = threading.Barrier(12)

    def start(_: int) -> str:
        over.wait(60)
        try:
            with ownership.held(*where, "toy", shared=False):
                over.wait(60)
            return "owned"
        except StoreError as error:
            over.wait(60)
            return str(error)

    with ThreadPoolExecutor(12) as threads:
        said = list(threads.map(start, range(12)))
    assert said.count("owned") == 1
    assert sum(f"process {os.getpid()}" in text for text in said) == 11


def test_trials_of_an_earlier_owner_are_known(store: str) -> None:
    made: list[str] = []
    early, other = stored(store, values=made), stored(store, values=made)
    search(make_searcher("random", SPACE, seed=0), other, trials=5)
    search(make_searcher("random", SPACE, seed=0), early, trials=8)
    assert len(made) == len(set(made)) == 8


def test_nothing_is_left_beside_a_file(tmp_path: Path) -> None:
    with stored(f"{tmp_path}/run.journal").owned():
        (lock,) = tmp_path.glob("*.owner")
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert not list(tmp_path.glob("*.owner"))


@pytest.mark.filterwarnings("ignore:.*no longer repeats")
def test_a_study_that_two_processes_doubled(store: str) -> None:
    made: list[str] = []
    result = search(make_searcher("random", SPACE, seed=0), stored(store, values=made), trials=6)
    again = stored(store, values=made)
    failed = Trial(result.trials[2].proposal, error="OSError: gone")
    for trial in (failed, *result.trials[1:4]):  # as an older version did
        again.record(trial)
    new = SPACE.parse("333")
    assert new not in {trial.arch for trial in result.trials}
    again.record(Trial(Proposal(10, new), Evaluation((3.0,))))
    known = stored(store).known
    assert [trial.arch for trial in known] == [*(t.arch for t in result.trials), new]
    assert all(trial.evaluation is not None for trial in known)
    longer = search(make_searcher("random", SPACE, seed=0), stored(store, values=made), trials=7)
    assert len({trial.arch for trial in longer.trials}) == 7


def test_an_owner_on_another_machine(server_url: str) -> None:
    """Its sign of life decides, by the clock of the database."""
    kept = stored(server_url)
    database = database_of(kept._study._storage)
    assert database is not None
    me = {**processes.this_process(), "machine": "elsewhere", "host": "far", "pid": 7}

    def sign(age: float) -> None:
        database.decide(1, ownership._HOLDERS, lambda _, now: (True, [{**me, "beat": now - age}]))

    sign(age=processes.PATIENCE - 30)
    with pytest.raises(StoreError, match="process 7 on far"), kept.owned():
        pass
    sign(age=processes.PATIENCE + 1)
    with kept.owned():
        held = kept._study._storage.get_study_system_attrs(1)[ownership._HOLDERS]
        assert [one["pid"] for one in held] == [os.getpid()]


@pytest.mark.postgres
def test_signs_of_life(postgres_url: str) -> None:
    study = optuna.create_study(storage=open_storage(postgres_url), study_name="s")
    database = database_of(study._storage)
    assert database is not None
    beats = []
    with ownership._held_study(database, 1, "s", shared=False, beat=0.05):
        for _ in range(2):
            time.sleep(0.3)
            ((one,),) = database.get_study_system_attrs(1).values()
            beats.append(one["beat"])
    assert beats[0] < beats[1]
    assert database.get_study_system_attrs(1) == {ownership._HOLDERS: []}


@pytest.mark.postgres
def test_an_owner_that_was_away_does_not_go_on(postgres_url: str) -> None:
    """What it has just paid for is written all the same."""
    kept = stored(postgres_url)
    database = database_of(kept._study._storage)
    assert database is not None
    with ownership._held_study(database, 1, "toy", shared=False, beat=0.05) as check:
        check()
        other = {**processes.this_process(), "machine": "elsewhere", "host": "far", "pid": 7}
        database.decide(1, ownership._HOLDERS, lambda _, now: (True, [{**other, "beat": now}]))
        time.sleep(0.5)
        kept._check_owner = check
        with pytest.raises(StoreError, match=r"away for too long: .* process 7 on far"):
            kept.record(Trial(Proposal(0, SPACE.parse("123")), Evaluation((1.0,))))
    database.decide(1, ownership._HOLDERS, lambda _, now: (True, []))
    assert [trial.value for trial in stored(postgres_url).known] == [1.0]


def test_this_process_is_there_and_an_ended_one_is_gone() -> None:
    me = processes.this_process()
    assert not processes.is_gone(me)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert processes.is_gone({**me, "pid": process.pid})
    assert processes.is_gone({**me, "started": "1"})  # its number is another process's now
    assert not processes.is_gone({**me, "pid": process.pid, "machine": "elsewhere"})
