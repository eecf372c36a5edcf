"""The architectures that a guide compares in a space that cannot be listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.spaces.base import SearchSpace, frozen
from surrogate_nas.spaces.rows import distinct

BEST = 10
"""Known architectures that are varied and crossed."""

_NEAR = 3  # of them, those whose neighbours become candidates
_VARIED = 60  # mutations of the best, and as many crossovers
_FRESH = 20  # draws from the space
_KEPT = 5  # proposals for which the same visits are compared
_STARTS = 3  # most promising candidates from which local search climbs
_CLIMB = 3  # its steps
_LEFT = 300  # most promising candidates that are compared in the end
_LONGER = 4  # times as many steps before the first result, as there are no other candidates
_HEAVY = 100  # nodes and paths of a graph from which on predictions take long
_SEEN = 64  # graphs that tell

Extent = Literal["all", "visited"]
"""What a guide compares: all architectures of a space, or those that its searcher visits."""

Compare = Callable[[IntArray], FloatArray]
"""The acquisition function of keys (n, decisions): (n,), -inf where they were proposed."""


def extent(wanted: str | None, space: SearchSpace) -> Extent:
    """What a guide compares in a space: what is wanted, or by default all that can be listed.

    Raises:
        InvalidArgumentError: If it is neither ``"all"`` nor ``"visited"``, or all are wanted of a
            space that cannot be listed.
    """
    if wanted is None:
        return "all" if space.enumerable else "visited"
    for known in get_args(Extent):
        if wanted == known == "all" and not space.enumerable:
            raise InvalidArgumentError(
                f"candidates must be 'visited' in the space {space.name!r}, which has too many "
                f"architectures to compare them all, got 'all'"
            )
        if wanted == known:
            chosen: Extent = known
            return chosen
    raise InvalidArgumentError(f"candidates must be 'all' or 'visited', got {wanted!r}")


def no_guide(methods: str) -> InvalidArgumentError:
    """The error of candidates for methods without a guide."""
    return InvalidArgumentError(
        f"candidates are what a guide compares, and there is none in {methods}; leave the "
        "candidates out, or name a predictor, as in evolution+gp"
    )


class Candidates:
    """Gathers what a guide compares where not all architectures are compared.

    In a space that cannot be listed, candidates are

    - the architectures that a fork of the inner searcher visits on the predictions,
    - the neighbours of the best known ones, their mutations at distances from two on, and their
      crossovers,
    - some draws from the space,
    - and, from the most promising of all of these, what steepest ascent of the acquisition function
      compares in three steps, each over all changes of one decision.

    What does not count in the best known ones, as the stages that a network does not have, is drawn
    at random before they are varied. A key has first options there, so that guides hardly ever
    proposed further stages.

    They are gathered anew for each choice; only the visits are kept for five proposals. Where
    graphs have so many nodes or paths that their features take long, and all are compared by them,
    all are kept for five proposals, and fewer climbs are shorter. In a space that can be listed
    there are only the visits, so that searchers differ.

    Tried on chains of 8**20 architectures, with a process on decisions, 8 functions, evolution
    alone being at -3.2 after 150 trials: candidates that are kept for five proposals -2.1, for two
    -1.6 to -1.9, for one -1.4 to -1.7. Steepest ascent from three starts -1.4, as many steps from
    the best three of all candidates so far -2.1, decision by decision -1.5 in seven times as many
    calls. One standard deviation of exploration -2.4, two -2.1, three -1.6, four -1.8. Long visits
    of the inner searcher in place of the other candidates are no better, and take longer. In
    ``hierarchical`` with ``gp``, kept for five proposals, after 50 and 100 trials (4 to 8
    functions): -.26 and -.28 against evolution alone; with decisions that do not count drawn, and
    three standard deviations, -.27 and +.06; with two, +.33 and +.29; with one and a half, +.38 and
    +.16; alternately with one and three, +.03 and -.19, and in the chains worse than with three.
    """

    def __init__(
        self,
        inner: Searcher,
        predictor: Predictor,
        rng: np.random.Generator,
        *,
        steps: int,
        proposals: int,
        cheap: bool = False,
    ) -> None:
        """Gather candidates for one guide.

        Args:
            inner: The searcher whose fork visits architectures.
            predictor: The guide's; fitted, or with a prior.
            rng: The guide's source of randomness.
            steps: Steps of the fork.
            proposals: How many are chosen at once.
            cheap: Whether the acquisition function needs no features of graphs.
        """
        self.cheap = cheap
        self.inner = inner
        self.space = inner.space
        self.predictor = predictor
        self.rng = rng
        self.steps = steps
        self.proposals = proposals
        self._kept: IntArray = np.zeros((0, len(self.space.sizes)), dtype=np.int16)
        self._proposals_left = 0  # for which these are kept
        self._idle_known: dict[tuple[int, ...], BoolArray] = {}

    def gathered(
        self,
        best: IntArray,
        predicted: PredictedObjective | None,
        compare: Compare,
    ) -> IntArray:
        """Keys of candidates, no two equal: (n, decisions).

        In a space that cannot be listed they are at most 300, the most promising first.

        Args:
            best: The best architectures known: (m, decisions); not used without ``predicted``.
            predicted: What the inner searcher visits architectures by; None before the first
                result.
            compare: The acquisition function.
        """
        if predicted is None:
            objective = PredictedObjective(self.space, self.predictor)
            return self._distinct(self.inner.visit(objective, _LONGER * self.steps))
        heavy = not (self.cheap or self.space.enumerable) and is_heavy(self.space)
        renewed = self._proposals_left <= 0
        if renewed:
            self._kept = self.inner.visit(predicted, self.steps)
            self._proposals_left = _KEPT
        self._proposals_left -= self.proposals
        if self.space.enumerable:  # by choice
            return self._distinct(self._kept)
        if heavy and not renewed:
            return self._kept
        best = self._woken(best)
        near = self.space.neighbour_choices(best[:_NEAR])
        fresh = self.space.sample_choices(self.rng, _FRESH)
        candidates = self._distinct(np.concatenate([self._kept, near, self._varied(best), fresh]))
        starts, steps = (_STARTS - 1, _CLIMB - 1) if heavy else (_STARTS, _CLIMB)
        candidates = self._climbed(candidates, compare, starts, steps)
        if heavy:
            self._kept = candidates
        return candidates

    def _woken(self, keys: IntArray) -> IntArray:
        """Encodings of keys (n, decisions), in which what does not count is drawn at random.

        A key has the first option there. A change that makes such a decision count, as one of the
        number of stages, would always lead to first options.
        """
        drawn = self.space.sample_choices(self.rng, len(keys))
        woken = np.where([self._idle(row) for row in keys], drawn, keys)
        kept = self.space.valid(woken)
        kept[kept] = (self.space.keys(woken[kept]) == keys[kept]).all(axis=1)
        return np.where(kept[:, None], woken, keys)

    def _idle(self, key: IntArray) -> BoolArray:
        """Which decisions of a key (decisions,) may change without a change of the key."""
        known = tuple(key.tolist())
        if known not in self._idle_known:
            count = len(key)
            changed = np.repeat(key[None], count, axis=0)
            changed[np.arange(count), np.arange(count)] = (key + 1) % self.space.sizes
            idle = self.space.valid(changed)
            idle[idle] = (self.space.keys(changed[idle]) == key).all(axis=1)
            self._idle_known[known] = idle
        return self._idle_known[known]

    def _varied(self, best: IntArray) -> IntArray:
        """Mutations and mutated crossovers of the best architectures (m, decisions)."""
        space, rng = self.space, self.rng
        parents = [space.architecture(row) for row in best]
        found = []
        for _ in range(_VARIED):
            mutant = parents[rng.integers(len(parents))]
            for _ in range(1 + int(rng.geometric(0.5))):
                mutant = space.mutate(mutant, rng)
            a, b = rng.integers(len(parents), size=2).tolist()
            child = space.mutate(space.crossover(parents[a], parents[b], rng), rng)
            found += [mutant.choices, child.choices]
        return np.array(found, dtype=np.int16)

    def _climbed(self, candidates: IntArray, compare: Compare, starts: int, steps: int) -> IntArray:
        """The most promising of candidates (n, decisions) and of what climbs from some compare."""
        score = compare(candidates)
        chosen = np.argsort(-score, kind="stable")[:starts]
        now, reached = candidates[chosen], score[chosen]
        met, scores = [candidates], [score]
        for _ in range(steps):
            woken = self._woken(now)
            parts = [self.space.keys(self.space.neighbour_choices(row[None])) for row in woken]
            ends = np.cumsum([len(part) for part in parts])
            near = np.concatenate(parts)
            found = compare(near) if len(near) else np.zeros(0)
            met.append(near)
            scores.append(found)
            rising = []
            for climb, end in enumerate(ends.tolist()):
                own = found[end - len(parts[climb]) : end]
                if len(own) and own.max() > reached[climb]:
                    rising.append(climb)
                    now[climb] = parts[climb][own.argmax()]
                    reached[climb] = own.max()
            if not rising:
                break
            now, reached = now[rising], reached[rising]
        candidates, score = np.concatenate(met), np.concatenate(scores)
        first = distinct(self.space, candidates)[0]
        best = first[np.argsort(-score[first], kind="stable")[:_LEFT]]
        return frozen(candidates[best])

    def _distinct(self, choices: IntArray) -> IntArray:
        keys = self.space.keys(choices)
        return frozen(keys[distinct(self.space, keys)[0]])


def is_heavy(space: SearchSpace) -> bool:
    """Whether graphs of a space have many nodes or paths from input to output, in the mean."""
    key = space.identity
    if key not in _WEIGHTS:
        _WEIGHTS[key] = _weight(space)
    return _WEIGHTS[key] > _HEAVY


_WEIGHTS: dict[str, float] = {}
"""What `_weight` found, by the identity of the space."""


def _weight(space: SearchSpace) -> float:
    """The mean number of nodes and paths of a graph; 0 in a space without graphs."""
    try:
        graphs = space.graphs(space.sample_choices(np.random.default_rng(0), _SEEN)).pruned()
    except NotImplementedError:
        return 0.0
    paths = np.zeros(len(graphs.op))
    paths[graphs.offsets[:-1]] = 1
    for source, target in graphs.edges.T.tolist():  # by target, so sources are complete
        paths[target] += paths[source]
    return (len(graphs.op) + float(paths[graphs.offsets[1:] - 1].sum())) / len(graphs)
