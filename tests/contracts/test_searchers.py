"""What every registered searcher promises, alone and guided."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError, InvalidArgumentError, SpaceExhaustedError
from surrogate_nas.evaluation import Evaluation, Proposal, Trial
from surrogate_nas.registry import names
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.spaces.base import Architecture, SearchSpace
from tests.searchers.toys import Linear, ToySpace, Zeros, additive, run, succeed

# Its own guide reads graphs, which these spaces do not have.
GUIDED_ONLY = ("bayesian",)
PLAIN = [name for name in names("searcher") if name not in GUIDED_ONLY]
VARIANTS = ["gradient:gumbel", "reinforce:plain", "hyperband:evolution", "bayesian:ei+linear"]
CASES = [*PLAIN, *(f"{name}+linear" for name in names("searcher")), *VARIANTS]
SPACES = {
    "separate": ToySpace((3, 4, 2, 5, 3)),
    "merged": ToySpace((5,) * 5, "merged"),
    "large": ToySpace((8,) * 6),
    "restricted": ToySpace((5,) * 5).restricted(
        ToySpace((5,) * 5).from_index(np.arange(1, 5**5, 3))
    ),
}
FUNCTIONS = {name: additive(space, 1) for name, space in SPACES.items()}


def make(case: str, space: SearchSpace, seed: int = 0) -> Searcher:
    name, guided, _ = case.partition("+")
    predictor = Linear() if guided else None
    # Without budgets, as hyperband repeats architectures at larger ones, see its own tests.
    searcher = make_searcher(name, space, seed=seed, predictor=predictor, features=Zeros())
    if isinstance(searcher, Guided):
        searcher.steps = 40  # a fork of an Optuna sampler takes milliseconds for each
    return searcher


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=SPACES)
def space_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def trace(case: str, space_name: str, seed: int, batch: int = 2) -> list[tuple[int, ...]]:
    searcher = make(case, SPACES[space_name], seed)
    return [a.choices for a in run(searcher, FUNCTIONS[space_name], 40, batch=batch)]


def test_a_seed_fixes_the_trials(case: str, space_name: str) -> None:
    assert trace(case, space_name, 3) == trace(case, space_name, 3)
    assert trace(case, space_name, 3) != trace(case, space_name, 4)


def test_a_seed_fixes_the_trials_in_a_fresh_process() -> None:
    here = {f"{c} {s}": trace(c, s, 5) for c in CASES for s in SPACES}
    code = (
        "import json; from tests.contracts.test_searchers import CASES, SPACES, trace; "
        "print(json.dumps({f'{c} {s}': trace(c, s, 5) for c in CASES for s in SPACES}))"
    )
    for hashing in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": hashing, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        fresh = {
            name: [tuple(choices) for choices in found]
            for name, found in json.loads(done.stdout).items()
        }
        assert fresh == here


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_proposals_are_valid_numbered_and_never_repeated(
    case: str, space_name: str, batch: int
) -> None:
    space, function = SPACES[space_name], FUNCTIONS[space_name]
    searcher = make(case, space)
    keys: list[Architecture] = []
    numbers: list[int] = []
    for _ in range(8):
        asked = searcher.ask(batch)
        assert len(asked) == batch
        assert all(space.is_valid(p.arch) for p in asked)
        keys += [space.key(p.arch) for p in asked]
        numbers += [p.number for p in asked]
        searcher.tell([succeed(p, function) for p in asked])
    assert len(set(keys)) == len(keys)
    assert numbers == list(range(8 * batch))


def test_replay_leads_to_the_same_continuation(case: str, space_name: str) -> None:
    space, function = SPACES[space_name], FUNCTIONS[space_name]
    first = make(case, space)
    kept: list[list[Trial]] = []
    for _ in range(10):
        kept.append([succeed(p, function) for p in first.ask(3)])
        first.tell(kept[-1])
    again = make(case, space)
    for trials in kept:
        assert again.ask(3) == [t.proposal for t in trials]
        again.tell(trials)
    for _ in range(5):
        continued = first.ask(3)
        assert again.ask(3) == continued
        for searcher in (first, again):
            searcher.tell([succeed(p, function) for p in continued])


def test_trials_come_in_any_order_late_never_or_unasked(case: str, space_name: str) -> None:
    space, function = SPACES[space_name], FUNCTIONS[space_name]
    searcher = make(case, space)
    rng = np.random.default_rng(0)
    strangers = {space.key(space.sample(rng)): None for _ in range(8)}
    warm = [succeed(Proposal(100 + i, arch), function) for i, arch in enumerate(strangers)]
    searcher.tell(warm[::-1])
    keys = set(strangers)
    numbers = {t.proposal.number for t in warm}
    pending: list[Proposal] = []
    for _ in range(40):
        asked = searcher.ask(2)
        for proposal in asked:
            assert space.key(proposal.arch) not in keys, "an architecture came back"
            assert proposal.number not in numbers, "a number came back"
            keys.add(space.key(proposal.arch))
            numbers.add(proposal.number)
        pending += asked
        rng.shuffle(pending)
        done, pending = pending[:1], pending[1:]  # half of them never return
        searcher.tell([succeed(p, function) for p in done])
        searcher.tell([])
    searcher.tell([warm[0]])  # twice, as two workers may


def test_failed_trials_are_never_proposed_again_nor_taken_as_good(
    case: str, space_name: str
) -> None:
    space, function = SPACES[space_name], FUNCTIONS[space_name]
    searcher = make(case, space)
    keys: set[Architecture] = set()
    for number in range(60):
        (proposal,) = searcher.ask()
        assert space.key(proposal.arch) not in keys
        keys.add(space.key(proposal.arch))
        failed = number < 12 or number % 3 == 0
        trial = Trial(proposal, error="OOM") if failed else succeed(proposal, function)
        searcher.tell([trial])


def test_all_trials_may_fail(case: str) -> None:
    searcher = make(case, SPACES["separate"])
    for _ in range(40):
        searcher.tell([Trial(p, error="diverged") for p in searcher.ask(2)])


@pytest.mark.parametrize("isomorphs", ["separate", "merged"])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("tell", [True, False])
def test_a_tiny_space_is_used_up_exactly(case: str, isomorphs: str, batch: int, tell: bool) -> None:
    # 27 encodings, or 35 multisets of three choices out of five; all zeros is not valid.
    space = ToySpace((3, 3, 3)) if isomorphs == "separate" else ToySpace((5, 5, 5), "merged")
    expected = 26 if isomorphs == "separate" else 34
    searcher = make(case, space)
    keys: list[Architecture] = []
    while len(keys) < expected:
        asked = searcher.ask(batch)
        keys += [space.key(p.arch) for p in asked]
        if tell:
            searcher.tell([succeed(p, additive(space, 0)) for p in asked])
    assert len(set(keys)) == len(keys) == expected
    for _ in range(2):
        with pytest.raises(SpaceExhaustedError, match="'toy'"):
            searcher.ask()


def test_bad_input_is_refused_and_changes_nothing(case: str) -> None:
    space, function = SPACES["separate"], FUNCTIONS["separate"]
    searcher, clean = make(case, space), make(case, space)
    for n in (0, -1):
        with pytest.raises(InvalidArgumentError, match="n must be"):
            searcher.ask(n)
    good = succeed(Proposal(0, space.architecture(np.array([1, 1, 1, 1, 1]))), function)
    for choices, name in [
        ((0, 0, 0, 0, 0), "toy"),
        ((3, 0, 0, 0, 1), "toy"),
        ((1, -1, 0, 0, 1), "toy"),
        ((1, 0), "toy"),
        ((1, 1, 1, 1, 1), "other"),
    ]:
        bad = Trial(Proposal(1, Architecture(name, choices)), Evaluation((1.0,)))
        with pytest.raises(ArchitectureError):
            searcher.tell([good, bad])
    assert not searcher.seen(good.arch)
    assert run(searcher, function, 30) == run(clean, function, 30)


def test_hidden_metrics_never_matter(case: str) -> None:
    space, function = SPACES["separate"], FUNCTIONS["separate"]
    traces = []
    for hidden in ({}, {"test": math.nan}, {"test": 1e9}):
        searcher = make(case, space)
        found = []
        for _ in range(20):
            asked = searcher.ask(2)
            found += asked
            searcher.tell(
                Trial(p, replace(succeed(p, function).evaluation or _never(), hidden=hidden))
                for p in asked
            )
        traces.append(found)
    assert traces[0] == traces[1] == traces[2]


def _never() -> Evaluation:
    raise AssertionError


def test_a_fork_leaves_no_trace(case: str, space_name: str) -> None:
    space, function = SPACES[space_name], FUNCTIONS[space_name]
    used, unused = make(case, space), make(case, space)
    for searcher in (used, unused):
        run(searcher, function, 30, batch=3)
    first = used.fork()
    unused.fork()
    run(first, lambda arch: -function(arch), 30, batch=4)
    assert run(used, function, 20, batch=3) == run(unused, function, 20, batch=3)
    if "+" not in case:  # every fork goes a way of its own; a guide may know no chance
        assert run(used.fork(), function, 20, batch=3) != run(used, function, 20, batch=3)


def test_a_fork_knows_what_was_proposed(case: str) -> None:
    space, function = SPACES["separate"], FUNCTIONS["separate"]
    searcher = make(case, space)
    before = set(run(searcher, function, 30))
    assert not before & set(run(searcher.fork(), function, 30))


def test_numbers_stay_above_those_told(case: str) -> None:
    space, function = SPACES["separate"], FUNCTIONS["separate"]
    searcher = make(case, space)
    searcher.tell([succeed(Proposal(41, space.sample(np.random.default_rng(0))), function)])
    asked = searcher.ask(3)
    assert [p.number for p in asked] == [42, 43, 44]
    assert all(b.number == a.number + 1 for a, b in pairwise(asked))


def test_plain_and_guided_start_alike() -> None:
    for name in PLAIN:
        plain = make(name, SPACES["separate"], 7)
        guided = make(f"{name}+linear", SPACES["separate"], 7)
        assert plain.ask(20) == guided.ask(20)
