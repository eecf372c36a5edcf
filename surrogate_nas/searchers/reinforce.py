"""Reinforcement learning: a recurrent controller that generates architectures."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.searchers.policy import PolicySearch
from surrogate_nas.spaces.base import SearchSpace

RULES = ("ppo", "plain")
_HIDDEN = 32
_WIDTH = 0.1  # of the uniform distribution of initial weights
_NORM = 1.0  # longest gradient


class Reinforce(PolicySearch):
    """An LSTM generates architectures decision by decision and is rewarded for good ones.

    Zoph & Le, "Neural architecture search with reinforcement learning", ICLR 2017: policy gradient
    with a moving average of the rewards as the baseline and a bonus for entropy. There is one
    update for every few trials. By default it takes a few steps on the clipped ratio of
    probabilities (Schulman et al., "Proximal policy optimization algorithms", 2017); with ``plain``
    it is a single step of REINFORCE (Williams 1992).
    """

    variant: ClassVar[str | None] = "rule"

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int | np.random.SeedSequence = 0,
        rule: str = "ppo",
        batch: int = 10,
        learning_rate: float = 0.02,
        entropy: float = 0.02,
        decay: float = 0.8,
        epochs: int = 5,
        clip: float = 0.2,
    ) -> None:
        """Start a search of ``space``.

        Args:
            space: Where to search.
            seed: Source of randomness.
            rule: How the controller is updated, one of `RULES`.
            batch: Number of trials for one update.
            learning_rate: Of Adam.
            entropy: Weight of the entropy of a decision in the objective.
            decay: Of the moving average of the rewards.
            epochs: Steps on one batch (``ppo``).
            clip: How far the ratio of probabilities may go from 1 (``ppo``).

        Raises:
            UnknownNameError: If there is no such rule.
        """
        if rule not in RULES:
            raise UnknownNameError("rule", rule, RULES)
        if epochs < 1:
            raise InvalidArgumentError(f"epochs must be at least 1, got {epochs}")
        super().__init__(space, seed=seed, batch=batch)
        self.entropy = entropy
        self.decay = decay
        self.epochs = epochs if rule == "ppo" else 1
        self.clip = clip
        self._controller = _Controller(space.sizes, self.rng)
        self._optimiser = torch.optim.Adam(
            self._controller.parameters(), lr=learning_rate, foreach=True
        )
        self._baseline = 0.0

    def _draw(self, n: int) -> IntArray:
        return self._controller.sample(n, self.rng)

    def _resume(self, other: Any) -> None:
        self._controller, self._optimiser = other._controller, other._optimiser
        self._baseline = other._baseline

    def _improve(self, choices: IntArray, rewards: FloatArray) -> None:
        """Update the controller as if it had just generated these encodings."""
        advantage = torch.from_numpy((rewards - self._baseline).astype(np.float32))
        self._baseline = self.decay * self._baseline + (1 - self.decay) * float(rewards.mean())
        written = torch.from_numpy(choices)
        before: Tensor | None = None
        for _ in range(self.epochs):
            log_probability, entropy = self._controller(written)
            if before is None:
                before = log_probability.detach()
            ratio = (log_probability - before).exp()
            limited = ratio.clamp(1 - self.clip, 1 + self.clip)
            gain = torch.minimum(ratio * advantage, limited * advantage)
            loss = -(gain + self.entropy * entropy).mean()
            self._optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self._controller.parameters(), _NORM, foreach=True)
            self._optimiser.step()


class _Controller(nn.Module):
    """The distribution over encodings: an LSTM that reads the last choice and predicts the next.

    All draws and initial weights are computed from uniform numbers of a NumPy generator; torch's
    own generator is not used.
    """

    def __init__(self, sizes: tuple[int, ...], rng: np.random.Generator) -> None:
        super().__init__()
        self.sizes = sizes
        # The options of all decisions share one vocabulary, whose number 0 is the start.
        self.first = np.concatenate([[1], 1 + np.cumsum(sizes)]).tolist()
        # Decisions with equally many options, and the numbers of these: (decisions, options).
        self.alike = [_alike(sizes, self.first, size) for size in dict.fromkeys(sizes)]
        with torch.device("meta"):  # which initialises nothing
            self.read = nn.Embedding(self.first[-1], _HIDDEN)
            self.cell = nn.LSTM(_HIDDEN, _HIDDEN, batch_first=True)
            self.write = nn.Linear(_HIDDEN, self.first[-1])
        self.to_empty(device="cpu")
        for parameter in self.parameters():
            drawn = rng.uniform(-_WIDTH, _WIDTH, parameter.shape).astype(np.float32)
            parameter.data.copy_(torch.from_numpy(drawn))

    @torch.no_grad()
    def sample(self, n: int, rng: np.random.Generator) -> IntArray:
        """Generate n encodings, with repetition: int64 (n, decisions)."""
        uniform = rng.random((len(self.sizes), n, 1))
        token = torch.zeros((n, 1), dtype=torch.int64)
        state: tuple[Tensor, Tensor] | None = None
        columns = []
        for decision, size in enumerate(self.sizes):
            hidden, state = self.cell(self.read(token), state)
            start = self.first[decision]
            logits = self.write(hidden[:, 0])[:, start : start + size].double()
            reached = logits.softmax(dim=1).cumsum(dim=1).numpy()
            option = (uniform[decision] > reached[:, :-1]).sum(axis=1)
            columns.append(option)
            token = torch.from_numpy(option + start)[:, None]
        return np.stack(columns, axis=1)

    def forward(self, choices: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithm of the probability of encodings (n, decisions), and mean entropy: each (n,)."""
        start = torch.tensor(self.first[:-1])
        token = torch.cat([torch.zeros_like(choices[:, :1]), (choices + start)[:, :-1]], dim=1)
        hidden, _ = self.cell(self.read(token))
        logits = self.write(hidden)
        log_ps: dict[int, Tensor] = {}
        minus_entropies: dict[int, Tensor] = {}
        for decisions, columns in self.alike:
            here = logits if len(self.alike) == 1 else logits[:, decisions]
            log_p = here.gather(2, columns.expand(len(choices), -1, -1)).log_softmax(dim=2)
            chosen = log_p.gather(2, choices[:, decisions, None])[:, :, 0]
            log_ps |= zip(decisions, chosen.unbind(1), strict=True)
            spread = (log_p.exp() * log_p).sum(dim=2)
            minus_entropies |= zip(decisions, spread.unbind(1), strict=True)
        total = logits.new_zeros(len(choices))
        entropy = logits.new_zeros(len(choices))
        for decision in range(len(self.sizes)):  # in this order, as sums are rounded
            total = total + log_ps[decision]
            entropy = entropy - minus_entropies[decision]
        return total, entropy / len(self.sizes)


def _alike(sizes: tuple[int, ...], first: list[int], size: int) -> tuple[list[int], Tensor]:
    decisions = [i for i, other in enumerate(sizes) if other == size]
    starts = torch.tensor([first[i] for i in decisions])
    return decisions, starts[:, None] + torch.arange(size)
