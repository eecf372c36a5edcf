"""Gaussian processes that were learnt on other tasks, conditioned on the labels of a new one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import Predictor, require_rows
from surrogate_nas.predictors.calibration import Z90, interval_std
from surrogate_nas.predictors.gp import QuantileMap, normal_scores
from surrogate_nas.predictors.meta_kernel import TransferInputs, TransferKernel, family_squares

_CHUNK = 2_000  # rows predicted at once, so that they stay in the processor's cache
_TRUST = (0.97, 0.03)  # prior probabilities of the processes with and without the sources
_NEGLIGIBLE = 1e-3  # probability of a process that is not worth its time
_SURE = 10  # labels at which the calibration counts half


class AdaptedProcess(Predictor):
    """Two processes, one that heeds the source tasks and one that does not, weighed by evidence.

    The weights are the posterior probabilities of the two, given the support (Bayesian model
    averaging, Hoeting et al., Statistical Science 1999): a guard against negative transfer.
    Values become normal scores of their ranks, and predictions are mapped back, as
    `GaussianProcess` does. The standard deviation includes the noise of one measurement and is
    calibrated on leave-one-out residuals. Without a support, scores are predicted: only their
    order and their spread have a meaning.
    """

    has_prior = True

    def __init__(
        self,
        kernels: tuple[TransferKernel, TransferKernel],
        view: Callable[[IntArray], TransferInputs],
    ) -> None:
        """Store the arguments.

        Args:
            kernels: With and without the sources.
            view: From encodings (n, decisions) to the kernels' inputs.
        """
        self._kernels = kernels
        self._view = view
        self._posteriors: Sequence[_Posterior] = ()

    @torch.no_grad()
    def fit(self, data: TaskData) -> Self:
        """Condition on ``data`` alone."""
        require_rows(data)
        values = np.asarray(data.values, dtype=np.float64)
        scores = normal_scores(values)
        inputs = self._view(data.choices)
        posteriors = [
            _Posterior(kernel, support, torch.from_numpy(scores))
            for kernel, support in zip(
                self._kernels, (inputs, inputs.without_sources()), strict=True
            )
        ]
        evidence = np.array([posterior.evidence for posterior in posteriors])
        weights = _TRUST * np.exp(evidence - evidence.max())
        heard = weights > _NEGLIGIBLE * weights.sum()
        self._posteriors = [p for p, keep in zip(posteriors, heard, strict=True) if keep]
        self._weights = weights[heard] / weights[heard].sum()
        self._map = QuantileMap(scores, values)
        self._factor = 1.0
        if np.ptp(values) > 0:
            mean, std = self._mixed([p.left_out() for p in self._posteriors])
            found = interval_std((values - mean) / std)
            share = len(values) / (len(values) + _SURE)
            self._factor = math.exp(share * math.log(max(found, 0.1))) * _widening(len(values))
        return self

    @torch.no_grad()
    def predict(self, choices: IntArray) -> Prediction:
        """Predict; float64 mean and std (n,)."""
        inputs = self._view(choices)
        if not self._posteriors:
            kernel = self._kernels[0]
            spread = (kernel.diagonal(inputs) + kernel.noise.exp()).sqrt()
            return Prediction(kernel.mean(inputs).double().numpy(), spread.double().numpy())
        chunks = [inputs.take(slice(i, i + _CHUNK)) for i in range(0, len(inputs), _CHUNK)]
        found = [self._scores(chunk) for chunk in chunks]
        parts = [
            (torch.cat([mean for mean, _ in part]), torch.cat([variance for _, variance in part]))
            for part in zip(*found, strict=True)
        ]
        mean, std = self._mixed(parts)
        return Prediction(mean, std * self._factor)

    def _scores(self, inputs: TransferInputs) -> list[tuple[Tensor, Tensor]]:
        """Means and variances of scores (n,) by each process, which share the distances."""
        squares = family_squares(inputs, self._posteriors[0].support)
        return [posterior.predict(inputs, squares) for posterior in self._posteriors]

    def _mixed(self, parts: Sequence[tuple[Tensor, Tensor]]) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of values, from the scores' means and variances."""
        means = np.stack([mean.double().numpy() for mean, _ in parts])
        variances = np.stack([variance.double().numpy() for _, variance in parts])
        mean = self._weights @ means
        variance = self._weights @ (variances + (means - mean) ** 2)
        return self._map.moments(mean, np.sqrt(variance))


def _widening(n: int) -> float:
    """How much wider Student's 90 % interval of a further value is, after n values."""
    return float(stats.t.ppf(0.95, n - 1)) / Z90 * math.sqrt(1 + 1 / n)


class _Posterior:
    """One process conditioned on scores.

    Scores have mean 0 over any support, also one of good architectures only, as a search has.
    So the prior mean counts relative to its own mean over the support.

    Attributes:
        support: What it was conditioned on.
        evidence: Logarithm of the marginal likelihood, up to a constant.
    """

    def __init__(self, kernel: TransferKernel, support: TransferInputs, scores: Tensor) -> None:
        self._kernel, self.support, self._scores = kernel, support, scores
        precise = support.double()
        factor = torch.linalg.cholesky(kernel.noisy(precise))
        eye = torch.eye(len(scores), dtype=torch.float64)
        self._whiten = torch.linalg.solve_triangular(factor, eye, upper=False)
        prior = kernel.mean(precise)
        self._offset = float(prior.mean())
        white = self._whiten @ (scores - prior + self._offset)
        self._alpha = self._whiten.T @ white
        self._single = self._alpha.float(), self._whiten.T.float()
        self.evidence = float(-0.5 * white.square().sum() - torch.diagonal(factor).log().sum())

    def left_out(self) -> tuple[Tensor, Tensor]:
        """Mean and variance of each score given all others (Rasmussen and Williams, 5.12)."""
        variance = 1 / self._whiten.square().sum(dim=0)
        return self._scores - self._alpha * variance, variance

    def predict(self, inputs: TransferInputs, squares: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Mean and variance of a measured score, each (n,), by distances to the support."""
        kernel, (alpha, whiten) = self._kernel, self._single
        if not self.support.sources.shape[1]:
            inputs = inputs.without_sources()
        cross = kernel(inputs, self.support, squares)
        explained = (cross @ whiten).square().sum(dim=1)
        variance = (kernel.diagonal(inputs) - explained).clamp_min(0)
        mean = kernel.mean(inputs) - self._offset + cross @ alpha
        return mean, variance + kernel.noise.exp()
