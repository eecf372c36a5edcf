"""Optuna's samplers as searchers, beyond what every searcher promises (tests/contracts)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import optuna
import pytest

from surrogate_nas.errors import InvalidArgumentError, SpaceExhaustedError, UnknownNameError
from surrogate_nas.evaluation import Evaluation, Proposal, Trial
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.searchers.optuna import SAMPLERS, OptunaSearch
from tests.searchers.toys import Linear, ToySpace, additive, run, succeed

SPACE = ToySpace((3, 4, 2, 5, 3))
FUNCTION = additive(SPACE, 1)
QUICK = [name for name in SAMPLERS if name != "gp"]
TRIALS = 12  # more than the 10 that the models of tpe and gp wait for


def trace(sampler: str, seed: int) -> list[tuple[int, ...]]:
    searcher = make_searcher(f"optuna:{sampler}", SPACE, seed=seed)
    return [arch.choices for arch in run(searcher, FUNCTION, TRIALS)]


@pytest.fixture(params=SAMPLERS)
def sampler(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_seed_fixes_the_trials_in_a_fresh_process() -> None:
    here = {sampler: trace(sampler, 5) for sampler in QUICK}
    code = (
        "import json; from tests.searchers.test_optuna_searcher import QUICK, trace; "
        "print(json.dumps({sampler: trace(sampler, 5) for sampler in QUICK}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == json.loads(json.dumps(here))
    for sampler, found in here.items():
        assert len(set(found)) == TRIALS, sampler
        assert found != trace(sampler, 6)


def test_a_fork_goes_its_own_way_and_leaves_no_trace(sampler: str) -> None:
    used, unused = (make_searcher(f"optuna:{sampler}", SPACE, seed=1) for _ in range(2))
    for searcher in (used, unused):
        run(searcher, FUNCTION, 12)
    forked = run(used.fork(), lambda arch: -FUNCTION(arch), 4)
    unused.fork()
    continued = run(used, FUNCTION, 4)
    assert continued == run(unused, FUNCTION, 4)
    assert forked != continued


def test_tpe_beats_chance() -> None:
    function = additive(SPACE, 2, pairs=0)
    values = sorted((function(SPACE.architecture(c)) for c in SPACE.unique()), reverse=True)
    ranks = []
    for seed in range(3):
        found = run(make_searcher("optuna:tpe", SPACE, seed=seed), function, 30)
        ranks.append(1 + values.index(max(map(function, found))))
    # Thirty draws of 359 without a model: the best has the rank 12 on average.
    assert np.mean(ranks) < 6


def test_nsga2_goes_through_generations() -> None:
    searcher = OptunaSearch(ToySpace((5,) * 6), sampler="nsga2")
    function = additive(searcher.space, 3, pairs=0)
    found = [function(arch) for arch in run(searcher, function, 300)]
    first, last = found[:50], found[-50:]
    assert np.mean(last) > np.mean(first) + 1.5 * np.std(first)


def test_trials_under_way_are_avoided_as_if_they_were_bad() -> None:
    # Of two decisions one decides all: nine open trials at its best option move tpe elsewhere.
    space = ToySpace((2, 200))
    counts = []
    for open_trials in (0, 60):
        searcher = OptunaSearch(space)
        searcher.tell(
            succeed(
                Proposal(i, space.architecture(np.array([i % 2, i + 1]))), lambda a: a.choices[0]
            )
            for i in range(40)
        )
        asked = searcher.ask(open_trials + 20)[open_trials:]
        counts.append(sum(p.arch.choices[0] for p in asked))
    assert counts[0] > counts[1]


def test_unasked_and_failed_trials_reach_the_study() -> None:
    searcher = OptunaSearch(SPACE)
    (asked,) = searcher.ask()
    stranger = next(SPACE.neighbours(asked.arch))
    searcher.tell(
        [
            Trial(Proposal(8, stranger), Evaluation((2.5,))),
            Trial(asked, error="out of memory"),
        ]
    )
    states = [(t.state.name, t.value, *t.params.values()) for t in searcher._study.trials]
    assert states == [
        ("FAIL", None, *asked.arch.choices),
        ("COMPLETE", 2.5, *stranger.choices),
    ]


def test_where_valid_architectures_are_rare_they_are_still_found(sampler: str) -> None:
    space = ToySpace((6,) * 5).restricted(np.arange(1, 6)[:, None].repeat(5, axis=1))
    searcher = make_searcher(f"optuna:{sampler}", space, seed=0)
    found = run(searcher, lambda arch: float(arch.choices[0]), 5)
    assert len(set(found)) == 5
    with pytest.raises(SpaceExhaustedError):
        searcher.ask()


def test_names() -> None:
    assert isinstance(make_searcher("optuna", SPACE, seed=0), OptunaSearch)
    guided = make_searcher("optuna:nsga2", SPACE, seed=0, predictor=Linear())
    assert isinstance(guided, Guided)
    assert isinstance(guided.inner, OptunaSearch)
    assert guided.inner.sampler == "nsga2"
    with pytest.raises(UnknownNameError, match=r"'tpo'; did you mean 'tpe'\? .*tpe, gp, nsga2"):
        make_searcher("optuna:tpo", SPACE, seed=0)
    for name in ("cmaes", "qmc"):
        with pytest.raises(InvalidArgumentError, match=f"{name}.*categorical decisions at random"):
            make_searcher(f"optuna:{name}", SPACE, seed=0)
    for name in ("bruteforce", "nsga3"):
        with pytest.raises(InvalidArgumentError, match=f"tpe, gp, nsga2, random, got '{name}'"):
            make_searcher(f"optuna:{name}", SPACE, seed=0)


def test_nothing_is_said(sampler: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(make_searcher(f"optuna:{sampler}", SPACE, seed=0), FUNCTION, 12)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before
