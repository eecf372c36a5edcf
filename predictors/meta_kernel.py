"""The Gaussian process that adapts what was learnt on other tasks to a new one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_nas._types import FloatArray

_JITTER = 1e-6
_STEPS = 150
_RATE = 0.05
_SUPPORT = 128  # rows of one episode


@dataclass(frozen=True, slots=True)
class TransferInputs:
    """What the process knows about architectures.

    Attributes:
        trend: (n, 2), mean and soft minimum over the source tasks' predictions.
        sources: (n, t), what each source task's head predicts, standardised.
        hidden: (n, q), learned encodings, of mean square 1.
        families: Standardised structural features, `lifted`, of one family each.
    """

    trend: Tensor
    sources: Tensor
    hidden: Tensor
    families: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.trend)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        families = tuple(change(family) for family in self.families)
        return type(self)(change(self.trend), change(self.sources), change(self.hidden), families)

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
        )

    def without_sources(self) -> Self:
        """The same with nothing but the structural features."""
        return type(self)(
            torch.zeros_like(self.trend), self.sources[:, :0], self.hidden[:, :0], self.families
        )

    def double(self) -> Self:
        """In double precision."""
        return self._each(lambda tensor: tensor.double())


class TransferKernel(nn.Module):
    """Mean and covariance of a new task's normal scores, given what source tasks say.

    With P the t source tasks' predictions, h the learned encoding, x_f the structural features
    of family f, and R(q) = 1 / (1 + q / 2) the rational quadratic, ::

        m(a) = m_1 mean_j P_j(a) + m_2 softmin_j P_j(a)
        k(a, b) = constant + linear P(a)·P(b) / t + neural Matern_5/2(|h(a) - h(b)| / l)
                  + Σ_f own_f R(|x_f(a) - x_f(b)|² / l_f²)

    The linear part says which sources are like the new task, the neural part what they have in
    common, and the structural part what none of them shows. How much of each a new task needs
    is learnt by letting every source in turn be the new one: see `fit`.
    """

    constant: nn.Parameter
    linear: nn.Parameter
    neural: nn.Parameter
    noise: nn.Parameter

    def __init__(self, families: int) -> None:
        """Start from the priors' modes, with ``families`` families of structural features."""
        super().__init__()
        logarithms = {"constant": 0.03, "linear": 0.1, "neural": 0.3, "noise": 0.2}
        for name, variance in logarithms.items():
            self.register_parameter(name, _parameter(torch.tensor(math.log(variance))))
        self.neural_scale = _parameter(torch.tensor(0.0))
        self.own = _parameter(torch.full((families,), math.log(0.3 / max(families, 1))))
        self.scales = _parameter(torch.zeros(families))
        self.trend = _parameter(torch.tensor([0.4, 0.1]))

    def mean(self, a: TransferInputs) -> Tensor:
        """Prior mean (n,)."""
        return a.trend @ self.trend.to(a.trend.dtype)

    def forward(
        self, a: TransferInputs, b: TransferInputs, squares: Sequence[Tensor] | None = None
    ) -> Tensor:
        """Covariance without noise, (n, m); ``squares`` are `family_squares`, if known."""
        linear = self.linear.exp() / max(b.sources.shape[1], 1) * b.sources
        total = torch.addmm(self.constant.exp().to(linear.dtype), a.sources, linear.T)
        if a.hidden.shape[1]:
            square = 5 * _squares(a.hidden, b.hidden).clamp_min(0)
            root = torch.sqrt(square * torch.exp(-2 * self.neural_scale) + _JITTER)
            polynomial = torch.addcmul(1 + root, root, root, value=1 / 3)
            total = torch.addcmul(total, self.neural.exp() * polynomial, torch.exp(-root))
        else:
            total = total + self.neural.exp()
        widths = 2 * torch.exp(2 * self.scales)
        heights = widths * self.own.exp()
        squares = family_squares(a, turned(b)) if squares is None else squares
        for height, width, square in zip(heights, widths, squares, strict=True):
            if square.numel():
                total = torch.addcdiv(total, height.to(total.dtype), square + width)
        return torch.as_tensor(total)

    def diagonal(self, a: TransferInputs) -> Tensor:
        """Variance without noise, (n,)."""
        fixed = self.constant.exp() + self.neural.exp()
        for own, family in zip(self.own, a.families, strict=True):
            if family.shape[1]:
                fixed = fixed + own.exp()
        linear = self.linear.exp() * a.sources.square().sum(dim=1)
        return torch.as_tensor(fixed + linear / max(a.sources.shape[1], 1))

    def noisy(self, a: TransferInputs) -> Tensor:
        """Covariance of the scores of a support, (n, n).

        A rank among few says little of the rank among all: the variance of the order statistics
        of n Gaussian numbers is about 1 / n in the middle.
        """
        noise = self.noise.exp() + self.extra_noise(len(a))
        return torch.as_tensor(self(a, a) + noise * torch.eye(len(a), dtype=a.trend.dtype))

    def extra_noise(self, n: int) -> float:
        """What `noisy` adds to the noise of one measurement, for n rows."""
        return 1 / n + _JITTER

    def fit(
        self,
        tasks: Sequence[tuple[TransferInputs, FloatArray]],
        score: Callable[[FloatArray], FloatArray],
        seed: int,
    ) -> Self:
        """Learn the parameters from source tasks that their own inputs know nothing about.

        The mean over tasks and random supports of the logarithm of the marginal likelihood is
        maximised. It is the sum of the predictive ones after 0, 1, 2, … labels, so the result
        suits all small supports at once.

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
        factor = torch.linalg.cholesky(self.noisy(support))
        rest = (scores - self.mean(support))[:, None]
        white = torch.linalg.solve_triangular(factor, rest, upper=False)
        return torch.as_tensor(0.5 * white.square().mean() + torch.diagonal(factor).log().mean())


def family_squares(a: TransferInputs, others: Sequence[Tensor]) -> list[Tensor]:
    """Mean squared distances in each family to `turned` others, (n, m) each.

    Empty for a family without columns.
    """
    return [
        one @ other if one.shape[1] else one for one, other in zip(a.families, others, strict=True)
    ]


def turned(b: TransferInputs) -> list[Tensor]:
    """The families of rows, such that a product with `lifted` ones gives squared distances."""
    return [
        torch.cat([-2 * rows[:, :-2], rows[:, -1:], rows[:, -2:-1]], dim=1).T.contiguous()
        for rows in b.families
    ]


def lifted(rows: Tensor) -> Tensor:
    """Rows (n, k) with their mean square and 1 beside them, see `turned`.

    Rows without columns stay so.
    """
    if not rows.shape[1]:
        return rows
    rows = rows / math.sqrt(rows.shape[1])
    norms = rows.square().sum(dim=1, keepdim=True)
    return torch.cat([rows, norms, torch.ones_like(norms)], dim=1)


def _parameter(start: Tensor) -> nn.Parameter:
    return nn.Parameter(start.double())


def _squares(a: Tensor, b: Tensor) -> Tensor:
    return torch.addmm((a * a).sum(1)[:, None] + (b * b).sum(1), a, b.T, alpha=-2)
