"""The Gaussian process that adapts what was learnt on other tasks to a new one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_nas._types import FloatArray
from surrogate_nas.predictors.lifted import DistinctRows, turned

_JITTER = 1e-6
_STEPS = 150
_RATE = 0.05
_SUPPORT = 128  # rows of one episode
_CELLS = 200_000  # covariances worked out at once, so that they stay in the processor's cache


@dataclass(frozen=True, slots=True)
class TransferInputs:
    """What the process knows about architectures.

    Attributes:
        trend: (n, 2), mean and soft minimum over the source tasks' predictions.
        sources: (n, t), what each source task's head predicts, standardised.
        hidden: (n, q + 2), learned encodings, of mean square 1, `lifted`.
        families: Structural features of one family each, of mean square 1, `lifted`.
        alike: (n, t), for each source task the weighted mean of those that are like it,
            standardised; (n, 0) if the kernel does not use it.
        distinct: The distinct rows of the families, if there are many rows.
        counts: (t,), how much each source counts, of mean 1; None if all count the same.
    """

    trend: Tensor
    sources: Tensor
    hidden: Tensor
    families: tuple[Tensor, ...]
    alike: Tensor
    distinct: DistinctRows | None = None
    counts: Tensor | None = None

    def __len__(self) -> int:
        return len(self.trend)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        families = tuple(change(family) for family in self.families)
        trend, sources, hidden = change(self.trend), change(self.sources), change(self.hidden)
        alike = change(self.alike)
        return type(self)(trend, sources, hidden, families, alike, counts=self.counts)

    def take(self, rows: Tensor | slice) -> Self:
        """Only these rows."""
        return self._each(lambda tensor: tensor[rows])

    def joined(self, other: Self) -> Self:
        """These rows and then the other's."""
        pairs = zip(self.families, other.families, strict=True)
        return type(self)(
            torch.cat([self.trend, other.trend]),
            torch.cat([self.sources, other.sources]),
            torch.cat([self.hidden, other.hidden]),
            tuple(torch.cat(pair) for pair in pairs),
            torch.cat([self.alike, other.alike]),
            counts=self.counts,
        )

    def without_sources(self) -> Self:
        """The same with nothing but the structural features."""
        return replace(
            self,
            trend=torch.zeros_like(self.trend),
            sources=self.sources[:, :0],
            hidden=self.hidden[:, :0],
            alike=self.alike[:, :0],
        )

    def double(self) -> Self:
        """In double precision."""
        return self._each(lambda tensor: tensor.double())

    def single(self) -> Self:
        """In single precision."""
        return self._each(lambda tensor: tensor.float())


class TransferKernel(nn.Module):
    """Mean and covariance of a new task's normal scores, given what source tasks say.

    With P the t source tasks' predictions, h the learned encoding, x_f the structural features
    of family f, and R(q) = 1 / (1 + q / 2) the rational quadratic, ::

        m(a) = m_1 mean_j P_j(a) + m_2 softmin_j P_j(a)
        k(a, b) = constant + linear P(a)·P(b) / t + neural Matern_5/2(|h(a) - h(b)| / l)
                  + Σ_f own_f R(|x_f(a) - x_f(b)|² / l_f²)

    The mean may be a mixture over the sources, for those that disagree. With A_j the mean of the
    sources that are like source j, the prior mean is one of the following. They have equal
    probabilities, or for a task that is described, ones proportional to what source j counts::

        m_j(a) = m(a) + alike A_j(a)

    The linear part models which sources are like the new task, the neural part what they have in
    common, and the structural part what none of them shows. The parameters are learned by taking
    each source in turn as the new task: see `fit`.
    """

    constant: nn.Parameter
    linear: nn.Parameter
    neural: nn.Parameter
    noise: nn.Parameter

    def __init__(self, families: int, *, mixture: bool = False) -> None:
        """Start from the priors' modes.

        Args:
            families: Number of families of structural features, and of decisions.
            mixture: Whether the mean is a mixture over the sources.
        """
        super().__init__()
        logarithms = {"constant": 0.03, "linear": 0.1, "neural": 0.3, "noise": 0.2}
        for name, variance in logarithms.items():
            self.register_parameter(name, _parameter(torch.tensor(math.log(variance))))
        self.neural_scale = _parameter(torch.tensor(0.0))
        self.own = _parameter(torch.full((families,), math.log(0.3 / max(families, 1))))
        self.scales = _parameter(torch.zeros(families))
        self.trend = _parameter(torch.tensor([0.4, 0.1]))
        self.alike = _parameter(torch.tensor(0.4)) if mixture else None

    def means(self, a: TransferInputs) -> Tensor:
        """Prior means (n, h)."""
        trend = (a.trend @ self.trend.to(a.trend.dtype))[:, None]
        if self.alike is None or not a.alike.shape[1]:
            return trend
        return trend + self.alike.to(trend.dtype) * a.alike

    def chances(self, a: TransferInputs) -> Tensor:
        """Probabilities of the prior means: float64 (h,)."""
        count = 1 if self.alike is None else max(a.alike.shape[1], 1)
        if count == 1 or a.counts is None:
            return torch.full((count,), 1 / count, dtype=torch.float64)
        return a.counts.double() / a.counts.double().sum()

    def forward(self, a: TransferInputs, b: TransferInputs) -> Tensor:
        """Covariance without noise, (n, m)."""
        total = self._learned(b)(a.sources, a.hidden)
        for x, y, (width, height) in zip(a.families, b.families, self._shapes(), strict=True):
            if x.shape[1]:
                total = torch.addcdiv(total, height.to(total.dtype), x @ turned(y) + width)
        return total

    def cross(self, a: TransferInputs, b: TransferInputs) -> Iterator[tuple[slice, Tensor]]:
        """The same of many rows and few others, for some of the rows at once."""
        distinct = a.distinct
        if distinct is not None:
            known = [
                (y, 1 / height, width / height)
                for y, (width, height) in zip(b.families, self._shapes(), strict=True)
                if y.shape[1]
            ]
            pairs = zip(distinct.families, known, strict=True)
            terms = distinct.inverse([rows @ turned(*other) for rows, other in pairs])
        learned = self._learned(b)
        step = max(_CELLS // len(b), 1)
        for start in range(0, len(a), step):
            part = slice(start, start + step)
            if distinct is None:
                yield part, self(a.take(part), b)
                continue
            total = learned(a.sources[part], a.hidden[part])
            for term in terms(part):
                total += term
            yield part, total

    def _learned(self, b: TransferInputs) -> Callable[[Tensor, Tensor], Tensor]:
        """The parts without structural features, as a function of sources and encodings."""
        linear = (self.linear.exp() / max(b.sources.shape[1], 1) * b.sources).T
        constant = self.constant.exp()
        if not b.hidden.shape[1]:
            constant = (constant + self.neural.exp()).to(linear.dtype)
            return lambda sources, hidden: torch.addmm(constant, sources, linear)
        towards = turned(b.hidden, 5 * torch.exp(-2 * self.neural_scale), _JITTER)

        def covariance(sources: Tensor, hidden: Tensor) -> Tensor:
            root = (hidden @ towards).clamp_min(_JITTER).sqrt()
            polynomial = torch.addcmul(1 + root, root, root, value=1 / 3)
            total = torch.addmm(constant.to(linear.dtype), sources, linear)
            return torch.addcmul(total, polynomial, torch.exp(self.neural - root))

        return covariance

    def _shapes(self) -> list[tuple[Tensor, Tensor]]:
        """Width w and height h of each family's h / (w + squared distance)."""
        widths = 2 * torch.exp(2 * self.scales)
        return list(zip(widths, widths * self.own.exp(), strict=True))

    def diagonal(self, a: TransferInputs) -> Tensor:
        """Variance without noise, (n,)."""
        fixed = self.constant.exp() + self.neural.exp()
        for own, family in zip(self.own, a.families, strict=True):
            if family.shape[1]:
                fixed = fixed + own.exp()
        linear = self.linear.exp() * a.sources.square().sum(dim=1)
        return torch.as_tensor(fixed + linear / max(a.sources.shape[1], 1))

    def noise_variance(self) -> Tensor:
        """Variance of the noise of a score."""
        return self.noise.exp() + _JITTER

    def fit(
        self,
        tasks: Sequence[tuple[TransferInputs, FloatArray]],
        score: Callable[[FloatArray], FloatArray],
        seed: int,
    ) -> Self:
        """Learn the parameters from source tasks, each with inputs that were made without it.

        The objective is the mean logarithm of the marginal likelihood over tasks and random
        supports. It is the sum of the predictive log-likelihoods after 0, 1, 2, … labels, so the
        result suits all small supports.

        Args:
            tasks: Inputs of a source task, made without it, and its values (n,).
            score: From the values of a support to normal scores.
            seed: Which supports.
        """
        rng = np.random.default_rng(seed)
        optimiser = torch.optim.Adam(self.parameters(), _RATE)
        schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.05, _STEPS)
        for _ in range(_STEPS):
            optimiser.zero_grad()
            for inputs, values in tasks:
                rows = rng.permutation(len(values))[:_SUPPORT]
                scores = torch.from_numpy(score(values[rows]))
                support = inputs.take(torch.from_numpy(rows)).double()
                (self._loss(support, scores) / len(tasks)).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        return self

    def _loss(self, support: TransferInputs, scores: Tensor) -> Tensor:
        # A rank among few says little about the rank among all: the variance of the middle order
        # statistics of n Gaussian numbers is about 1 / n.
        noise = self.noise_variance() + 1 / len(scores)
        covariance = self(support, support) + noise * torch.eye(len(scores), dtype=scores.dtype)
        factor = torch.linalg.cholesky(covariance)
        rest = scores[:, None] - self.means(support)
        white = torch.linalg.solve_triangular(factor, rest, upper=False)
        size = torch.diagonal(factor).log().mean()
        if white.shape[1] == 1:
            return torch.as_tensor(0.5 * white.square().mean() + size)
        likelihoods = -0.5 * white.square().sum(dim=0)
        mixed = torch.logsumexp(likelihoods + self.chances(support).log(), dim=0)
        return torch.as_tensor(size - mixed / len(scores))


def _parameter(start: Tensor) -> nn.Parameter:
    return nn.Parameter(start.double())
