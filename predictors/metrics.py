"""How good predictions are: of the order, of the best, and of the uncertainty."""

from __future__ import annotations

import numpy as np
from scipy import stats

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Prediction
from surrogate_nas.predictors.calibration import Z90


def kendall_tau(predicted: FloatArray, true: FloatArray) -> float:
    """Kendall's τ-b of two float arrays (n,), which allows for ties; 0 if either is constant."""
    return _finite(stats.kendalltau(predicted, true, variant="b").statistic)


def spearman(predicted: FloatArray, true: FloatArray) -> float:
    """Spearman's rank correlation of two float arrays (n,); 0 if either is constant."""
    if np.ptp(predicted) == 0 or np.ptp(true) == 0:
        return 0.0
    return _finite(stats.spearmanr(predicted, true).statistic)


def precision_at_10(predicted: FloatArray, true: FloatArray) -> float:
    """Share of the 10 % predicted best that are among the true 10 % best (N@K's precision).

    A tie at the true border counts as among the best.
    """
    k = max(len(true) // 10, 1)
    chosen = _best(predicted, k)
    return float(np.mean(true[chosen] >= np.sort(true)[-k]))


def regret_at_10(predicted: FloatArray, true: FloatArray) -> float:
    """The best true value minus the best true value among the 10 predicted best."""
    return float(true.max() - true[_best(predicted, 10)].max())


def nll(prediction: Prediction, true: FloatArray) -> float:
    """Mean negative log density of true values (n,) under the predicted Gaussians, in nats."""
    return float(-np.mean(stats.norm.logpdf(true, prediction.mean, prediction.std)))


def coverage_90(prediction: Prediction, true: FloatArray) -> float:
    """Share of true values (n,) inside the central 90 % interval of the predicted Gaussians."""
    return float(np.mean(np.abs(true - prediction.mean) <= Z90 * prediction.std))


def quality(prediction: Prediction, true: FloatArray) -> dict[str, float]:
    """All of them by name."""
    return {
        "kendall_tau": kendall_tau(prediction.mean, true),
        "spearman": spearman(prediction.mean, true),
        "precision_at_10": precision_at_10(prediction.mean, true),
        "regret_at_10": regret_at_10(prediction.mean, true),
        "nll": nll(prediction, true),
        "coverage_90": coverage_90(prediction, true),
    }


def _best(predicted: FloatArray, k: int) -> IntArray:
    return np.argsort(-predicted, kind="stable")[:k]


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else 0.0
