"""Gaussian processes that were learnt on other tasks, conditioned on the labels of a new one."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from scipy.special import stdtrit

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import Predictor, require_rows
from surrogate_nas.predictors.calibration import Z90, interval_std
from surrogate_nas.predictors.gp import without_noise
from surrogate_nas.predictors.meta.kernel import TransferInputs, TransferKernel
from surrogate_nas.predictors.meta.noise import likely_noise, likely_scale
from surrogate_nas.predictors.scores import QuantileMap, normal_scores
from surrogate_nas.predictors.whitened import Growth, Whitened, inverse_factor

_TRUST = (0.8, 0.2)  # prior weights of the processes with and without the sources
_LEARNING_RATE = 0.2  # of their weights
_MINOR = 0.1  # share of the weights below which a process is not computed, to save time
_NEGLIGIBLE = 1e-3  # the same of a prior mean
_SURE = 10  # labels at which the measured calibration has weight one half


class AdaptedProcess(Predictor):
    """Two processes, one with the source tasks and one without, weighted by evidence.

    The weights are the prior ones times a power of the evidence of the support, with an exponent
    below 1 as neither process is right (Grünwald and van Ommen, "Inconsistency of Bayesian
    Inference for Misspecified Linear Models", Bayesian Analysis 2017). Their posterior
    probabilities would nearly always believe the sources, also where they mislead. The mean of
    both costs little elsewhere, and protects from negative transfer.

    Values become normal scores of their ranks, and predictions are mapped back, as
    `GaussianProcess` does. The noise is that of the sources, corrected by evidence. The standard
    deviation includes the noise of one measurement and is calibrated on leave-one-out residuals.
    Without a support, normal scores are predicted, whose order and spread alone have a meaning.
    """

    has_prior = True
    conditions = True

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
        self._choices: IntArray | None = None
        self._posteriors: tuple[_Posterior, ...] = ()

    @torch.no_grad()
    def fit(self, data: TaskData) -> Self:
        """Condition on ``data`` alone."""
        require_rows(data)
        inputs = self._view(data.choices)
        scores = normal_scores(data.values)
        posteriors = tuple(
            _Posterior(kernel, support, scores)
            for kernel, support in zip(
                self._kernels, (inputs, inputs.without_sources()), strict=True
            )
        )
        return self._calibrate(data, posteriors, np.array(_TRUST))

    @torch.no_grad()
    def update(self, data: TaskData) -> Self:
        """Condition on ``data`` alone; rows after those of the last time are added quickly.

        The noise stays that of the last `fit`, and a process of minor weight there is not
        computed.
        """
        old = self._choices
        if old is None or not np.array_equal(data.choices[: len(old)], old):
            return self.fit(data)
        posteriors = self._posteriors
        if len(data) > len(old):
            fresh = self._view(data.choices[len(old) :])
            posteriors = tuple(posterior.extended(fresh) for posterior in posteriors)
        return self._calibrate(data, posteriors, self._trust)

    def _calibrate(
        self, data: TaskData, posteriors: tuple[_Posterior, ...], trust: FloatArray
    ) -> Self:
        values = np.asarray(data.values, dtype=np.float64)
        scores = normal_scores(values)
        posteriors = tuple(posterior.told(scores) for posterior in posteriors)
        evidence = np.array([posterior.evidence for posterior in posteriors])
        weights = trust * np.exp(_LEARNING_RATE * (evidence - evidence.max()))
        kept = weights > _MINOR * weights.sum()
        self._choices = np.array(data.choices)
        self._posteriors = tuple(p for p, keep in zip(posteriors, kept, strict=True) if keep)
        self._trust = trust[kept]
        self._weights = weights[kept] / weights[kept].sum()
        self._map = QuantileMap(scores, values)
        self._factor = 1.0
        if np.ptp(values) > 0:
            mean, std = self.leave_one_out()
            found = interval_std((values - mean) / std)
            share = len(values) / (len(values) + _SURE)
            self._factor = math.exp(share * math.log(max(found, 0.1))) * _widening(len(values))
        return self

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Leave-one-out mean and uncalibrated std of the support's values, float64 (n,)."""
        return self._map.moments(*self._mixture([p.leave_one_out() for p in self._posteriors]))

    @torch.no_grad()
    def predict(self, choices: IntArray) -> Prediction:
        """Predict; float64 mean and std (n,)."""
        inputs, keep = self._view(choices), not choices.flags.writeable
        if not self._posteriors:
            kernel = self._kernels[0]
            means, chances = kernel.means(inputs).double(), kernel.chances(inputs)
            expected = means @ chances
            prior = kernel.diagonal(inputs) + kernel.noise.exp()
            differ = (means - expected[:, None]).square() @ chances
            prior = (prior + differ.to(prior.dtype)).sqrt()
            return Prediction(expected.numpy(), prior.double().numpy())
        scores, spread = self._mixture(
            [posterior.predict(inputs, keep=keep) for posterior in self._posteriors]
        )
        mean, std = self._map.moments(scores, spread)
        noise = float(self._weights @ [posterior.noise for posterior in self._posteriors])
        return Prediction(mean, std * self._factor, std * without_noise(spread, noise))

    def _mixture(
        self, parts: Sequence[tuple[FloatArray, FloatArray]]
    ) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of scores, over the processes.

        Their disagreement has no part in the deviation, which is calibrated: it says where sources
        mislead, and searches would look there again and again.
        """
        means, variances = (np.stack(part) for part in zip(*parts, strict=True))
        return self._weights @ means, np.sqrt(self._weights @ variances)


def _mixed(
    weights: FloatArray, parts: Sequence[tuple[FloatArray, FloatArray]]
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of a mixture, from those of its parts."""
    means, variances = (np.stack(part) for part in zip(*parts, strict=True))
    mean = weights @ means
    return np.asarray(mean), np.asarray(weights @ (variances + (means - mean) ** 2))


def _widening(n: int) -> float:
    """How much wider Student's 90 % interval of a further value is, after n values."""
    return float(stdtrit(n - 1, 0.95)) / Z90 * math.sqrt(1 + 1 / n)


class _Posterior:
    """One process conditioned on scores.

    Scores are standardised over the support. In a search, the support consists of good
    architectures only. So the prior mean is taken relative to its mean over the support. The
    standard deviation of these scores among those of all architectures, ``scale``, maximises the
    marginal likelihood; its weight grows with the number of scores. If the kernel has several
    prior means, each has its own scale, and they are weighted by evidence.

    Attributes:
        evidence: Logarithm of the marginal likelihood, up to a constant.
    """

    evidence = 0.0
    _scores: FloatArray
    _told: tuple[_Told, ...]
    _weights: FloatArray

    def __init__(self, kernel: TransferKernel, support: TransferInputs, scores: FloatArray) -> None:
        self._kernel, self._support = kernel, support.double()
        covariance = kernel(self._support, self._support).numpy()
        priors = kernel.means(self._support).numpy()
        self._chances = np.log(kernel.chances(support).numpy())
        self._noise = likely_noise(
            covariance,
            priors - priors.mean(axis=0),
            scores,
            float(kernel.noise_variance()),
            self._chances,
        )
        self._whiten = inverse_factor(covariance + self._noise * np.eye(len(scores)))
        self._pool: _Pool | None = None

    def extended(self, fresh: TransferInputs) -> _Posterior:
        """With further rows in the support."""
        other = copy.copy(self)
        if not self._support.sources.shape[1]:
            fresh = fresh.without_sources()
        other._support = self._support.joined(fresh.double())
        n = len(self._support)
        covariance = self._kernel(other._support.take(slice(n, None)), other._support).numpy()
        own = covariance[:, n:] + self._noise * np.eye(len(fresh))
        growth = Growth.of(self._whiten, covariance[:, :n], own)
        other._whiten = growth.whiten
        if self._pool is not None:
            other._pool = self._pool.extended(self._kernel, fresh, growth)
        return other

    def told(self, scores: FloatArray) -> _Posterior:
        """The same rows with these scores (n,)."""
        other = copy.copy(self)
        priors = self._kernel.means(self._support).numpy()
        given = self._whiten @ scores
        told = [_Told.of(h, self._whiten, given, prior) for h, prior in enumerate(priors.T)]
        evidence = np.array([one.evidence for one in told]) + self._chances
        weights = np.exp(evidence - evidence.max())
        other.evidence = float(evidence.max() + math.log(weights.sum()))
        kept = weights > _NEGLIGIBLE * weights.sum()
        other._told = tuple(one for one, keep in zip(told, kept, strict=True) if keep)
        other._weights = weights[kept] / weights[kept].sum()
        other._scores = scores
        return other

    @property
    def noise(self) -> float:
        """Variance of the noise of a score."""
        return float(self._weights @ [self._noise / one.scale**2 for one in self._told])

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Leave-one-out mean and variance of each score (Rasmussen and Williams, 5.12)."""
        variance = 1 / (self._whiten * self._whiten).sum(axis=0)
        parts = []
        for one in self._told:
            error = (self._whiten.T @ one.white) * variance / one.scale
            parts.append((self._scores - error, variance / one.scale**2))
        return _mixed(self._weights, parts)

    def predict(self, inputs: TransferInputs, *, keep: bool) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of a measured score, each (n,); ``keep`` stores what was computed."""
        pool = self._pool
        if pool is None or pool.whole is not inputs:
            pool = _Pool.of(self._kernel, inputs, self._support, self._whiten)
            if keep:
                self._pool = pool
        known, parts = pool.known, []
        for one in self._told:
            mean = pool.priors[:, one.hypothesis] - one.offset + known.mean(one.white)
            variance = (known.variance.clip(0) + self._noise) / one.scale**2
            parts.append((mean / one.scale, variance))
        return _mixed(self._weights, parts)


@dataclass(frozen=True, slots=True)
class _Told:
    """The posterior of scores (n,) under one prior mean.

    Attributes:
        hypothesis: Position of that mean.
        evidence: Logarithm of the marginal likelihood, up to a constant.
        offset: Mean of the prior over the support.
        scale: Standard deviation of the scores among those of all architectures.
        white: float64 (n,), the whitened rest of the scores.
    """

    hypothesis: int
    evidence: float
    offset: float
    scale: float
    white: FloatArray

    @classmethod
    def of(cls, hypothesis: int, whiten: FloatArray, given: FloatArray, prior: FloatArray) -> Self:
        """From whitened scores (n,), and the prior mean (n,)."""
        offset = float(prior.mean())
        expected = whiten @ (prior - offset)
        n, square, product = len(given), float(given @ given), float(given @ expected)
        scale = 1.0
        if square > 0:  # else all scores are equal
            scale = float(likely_scale(np.array(product), np.array(square), n))
        white = scale * given - expected
        evidence = float(
            n * math.log(scale) - 0.5 * (white @ white) + np.log(np.diag(whiten)).sum()
        )
        return cls(hypothesis, evidence, offset, scale, white)


@dataclass(frozen=True, slots=True)
class _Pool:
    """Inputs of m architectures, and what a support says about them.

    Attributes:
        whole: The inputs, as they were given.
        inputs: The same as the process sees them.
        priors: float64 (m, h), prior means.
        known: What the support adds, in single precision.
    """

    whole: TransferInputs
    inputs: TransferInputs
    priors: FloatArray
    known: Whitened

    @classmethod
    def of(
        cls,
        kernel: TransferKernel,
        whole: TransferInputs,
        support: TransferInputs,
        whiten: FloatArray,
    ) -> Self:
        inputs = whole if support.sources.shape[1] else whole.without_sources()
        block = torch.empty(len(support), len(inputs))
        factor = torch.from_numpy(whiten).float()
        for part, covariance in kernel.cross(inputs, support.single()):
            torch.mm(factor, covariance.T, out=block[:, part])
        known = Whitened.of(block.numpy(), kernel.diagonal(inputs).numpy())
        return cls(whole, inputs, kernel.means(inputs).double().numpy(), known)

    def extended(self, kernel: TransferKernel, fresh: TransferInputs, growth: Growth) -> _Pool:
        cross = torch.cat([part for _, part in kernel.cross(self.inputs, fresh)])
        return replace(self, known=self.known.extended(cross.T.numpy(), growth))
