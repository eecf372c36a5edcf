"""Searches of a space whose decisions have conditions."""

from __future__ import annotations

import numpy as np
import optuna
import pytest

from surrogate_nas.evaluation import FunctionObjective, Goal
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.sampler import SurrogateSampler, suggest_architecture
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.custom import CustomSpace

SPACE = CustomSpace("""
name = "conditional"
graph = "chain"
decisions.depth = [1, 2, 3]
[[nodes]]
name = "layer"
count = 3
when = {depth = ">= {}"}
operation = ["attention", "lstm"]
heads = {options = [2, 4, 8, 16], when = {operation = "attention"}}
width = {integer = [16, 256], log = true, levels = 12}
""")


def worth(arch: Architecture) -> float:
    """More layers, heads and width are better; what does not count is not looked at."""
    active = SPACE.active(np.array([arch.choices]))[0]
    return float(sum((1 + x) * on for x, on in zip(arch.choices, active, strict=True)))


@pytest.mark.parametrize(
    "method",
    [
        "random", "local", "evolution", "genetic", "bayesian", "gradient", "reinforce",
        "optuna:tpe", "optuna:nsga2", "evolution+gp", "local+forest", "reinforce+gp",
    ],
)  # fmt: skip
def test_no_search_leaves_it(method: str) -> None:
    objective = FunctionObjective(SPACE, worth, goal=Goal("worth"))
    result = search(make_searcher(method, SPACE, seed=0), objective, trials=24)
    archs = [trial.proposal.arch for trial in result.trials]
    assert all(SPACE.is_valid(arch) for arch in archs)
    assert len({SPACE.key(arch) for arch in archs}) == 24
    assert not any(trial.error for trial in result.trials)


@pytest.mark.parametrize("surrogate", [False, True])
def test_a_study_suggests_what_counts_alone(surrogate: bool) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = SurrogateSampler(SPACE, seed=0) if surrogate else optuna.samplers.TPESampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(lambda trial: worth(suggest_architecture(trial, SPACE)), n_trials=25)
    for trial in study.trials:
        assert trial.state == optuna.trial.TrialState.COMPLETE
        arch = suggest_architecture(trial, SPACE)
        assert SPACE.is_valid(arch)
        active = SPACE.active(np.array([arch.choices]))[0]
        named = {d.name for d, on in zip(SPACE.decisions, active, strict=True) if on}
        assert set(trial.params) == named
