"""Statistics over the runs of a comparison: ranks, tests, bands."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.records.base import ABSENT
from surrogate_nas.records.comparison import (
    ComparisonRecord,
    GuidanceTest,
    MethodSummary,
    PairTest,
    Run,
    Summary,
    TaskSummary,
)

_RESAMPLES = 1_000


@dataclass(frozen=True)
class Grid:
    """Runs as arrays.

    Attributes:
        methods: Names.
        tasks: Names.
        ranks: Rank of the best so far, the number of rows before the first success:
            float (methods, tasks, seeds, trials). Of several goals, what is missing to the true
            front's hypervolume, in %.
        percent: The same in % of the table.
        costs: Cost so far, of the same shape.
        several: Whether the runs had several goals.
    """

    methods: tuple[str, ...]
    tasks: tuple[str, ...]
    ranks: FloatArray
    percent: FloatArray
    costs: FloatArray
    several: bool = False


def grid(runs: Sequence[Run], sizes: Mapping[str, int]) -> Grid:
    """Put runs side by side.

    Args:
        runs: Of `surrogate_nas.workflows.compare.compare`, one for each method, task and seed, but
            for those that failed.
        sizes: Number of architectures of each task.
    """
    cells = {(run.method, run.task, run.seed): run for run in runs}
    methods, tasks, seeds = (tuple(dict.fromkeys(part)) for part in zip(*cells, strict=True))
    trials = len(runs[0].ranks)
    shape = (len(methods), len(tasks), len(seeds), trials)
    every = [cells.get(key) for key in itertools.product(methods, tasks, seeds)]
    # A run that is missing, as it failed, found nothing at any cost.
    nothing = (np.nan,) * trials, (np.inf,) * trials
    shown = [nothing[0] if run is None else shown_ranks(run) for run in every]
    ranks = np.array(shown, dtype=np.float64)
    costs = np.array([nothing[1] if run is None else run.costs for run in every], dtype=np.float64)
    ranks, costs = ranks.reshape(shape), costs.reshape(shape)
    several = isinstance(runs[0].hypervolumes, tuple)
    rows = np.array([100 if several else sizes[task] for task in tasks], dtype=np.float64)
    rows = rows[:, None, None]
    ranks = np.where(np.isnan(ranks), rows, ranks)
    return Grid(methods, tasks, ranks, 100 * ranks / rows, costs, several)


def shown_ranks(run: Run) -> Sequence[float | None]:
    """The ranks of a run; of several goals what is missing to the true front, in %."""
    if not isinstance(run.hypervolumes, tuple):
        return run.ranks
    return [100 * (1 - share) for share in run.hypervolumes]


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def coinciding(table: Grid) -> list[tuple[str, ...]]:
    """Groups of methods that found equally good architectures at the same times in every run."""
    found: dict[bytes, list[str]] = {}
    for name, ranks in zip(table.methods, table.ranks, strict=True):
        found.setdefault(ranks.tobytes(), []).append(name)
    return [tuple(names) for names in found.values() if len(names) > 1]


def equal(record: ComparisonRecord) -> list[str]:
    """Sentences on methods that are one search, and on those that merely found the same."""
    told = []
    if isinstance(record.summary.same, tuple):
        for first, *others in record.summary.same:
            told.append(
                f"{listed(others)} {'is' if len(others) == 1 else 'are'} the same search as "
                f"{first} here; it ran once and is shown as {first}."
            )
    table = grid(record.different_runs, {run.task: 1 for run in record.runs})
    for group in coinciding(table):
        told.append(f"{listed(group)} found equally good architectures in every run.")
    if table.ranks.shape[2] > 1:
        for name, ranks in zip(table.methods, table.ranks, strict=True):
            if (ranks == ranks[:, :1]).all():
                told.append(f"{name} found the same with every seed: its runs do not vary.")
    return told


def summarise(
    runs: Sequence[Run],
    sizes: Mapping[str, int],
    *,
    same: tuple[tuple[str, ...], ...] | None = None,
) -> Summary:
    """Mean and median ranks, average ranks of the methods, and tests between them.

    A quarter of the trials, half of them, and all are looked at.

    Args:
        runs: See `grid`.
        sizes: Number of architectures of each task.
        same: See `Summary.same`; None where that is unknown.
    """
    table = grid(runs, sizes)
    length = table.ranks.shape[-1]
    at = tuple(sorted({max(1, length // 4), max(1, length // 2), length}))
    ranks = table.ranks[..., np.array(at) - 1]
    percent = table.percent[..., np.array(at) - 1]
    among = average_ranks(ranks)
    methods = tuple(
        MethodSummary(
            method=name,
            mean_rank=_floats(ranks[m].mean(axis=(0, 1))),
            median_rank=_floats(np.median(ranks[m], axis=(0, 1))),
            mean_percent=_floats(percent[m].mean(axis=(0, 1))),
            average_rank=_floats(among[m]),
        )
        for m, name in enumerate(table.methods)
    )
    tasks = tuple(
        TaskSummary(
            task=task,
            method=name,
            mean_rank=_floats(ranks[m, t].mean(axis=0)),
            median_rank=_floats(np.median(ranks[m, t], axis=0)),
        )
        for t, task in enumerate(table.tasks)
        for m, name in enumerate(table.methods)
    )
    tests = tuple(
        test for i, n in enumerate(at) for test in compare_pairs(table.methods, ranks[..., i], n)
    )
    return Summary(at, methods, tasks, tests, ABSENT if same is None else same)


def _floats(array: FloatArray) -> tuple[float, ...]:
    return tuple(array.tolist())


def average_ranks(ranks: FloatArray) -> FloatArray:
    """Average rank of each method among the methods, over tasks and seeds; ties share.

    Args:
        ranks: float (methods, tasks, seeds, …), smaller is better.

    Returns:
        float (methods, …).
    """
    from scipy.stats import rankdata

    return np.asarray(rankdata(ranks, axis=0).mean(axis=(1, 2)))


def compare_pairs(methods: Sequence[str], ranks: FloatArray, at: int) -> list[PairTest]:
    """Wilcoxon's signed-rank test of each pair of methods, paired over task and seed.

    Args:
        methods: Their names.
        ranks: float (methods, tasks, seeds), smaller is better.
        at: The number of trials after which the ranks are.
    """
    flat = ranks.reshape(len(methods), -1)
    pairs = [
        (i, j) if flat[i].mean() <= flat[j].mean() else (j, i)
        for i, j in itertools.combinations(range(len(methods)), 2)
    ]
    p = [signed_rank(flat[better], flat[worse], "two-sided") for better, worse in pairs]
    return [
        PairTest(
            at=at,
            better=methods[better],
            worse=methods[worse],
            p_one_sided=signed_rank(flat[better], flat[worse], "less"),
            p=two_sided,
            p_holm=corrected,
        )
        for (better, worse), two_sided, corrected in zip(pairs, p, holm(p), strict=True)
    ]


def against_unguided(
    runs: Sequence[Run],
    sizes: Mapping[str, int],
    alone: Mapping[str, str],
    budgets: Sequence[int] | None = None,
) -> tuple[GuidanceTest, ...]:
    """Test on each task whether guided methods end behind their searchers alone.

    Args:
        runs: See `grid`.
        sizes: Number of architectures of each task.
        alone: By guided method, the method without a guide. Both are among the runs.
        budgets: Numbers of trials; None for a quarter of them, half, three quarters, and all.

    Returns:
        A test for each method, task and budget. Tasks are in the order of their smallest p-value,
        and of the largest ratio of the mean ranks, guided to unguided, where p-values are equal.
    """
    if not alone:
        return ()
    table = grid(runs, sizes)
    length = table.ranks.shape[-1]
    at = budgets or sorted({max(1, length * quarters // 4) for quarters in (1, 2, 3, 4)})
    found: dict[str, list[GuidanceTest]] = {task: [] for task in table.tasks}
    for (method, other), budget in itertools.product(alone.items(), at):
        pair = [table.methods.index(method), table.methods.index(other)]
        guided, unguided = table.ranks[pair, :, :, budget - 1]
        p = [signed_rank(*both, "greater") for both in zip(guided, unguided, strict=True)]
        for t, (task, corrected) in enumerate(zip(table.tasks, holm(p), strict=True)):
            means = float(guided[t].mean()), float(unguided[t].mean())
            found[task].append(GuidanceTest(task, budget, method, other, *means, p[t], corrected))
    worst = sorted(found.values(), key=_badness)
    return tuple(itertools.chain.from_iterable(worst))


def _badness(tests: Sequence[GuidanceTest]) -> tuple[float, float]:
    """Sorts the tests of the worst task first."""
    return min(test.p for test in tests), -max(test.guided / test.unguided for test in tests)


def signed_rank(a: FloatArray, b: FloatArray, alternative: str) -> float:
    """The p-value of Wilcoxon's signed-rank test of pairs, each (n,); 1 where all are equal."""
    from scipy.stats import wilcoxon

    if np.array_equal(a, b):
        return 1.0
    return float(wilcoxon(a, b, alternative=alternative).pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's corrected p-values, in the given order."""
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p, dtype=np.float64)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    found: list[float] = corrected.tolist()
    return found


def standard_error(values: Sequence[float]) -> float | None:
    """Standard error of the mean; None for a single value."""
    if len(values) < 2:
        return None
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def band(samples: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """95 % bootstrap interval of the mean over the first axis; None for a single sample.

    Args:
        samples: float (n, …).

    Returns:
        Lower and upper limit, each (…).
    """
    from scipy.stats import bootstrap

    if len(samples) < 2:
        return None
    found = bootstrap(
        (samples,),
        np.mean,
        axis=0,
        n_resamples=_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return found.low, found.high


def by_cost(table: Grid, points: int = 100) -> tuple[FloatArray, FloatArray]:
    """Rank in percent of the table against the cost so far.

    Returns:
        Costs (points,) up to the total of the cheapest run, and the rank in percent of each run's
        incumbent at these costs (methods, tasks, seeds, points); 100 before its first trial.
    """
    spent = np.linspace(0, table.costs[..., -1].min(), points + 1)[1:]
    runs, costs = table.percent.reshape(-1, table.percent.shape[-1]), table.costs
    flat = np.empty((len(runs), points))
    for i, paid in enumerate(costs.reshape(runs.shape)):
        # A trial that ends exactly at this cost counts in spite of rounding.
        paid_trials = np.searchsorted(paid, spent * (1 + 1e-9), side="right")
        flat[i] = np.where(paid_trials > 0, runs[i][np.maximum(paid_trials - 1, 0)], 100.0)
    return spent, flat.reshape(*costs.shape[:-1], points)
