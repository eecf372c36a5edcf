"""Gradient search: a distribution over architectures, improved by gradient ascent."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.predictors.base import Relaxation
from surrogate_nas.searchers.policy import PolicySearch
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.spaces.base import SearchSpace

RELAXATIONS = ("softmax", "gumbel", "score")
_FLOOR = 0.02  # least probability of an option, divided by their number
_SHARPNESS = 2.0  # of the logits at the start of an ascent from a known architecture
_RATE = 0.1  # of Adam
_HOT, _COLD = 1.0, 0.1  # temperatures at the start and at the end of an ascent
_READS = 20  # how often the most probable encodings are read during an ascent
_SHARE = 4  # steps of a search on predictions for one step of an ascent


class GradientSearch(PolicySearch):
    """Gradient ascent of one categorical distribution for each decision.

    On trials it uses the score-function estimator (Williams, "Simple statistical
    gradient-following algorithms for connectionist reinforcement learning", 1992) along the natural
    gradient. For categorical distributions this is a weighted mean of the trials' one-hot encodings
    (Ollivier et al., "Information-geometric optimization algorithms", JMLR 2017).

    On a guide with gradients it ascends the relaxed prediction itself. With ``softmax`` that is the
    prediction of a mixture of the options (Liu et al., "DARTS", ICLR 2019; Luo et al., "Neural
    architecture optimization", NeurIPS 2018). With ``gumbel`` it is that of samples of the
    Gumbel-softmax with a falling temperature (Jang et al., ICLR 2017; Dong & Yang, "GDAS", CVPR
    2019). With ``score`` it uses the score function there, too, as on any other guide.

    ``mlp`` has gradients, a `DifferentiablePredictor`. In a space that cannot be listed the process
    on decisions that joins any guide has some, too, see
    `surrogate_nas.searchers.decision_process.DecisionProcess.relaxation`. In a space that can be
    listed the relaxation makes no difference where `Guided` compares all architectures.
    """

    variant: ClassVar[str | None] = "relaxation"

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int | np.random.SeedSequence = 0,
        relaxation: str = "softmax",
        batch: int = 5,
        rate: float = 1.0,
        restarts: int = 16,
    ) -> None:
        """Start a search of ``space``.

        Args:
            space: Where to search.
            seed: Source of randomness.
            relaxation: What is ascended on a guide with gradients, one of `RELAXATIONS`.
            batch: Number of trials for one step of the distribution.
            rate: Length of that step.
            restarts: Number of ascents side by side on a guide with gradients.

        Raises:
            UnknownNameError: If there is no such relaxation.
        """
        if relaxation not in RELAXATIONS:
            raise UnknownNameError("relaxation", relaxation, RELAXATIONS)
        if restarts < 1:
            raise InvalidArgumentError(f"restarts must be at least 1, got {restarts}")
        if not 0 < rate < math.inf:
            raise InvalidArgumentError(f"rate must be positive, got {rate}")
        super().__init__(space, seed=seed, batch=batch)
        self.relaxation = relaxation
        self.rate = rate
        self.restarts = restarts
        self._options = np.arange(max(space.sizes)) < np.array(space.sizes)[:, None]
        self._p = self._options / np.array(space.sizes)[:, None]

    @property
    def probabilities(self) -> FloatArray:
        """Probability of each option, 0 where there is none: (decisions, largest size)."""
        return np.asarray(self._p).copy()

    def _draw(self, n: int) -> IntArray:
        reached = self._p.cumsum(axis=1)[:, :-1]
        uniform = self.rng.random((n, len(self._p), 1)) * self._p.sum(axis=1)[:, None]
        return np.asarray((uniform > reached).sum(axis=2))

    def _improve(self, choices: IntArray, rewards: FloatArray) -> None:
        """Take one step along the natural gradient, and stay inside the simplex."""
        weights = rewards / len(rewards)
        size = self._p.shape[1]
        pull = [np.bincount(column, weights, minlength=size) for column in choices.T]
        self._p = self._p + self.rate * (np.stack(pull) - weights.sum() * self._p)
        least = _FLOOR / np.array(self.space.sizes)[:, None]
        self._p = np.where(self._options, np.maximum(self._p, least), 0.0)
        self._p /= self._p.sum(axis=1, keepdims=True)

    def _resume(self, other: Any) -> None:
        self._p = other._p

    def visit(self, objective: PredictedObjective, steps: int) -> IntArray:
        """Encodings along the gradient ascent, see `Searcher.visit`."""
        if self.relaxation == "score" or objective.relaxed is None:
            return super().visit(objective, steps)
        rng = self.rng.spawn(1)[0]
        logits = rng.normal(size=(self.restarts, *self._options.shape))
        # Every second ascent starts near one of the best known architectures.
        best = sorted(range(len(self._values)), key=self._values.__getitem__, reverse=True)
        for start, position in zip(range(0, self.restarts, 2), best, strict=False):
            choices = self._archs[position].choices
            logits[start, np.arange(len(choices)), choices] += _SHARPNESS
        gumbel = self.relaxation == "gumbel"
        noise = rng if gumbel else None
        found = ascend(objective.relaxed, logits, self._options, steps // _SHARE, noise)
        found = self.space.settled(found)
        return found[self.space.valid(found)]


def ascend(
    relaxed: Relaxation,
    logits: FloatArray,
    options: BoolArray,
    steps: int,
    noise: np.random.Generator | None,
) -> IntArray:
    """Ascend relaxed predictions by Adam, the temperature falling towards single options.

    Args:
        relaxed: What is maximised.
        logits: Start of n ascents: float (n, decisions, largest size).
        options: Which options exist: bool (decisions, largest size).
        steps: Number of steps.
        noise: Source of the Gumbel noise; None for the softmax mixture.

    Returns:
        The most probable encodings at some steps of all ascents, valid or not, repeated where
        nothing changed: int64 (m, decisions).
    """
    import torch

    impossible = torch.from_numpy(~options)
    variable = torch.tensor(logits, dtype=torch.float32).masked_fill_(impossible, -torch.inf)
    variable.requires_grad_()
    optimiser = torch.optim.Adam([variable], lr=_RATE)
    found = []
    for step in range(steps):
        temperature = _HOT * (_COLD / _HOT) ** (step / max(1, steps - 1))
        disturbed = variable
        if noise is not None:
            disturbed = variable + torch.from_numpy(noise.gumbel(size=logits.shape)).float()
        p = (disturbed / temperature).softmax(dim=-1)
        optimiser.zero_grad()
        (-relaxed(p).sum()).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if (step + 1) % max(1, steps // _READS) == 0 or step + 1 == steps:
            found.append(variable.detach().argmax(dim=-1).numpy())
    return np.concatenate(found)
