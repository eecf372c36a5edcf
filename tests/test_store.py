from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest

from surrogate_nas.errors import StoreError, SurrogateNASError
from surrogate_nas.evaluation import FunctionObjective, Goal
from surrogate_nas.run import search
from surrogate_nas.search.factory import make_searcher
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import Stored, open_storage
from tests.search.toys import ToySpace, additive

SPACE = ToySpace((4, 4, 4))
VALUE = additive(SPACE, 0)
OBJECTIVE = FunctionObjective(SPACE, VALUE, goal=Goal("loss", maximise=False))


def stored(path: Path, *, space: ToySpace = SPACE, batch: int = 1) -> Stored:
    objective = FunctionObjective(space, VALUE, goal=Goal("loss", maximise=False))
    return Stored(objective, open_storage(str(path)), name="toy", settings={"batch": batch})


@pytest.mark.parametrize("where", ["run.journal", "sqlite:///{}/run.db"])
def test_optuna_reads_what_was_measured(where: str, tmp_path: Path) -> None:
    url = where.format(tmp_path) if "{" in where else str(tmp_path / where)
    keep = Stored(OBJECTIVE, open_storage(url), name="toy", settings={})
    result = search(make_searcher("evolution", SPACE, seed=0), keep, trials=12)
    study = optuna.load_study(study_name="toy", storage=open_storage(url))
    assert [t.value for t in study.trials] == [VALUE(t.arch) for t in result.trials]
    for trial, ours in zip(study.trials, result.trials, strict=True):
        assert trial.params == {f"d{i}": str(c) for i, c in enumerate(ours.arch.choices)}
    assert study.best_value == min(VALUE(t.arch) for t in result.trials)


def test_a_longer_search_goes_on_from_a_shorter_one(tmp_path: Path) -> None:
    calls: list[Architecture] = []

    def count(arch: Architecture) -> float:
        calls.append(arch)
        return VALUE(arch)

    objective = FunctionObjective(SPACE, count)
    whole = search(make_searcher("evolution", SPACE, seed=0), objective, trials=30)
    calls.clear()
    for trials in (11, 30):
        keep = Stored(objective, open_storage(str(tmp_path / "a.journal")), name="toy", settings={})
        result = search(make_searcher("evolution", SPACE, seed=0), keep, trials=trials)
    assert [t.arch for t in result.trials] == [t.arch for t in whole.trials]
    assert result.curve.tolist() == whole.curve.tolist()
    assert len(calls) == len(set(calls)) == 30


def test_failures_are_remembered_with_their_reason(tmp_path: Path) -> None:
    def fail(arch: Architecture) -> float:
        raise RuntimeError("out of memory")

    for _ in range(2):
        keep = Stored(
            FunctionObjective(SPACE, fail),
            open_storage(str(tmp_path / "a.journal")),
            name="toy",
            settings={},
        )
        result = search(make_searcher("random", SPACE, seed=0), keep, trials=3)
    assert [t.error for t in result.trials] == ["RuntimeError: out of memory"] * 3
    study = optuna.load_study(study_name="toy", storage=open_storage(str(tmp_path / "a.journal")))
    assert [t.state.name for t in study.trials] == ["FAIL"] * 3


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    search(make_searcher("random", SPACE, seed=0), stored(path), trials=5)
    whole = path.read_bytes()
    for cut in (1, 10):
        path.write_bytes(whole[:-cut])
        with pytest.warns(UserWarning, match="torn"):
            again = stored(path)
        assert len(again.known) == 4
        result = search(make_searcher("random", SPACE, seed=0), again, trials=5)
        assert len(result.trials) == 5


def test_other_settings_or_another_space_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    search(make_searcher("random", SPACE, seed=0), stored(path), trials=2)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="batch 1, now 3"):
        stored(path, batch=3)
    with pytest.raises(StoreError, match="toy"):
        stored(path, space=ToySpace((4, 4, 3)))
    assert path.read_bytes().startswith(before)
    assert len(stored(path).known) == 2


def test_another_replay_keeps_what_was_paid_for(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    first = search(make_searcher("random", SPACE, seed=0), stored(path), trials=6)
    with pytest.warns(UserWarning, match="no longer repeats"):
        other = search(make_searcher("random", SPACE, seed=1), stored(path), trials=10)
    assert {t.arch for t in first.trials} <= {t.arch for t in other.trials}
    assert len({t.arch for t in other.trials}) == 10


@pytest.mark.parametrize("name", ["a.txt", "none/a.journal", "mysql://"])
def test_bad_places(name: str, tmp_path: Path) -> None:
    with pytest.raises(SurrogateNASError):
        open_storage(name if "://" in name else str(tmp_path / name))


def test_a_file_of_something_else_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "letter.journal"
    path.write_text("Dear Sir")
    with pytest.raises(StoreError, match="no trial store"):
        open_storage(str(path))
    assert path.read_text() == "Dear Sir"


_SLOW = """
import sys, time
import surrogate_nas.run, surrogate_nas.store as store
from surrogate_nas.evaluation import FunctionObjective
from surrogate_nas.search.factory import make_searcher
from tests.test_store import SPACE, VALUE

def slow(arch):
    time.sleep(0.02)
    print("evaluated", *arch.choices, flush=True)
    return VALUE(arch)

keep = store.Stored(
    FunctionObjective(SPACE, slow), store.open_storage(sys.argv[1]), name="toy", settings={}
)
surrogate_nas.run.search(make_searcher("evolution", SPACE, seed=0), keep, trials=40)
"""


def test_kill_9_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    command = [sys.executable, "-W", "ignore", "-c", _SLOW, str(path)]
    evaluated: list[str] = []
    for lines in (7, 9, 5):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(lines):
            evaluated.append(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        evaluated += process.stdout.readlines()
        process.wait()
    start = time.monotonic()
    evaluated += subprocess.check_output(command, text=True).splitlines(keepends=True)
    assert time.monotonic() - start < 25  # Optuna's own lock would wait for 30 s

    # The evaluation under way at a kill was not recorded and may be made again, no other.
    assert 40 <= len(evaluated) <= 43
    assert len(set(evaluated)) == 40
    whole = search(
        make_searcher("evolution", SPACE, seed=0), FunctionObjective(SPACE, VALUE), trials=40
    )
    study = optuna.load_study(study_name="toy", storage=open_storage(str(path)))
    assert [t.value for t in study.trials] == [t.value for t in whole.trials]
    assert [json.loads(json.dumps(t.params)) for t in study.trials] == [
        {f"d{i}": str(c) for i, c in enumerate(t.arch.choices)} for t in whole.trials
    ]
