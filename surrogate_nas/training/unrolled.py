"""The second-order gradient of DARTS."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from surrogate_nas.training.networks.mixed_cell import Mixture

Batch = tuple[Tensor, Tensor]
"""Inputs and labels."""


def unrolled_gradient(
    network: nn.Module,
    mixture: Mixture,
    logits: Tensor,
    batch: Batch,
    validation: Batch,
    rate: float,
) -> tuple[Tensor, Tensor]:
    """Validation loss after one step of the weights, and its gradient for the logits.

    The step is ``w - rate * gradient`` of the training loss, and depends on the logits, too. This
    is the second-order approximation of DARTS (Liu et al., 2019, equation 7). The gradient is
    exact, by differentiation through the step, while the paper uses finite differences.

    Args:
        network: A supernet.
        mixture: Its mixture.
        logits: (nodes, operations).
        batch: Of training examples.
        validation: Of validation examples.
        rate: Of the step.
    """
    mixture.set_softmax(logits)
    weights = dict(network.named_parameters())
    loss = cross_entropy(network(batch[0]), batch[1])
    gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
    stepped = {n: w - rate * g for (n, w), g in zip(weights.items(), gradients, strict=True)}
    after = cross_entropy(functional_call(network, stepped, (validation[0],)), validation[1])
    return after.detach(), torch.autograd.grad(after, logits)[0]
