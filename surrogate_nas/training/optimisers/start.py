"""Where a meta-training starts, and how far each number may move at once."""

from __future__ import annotations

import torch

from surrogate_nas._types import FloatArray
from surrogate_nas.training.optimisers.rule import (
    BY_KIND,
    NETWORK_SIZE,
    SCHEDULE_SIZE,
    SHARED,
    Form,
    adam_numbers,
    network_start,
    place,
)

_RATE, _BETAS = 0.015, (0.9, 0.98)
_BETWEEN = {"elementwise": 0.8, "log_damping": -12.0}
_FIRST = {"nesterov": 0.5, "log_clip": 1.5}

_SCALES = {
    "log_step_by_depth": 1.0,
    "momentum_first": 1.5,
    "momentum_last": 1.5,
    "elementwise": 0.3,
    "log_damping": 3.0,
    "norm_power": 0.3,
    "weight_decay": 0.05,
    "square_decay": 1.5,
    "nesterov": 0.5,
    "log_clip": 1.0,
    "log_step_by_steps": 0.3,
    "normalise": 0.0,  # the rule stays one with normalised steps
    "correct": 0.0,
}
_NETWORK_SCALE = 0.5


def first_numbers(form: Form, seed: int = 0) -> FloatArray:
    """A rule between Adam and one scale a tensor, from which learning starts: float32 (n,)."""
    numbers = adam_numbers(_RATE, _BETAS)
    for name, value in (_BETWEEN | _FIRST).items():
        numbers[place(name)] = value
    if form == "network":
        numbers = network_start(numbers, torch.Generator().manual_seed(seed))
    return numbers.numpy()


def scales(form: Form) -> FloatArray:
    """How far a number moves where another moves by 1: float32 (n,), 0 for what stays."""
    found = torch.ones(SCHEDULE_SIZE)
    for name in (*BY_KIND, *SHARED):
        found[place(name)] = _SCALES.get(name, 1.0)
    if form == "network":
        found = torch.cat([found, torch.full((NETWORK_SIZE,), _NETWORK_SCALE)])
    return found.numpy()
