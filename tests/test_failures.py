"""Whatever the user's function does, the search goes on, or says at once what is wrong."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from surrogate_nas.errors import InvalidArgumentError, WrongValueError
from surrogate_nas.evaluation import FunctionObjective
from surrogate_nas.limits import TrialLimits
from surrogate_nas.run import search
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import Stored, open_storage
from surrogate_nas.testing.toys import ToySpace
from tests.misbehaviour import behave, misbehave

SPACE = ToySpace((3, 4))
REASONS = {
    (1, 0): "SystemExit: 3",
    (1, 1): "KeyboardInterrupt: ",
    (1, 2): "BrokenProcessPool: the process that evaluated it was ended by SIGSEGV",
    (1, 3): "BrokenProcessPool: the process that evaluated it was ended by SIGABRT",
    (2, 0): "TimeoutError: it took more than 4 s, so its process was ended",
    (2, 1): "MemoryError: it took more than 0.6 GB, so its process was ended",
    (2, 2): "ValueError: two\nlines",
    (2, 3): "BrokenProcessPool: the process that evaluated it was ended by SIGKILL, perhaps for "
    "want of memory",
}


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_any_failure_is_a_failed_trial() -> None:
    objective = FunctionObjective(SPACE, misbehave)
    result = search(
        RandomSearch(SPACE, seed=0),
        objective,
        trials=SPACE.size,
        workers=2,
        limits=TrialLimits(seconds=4, gigabytes=0.6),
    )
    reasons = {t.arch.choices: t.error for t in result.trials if t.error is not None}
    assert reasons == {k: v for k, v in REASONS.items() if SPACE.is_valid(_arch(*k))}
    assert result.value == 3.0


def _arch(*choices: int) -> Architecture:
    return Architecture(SPACE.name, choices)


def test_limits_change_nothing_of_a_search(tmp_path: Any) -> None:
    def run(limits: TrialLimits | None, trials: int) -> Any:
        objective = FunctionObjective(SPACE, behave)
        stored = Stored(objective, open_storage(tmp_path / "a.journal"), name="a", settings={})
        kept = stored if limits else objective
        return search(RandomSearch(SPACE, seed=3), kept, trials=trials, batch=2, limits=limits)

    whole = run(None, 7)
    run(TrialLimits(seconds=60), 3)
    assert run(TrialLimits(seconds=60), 7).trials == whole.trials


def test_an_exit_in_this_process_is_a_failed_trial() -> None:
    def leave(arch: Architecture) -> float:
        raise SystemExit("enough")

    with pytest.warns(UserWarning, match="every trial failed.* was: SystemExit: enough"):
        result = search(RandomSearch(SPACE, seed=0), FunctionObjective(SPACE, leave), trials=2)
    assert [trial.error for trial in result.trials] == ["SystemExit: enough"] * 2
    with pytest.warns(UserWarning, match="every trial failed; the first reason was: SystemExit"):
        assert result.best is None
    assert "every trial failed; the first reason was: SystemExit: enough" in repr(result)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert result.value is None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("0.9", "'0.9' (str)"),
        (True, "True (bool)"),
        (np.True_, "True (bool)"),
        (np.ones(1), "array([1.]) (ndarray)"),
        ({"accuracy": 0.9}, "{'accuracy': 0.9} (dict)"),
        (None, "None (NoneType)"),
        (1j, "1j (complex)"),
        ([0.9], "[0.9] (list)"),
    ],
)
def test_what_is_no_number_is_refused_at_the_first_trial(value: Any, told: str) -> None:
    asked = []

    def function(arch: Architecture) -> Any:
        asked.append(arch)
        return value

    with pytest.raises(WrongValueError) as caught:
        search(RandomSearch(SPACE, seed=0), FunctionObjective(SPACE, function), trials=5)
    assert str(caught.value).startswith("a function that is optimised must return one number, got")
    assert told.split(" (")[0] in str(caught.value)
    assert len(asked) == 1


def test_numbers_of_other_libraries_are_numbers() -> None:
    values = iter([np.float32(0.5), np.int64(2), torch.tensor(0.25), np.array(0.75), 3, None])
    objective = FunctionObjective(SPACE, lambda arch: next(values))  # type: ignore[arg-type]
    result = search(RandomSearch(SPACE, seed=0), objective, trials=6)
    assert [trial.value for trial in result.trials] == [0.5, 2.0, 0.25, 0.75, 3.0, None]
    assert "got None (NoneType)" in (result.trials[-1].error or "")  # a later one is a failure


@pytest.mark.parametrize("limits", [{"seconds": 0}, {"gigabytes": float("nan")}, {"seconds": -1}])
def test_limits_are_above_zero(limits: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match="must be a number above 0"):
        TrialLimits(**limits)
