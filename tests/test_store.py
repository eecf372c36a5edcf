from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from surrogate_nas.errors import InvalidArgumentError, StoreError
from surrogate_nas.evaluation import Evaluation, Goal, Proposal, Trial
from surrogate_nas.records import SearchResult
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import Stored, open_storage, study_name
from tests.searchers.toys import ToySpace
from tests.tables import LoggedTask, toy_task

ROOT = Path(__file__).resolve().parent.parent
NAME = study_name("toy", "easy", "evolution", None, 3)
SETTINGS = {"searcher": "evolution", "seed": 3, "batch": 4, "budget": None}
TRIALS = 30


@pytest.fixture(params=["journal", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "journal":
        return str(tmp_path / "run.journal")
    return f"sqlite:///{tmp_path / 'run.db'}"


def objective(tmp_path: Path, seconds: float = 0.0) -> LoggedTask:
    return LoggedTask(toy_task(), tmp_path / "log", seconds)


def run(
    task: LoggedTask,
    store: str | None,
    *,
    trials: int = TRIALS,
    searcher: str = "evolution",
    workers: int = 1,
    settings: dict[str, object] = SETTINGS,
) -> SearchResult:
    kept = (
        task if store is None else Stored(task, open_storage(store), name=NAME, settings=settings)
    )
    asks = make_searcher(searcher, task.space, seed=3)
    return search(asks, kept, trials=trials, batch=4, workers=workers)


def load(store: str) -> optuna.Study:
    return optuna.load_study(study_name=NAME, storage=open_storage(store))


def test_what_optuna_reads(store: str, tmp_path: Path) -> None:
    task = LoggedTask(toy_task("loss", maximise=False), tmp_path / "log")
    result = run(task, store)
    if store.endswith(".journal"):  # as optuna-dashboard opens it
        backend = optuna.storages.journal.JournalFileBackend(store)
        study = optuna.load_study(study_name=NAME, storage=optuna.storages.JournalStorage(backend))
    else:
        study = optuna.load_study(study_name=NAME, storage=store)
    assert study.study_name == "toy/easy/evolution/3"
    assert study.user_attrs["searcher"] == "evolution"
    assert study.user_attrs["versions"]["numpy"]
    assert study.direction.name == "MINIMIZE"
    assert len(study.trials) == TRIALS
    failed = 0
    for stored, trial in zip(study.trials, result.trials, strict=True):
        options = [
            d.options[c] for d, c in zip(task.space.decisions, trial.arch.choices, strict=True)
        ]
        assert list(stored.params.values()) == options
        assert stored.user_attrs["arch"] == task.space.format(trial.arch)
        if trial.evaluation is None:
            failed += 1
            assert stored.state == TrialState.FAIL
            assert stored.user_attrs["error"] == "FloatingPointError: diverged"
        else:
            assert stored.value == -trial.evaluation.value
            assert stored.user_attrs["hidden"] == trial.evaluation.hidden
    assert failed
    assert result.value == -study.best_value


def test_a_finished_search_is_not_repeated(store: str, tmp_path: Path) -> None:
    task = objective(tmp_path)
    first = run(task, store)
    again = run(task, store)
    assert task.count() == TRIALS
    assert again.trials == first.trials == run(objective(tmp_path), None).trials


@pytest.mark.parametrize("before", [1, 8, 13])
def test_more_trials_continue(store: str, tmp_path: Path, before: int) -> None:
    task = objective(tmp_path)
    run(task, store, trials=before)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        longer = run(task, store)
        shorter = run(task, store, trials=5)
    assert task.count() == TRIALS
    assert longer.trials == run(objective(tmp_path), None).trials
    assert shorter.trials == longer.trials[:5]


def test_several_goals(store: str) -> None:
    class Two:
        space = ToySpace((4, 3))
        goals = (Goal("accuracy"), Goal("latency", maximise=False))

        def evaluate(
            self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
        ) -> Evaluation:
            return Evaluation((1.0, -2.5), metrics={"odd": float("nan")})

    stored = Stored(Two(), open_storage(store), name=NAME, settings={})
    arch = Two.space.parse("21")
    stored.record(Trial(Proposal(0, arch, budget=3), Two().evaluate(arch)))
    study = load(store)
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.trials[0].values == [1.0, 2.5]
    json.dumps(study.trials[0].user_attrs, allow_nan=False)
    (known,) = Stored(Two(), open_storage(store), name=NAME, settings={}).known
    assert known.evaluation is not None
    assert known.evaluation.values == (1.0, -2.5)
    assert known.proposal.budget == 3
    assert str(known.evaluation.metrics["odd"]) == "nan"


# Refusals ---------------------------------------------------------------------------------------


def test_other_settings_are_named(store: str, tmp_path: Path) -> None:
    run(objective(tmp_path), store, trials=3)
    with pytest.raises(StoreError, match="batch 4, now 5"):
        run(objective(tmp_path), store, settings={**SETTINGS, "batch": 5})
    assert len(load(store).trials) == 3


def test_a_learned_file_may_have_moved_but_not_changed(store: str, tmp_path: Path) -> None:
    def settings(file: str, identity: str) -> dict[str, Any]:
        return {**SETTINGS, "optimizer": {"file": file, "identity": identity}}

    run(objective(tmp_path), store, trials=3, settings=settings("a/o.safetensors", "1f"))
    run(objective(tmp_path), store, trials=4, settings=settings("b/o.safetensors", "1f"))
    assert len(load(store).trials) == 4
    for other in (settings("a/o.safetensors", "2e"), SETTINGS):
        with pytest.raises(StoreError, match="optimizer"):
            run(objective(tmp_path), store, trials=5, settings=other)


def test_a_study_that_was_never_finished_is_completed(store: str, tmp_path: Path) -> None:
    optuna.create_study(storage=open_storage(store), study_name=NAME, direction="maximize")
    run(objective(tmp_path), store, trials=3)
    assert load(store).user_attrs["batch"] == 4


def test_another_space_is_refused(store: str, tmp_path: Path) -> None:
    run(objective(tmp_path), store, trials=3)

    class Other:
        goals = (Goal("accuracy"),)

        def __init__(self, name: str) -> None:
            self.space = ToySpace((3, 3, 3, 3, 4))
            self.space.name = name

        def evaluate(
            self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
        ) -> Evaluation:
            raise NotImplementedError

    with pytest.raises(StoreError, match="is of the space 'toy', not 'circus'"):
        Stored(Other("circus"), open_storage(store), name=NAME, settings={})
    with pytest.raises(StoreError, match="with other decisions"):
        Stored(Other("toy"), open_storage(store), name=NAME, settings={})


def test_another_direction_is_refused(store: str, tmp_path: Path) -> None:
    optuna.create_study(storage=open_storage(store), study_name=NAME, direction="minimize")
    with pytest.raises(StoreError, match="MINIMIZE"):
        run(objective(tmp_path), store)


def test_trials_of_another_program_are_refused(store: str, tmp_path: Path) -> None:
    run(objective(tmp_path), store, trials=3)
    load(store).add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(StoreError, match=r"trial 3 .* was not written by this program"):
        run(objective(tmp_path), store)


@pytest.mark.parametrize(
    ("place", "kind", "message"),
    [
        ("nowhere/run.journal", StoreError, "No such file or directory; choose a file"),
        ("file/run.journal", StoreError, "Not a directory"),
        ("run.txt", InvalidArgumentError, "must be a file that ends with .journal"),
        ("folder.journal", StoreError, "Is a directory"),
        ("text.journal", StoreError, "is no trial store"),
        ("damaged.journal", StoreError, "damaged before its last line"),
    ],
)
def test_places_that_cannot_be_used(
    tmp_path: Path, place: str, kind: type[Exception], message: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.journal").mkdir()
    (tmp_path / "text.journal").write_text("keep me")
    (tmp_path / "damaged.journal").write_text('{"op_code":0,"wor\n{"op_code":0,\n')
    with pytest.raises(kind, match=message):
        open_storage(tmp_path / place)
    assert (tmp_path / "text.journal").read_text() == "keep me"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write it")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    start = time.monotonic()
    with pytest.raises(StoreError, match="Permission denied"):
        open_storage(tmp_path / "run.journal")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@localhost/x", "nonsense://me:secret@host/x", "sqlite:////no/x"]
)
def test_databases_that_cannot_be_used(url: str) -> None:
    with pytest.raises((StoreError, InvalidArgumentError, ImportError)) as caught:
        open_storage(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


# Kills ------------------------------------------------------------------------------------------

CHILD = """
import sys
from pathlib import Path
from tests.test_store import objective, run
run(objective(Path(sys.argv[1]), seconds=0.01), sys.argv[2])
"""


def recorded(store: str) -> list[str]:
    if store.endswith(".journal") and not Path(store).exists():
        return []
    try:
        return [t.user_attrs["arch"] for t in load(store).trials]
    except KeyError:  # killed before the study was there
        return []


def evaluated(task: LoggedTask) -> list[str]:
    return (
        [line.split()[0] for line in task.log.read_text().splitlines()] if task.log.exists() else []
    )


@pytest.mark.filterwarnings("ignore:.*torn")
def test_kill_at_any_moment(store: str, tmp_path: Path) -> None:
    task = objective(tmp_path)
    chance = random.Random(0)
    kills = 0
    while True:
        before, past = recorded(store), len(evaluated(task))
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), store], cwd=ROOT)
        goal = past + chance.randint(4, 10)
        deadline = time.monotonic() + 60
        while child.poll() is None and len(evaluated(task)) < goal:
            assert time.monotonic() < deadline
        time.sleep(chance.random() * 0.01)
        child.kill()
        finished = child.wait() == 0
        kills += not finished
        after = recorded(store)
        assert after[: len(before)] == before  # nothing is lost
        assert not set(before) & set(evaluated(task)[past:])  # nor evaluated again
        if finished:
            break
    assert kills >= 3
    count = task.count()
    whole = run(task, store)
    assert task.count() == count
    assert whole.trials == run(objective(tmp_path), None).trials


@pytest.mark.parametrize("cut", [1, 2, 60, 700])
def test_a_torn_line_is_cut_off(tmp_path: Path, cut: int) -> None:
    task, store = objective(tmp_path), tmp_path / "run.journal"
    whole = run(task, str(store))
    content = store.read_bytes()
    last = content[:-1].rfind(b"\n") + 1
    store.write_bytes(content[:last] + content[last:-cut])
    with pytest.warns(UserWarning, match="the last line was torn"):
        again = run(task, str(store))
    assert again.trials == whole.trials
    assert task.count() == TRIALS + 1  # the torn one was never recorded
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(task, str(store)).trials == whole.trials


def test_a_journal_torn_in_its_first_line(tmp_path: Path) -> None:
    store = tmp_path / "run.journal"
    store.write_bytes(b'{"op_co')
    with pytest.warns(UserWarning, match="7 bytes"):
        run(objective(tmp_path), str(store), trials=2)
    assert len(load(str(store)).trials) == 2


def test_a_dead_lock_does_not_wait(tmp_path: Path) -> None:
    store = tmp_path / "run.journal"
    run(objective(tmp_path), str(store), trials=2)
    code = f"""
import time
from surrogate_nas.store.storages import _JournalLock
from pathlib import Path
_JournalLock(Path({str(store)!r})).__enter__()
print("held", flush=True)
time.sleep(100)
"""
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    child.kill()
    start = time.monotonic()
    run(objective(tmp_path), str(store), trials=4)
    assert time.monotonic() - start < 10
    child.wait()
    child.stdout.close()


# Replay -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [9, 12])
def test_a_replay_that_differs_keeps_everything(store: str, tmp_path: Path, stored: int) -> None:
    task = objective(tmp_path)
    before = run(task, store, trials=stored)
    with pytest.warns(UserWarning, match="no longer repeats the stored one") as caught:
        after = run(task, store, trials=20, searcher="local")
    assert len(caught) == 1
    assert {t.arch for t in before.trials} <= {t.arch for t in after.trials}
    assert len(after.trials) == len({t.arch for t in after.trials}) == 20
    assert task.count() == 20
    with pytest.warns(UserWarning, match="no longer repeats"):
        again = run(task, store, trials=20, searcher="local")
    assert task.count() == 20
    assert {t.arch for t in again.trials} == {t.arch for t in after.trials}


def test_several_workers_take_what_is_known(store: str, tmp_path: Path) -> None:
    task = objective(tmp_path)
    before = run(task, store, trials=9)
    after = run(task, store, trials=20, workers=2)
    assert after.trials[:9] == before.trials
    assert len({t.arch for t in after.trials}) == 20
    assert task.count() == 20
    assert len(load(store).trials) == 20
