"""Real training of a search's winners: what was predicted, tabulated and trained, side by side.

Retraining rarely reproduces what a search promised: the best of many noisy values is too high, and
a table's recipe is not the user's. So winners are trained with seeds that the search never saw.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from surrogate_nas._types import OnStep, silent
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Goal, Proposal, Trial
from surrogate_nas.parallel import default_workers, one_thread
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.run import EvaluationJob, Remembering, attempt, evaluations
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.training.objective import TrainingObjective


@dataclass(frozen=True, slots=True)
class Winner:
    """One of the best architectures of a search.

    Attributes:
        arch: The architecture.
        value: What the search measured, larger is better.
        predicted: What a predictor said before that, or None.
    """

    arch: Architecture
    value: float
    predicted: float | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of the trainings.

    Attributes:
        goal: Of the search, for the sign of its values.
        space: For the notation.
        winners: The best first.
        trained: Accuracy in % for each winner and seed, None where the training failed or was
            not made.
        errors: The reasons of failures, with winner and seed.
        seconds: Duration of the call.
        interrupted: Whether the keyboard ended it.
    """

    goal: Goal
    space: SearchSpace
    winners: tuple[Winner, ...]
    trained: tuple[tuple[float | None, ...], ...]
    errors: tuple[str, ...]
    seconds: float
    interrupted: bool = False

    @property
    def kendall_tau(self) -> float | None:
        """Kendall's τ-b of the search's values and mean trained ones; None where one is constant.

        Winners without a training that succeeded do not count.
        """
        means = [_mean(values) for values in self.trained]
        pairs = [(w.value, m) for w, m in zip(self.winners, means, strict=True) if m is not None]
        promised, found = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
        if len(pairs) < 2 or np.ptp(promised) == 0 or np.ptp(found) == 0:
            return None
        return kendall_tau(promised, found)

    def report(self) -> dict[str, Any]:
        """The JSON of `surrogate-nas verify`, in the metric's own sign."""
        sign = self.goal.sign
        rows = [
            {
                "arch": self.space.format(winner.arch),
                "predicted": None if winner.predicted is None else sign * winner.predicted,
                "table": sign * winner.value,
                "trained": list(trained),
            }
            for winner, trained in zip(self.winners, self.trained, strict=True)
        ]
        return {
            "architectures": rows,
            "kendall_tau": self.kendall_tau,
            "seconds": self.seconds,
            "errors": list(self.errors),
        }


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def winners(space: SearchSpace, trials: Iterable[Trial], top: int) -> tuple[Winner, ...]:
    """The best trials of the largest budget, each network once.

    Args:
        space: Of the trials.
        trials: All of a search; failed ones do not count.
        top: How many, fewer where there are no more.

    Raises:
        InvalidArgumentError: If no trial succeeded.
    """
    done = [(t.evaluation, t.proposal) for t in trials if t.evaluation is not None]
    if not done:
        raise InvalidArgumentError("the search has no trial that succeeded, so nothing to verify")
    largest = max(evaluation.budget for evaluation, _ in done)
    found: dict[Architecture, Winner] = {}
    for evaluation, proposal in sorted(done, key=lambda pair: -pair[0].value):
        network = space.canonical(proposal.arch)
        if evaluation.budget == largest and network not in found and len(found) < top:
            predicted = proposal.info.get("predicted")
            found[network] = Winner(proposal.arch, evaluation.value, predicted)
    return tuple(found.values())


def verify(
    best: Sequence[Winner],
    training: TrainingObjective,
    *,
    goal: Goal,
    seeds: Sequence[int],
    workers: int | None = 1,
    memory: Remembering | None = None,
    on_step: OnStep = silent,
) -> Verification:
    """Train winners, each with all seeds; a failure is part of the result.

    A keyboard interrupt ends it early; what was trained is in the result.

    Args:
        best: What to train.
        training: What trains them, see `surrogate_nas.training.plan.plan_training`.
        goal: What the search optimised.
        seeds: Of the trainings.
        workers: Number of processes; None for one a GPU, or else a core. More than one needs a
            main module that can be imported (``if __name__ == "__main__":``).
        memory: Keeps the trainings, such as `surrogate_nas.store.Stored`; what it knows is not
            trained again.
        on_step: Called with a text after each training.

    Raises:
        UnknownNameError: If a mistake of the user's would repeat itself in every training.
        InvalidArgumentError: If ``workers`` is not positive.
    """
    if workers is not None and workers < 1:
        raise InvalidArgumentError(f"workers must be at least 1, got {workers}")
    started = time.perf_counter()
    known = {} if memory is None else {_place(trial): trial for trial in memory.known}
    jobs = [(winner.arch, seed) for seed in seeds for winner in best]
    done: dict[tuple[Architecture, int], Trial] = {}
    missing = [
        Proposal(number, arch, info={"seed": seed})
        for number, (arch, seed) in enumerate(jobs)
        if (arch, seed) not in known
    ]

    def keep(trial: Trial) -> None:
        arch, seed = _place(trial)
        done[arch, seed] = trial
        value = "failed" if trial.value is None else f"{trial.value:.2f} %"
        on_step(f"{training.space.format(arch)}, seed {seed}: {value}")

    interrupted = False
    try:
        for job in jobs:
            if job in known:
                keep(known[job])
        with one_thread(), closing(_train(training, missing, workers)) as trained:
            for trial in trained:
                if memory is not None:
                    memory.record(trial)
                keep(trial)
    except KeyboardInterrupt:
        interrupted = True
    values = {job: trial.value for job, trial in done.items()}
    errors = [
        f"{training.space.format(arch)}, seed {seed}: {done[arch, seed].error}"
        for arch, seed in jobs
        if (arch, seed) in done and done[arch, seed].error is not None
    ]
    return Verification(
        goal=goal,
        space=training.space,
        winners=tuple(best),
        trained=tuple(tuple(values.get((w.arch, seed)) for seed in seeds) for w in best),
        errors=tuple(errors),
        seconds=time.perf_counter() - started,
        interrupted=interrupted,
    )


def _train(
    training: TrainingObjective, proposals: Sequence[Proposal], workers: int | None
) -> Generator[Trial, None, None]:
    workers = min(workers or default_workers(training.devices()), len(proposals))
    jobs: deque[EvaluationJob] = deque((p, None, p.info["seed"]) for p in proposals)
    if workers > 1:
        yield from evaluations(training, lambda: jobs.popleft() if jobs else None, workers=workers)
    for proposal, _, seed in jobs:
        yield attempt(training, proposal, seed=seed)


def _place(trial: Trial) -> tuple[Architecture, int]:
    return trial.arch, trial.proposal.info["seed"]
