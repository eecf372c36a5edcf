"""Trainings of one network by several learned rules at once, from the same start."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy
from torch.nn.modules.batchnorm import _NormBase

from surrogate_nas.training.optimisers.layout import ParameterLayout, described
from surrogate_nas.training.optimisers.rule import start_state, steps_of
from surrogate_nas.training.unrolled import Batch


def final_losses(
    network: nn.Module,
    numbers: Tensor,
    batches: Sequence[Batch],
    last: Batch,
    *,
    create_graph: bool = False,
) -> Tensor:
    """The loss after a training by each rule: (members,).

    The network normalises by the statistics of each batch, ``last`` too.

    Args:
        network: Freshly built; it keeps no running statistics afterwards, and is else unchanged.
        numbers: A rule a row: (members, n).
        batches: One a step.
        last: What the loss is measured on.
        create_graph: Whether the losses can be differentiated for the numbers. All steps are then
            in memory together.
    """
    for module in network.modules():
        if isinstance(module, _NormBase):
            module.track_running_stats = False
            module.running_mean = module.running_var = None
    network.train()
    found = list(described(network))
    parameters = [parameter.detach() for _, parameter, _, _ in found]
    layout = ParameterLayout.of(parameters, [k for *_, k, _ in found], [d for *_, d in found])

    def one(parts: Sequence[Tensor], inputs: Tensor, labels: Tensor) -> Tensor:
        named = dict(zip([name for name, *_ in found], parts, strict=True))
        return cross_entropy(functional_call(network, named, (inputs,)), labels)

    several = vmap(one, in_dims=(0, None, None), randomness="same")

    def losses(flat: Tensor, batch: Batch) -> Tensor:
        if len(flat) > 1:
            return several(layout.split(flat), *batch)
        return one(layout.split(flat[0]), *batch)[None]  # which is faster

    flat = layout.flat(parameters).expand(len(numbers), -1)
    state = start_state(flat, layout)
    for i, batch in enumerate(batches):
        flat = flat if create_graph and i else flat.detach().requires_grad_()
        loss = losses(flat, batch).sum()
        (gradient,) = torch.autograd.grad(loss, flat, create_graph=create_graph)
        with torch.set_grad_enabled(create_graph):
            progress, steps = i / len(batches), len(batches)
            change, state = steps_of(
                numbers, layout, state, flat, gradient, progress=progress, steps=steps
            )
            flat = flat - change
    with torch.set_grad_enabled(create_graph):
        return losses(flat, last)
