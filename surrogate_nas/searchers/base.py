"""The interface of all search methods: ask, tell, fork."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import InvalidArgumentError, SpaceExhaustedError
from surrogate_nas.evaluation import Goal, Prediction, Proposal, Trial
from surrogate_nas.goal_checks import check_one_goal
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.spaces.base import Architecture, SearchSpace

_TRIES = 20  # repeated candidates before an architecture is drawn at random instead
_STRIDE = 20  # steps on predictions that share one call of the predictor
_DRAWS = 10_000  # draws from a space that cannot be listed before it counts as used up


KnownCosts = Callable[[IntArray], Mapping[str, Prediction]]
"""See `surrogate_nas.evaluation.KnowsCosts.known_costs`."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """Arguments of a searcher's constructor beside a space and a seed.

    Attributes:
        features: Names of the features that it needs. ``features`` is then a `Features` with
            these, and perhaps others.
        budgets: Whether it takes ``budgets``, the epochs that can be evaluated.
        inner: Name of the inner searcher, with its variant. ``inner`` is then a function that
            makes one, guided or not, from a `numpy.random.SeedSequence`.
        guide: Name of the predictor that guides it by default. It then takes a ``predictor``, or
            None, and ``features``, or None.
    """

    features: tuple[str, ...] = ()
    budgets: bool = False
    inner: str | None = None
    guide: str | None = None


class Searcher(ABC):
    """Proposes architectures, never one key twice, and learns from trials.

    A subclass defines `_candidate` (the next architecture, which may be a repeated one) and, if it
    learns, `_observe`. Trials may come in any order, late, never, or without being asked for.

    Attributes:
        space: The space that it searches.
        rng: Its source of randomness; the same seed gives the same proposals.
        variant: Name of the argument that follows a colon in a searcher's name, as ``sampler``
            in ``"optuna:tpe"``; None if it takes none.
        serves_several_goals: Whether it uses all values of an evaluation. If not,
            `surrogate_nas.run.search` refuses objectives with several goals.
        goals: What it searches for if that is more than one goal, see `pursue`; else empty.

    Example:
        >>> class Nearby(Searcher):
        ...     best = None
        ...
        ...     def _candidate(self):
        ...         if self.best is None:
        ...             return self.space.sample(self.rng)
        ...         return self.space.mutate(self.best.arch, self.rng)
        ...
        ...     def _observe(self, trial):
        ...         if trial.evaluation is None:
        ...             return
        ...         if self.best is None or trial.evaluation.value > self.best.evaluation.value:
        ...             self.best = trial
        >>> from surrogate_nas.spaces import open_space
        >>> [proposal.number for proposal in Nearby(open_space("nats-size"), seed=0).ask(3)]
        [0, 1, 2]
    """

    variant: ClassVar[str | None] = None
    serves_several_goals: ClassVar[bool] = False

    @classmethod
    def requirements(cls, variant: str | None = None) -> Requirements:
        """Further arguments of the constructor; none by default.

        Args:
            variant: What follows the colon in the searcher's name, or None.
        """
        return Requirements()

    def __init__(self, space: SearchSpace, *, seed: int | np.random.SeedSequence = 0) -> None:
        """Start a search of ``space``."""
        self.space = space
        self.rng = np.random.default_rng(seed)
        # Keys, and the encodings seen so far, whose canonical form is known.
        self._seen: set[Architecture] = set()
        self._taken: list[tuple[int, ...]] = []  # the choices of the same
        self._next_number = 0
        self.goals: tuple[Goal, ...] = ()
        self.known_costs: KnownCosts | None = None

    def pursue(self, goals: Sequence[Goal], known_costs: KnownCosts | None = None) -> None:
        """Learn what is searched for; `surrogate_nas.run.search` says it before the first `ask`.

        Args:
            goals: Of the objective, in the order of its values. A single one changes nothing.
            known_costs: The goals that are known of all architectures, or None.

        Raises:
            InvalidArgumentError: If there are several, and this searcher serves one.
        """
        if not self.serves_several_goals:
            check_one_goal(goals, f"the searcher {type(self).__name__}")
        if len(goals) > 1:
            self.goals = tuple(goals)
            self.known_costs = known_costs

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.space.name!r}, seed={_seed(self.rng)}, "
            f"{self._next_number} proposed)"
        )

    def ask(self, n: int = 1) -> list[Proposal]:
        """Propose n new architectures; fewer where the space has no more.

        Raises:
            SpaceExhaustedError: If every architecture was proposed already.
        """
        if n < 1:
            raise InvalidArgumentError(f"n must be at least 1, got {n}")
        proposals: list[Proposal] = []
        while len(proposals) < n:
            proposal = self._propose()
            if proposal is None:
                break
            proposals.append(proposal)
            self._next_number += 1
        if not proposals:
            raise SpaceExhaustedError(
                f"every architecture of {self.space.name!r} was proposed already; "
                "ask for fewer trials"
            )
        return proposals

    def tell(self, trials: Iterable[Trial]) -> None:
        """Learn from finished trials, including ones that were not asked for.

        The numbers of later proposals are larger than all numbers told.

        Raises:
            ArchitectureError: If a trial is of another space; then no trial is accepted.
        """
        trials = list(trials)
        for trial in trials:
            if trial.arch not in self._seen:
                self.space.check(trial.arch)
        for trial in trials:
            self.claim(trial.arch)
            self._next_number = max(self._next_number, trial.proposal.number + 1)
            self._observe(trial)

    def fork(self) -> Self:
        """Make an independent copy with its own generator, to be thrown away.

        The original's generator only counts one spawn, so what a fork does has no effect on the
        original's draws.
        """
        return copy.deepcopy(self, self._shared())

    def visit(self, objective: PredictedObjective, steps: int) -> IntArray:
        """Encodings that this search visits on predictions, repeated or not: (m, decisions).

        The search continues in a temporary fork, and ends early if that uses up the space.
        """
        return self.fork().walk(objective, steps)

    def walk(self, objective: PredictedObjective, steps: int) -> IntArray:
        """Go on with this search on predictions, and return what it proposes: (m, decisions)."""
        met: list[tuple[int, ...]] = []
        for _ in range(0, steps, _STRIDE):
            try:
                proposals = self.ask(_STRIDE)
            except SpaceExhaustedError:
                break
            evaluations = objective.evaluate_all([proposal.arch for proposal in proposals])
            self.tell(Trial(p, e) for p, e in zip(proposals, evaluations, strict=True))
            met += [proposal.arch.choices for proposal in proposals]
        return np.array(met, dtype=np.int16).reshape(len(met), len(self.space.sizes))

    def _shared(self) -> dict[int, Any]:
        """Objects that a fork does not copy, by ``id``, and what replaces them."""
        shared: dict[int, Any] = {id(self.space): self.space, id(self.rng): self.rng.spawn(1)[0]}
        if self.known_costs is not None:
            shared[id(self.known_costs)] = self.known_costs
        return shared

    def seen(self, arch: Architecture) -> bool:
        """Whether this architecture, or one with its key, was proposed or told."""
        return arch in self._seen or self.space.key(arch) in self._seen

    def claim(self, arch: Architecture) -> bool:
        """Mark an architecture as proposed; False if it was already."""
        if arch in self._seen:
            return False
        self._seen.add(arch)
        self._taken.append(arch.choices)
        key = self.space.key(arch)
        if key is arch or key == arch:
            return True
        if key in self._seen:
            return False
        self._seen.add(key)
        self._taken.append(key.choices)
        return True

    def expect(self, archs: Iterable[Architecture]) -> None:
        """Take note of what others evaluate now: it is not proposed again."""
        for arch in archs:
            self.claim(arch)

    def forget(self, archs: Iterable[Architecture]) -> None:  # noqa: B027  (most believe nothing)
        """Take note that these evaluations, which were expected, ended without a result."""

    @abstractmethod
    def _candidate(self) -> Architecture:
        """The next architecture of this method; if it is a repetition, another one is asked for."""

    def _observe(self, trial: Trial) -> None:  # noqa: B027  (not every method learns)
        """Learn from one trial; its architecture is valid. Nothing by default."""

    def _propose(self) -> Proposal | None:
        """The next proposal; None if there is no more."""
        arch = self._fresh()
        return None if arch is None else Proposal(self._next_number, arch)

    def _fresh(self) -> Architecture | None:
        """The next architecture to propose, marked as proposed; None if the space has no more."""
        for _ in range(_TRIES):
            arch = self._candidate()
            if self.claim(arch):
                return arch
        return self._unclaimed()

    def _unclaimed(self) -> Architecture | None:
        """A new architecture, drawn uniformly if the space can be listed."""
        if not self.space.enumerable:
            for _ in range(_DRAWS):
                arch = self.space.sample(self.rng)
                if self.claim(arch):
                    return arch
            return None
        rest = self._free(self.space.unique()).nonzero()[0]
        if rest.size == 0:
            return None
        arch = self.space.architecture(self.space.unique()[self.rng.choice(rest)])
        self.claim(arch)
        return arch

    def _free(self, keys: IntArray) -> BoolArray:
        """Which of these keys (n, decisions) were neither proposed nor told: bool (n,)."""
        if not self._taken:
            return np.ones(len(keys), dtype=np.bool_)
        taken = self.space.index(np.array(self._taken))
        return np.isin(self.space.index(keys), taken, invert=True)


def _seed(rng: np.random.Generator) -> str:
    """The seed of a generator."""
    sequence = rng.bit_generator.seed_seq
    if not isinstance(sequence, np.random.SeedSequence):
        return "?"
    spawned = "".join(f".{i}" for i in sequence.spawn_key)
    return f"{sequence.entropy}{spawned}"
