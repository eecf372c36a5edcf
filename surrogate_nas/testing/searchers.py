"""Contract tests of searchers."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import ClassVar, get_args

import numpy as np

from surrogate_nas.errors import ArchitectureError, InvalidArgumentError, SpaceExhaustedError
from surrogate_nas.evaluation import Evaluation, Proposal, Trial
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.spaces.base import Architecture, Isomorphs, SearchSpace
from surrogate_nas.testing.contract import Contract, raises
from surrogate_nas.testing.processes import elsewhere
from surrogate_nas.testing.toys import ToySpace, additive, run, succeed

SPACES = {
    "separate": ToySpace((3, 4, 2, 5, 3)),
    "merged": ToySpace((5,) * 5, "merged"),
    "large": ToySpace((8,) * 6),
    "restricted": ToySpace((5,) * 5).restricted(
        ToySpace((5,) * 5).from_index(np.arange(1, 5**5, 3))
    ),
}
FUNCTIONS = {name: additive(space, 1) for name, space in SPACES.items()}


def _never() -> Evaluation:
    raise AssertionError


class SearcherContract(Contract):
    """Promises of a `Searcher`; a subclass defines `make`.

    Attributes:
        guided: Whether forks need not differ, because a guide that compares all architectures uses
            no randomness.
    """

    guided: ClassVar[bool] = False

    def make(self, space: SearchSpace, seed: int) -> Searcher:
        """A new searcher of a space; it must not read the space's graphs."""
        raise NotImplementedError

    def test_a_seed_fixes_the_trials(self) -> None:
        """The same seed gives the same trials, and another seed gives others."""
        for name in SPACES:
            assert self.trace(name, 3) == self.trace(name, 3)
            assert self.trace(name, 3) != self.trace(name, 4)

    def test_a_seed_fixes_the_trials_in_a_fresh_process(self) -> None:
        """Trials do not depend on hashes of texts, which differ from process to process."""
        here = self.traces()
        for hashing in ("1", "2"):
            assert elsewhere(type(self), "traces", PYTHONHASHSEED=hashing) == here

    def trace(self, space: str, seed: int) -> list[tuple[int, ...]]:
        """The first 40 architectures, in batches of two."""
        searcher = self.make(SPACES[space], seed)
        return [a.choices for a in run(searcher, FUNCTIONS[space], 40, batch=2)]

    def traces(self) -> str:
        """The traces of one seed in all spaces."""
        return repr([self.trace(name, 5) for name in SPACES])

    def test_proposals_are_valid_numbered_and_never_repeated(self) -> None:
        """Proposals are valid, numbered and never repeated."""
        for space_name in SPACES:
            for batch in (1, 3, 7):
                space, function = SPACES[space_name], FUNCTIONS[space_name]
                searcher = self.make(space, 0)
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

    def test_replay_leads_to_the_same_continuation(self) -> None:
        """Replay leads to the same continuation."""
        for space_name in SPACES:
            space, function = SPACES[space_name], FUNCTIONS[space_name]
            first = self.make(space, 0)
            kept: list[list[Trial]] = []
            for _ in range(10):
                kept.append([succeed(p, function) for p in first.ask(3)])
                first.tell(kept[-1])
            again = self.make(space, 0)
            for trials in kept:
                assert again.ask(3) == [t.proposal for t in trials]
                again.tell(trials)
            for _ in range(5):
                continued = first.ask(3)
                assert again.ask(3) == continued
                for searcher in (first, again):
                    searcher.tell([succeed(p, function) for p in continued])

    def test_trials_come_in_any_order_late_never_or_unasked(self) -> None:
        """Trials may come in any order, late, never, or without being asked for."""
        for space_name in SPACES:
            space, function = SPACES[space_name], FUNCTIONS[space_name]
            searcher = self.make(space, 0)
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

    def test_failed_trials_are_never_proposed_again_nor_taken_as_good(self) -> None:
        """Failed trials are never proposed again nor treated as good."""
        for space_name in SPACES:
            space, function = SPACES[space_name], FUNCTIONS[space_name]
            searcher = self.make(space, 0)
            keys: set[Architecture] = set()
            for number in range(60):
                (proposal,) = searcher.ask()
                assert space.key(proposal.arch) not in keys
                keys.add(space.key(proposal.arch))
                failed = number < 12 or number % 3 == 0
                trial = Trial(proposal, error="OOM") if failed else succeed(proposal, function)
                searcher.tell([trial])

    def test_all_trials_may_fail(self) -> None:
        """It goes on if all trials fail."""
        searcher = self.make(SPACES["separate"], 0)
        for _ in range(40):
            searcher.tell([Trial(p, error="diverged") for p in searcher.ask(2)])

    def test_a_tiny_space_is_used_up_exactly(self) -> None:
        """In a tiny space every architecture is proposed exactly once."""
        cases: list[tuple[Isomorphs, int, bool]] = [
            (isomorphs, batch, tell)
            for isomorphs in get_args(Isomorphs)
            for batch in (1, 4)
            for tell in (True, False)
        ]
        for isomorphs, batch, tell in cases:
            space = (
                ToySpace((3, 3, 3)) if isomorphs == "separate" else ToySpace((5, 5, 5), "merged")
            )
            expected = 26 if isomorphs == "separate" else 34
            searcher = self.make(space, 0)
            keys: list[Architecture] = []
            while len(keys) < expected:
                asked = searcher.ask(batch)
                keys += [space.key(p.arch) for p in asked]
                if tell:
                    searcher.tell([succeed(p, additive(space, 0)) for p in asked])
            assert len(set(keys)) == len(keys) == expected
            for _ in range(2):
                with raises(SpaceExhaustedError, match="'toy'"):
                    searcher.ask()

    def test_bad_input_is_refused_and_changes_nothing(self) -> None:
        """Bad input is refused and changes nothing."""
        space, function = SPACES["separate"], FUNCTIONS["separate"]
        searcher, clean = self.make(space, 0), self.make(space, 0)
        for n in (0, -1):
            with raises(InvalidArgumentError, match="n must be"):
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
            with raises(ArchitectureError):
                searcher.tell([good, bad])
        assert not searcher.seen(good.arch)
        assert run(searcher, function, 30) == run(clean, function, 30)

    def test_hidden_metrics_never_matter(self) -> None:
        """Hidden metrics have no effect."""
        space, function = SPACES["separate"], FUNCTIONS["separate"]
        traces = []
        for hidden in ({}, {"test": math.nan}, {"test": 1e9}):
            searcher = self.make(space, 0)
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

    def test_a_fork_leaves_no_trace(self) -> None:
        """A fork has no effect on the original."""
        for space_name in SPACES:
            space, function = SPACES[space_name], FUNCTIONS[space_name]
            used, unused = self.make(space, 0), self.make(space, 0)
            for searcher in (used, unused):
                run(searcher, function, 30, batch=3)
            first = used.fork()
            unused.fork()
            run(first, lambda arch, f=function: -f(arch), 30, batch=4)  # type: ignore[misc]
            assert run(used, function, 20, batch=3) == run(unused, function, 20, batch=3)
            if not self.guided:  # forks differ from each other, unless no randomness is used
                assert run(used.fork(), function, 20, batch=3) != run(used, function, 20, batch=3)

    def test_a_fork_knows_what_was_proposed(self) -> None:
        """A fork never proposes what the original has proposed."""
        space, function = SPACES["separate"], FUNCTIONS["separate"]
        searcher = self.make(space, 0)
        before = set(run(searcher, function, 30))
        assert not before & set(run(searcher.fork(), function, 30))

    def test_numbers_stay_above_those_told(self) -> None:
        """Numbers of proposals are above all numbers told."""
        space, function = SPACES["separate"], FUNCTIONS["separate"]
        searcher = self.make(space, 0)
        searcher.tell([succeed(Proposal(41, space.sample(np.random.default_rng(0))), function)])
        asked = searcher.ask(3)
        assert [p.number for p in asked] == [42, 43, 44]
        assert all(b.number == a.number + 1 for a, b in pairwise(asked))
