"""Trials in databases, against Optuna's own storage as the oracle."""

from __future__ import annotations

import math
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from optuna.distributions import CategoricalDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from surrogate_nas.errors import MissingDependencyError, StoreError
from surrogate_nas.evaluation import FunctionObjective
from surrogate_nas.records import SearchResult
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.store import Shared, Stored, databases, journal, open_storage
from surrogate_nas.store.databases import Database
from surrogate_nas.store.public_database import PublicDatabase, database_of
from surrogate_nas.testing.toys import ToySpace

DECISIONS = {f"decision{i}": CategoricalDistribution(("a", "b", "c")) for i in range(20)}


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("mysql", marks=pytest.mark.mysql),
    ]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'trials.db'}"
    return str(request.getfixturevalue(f"{request.param}_url"))


def trial(number: int, state: TrialState = TrialState.COMPLETE, **other: object) -> FrozenTrial:
    complete = state == TrialState.COMPLETE
    return create_trial(
        state=state,
        values=[number / 7, math.inf] if complete else None,
        params={name: "abc"[(number + i) % 3] for i, name in enumerate(DECISIONS)},
        distributions=dict(DECISIONS),
        user_attrs={"arch": str(number), "metrics": {"size": 3.5, "odd": None}, **other},
        system_attrs={"note": [1, "two"]},
        intermediate_values={1: 0.5, 2: math.nan, 7: -math.inf} if complete else {},
    )


def study_of(url: str) -> tuple[optuna.Study, Database]:
    storage = open_storage(url)
    directions = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    study = optuna.create_study(
        storage=storage, study_name="s", directions=directions, load_if_exists=True
    )
    database = database_of(storage)
    assert isinstance(database, Database)
    return study, database


def fields(trial: FrozenTrial) -> str:
    return repr(sorted(vars(trial).items()))  # as nan != nan


def counted(database: Database) -> list[str]:
    seen: list[str] = []
    sqlalchemy.event.listen(
        database.engine, "before_cursor_execute", lambda *args: seen.append(args[2])
    )
    return seen


def test_optuna_reads_what_was_written_and_the_other_way_round(url: str) -> None:
    study, _ = study_of(url)
    states = [TrialState.COMPLETE, TrialState.FAIL, TrialState.RUNNING, TrialState.PRUNED]
    for number, state in enumerate(states):
        study.add_trial(trial(number, state))
    other = optuna.load_study(study_name="s", storage=url)
    other.add_trial(trial(4))
    other.ask({"lr": optuna.distributions.FloatDistribution(1e-3, 1, log=True)})
    ours, theirs = study.get_trials(), optuna.load_study(study_name="s", storage=url).get_trials()
    assert [fields(t) for t in ours] == [fields(t) for t in theirs]
    assert [t.number for t in ours] == list(range(6))
    for number, state in enumerate(states):
        assert ours[number].state == state
        assert ours[number].params == trial(number).params
        assert ours[number].user_attrs == trial(number).user_attrs


def test_many_trials_are_read_alike(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "_ALIKE", 4)
    study, _ = study_of(url)
    odd = CategoricalDistribution(("b", "a"))
    for number in range(6):
        study.add_trial(trial(number))
    many = open_storage(url).get_all_trials(study._study_id)
    expected = optuna.load_study(study_name="s", storage=url).get_trials()
    assert [fields(t) for t in many] == [fields(t) for t in expected]
    with pytest.raises(ValueError, match="dynamic value space"):  # Optuna's rule
        optuna.load_study(study_name="s", storage=url).add_trial(
            create_trial(values=[0, 0], params={"decision0": "a"}, distributions={"decision0": odd})
        )


def test_statements_of_a_trial(url: str) -> None:
    study, database = study_of(url)
    seen = counted(database)
    study.add_trial(trial(0))
    assert len(seen) <= 8
    del seen[:]
    running = trial(1, TrialState.RUNNING)
    running.system_attrs = {}
    number = study._storage.create_new_trial(study._study_id, running)
    curve = {1: 0.1, 2: 0.2}
    result = create_trial(values=[0.5, 0.25], user_attrs={"cost": 1.0}, intermediate_values=curve)
    assert database.finish(number, result)
    assert len(seen) <= 8
    assert not database.finish(number, result)
    ended = study.get_trials()[1]
    assert ended.state == TrialState.COMPLETE
    assert ended.values == [0.5, 0.25]
    assert ended.intermediate_values == curve
    assert ended.user_attrs == {**running.user_attrs, "cost": 1.0}


def test_numbers_are_consecutive_when_many_write_at_once(url: str) -> None:
    study_of(url)

    def write(first: int) -> None:
        study, _ = study_of(url)
        for number in range(first, first + 5):
            study.add_trial(trial(number))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(write, range(0, 30, 5)))
    found = optuna.load_study(study_name="s", storage=url).get_trials()
    assert [t.number for t in found] == list(range(30))
    assert sorted(int(t.user_attrs["arch"]) for t in found) == list(range(30))


def test_a_fresh_database_with_many_starters(url: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        studies = list(threads.map(lambda _: study_of(url)[0], range(8)))
    assert {study._study_id for study in studies} == {1}


def test_an_attribute_is_decided_once(url: str) -> None:
    study_of(url)

    def attempt(i: int) -> bool:
        study, database = study_of(url)
        return database.decide(study._study_id, "owner", lambda value, now: (value is None, [i]))

    with ThreadPoolExecutor(6) as threads:
        won = list(threads.map(attempt, range(6)))
    study, _ = study_of(url)
    assert sum(won) == 1
    assert study._storage.get_study_system_attrs(study._study_id) == {"owner": [won.index(True)]}


@pytest.mark.parametrize(
    ("url", "module", "package"),
    [
        ("postgresql://me@host/x", "psycopg", "'psycopg[binary]'"),
        ("postgresql+psycopg2://me@host/x", "psycopg2", "psycopg2-binary"),
        ("mysql+pymysql://me@host/x", "pymysql", "pymysql"),
    ],
)
def test_a_missing_driver_names_its_package(
    url: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError) as caught:
        open_storage(url)
    assert str(caught.value).endswith(f"driver, {module}: pip install {package}")


def test_this_optuna_keeps_trials_as_expected() -> None:
    """If this fails, databases are slow with this version of Optuna: adapt `Database`."""
    databases.check_tables()


@pytest.mark.parametrize("fault", ["table", "module"])
def test_another_optuna_is_slow_and_works(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "table":
        monkeypatch.setitem(databases._COLUMNS, databases._trials, "trial_id another")
    else:
        monkeypatch.setitem(sys.modules, "surrogate_nas.store.databases", None)
    space = ToySpace((4, 4))
    objective = FunctionObjective(space, lambda arch: float(sum(arch.choices)))

    def board(kind: type[Stored]) -> Stored:
        with pytest.warns(UserWarning, match="keeps trials in another way"):
            storage = open_storage(f"sqlite:///{tmp_path}/run.db")
        assert type(database_of(storage)) is PublicDatabase
        return kind(objective, storage, name="toy", settings={})

    def go_on(kind: type[Stored], trials: int) -> SearchResult:
        return search(make_searcher("random", space, seed=0), board(kind), trials=trials)

    go_on(Shared, 4)
    alone = board(Stored)
    with board(Stored).owned(), pytest.raises(StoreError, match="belongs to process"):
        search(make_searcher("random", space, seed=0), alone, trials=6)
    result = go_on(Shared, 6)
    assert [trial.value for trial in result.trials] == [
        sum(trial.arch.choices) for trial in board(Stored).known
    ]
    assert len({trial.arch for trial in result.trials}) == 6


def test_the_operations_of_journals_are_those_of_optuna() -> None:
    from optuna.storages.journal._storage import JournalOperation

    assert journal.CREATE_TRIAL == JournalOperation.CREATE_TRIAL
    assert journal.SET_STATE_VALUES == JournalOperation.SET_TRIAL_STATE_VALUES
    assert journal.SET_INTERMEDIATE_VALUE == JournalOperation.SET_TRIAL_INTERMEDIATE_VALUE
    assert journal.SET_USER_ATTR == JournalOperation.SET_TRIAL_USER_ATTR
