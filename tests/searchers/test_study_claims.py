"""Studies that several threads and processes sample at once: nothing is suggested twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
from optuna.trial import Trial, TrialState

from surrogate_nas.searchers.sampler import SurrogateSampler, suggest_architecture
from surrogate_nas.searchers.study_claims import StudyClaims
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import open_storage

SPACE = open_space("nats-size")


@pytest.fixture(params=["journal", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{tmp_path}/s.journal" if request.param == "journal" else f"sqlite:///{tmp_path}/s.db"


def open_study(store: str, sampler: SurrogateSampler) -> optuna.Study:
    return optuna.create_study(
        storage=open_storage(store),
        study_name="s",
        direction="maximize",
        sampler=sampler,
        load_if_exists=True,
    )


def objective(trial: Trial) -> float:
    arch = suggest_architecture(trial, SPACE)
    time.sleep(0.005 * (trial.number % 3))
    return float(sum(arch.choices))


@pytest.mark.parametrize("predictor", ["none", "gp"])
def test_several_processes_of_one_seed(store: str, predictor: str) -> None:
    """Each with an own storage and sampler, which propose the same."""
    open_study(store, SurrogateSampler(SPACE, predictor, seed=0))

    def work(_: int) -> None:
        study = open_study(store, SurrogateSampler(SPACE, predictor, seed=0))
        study.optimize(objective, n_trials=7)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(work, range(3)))
    trials = open_study(store, SurrogateSampler(SPACE, predictor, seed=0)).trials
    assert len(trials) == 21
    assert max(Counter(tuple(t.params.values()) for t in trials).values()) == 1


def test_threads_of_one_process(store: str) -> None:
    study = open_study(store, SurrogateSampler(SPACE, "gp", seed=0))
    study.optimize(objective, n_trials=16, n_jobs=4)
    assert max(Counter(tuple(t.params.values()) for t in study.trials).values()) == 1


def test_a_late_process_does_not_take_what_another_is_about_to_suggest(store: str) -> None:
    """The claim counts before the trial has its parameters."""
    first = open_study(store, SurrogateSampler(SPACE, "none", seed=0))
    second = open_study(store, SurrogateSampler(SPACE, "none", seed=0))
    one, two = first.ask(), second.ask()
    arch = suggest_architecture(two, SPACE)  # the younger trial decides first
    assert suggest_architecture(one, SPACE) != arch
    second.tell(two, 1.0)
    first.tell(one, 1.0)


def test_what_a_dead_process_claimed_is_suggested_again(store: str) -> None:
    sampler = SurrogateSampler(SPACE, "none", seed=0)
    study = open_study(store, sampler)
    dead = study.ask()
    frozen = study._storage.get_trial(dead._trial_id)
    decisions = sampler.infer_relative_search_space(study, frozen)
    claimed = sampler.sample_relative(study, frozen, decisions)
    other = open_study(store, SurrogateSampler(SPACE, "none", seed=0))
    taken = suggest_architecture(other.ask(), SPACE)
    study.tell(dead, state=TrialState.FAIL)
    again = suggest_architecture(other.ask(), SPACE)
    assert list(claimed.values()) == [
        d.options[c] for d, c in zip(SPACE.decisions, again.choices, strict=True)
    ]
    assert again != taken


def test_two_claims_at_once_never_both_stand(store: str) -> None:
    """Whatever the order of their writes and reads is."""
    study = open_study(store, SurrogateSampler(SPACE, "none", seed=0))
    key = Architecture(SPACE.name, (1, 2, 3, 4, 5))

    def key_of(trial: optuna.trial.FrozenTrial) -> Architecture | None:
        return key if trial.system_attrs.get("surrogate_nas:claim") else None

    for _ in range(4):
        ids = [study._storage.create_new_trial(study._study_id) for _ in range(3)]
        start = threading.Barrier(3)

        def claim(trial_id: int, start: threading.Barrier = start) -> bool:
            storage = open_storage(store)
            own = storage.get_trial(trial_id)
            start.wait(30)
            return StudyClaims(storage, study._study_id).hold(own, {"a": 1}, key, key_of)

        with ThreadPoolExecutor(3) as threads:
            stood = list(threads.map(claim, ids))
        assert sum(stood) == 1
        for trial_id in ids:
            study._storage.set_trial_system_attr(trial_id, "surrogate_nas:claim", {})
