"""Fits the model of one metric: members, their weights, calibration and noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import TaskData
from surrogate_nas.number_text import exact
from surrogate_nas.predictors.boosting import XGBoost
from surrogate_nas.predictors.calibration import Z90, interval_std
from surrogate_nas.predictors.feature_predictor import OTHERS
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.predictors.scores import QuantileMap, warped
from surrogate_nas.surrogates.model import Model, SpaceColumns
from surrogate_nas.surrogates.process import Process
from surrogate_nas.surrogates.trees import Trees

LEAST = 50
"""Fewest rows with different architectures that a surrogate is fitted to."""

# By held-out rows of two large spaces and a made-up function, such trees are better than fewer and
# deeper ones, alone and beside the process. On complete tables they are up to .001 of τ worse.
_TREES: dict[str, Any] = {
    "members": 5,
    "trees": 1_000,
    "learning_rate": 0.1,
    "max_depth": 3,
    "column_share": 0.15,
}
_REPEATS = 2  # ensembles of trees, with other folds
_STEPS = 10  # weights are multiples of a tenth
_CURVES, _EXPLAINED = 3, 0.99
_LEVELS = 10  # at which the noise of a process is told
_BIN = 25  # rows at least that a deviation between seeds is read from
_LEAST_RANDOM = 50  # rows drawn at random that the calibration needs, else all rows are taken


@dataclass(frozen=True)
class FitRows:
    """Measurements of one metric.

    Attributes:
        choices: int (n, decisions), all different.
        cells: float64 (n, seeds, budgets), NaN where missing; finite at the last budget for a
            seed of each row.
        random: bool (n,), which rows were drawn at random.
        unit: Of the metric; a value in % is between 0 and 100, unless a measured one is not.
    """

    choices: IntArray
    cells: FloatArray
    random: BoolArray
    unit: str = ""


@dataclass(frozen=True)
class Errors:
    """Errors of predictions of rows that were held out.

    Attributes:
        tau: Kendall's τ-b.
        rmse: Root of the mean squared error, in the metric's unit.
        coverage: Share inside the central 90 % interval.
    """

    tau: float
    rmse: float
    coverage: float


@dataclass(frozen=True)
class Fitted:
    """A model with what is known about it.

    Attributes:
        model: The model.
        weights: Of the members by name.
        errors: By leave-one-out (the process) and cross-validation (the trees).
    """

    model: Model
    weights: dict[str, float]
    errors: Errors


def fit_model(rows: FitRows, columns: SpaceColumns, *, goal: bool, seed: int = 0) -> Fitted:
    """Fit the model of one metric.

    The members are `GaussianProcess` and `XGBoost` with many shallow trees. They have equal
    weights if it is a ``goal``, as in `Blend`, unless others have a clearly smaller squared error
    of the scores of rows that a member did not see, and so a larger likelihood of Gaussian errors.
    Costs are nearly sums over parts, which the process learns alone: there it has all the weight,
    with the same exception.

    Raises:
        InvalidArgumentError: If there are too few rows, or all values are the same.
    """
    values = seed_means(rows.cells)
    values = np.where(np.isfinite(values), values, np.nanmean(values, axis=0))
    last = values[:, -1]
    check_rows(len(last), last)
    data = TaskData("", columns.space, rows.choices, last)
    process = GaussianProcess(seed=seed).fit(data)
    scores = warped(last)
    by_process = process.leave_one_out_scores()[0]
    trees, by_trees, correction = _trees(columns, rows.choices, scores, seed)
    share = _share(scores, by_process, by_trees, correction, 0.5 if goal else 1.0)
    stacked = share * by_process + (1 - share) * by_trees
    spread = float(np.sqrt(np.mean((scores - stacked) ** 2)))
    x = columns.process(rows.choices)
    frozen, curves = _with_curves(Process.of(process, columns.inputs, x), values)
    noise, ratio = _noise(rows.cells, last, process)
    quantiles = QuantileMap(scores, last)
    predicted = quantiles.moments(stacked, np.full(len(stacked), spread))[0]
    deviation = quantiles.moments(stacked, process.leave_one_out_scores()[1])[1]
    judged = rows.random if rows.random.sum() >= _LEAST_RANDOM else np.ones_like(rows.random)
    error = np.abs(last - predicted) / np.maximum(deviation, 1e-12)
    factor = interval_std(error[judged])
    model = Model(
        process=frozen,
        share=share,
        trees=((1 - share, trees),) if share < 1 else (),
        scores=scores,
        known=last,
        spread=spread,
        factor=factor,
        curves=curves,
        noise=noise,
        ratio=ratio,
        limits=_limits(rows, last, goal=goal),
    )
    errors = errors_of(last[judged], predicted[judged], factor * deviation[judged])
    weights = {"gp": share, "xgboost": 1 - share}
    return Fitted(model, weights, errors)


def check_rows(count: int, values: FloatArray, what: str = "a surrogate") -> None:
    """Refuse too few rows, and values that are all the same.

    Raises:
        InvalidArgumentError: See above.
    """
    if count < LEAST:
        raise InvalidArgumentError(
            f"{what} is fitted to at least {LEAST} architectures with a value, got {count}; "
            f"measure {LEAST - count} more"
        )
    if np.ptp(values) == 0:
        raise InvalidArgumentError(
            f"{what} needs values that differ, and all {count} are {exact(values[0])}; "
            "name the other tasks with --task"
        )


def errors_of(true: FloatArray, predicted: FloatArray, std: FloatArray) -> Errors:
    """Errors of predictions (n,) with their standard deviations (n,)."""
    inside = np.abs(true - predicted) <= Z90 * std
    rmse = math.sqrt(float(np.mean((true - predicted) ** 2)))
    return Errors(kendall_tau(predicted, true), rmse, float(inside.mean()))


def seed_means(cells: FloatArray) -> FloatArray:
    """Means of cells (n, seeds, budgets) over the seeds, NaN where there is none: (n, budgets)."""
    there = np.isfinite(cells)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, cells, 0).sum(axis=1) / there.sum(axis=1))


def _trees(
    columns: SpaceColumns, choices: IntArray, scores: FloatArray, seed: int
) -> tuple[Trees, FloatArray, float]:
    """Trees, predictions of rows that they did not see, and how much worse those are.

    A row is predicted by one booster of each ensemble, an architecture by all boosters. The mean
    of all has a smaller squared error, by their disagreement.
    """
    x = columns.trees(choices)
    others = columns.trees(columns.space.sample_choices(np.random.default_rng(0), OTHERS))
    made = [
        XGBoost(seed=seed + 100 * i, **_TREES).learn(x, scores, others) for i in range(_REPEATS)
    ]
    alone = np.stack([one.held_out for one in made])
    disagreement = float(np.mean(alone.var(axis=0, ddof=1)))
    boosters = sum(len(one.boosters) for one in made)
    return Trees.of(made), alone.mean(axis=0), disagreement * (1 / _REPEATS - 1 / boosters)


def _share(
    scores: FloatArray,
    by_process: FloatArray,
    by_trees: FloatArray,
    correction: float,
    usual: float,
) -> float:
    """The weight of the process; the trees have the rest.

    Of all weights whose error is within one standard error of the smallest, the nearest to the
    usual one.
    """
    shares = np.linspace(0, 1, _STEPS + 1)
    errors = scores - (np.outer(shares, by_process) + np.outer(1 - shares, by_trees))
    squares = errors**2 - ((1 - shares) ** 2 * correction)[:, None]  # (shares, rows)
    worse = squares - squares[np.argmin(squares.mean(axis=1))]
    good = worse.mean(axis=1) <= worse.std(axis=1) / math.sqrt(len(scores))
    return float(shares[np.argmin(np.where(good, np.abs(shares - usual), np.inf))])


def _limits(rows: FitRows, last: FloatArray, *, goal: bool) -> tuple[float, float]:
    """What values can be: no less than 0 if none was, and no costs below all measured ones."""
    least = float(last.min())
    if least < 0:
        return -math.inf, math.inf
    share = rows.unit == "%" and last.max() <= 100
    return 0.0 if share or goal else least, 100.0 if share else math.inf


def _with_curves(process: Process, values: FloatArray) -> tuple[Process, FloatArray]:
    """The process with outputs for curves, and the curves (1 + outputs, budgets)."""
    differences = values - values[:, -1:]
    centre = differences.mean(axis=0)
    left, size, right = np.linalg.svd(differences - centre, full_matrices=False)
    power = size**2
    if power.sum() <= 1e-12 * max(float(np.sum(values**2)), 1e-300):
        return process, centre[None]
    share = np.cumsum(power) / power.sum()
    count = min(int(np.searchsorted(share, _EXPLAINED)) + 1, _CURVES)
    unit = size[:count] / math.sqrt(len(values))
    outputs = left[:, :count] * math.sqrt(len(values))
    return process.with_outputs(outputs), np.vstack([centre, unit[:, None] * right[:count]])


def _noise(
    cells: FloatArray, last: FloatArray, process: GaussianProcess
) -> tuple[FloatArray, FloatArray]:
    """The deviation of one training at some values (2, m), and its ratio at each budget.

    With several seeds it is that between them, pooled over rows of similar values; else the noise
    of the Gaussian process, which also holds what the process cannot explain.
    """
    there = np.isfinite(cells)
    squares = np.where(there, (cells - seed_means(cells)[:, None]) ** 2, 0).sum(axis=1)
    free = (there.sum(axis=1) - 1).clip(0)
    repeated = np.flatnonzero(free[:, -1] > 0)
    if len(repeated) >= _BIN:
        order = repeated[np.argsort(last[repeated], kind="stable")]
        bins = np.array_split(order, max(min(len(order) // _BIN, _LEVELS), 1))
        at = [float(last[part].mean()) for part in bins]
        size = [math.sqrt(squares[part, -1].sum() / free[part, -1].sum()) for part in bins]
        pooled = np.sqrt(squares.sum(axis=0) / free.sum(axis=0).clip(1))
        ratio = pooled / pooled[-1] if pooled[-1] > 0 else np.ones(len(pooled))
        return np.array([at, size]), ratio
    return noise_of_process(last, process), np.ones(cells.shape[2])


def noise_of_process(values: FloatArray, process: GaussianProcess) -> FloatArray:
    """The noise that a process found in values (n,): (2, m), values and the deviation there."""
    scores = warped(values)
    hyper, _ = process.score_weights()
    levels = np.quantile(scores, np.linspace(0.05, 0.95, _LEVELS))
    deviation = np.full(_LEVELS, math.sqrt(hyper.noise))
    return np.array(QuantileMap(scores, values).moments(levels, deviation))
