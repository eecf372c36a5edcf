"""The rule of a learned optimiser: from gradients, their averages and progress to steps.

The rule has no hidden constants: with the numbers of `sgd_numbers` it is SGD with Nesterov's
momentum, with those of `adam_numbers` it is AdamW, both with a learning rate that falls as a
cosine. Everything works on one vector of numbers (n,), or on a population of them (members, n)
with parameters each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from surrogate_nas.training.optimisers.layout import KINDS, ParameterLayout

KNOTS = (0.0, 0.1, 0.3, 0.6, 1.0)
"""Shares of the training between which the logarithm of a step size is linear."""

BY_KIND = (
    *(f"log_step_{knot}" for knot in KNOTS),
    "log_step_by_depth",
    "momentum_first",  # logits
    "momentum_last",
    "elementwise",  # 1: Adam's scale of each element, 0: one scale a tensor
    "log_damping",
    "norm_power",  # of the parameters' root mean square, which multiplies the step
    "weight_decay",
)
SHARED = ("square_decay", "nesterov", "log_clip", "log_step_by_steps", "normalise", "correct")
_FEATURES, _HIDDEN, _OUTPUTS = 5, 8, 2
_BLOCKS = (  # of the small network
    (_FEATURES, _HIDDEN),
    (len(KINDS), _HIDDEN),
    (1, _HIDDEN),
    (_HIDDEN, _OUTPUTS),
    (1, _OUTPUTS),
)

SCHEDULE_SIZE = len(KINDS) * len(BY_KIND) + len(SHARED)
NETWORK_SIZE = sum(rows * columns for rows, columns in _BLOCKS)
Form = Literal["schedule", "network"]
SIZES: dict[Form, int] = {"schedule": SCHEDULE_SIZE, "network": SCHEDULE_SIZE + NETWORK_SIZE}
"""How many numbers each form of the rule has.

``schedule`` has a step size, momentum and decay for each kind of parameter. ``network`` adds a
small network that sees each element, and scales and shifts its step.
"""

USUAL_STEPS = 100
"""The length of a training at which ``log_step_by_steps`` changes nothing."""

_NEVER = 30.0
"""The logarithm of a clip that clips nothing."""

RuleState = tuple[Tensor, Tensor, Tensor, int]
"""Averages of gradients and of their squares, the weight of the start in the first by tensor, and
the number of steps."""


def place(name: str) -> slice:
    """Where the numbers of a name of `BY_KIND` (one a kind) or `SHARED` are."""
    if name in SHARED:
        first = len(KINDS) * len(BY_KIND) + SHARED.index(name)
        return slice(first, first + 1)
    return slice(BY_KIND.index(name), len(KINDS) * len(BY_KIND), len(BY_KIND))


def _numbers(by_kind: dict[str, float], shared: dict[str, float]) -> Tensor:
    rows = [by_kind.get(name, by_kind["log_step"]) for name in BY_KIND]
    return torch.tensor(rows * len(KINDS) + [shared[name] for name in SHARED])


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def sgd_numbers(rate: float, momentum: float = 0.9) -> Tensor:
    """The numbers that make the rule SGD with Nesterov's momentum: float32 (n,)."""
    own = {"log_step_by_depth": 0.0, "elementwise": 0.0, "log_damping": 0.0, "norm_power": 0.0}
    own |= dict.fromkeys(("momentum_first", "momentum_last"), _logit(momentum))
    own |= {"weight_decay": 0.0, "log_step": math.log(rate / (1 - momentum))}
    shared = {"square_decay": _logit(0.999), "nesterov": 1.0, "log_clip": _NEVER}
    return _numbers(own, shared | {"log_step_by_steps": 0.0, "normalise": 0.0, "correct": 0.0})


def adam_numbers(
    rate: float, betas: tuple[float, float] = (0.9, 0.999), weight_decay: float = 0.0
) -> Tensor:
    """The numbers that make the rule AdamW: float32 (n,)."""
    own = {"log_step_by_depth": 0.0, "elementwise": 1.0, "log_damping": math.log(1e-8)}
    own |= dict.fromkeys(("momentum_first", "momentum_last"), _logit(betas[0]))
    own |= {"norm_power": 0.0, "weight_decay": weight_decay, "log_step": math.log(rate)}
    shared = {"square_decay": _logit(betas[1]), "nesterov": 0.0, "log_clip": _NEVER}
    return _numbers(own, shared | {"log_step_by_steps": 0.0, "normalise": 1.0, "correct": 1.0})


def start_state(parameters: Tensor, layout: ParameterLayout) -> RuleState:
    """The state before the first step.

    Args:
        parameters: (…, elements).
        layout: Of the elements.
    """
    zero = torch.zeros_like(parameters)
    return zero, zero, zero.new_ones(*zero.shape[:-1], len(layout.sizes)), 0


@dataclass(frozen=True)
class StepSettings:
    """The rule's numbers at one time: (…, tensors), and (…, 1) from ``square_decay`` on."""

    step: Tensor
    momentum: Tensor
    elementwise: Tensor
    damping: Tensor
    norm_power: Tensor
    decay: Tensor
    square_decay: Tensor
    nesterov: Tensor
    clip: Tensor
    normalise: Tensor
    correct: Tensor


def step_settings(
    numbers: Tensor, layout: ParameterLayout, progress: float, steps: int
) -> StepSettings:
    """What the numbers mean at a time.

    Args:
        numbers: (…, n) with at least `SCHEDULE_SIZE`.
        layout: Of the parameters.
        progress: Share of the training that is done, from 0 to below 1.
        steps: Steps of the whole training.
    """
    table = numbers[..., : len(KINDS) * len(BY_KIND)]
    table = table.reshape(*numbers.shape[:-1], len(KINDS), len(BY_KIND))
    shared = numbers[..., len(KINDS) * len(BY_KIND) : SCHEDULE_SIZE].unsqueeze(-2)
    right = next((i for i in range(1, len(KNOTS)) if progress < KNOTS[i]), len(KNOTS) - 1)
    share = (progress - KNOTS[right - 1]) / (KNOTS[right] - KNOTS[right - 1])
    rest = len(KNOTS)
    log_step = torch.lerp(table[..., right - 1], table[..., right], share)
    log_step = log_step + shared[..., 3] * math.log(steps / USUAL_STEPS)
    momentum = torch.sigmoid(torch.lerp(table[..., rest + 1], table[..., rest + 2], progress))
    bounded = table[..., rest + 3].clamp(0, 1)
    rows = (log_step, table[..., rest], momentum, bounded, *table[..., rest + 4 :].unbind(-1))
    log_step, by_depth, momentum, bounded, log_damping, power, decay = (
        torch.stack(rows).index_select(-1, layout.kinds).unbind(0)
    )
    falling = (1 + math.cos(math.pi * progress)) / 2
    return StepSettings(
        step=falling * torch.exp(log_step + by_depth * (layout.depths - 0.5)),
        momentum=momentum,
        elementwise=bounded,
        damping=torch.exp(log_damping),
        norm_power=power,
        decay=decay.clamp(min=0),
        square_decay=torch.sigmoid(shared[..., 0]),
        nesterov=shared[..., 1].clamp(0, 1),
        clip=torch.exp(shared[..., 2]),
        normalise=shared[..., 4].clamp(0, 1),
        correct=shared[..., 5].clamp(0, 1),
    )


def steps_of(
    numbers: Tensor,
    layout: ParameterLayout,
    state: RuleState,
    parameters: Tensor,
    gradient: Tensor,
    *,
    progress: float,
    steps: int,
) -> tuple[Tensor, RuleState]:
    """What is subtracted from the parameters, and the state afterwards; nothing is changed.

    Args:
        numbers: (…, n), see `SIZES`.
        layout: Of the elements.
        state: See `RuleState`.
        parameters: (…, elements).
        gradient: (…, elements).
        progress: Share of the training that is done.
        steps: Steps of the whole training.
    """
    h = step_settings(numbers, layout, progress, steps)
    momentum, square, start, count = state
    spread = layout.spread
    kept = spread(h.momentum)
    momentum = torch.lerp(gradient, momentum, kept)
    square = torch.lerp(gradient * gradient, square, h.square_decay.expand_as(square))
    start = start * h.momentum
    count += 1
    ahead = torch.lerp(momentum, torch.lerp(gradient, momentum, kept), h.nesterov.expand_as(square))
    scale = 1 / (1 - h.correct * start)
    unbiased = square / (1 - h.square_decay**count)
    mean = layout.means(unbiased)
    mixed = torch.lerp(spread(mean), unbiased, spread(h.elementwise))
    norm = layout.means(parameters * parameters).clamp(min=1e-6)
    size = torch.exp(0.5 * h.norm_power * torch.log(norm))
    # The tiny number keeps the derivative of the root finite.
    divisor = h.normalise * (mixed + 1e-24).sqrt() + spread(h.damping)
    direction = ahead * spread(scale) / divisor
    if numbers.shape[-1] > SCHEDULE_SIZE:
        unit = spread((mean + 1e-24).sqrt())
        seen = (
            direction,
            gradient / unit,
            momentum / unit,
            torch.log((unbiased + 1e-24) / (unit * unit)).clamp(-8, 8) / 4,
            parameters / spread(norm.sqrt()),
        )
        direction = _adjusted(numbers, layout, direction, torch.stack(seen, dim=-1), progress)
    clip = h.clip.expand_as(direction)
    direction = torch.minimum(torch.maximum(direction, -clip), clip)
    change = spread(h.step * size) * direction + spread(h.step * h.decay) * parameters
    return change, (momentum, square, start, count)


def _adjusted(
    numbers: Tensor, layout: ParameterLayout, direction: Tensor, seen: Tensor, progress: float
) -> Tensor:
    """The direction after the small network has scaled and shifted each element."""
    sizes = [rows * columns for rows, columns in _BLOCKS]
    parts = torch.split(numbers[..., SCHEDULE_SIZE:], sizes, dim=-1)
    first, by_kind, by_progress, second, constant = (
        part.reshape(*numbers.shape[:-1], *block)
        for part, block in zip(parts, _BLOCKS, strict=True)
    )
    offset = (by_kind + (2 * progress - 1) * by_progress).index_select(-2, layout.kinds)
    hidden = torch.tanh(seen @ first + offset.index_select(-2, layout.segments))
    factor, shift = torch.tanh(hidden @ second + constant).unbind(-1)
    return direction * torch.exp(factor) + shift


def network_start(schedule: Tensor, generator: torch.Generator) -> Tensor:
    """The numbers of a rule with a small network that changes nothing yet: float32 (n,)."""
    ends = torch.randn(NETWORK_SIZE, generator=generator) / math.sqrt(_FEATURES)
    rows, columns = _BLOCKS[-2]
    ends[-(rows + 1) * columns :] = 0
    return torch.cat([schedule, ends])
