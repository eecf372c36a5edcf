"""Multilayer perceptrons on decisions: differentiable in relaxed encodings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from torch import Tensor

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Features, Prediction
from surrogate_nas.predictors.base import not_fitted
from surrogate_nas.predictors.calibration import constant_std, folds, least_std
from surrogate_nas.predictors.feature_predictor import FeaturePredictor, Inputs
from surrogate_nas.predictors.structure.decision_states import step_values
from surrogate_nas.spaces.base import Decision, SearchSpace

_QUARTILES = 1.349  # distance of the quartiles of a standard Gaussian

_Layer = tuple[Tensor, Tensor]
"""Weights (members, in, out) and biases (members, 1, out)."""


class MLP(FeaturePredictor):
    """An ensemble of multilayer perceptrons, one a fold, which are trained together.

    After Lakshminarayanan et al., "Simple and Scalable Predictive Uncertainty Estimation using
    Deep Ensembles", NeurIPS 2017. The values are compressed by ``asinh`` around their median, so
    that a few bad architectures do not dominate the squared error. Each member is trained without
    its fold. The variance is the members' disagreement plus a constant, by which 90 % intervals
    cover 90 % of the held-out rows.

    It sees the options of the decisions and the values of numbers. Structural features and
    features of the data are not defined for relaxed encodings. With few labels it predicts far
    worse than `forest`, `xgboost` and `gp`.
    """

    reads_features = False

    def __init__(
        self,
        *,
        seed: int = 0,
        members: int = 5,
        hidden: int = 64,
        steps: int = 200,
        learning_rate: float = 0.01,
        weight_decay: float = 0.1,
    ) -> None:
        """Store the arguments.

        Args:
            seed: Source of the folds and of the initial weights.
            members: Number of networks and of folds.
            hidden: Width of the two hidden layers.
            steps: Steps of AdamW, each on all rows.
            learning_rate: Its largest step size, which falls to zero along a half cosine.
            weight_decay: Its decoupled weight decay.
        """
        self.seed = seed
        self.members = members
        self.hidden = hidden
        self.steps = steps
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay

    def learn(self, x: FloatArray, values: FloatArray, others: FloatArray) -> Self:
        """Train all members, each on all folds but its own."""
        n, columns = x.shape
        self._floor = least_std(values)
        self._centre = float(np.median(values))
        spread = float(np.subtract(*np.quantile(values, [0.75, 0.25]))) / _QUARTILES
        self._scale = spread or float(values.std()) or 1.0
        fold = folds(n, self.members, self.seed)
        members = int(fold.max()) + 1
        kept = fold != np.arange(members)[:, None]
        if members == 1:
            kept[:] = True
        rng = np.random.default_rng([self.seed, n])
        widths = (columns, self.hidden, self.hidden, 1)
        self._layers = [_initial(rng, members, *pair) for pair in pairwise(widths)]
        rows = torch.from_numpy(np.asarray(x, dtype=np.float32))
        target = np.arcsinh((values - self._centre) / self._scale)
        self._train(rows, torch.from_numpy(target).float(), torch.from_numpy(kept).float())
        outputs = self._outputs(x)
        mean, slope = self._back(outputs[fold, np.arange(n)])
        self._constant = 0.0
        if members > 1:
            self._constant = constant_std(
                (values - mean) / slope, self._outputs(others).var(axis=0)
            )
        return self

    def _train(self, rows: Tensor, target: Tensor, kept: Tensor) -> None:
        parameters = [tensor for layer in self._layers for tensor in layer]
        optimiser = torch.optim.AdamW(
            parameters, lr=self.learning_rate, weight_decay=self.weight_decay
        )
        weight = kept / kept.sum(dim=1, keepdim=True)
        for step in range(self.steps):
            for group in optimiser.param_groups:
                group["lr"] = self.learning_rate * (1 + math.cos(math.pi * step / self.steps)) / 2
            loss = (weight * (self._forward(rows, self._layers) - target) ** 2).sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    def infer(self, x: FloatArray) -> Prediction:
        """Mean and spread of the networks, and the constant."""
        outputs = self._outputs(x)
        mean, slope = self._back(outputs.mean(axis=0))
        std = slope * np.sqrt(outputs.var(axis=0) + self._constant**2)
        return Prediction(mean, np.maximum(std, self._floor))

    def relaxed(self, p: Tensor) -> Tensor:
        """Mean at mixtures of options, see `DifferentiablePredictor`; float32 (n,)."""
        if self._inputs is None:
            raise not_fitted(self)
        parts = [p[:, i, : len(table)] @ table for i, table in enumerate(self._tables)]
        rows = torch.cat(parts, dim=1)
        output = self._forward(rows, self._layers).mean(dim=0)
        return self._centre + self._scale * torch.sinh(output)

    def describe(self, space: SearchSpace, features: Features | None) -> Inputs:
        """What the regression sees of the architectures of ``space``."""
        tables = [_table(decision) for decision in space.decisions]
        self._tables = [torch.from_numpy(table) for table in tables]

        def rows(choices: IntArray) -> FloatArray:
            parts = [table[choices[:, i]] for i, table in enumerate(tables)]
            return np.concatenate(parts, axis=1, dtype=np.float32)

        return rows

    @staticmethod
    def _forward(rows: Tensor, layers: Sequence[_Layer]) -> Tensor:
        """Compressed value that each member predicts: (members, n)."""
        state = rows.expand(len(layers[0][0]), *rows.shape)
        *inner, last = layers
        for weight, bias in inner:
            state = torch.relu(torch.baddbmm(bias, state, weight))
        return torch.baddbmm(last[1], state, last[0])[:, :, 0]

    @torch.no_grad()
    def _outputs(self, x: FloatArray) -> FloatArray:
        """As `_forward`, in double precision: a row's output hardly depends on the others."""
        layers = [(weight.double(), bias.double()) for weight, bias in self._layers]
        rows = torch.from_numpy(np.asarray(x, dtype=np.float64))
        return np.asarray(self._forward(rows, layers).numpy())

    def _back(self, output: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Values of outputs (n,), and how fast they grow with the output."""
        return self._centre + self._scale * np.sinh(output), self._scale * np.cosh(output)


def _table(decision: Decision) -> FloatArray:
    """What the networks see of each option: float32 (options, columns)."""
    table = np.eye(len(decision.options), dtype=np.float32)
    values = step_values(decision)
    if values is None or np.ptp(values) == 0:
        return table
    scaled = ((values - values.mean()) / values.std()).astype(np.float32)
    return np.concatenate([table, scaled[:, None]], axis=1)


def _initial(rng: np.random.Generator, members: int, fan_in: int, fan_out: int) -> _Layer:
    """Weights as in He et al., "Delving Deep into Rectifiers", ICCV 2015; zero biases."""
    weight = rng.normal(0, math.sqrt(2 / fan_in), (members, fan_in, fan_out)).astype(np.float32)
    bias = torch.zeros(members, 1, fan_out)
    return torch.from_numpy(weight).requires_grad_(), bias.requires_grad_()
