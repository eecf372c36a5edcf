"""Contract tests of stores of trials."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas.errors import StoreError
from surrogate_nas.evaluation import Evaluation, FunctionObjective, Objective, Proposal, Trial
from surrogate_nas.run import search
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.store import Stored
from surrogate_nas.testing.contract import Contract, raises
from surrogate_nas.testing.toys import ToySpace, additive

_SETTINGS = {"searcher": "random", "seed": 0}


class _Counted:
    """An objective that counts its evaluations, some of which fail."""

    def __init__(self, space: SearchSpace) -> None:
        self.count = 0
        self._value = additive(space, 0)

    def __call__(self, arch: Architecture) -> float:
        self.count += 1
        if arch.choices[0] == 1:
            raise FloatingPointError("diverged")
        return self._value(arch)


class StoreContract(Contract):
    """Promises of an objective that stores trials; a subclass defines `open`."""

    def open(self, folder: Path, objective: Objective, settings: Mapping[str, Any]) -> Stored:
        """Open the study ``"toy"`` of the store in a folder, made if it does not exist."""
        raise NotImplementedError

    def test_trials_come_back_as_they_were(self) -> None:
        """Complete evaluations and reasons of failures are kept, in the order of the trials."""
        space = ToySpace((3, 4, 2))
        objective = FunctionObjective(space, additive(space, 0))
        rng = np.random.default_rng(0)
        archs = list({space.sample(rng): None for _ in range(9)})[:4]
        trials = [
            Trial(Proposal(0, archs[0]), Evaluation((0.1,))),
            Trial(
                Proposal(1, archs[1], 7),
                Evaluation((-1e-9,), 3.5, 7, 2, {"size": 4.0}, {"value": 0.3}, (-0.5, -1e-9)),
            ),
            Trial(Proposal(2, archs[2]), error="OutOfMemoryError: 2 lines\nof it"),
            Trial(Proposal(3, archs[3]), Evaluation((1e300,), metrics={"a/b": float("nan")})),
        ]
        with tempfile.TemporaryDirectory() as folder:
            store = self.open(Path(folder), objective, _SETTINGS)
            assert list(store.known) == []
            for trial in trials:
                store.record(trial)
            known = list(self.open(Path(folder), objective, _SETTINGS).known)
        assert len(known) == len(trials)
        for found, expected in zip(known, trials, strict=True):
            assert (found.arch, found.error) == (expected.arch, expected.error)
            assert found.proposal.number == expected.proposal.number
            assert found.proposal.budget == expected.proposal.budget
            assert repr(found.evaluation) == repr(expected.evaluation)  # as nan != nan

    def test_a_search_goes_on_where_it_was(self) -> None:
        """No architecture is evaluated twice, and trials equal those of one long search."""
        space = ToySpace((3, 4, 2, 5))
        plain = search(
            RandomSearch(space, seed=0), FunctionObjective(space, _Counted(space)), trials=12
        )
        function = _Counted(space)
        objective = FunctionObjective(space, function)
        with tempfile.TemporaryDirectory() as folder:
            for trials in (5, 5, 12):
                store = self.open(Path(folder), objective, _SETTINGS)
                result = search(RandomSearch(space, seed=0), store, trials=trials)
                assert len(result.trials) == trials
                assert function.count == trials
        key = [(t.arch, t.error, t.evaluation and t.evaluation.values) for t in plain.trials]
        assert [
            (t.arch, t.error, t.evaluation and t.evaluation.values) for t in result.trials
        ] == key
        assert any(trial.error for trial in plain.trials)

    def test_it_evaluates_as_the_objective_does(self) -> None:
        """A store is itself an objective."""
        space = ToySpace((3, 4, 2))
        objective = FunctionObjective(space, additive(space, 0))
        arch = space.sample(np.random.default_rng(0))
        with tempfile.TemporaryDirectory() as folder:
            store = self.open(Path(folder), objective, _SETTINGS)
            assert isinstance(store, Objective)
            assert (store.space, store.goals) == (objective.space, objective.goals)
            assert store.evaluate(arch) == objective.evaluate(arch)

    def test_another_search_is_refused(self) -> None:
        """A study accepts only trials of its own settings and space."""
        space, other = ToySpace((3, 4, 2)), ToySpace((3, 4, 3))
        with tempfile.TemporaryDirectory() as folder:
            objective = FunctionObjective(space, additive(space, 0))
            self.open(Path(folder), objective, _SETTINGS)
            with raises(StoreError, match="seed 0, now 1"):
                self.open(Path(folder), objective, {**_SETTINGS, "seed": 1})
            with raises(StoreError, match="space"):
                self.open(Path(folder), FunctionObjective(other, additive(other, 0)), _SETTINGS)
