"""Learned optimisers for PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor, nn

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.training.optimisers.layout import ParameterLayout, described
from surrogate_nas.training.optimisers.rule import SIZES, start_state, steps_of

_STATE = ("momentum", "square", "start", "count")


class LearnedOptimiser(torch.optim.Optimizer):
    """Trains a network by a learned rule, which knows the length of the training.

    All tensors are updated together, as one vector. The state is that of the vector, kept under
    the first parameter, so `state_dict` and `load_state_dict` work as those of any optimiser.
    After the last step of the planned training nothing changes any more.

    Example:
        >>> from surrogate_nas.training.optimisers.rule import adam_numbers
        >>> network = nn.Linear(4, 2)
        >>> optimiser = LearnedOptimiser(network, adam_numbers(0.01), steps=100)
        >>> network(torch.ones(1, 4)).sum().backward()
        >>> optimiser.step()
    """

    def __init__(self, network: nn.Module, numbers: Tensor, *, steps: int) -> None:
        """Prepare a training.

        Args:
            network: On the device of the training; its trainable parameters are trained.
            numbers: Of the rule, float32 (n,), see `surrogate_nas.training.optimisers.rule.SIZES`.
            steps: Steps of the whole training.

        Raises:
            InvalidArgumentError: If the network has no parameters, or an argument is out of range.
        """
        found = list(described(network))
        if not found:
            raise InvalidArgumentError("the network has no trainable parameters to optimise")
        if numbers.shape not in [(size,) for size in SIZES.values()] or steps < 1:
            raise InvalidArgumentError(
                f"a rule has {' or '.join(map(str, SIZES.values()))} numbers, and steps are at "
                f"least 1, got {tuple(numbers.shape)} and {steps}"
            )
        parameters = [parameter for _, parameter, _, _ in found]
        super().__init__(parameters, {})
        self.steps = steps
        self.numbers = numbers.to(parameters[0].device)
        self.layout = ParameterLayout.of(
            list(parameters), [kind for *_, kind, _ in found], [depth for *_, depth in found]
        )

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Make a step; a parameter without a gradient has that of zero.

        Args:
            closure: Computes the loss and its gradients anew, as for any optimiser.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        parameters: list[Tensor] = self.param_groups[0]["params"]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = self.layout.flat(parameters)
        kept: dict[str, Any] = self.state[parameters[0]]
        before = tuple(kept[name] for name in _STATE) if kept else start_state(flat, self.layout)
        count = before[-1]
        change, after = steps_of(
            self.numbers,
            self.layout,
            before,
            flat,
            self.layout.flat(gradients),
            progress=min(count / self.steps, 1.0),
            steps=self.steps,
        )
        kept.update(zip(_STATE, after, strict=True))
        torch._foreach_sub_(parameters, self.layout.split(change))
        return loss
