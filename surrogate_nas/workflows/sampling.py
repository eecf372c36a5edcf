"""Chooses the architectures to measure: at random, and where searches go."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from surrogate_nas._types import FloatArray, IntArray, OnStep, silent
from surrogate_nas.errors import InvalidArgumentError, SpaceExhaustedError
from surrogate_nas.evaluation import Evaluation, Proposal, TaskData, Trial
from surrogate_nas.parallel import one_thread
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.surrogates.fit import LEAST, noise_of_process

Sampling = Literal["random", "search", "both"]
"""At random, along trajectories of searchers, or half of each."""

SEARCHERS = ("evolution", "genetic", "local", "optuna:tpe", "evolution+gp", "genetic+xgboost")
"""Whose trajectories are followed."""

RANDOM = "random"
"""How rows that were drawn at random are marked."""

Measure = Callable[[IntArray, Sequence[str]], FloatArray]
"""From all encodings so far (n, decisions), and how each was found, to values (tasks, n), larger
is better, NaN where a measurement failed."""

_STEP = 10  # proposals of a searcher in a round
_LENGTH = 100  # trials of a trajectory, before another begins
_ENOUGH = 1.1  # times the noise: an error that more rows do not lower
_ROUNDS = 3  # in which the error must be that small
_NEW = 20  # rows that an error is measured on


@dataclass(frozen=True, slots=True)
class Sampled:
    """Architectures that were chosen and measured.

    Attributes:
        choices: int16 (n, decisions).
        found_by: How each was chosen.
        stopped: Why there are fewer than were asked for; empty if there are not.
    """

    choices: IntArray
    found_by: tuple[str, ...]
    stopped: str = ""


def check_sampling(how: str, count: int) -> None:
    """Refuse another word, or a number of rows that is no sample.

    Raises:
        InvalidArgumentError: See above.
    """
    if how not in get_args(Sampling):
        raise InvalidArgumentError(f"sample must be random, search or both, got {how!r}")
    if count < 1:
        raise InvalidArgumentError(f"count must be at least 1, got {count}")


def sample(
    space: SearchSpace,
    measure: Measure,
    draw: Callable[[int], IntArray],
    *,
    how: Sampling,
    count: int,
    seed: int = 0,
    on_step: OnStep = silent,
) -> Sampled:
    """Choose and measure architectures.

    Each of `SEARCHERS` searches each task in trajectories of 100 trials; a searcher sees only its
    own trials. After each round a Gaussian process that was fitted to all rows before predicts the
    new ones. Once its error has been that of the noise in three rounds, searches tell nothing new,
    and the sampling ends.

    Args:
        space: Where to search.
        measure: Measures them; it is given all so far, and remembers what it knows.
        draw: Draws a number of different architectures, the same ones first for larger numbers.
        how: At random, along searches, or half of each.
        count: How many at most.
        seed: Of the searches.
        on_step: Called with a text for each round, and with the reason if it ends early.

    Raises:
        InvalidArgumentError: If there is no such sampling.
    """
    check_sampling(how, count)
    drawn = {"random": count, "search": 0, "both": count - count // 2}[how]
    found: dict[tuple[int, ...], str] = {}
    for row in draw(drawn).tolist() if drawn else ():
        found[tuple(row)] = RANDOM
    rows = _Rows(space, measure, found)
    with one_thread():
        rows.measure()
        stopped = "" if how == "random" else _follow(rows, count, seed, on_step)
    if stopped:
        on_step(f"{len(rows.found)} architectures: {stopped}")
    return Sampled(rows.choices, tuple(rows.found.values()), stopped)


class _Rows:
    """What was chosen so far, with its values."""

    def __init__(
        self, space: SearchSpace, measure: Measure, found: dict[tuple[int, ...], str]
    ) -> None:
        self.space, self.found = space, found
        self._measure = measure
        self.values: FloatArray = np.zeros((1, 0))

    def measure(self) -> None:
        if self.found:
            self.values = self._measure(self.choices, list(self.found.values()))

    @property
    def choices(self) -> IntArray:
        return np.array(list(self.found), dtype=np.int16).reshape(-1, len(self.space.sizes))


def _follow(rows: _Rows, count: int, seed: int, on_step: OnStep) -> str:
    """Let searchers propose, until there are enough rows; why it ended before, or nothing."""
    tasks = max(len(rows.values), 1)
    errors: list[float] = []
    number, before = 0, len(rows.found)
    trajectories: dict[tuple[str, int], tuple[Searcher, int]] = {}
    while len(rows.found) < count:
        asked = []
        for name in SEARCHERS:
            for task in range(tasks):
                searcher, done = trajectories.get((name, task), (None, _LENGTH))
                if searcher is None or done >= _LENGTH:
                    number += 1
                    own = np.random.SeedSequence([seed, number]).generate_state(1)[0]
                    searcher, done = make_searcher(name, rows.space, seed=int(own)), 0
                trajectories[name, task] = searcher, done + _STEP
                try:
                    proposals = searcher.ask(_STEP)
                except SpaceExhaustedError:
                    continue
                asked.append((searcher, task, proposals))
                for proposal in proposals:
                    key = rows.space.key(proposal.arch).choices
                    if len(rows.found) < count:
                        rows.found.setdefault(key, name)
        if len(rows.found) == before and not asked:
            return "the space is used up"
        known = rows.values
        rows.measure()
        tasks = _told(rows, asked, tasks)
        error = _error(rows, known)
        if error is not None:
            errors.append(error)
            on_step(f"{len(rows.found)} rows: error {error:.2f} of the noise where searches go")
            if len(errors) >= _ROUNDS and max(errors[-_ROUNDS:]) <= _ENOUGH:
                return "the error where searches go is that of the noise"
        before = len(rows.found)
    return ""


def _told(rows: _Rows, asked: Sequence[tuple[Searcher, int, list[Proposal]]], tasks: int) -> int:
    """Tell the searchers what was measured; the number of tasks."""
    position = {key: i for i, key in enumerate(rows.found)}
    for searcher, task, proposals in asked:
        trials = []
        for proposal in proposals:
            at = position.get(rows.space.key(proposal.arch).choices)
            if at is None:  # there was no room for it
                continue
            value = float(rows.values[task, at])
            if math.isfinite(value):
                trials.append(Trial(proposal, Evaluation((value,))))
            else:
                trials.append(Trial(proposal, error="the measurement failed"))
        searcher.tell(trials)
    return max(len(rows.values), tasks)


def _error(rows: _Rows, known: FloatArray) -> float | None:
    """Root mean squared error of the new rows in units of the noise; the worst task's."""
    n = known.shape[1]
    if n < LEAST or rows.values.shape[1] - n < _NEW:
        return None
    found = []
    for before, values in zip(known, rows.values, strict=True):
        there = np.flatnonzero(np.isfinite(before))
        new = n + np.flatnonzero(np.isfinite(values[n:]))
        if len(there) < LEAST or len(new) < _NEW:
            return None
        process = GaussianProcess().fit(
            TaskData("", rows.space, rows.choices[there], before[there])
        )
        predicted = process.predict(rows.choices[new]).mean
        noise = np.interp(predicted, *noise_of_process(before[there], process))
        found.append(float(np.sqrt(np.mean(((values[new] - predicted) / noise) ** 2))))
    return max(found)
