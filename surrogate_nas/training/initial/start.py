"""Begins a training with given weights: statistics and head come from the new data."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from surrogate_nas.training.devices import DeviceExamples
from surrogate_nas.training.initial.keys import ParameterKeys

SUPPORT = 256
"""Examples whose statistics the normalisations and the head start with."""
_SHRINKAGE = 0.1  # of the classes' covariance towards a multiple of the identity
_LARGEST = 0.3  # root mean square of the head's weights
_Norm = nn.modules.batchnorm._BatchNorm


@torch.no_grad()
def copy_shared(network: nn.Module, keys: ParameterKeys, tensors: Mapping[str, Tensor]) -> int:
    """Copy the tensors that a network has a parameter for, and return how many those are.

    A stem may read another number of channels than those that were learnt from: the tensor is
    the sum over channels, and replaces that sum; what differs between channels stays.

    Args:
        network: Its parameters are changed in place.
        keys: Of the network.
        tensors: By key.
    """
    parameters = dict(network.named_parameters())
    copied = 0
    for name, key in keys.shared.items():
        tensor = tensors.get(key)
        if tensor is None:
            continue
        parameter = parameters[name]
        tensor = tensor.to(parameter)
        parameter.copy_(with_sum(parameter, tensor) if name == keys.stem else tensor)
        copied += 1
    return copied


def with_sum(weight: Tensor, total: Tensor) -> Tensor:
    """The weight (out, channels, h, w) with another sum over its channels: (out, h, w)."""
    return weight + ((total - weight.sum(dim=1)) / weight.shape[1])[:, None]


def shared_part(name: str, parameter: Tensor, keys: ParameterKeys) -> Tensor:
    """What a bank holds of a parameter: all of it, or of the stem the sum over channels."""
    return parameter.sum(dim=1) if name == keys.stem else parameter


@torch.no_grad()
def fit_to_data(
    network: nn.Module, keys: ParameterKeys, examples: DeviceExamples, classes: int, seed: int
) -> None:
    """Take the statistics of normalisations, and the head, from some training examples.

    The head is the linear discriminant of the classes' means with one shrunken covariance, made
    smaller where its weights are large: they would multiply the first gradients of all others.

    Args:
        network: Is changed in place.
        keys: Of the network.
        examples: The training part.
        classes: Number of classes.
        seed: Draws the examples.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(examples), generator=generator)[:SUPPORT]
    inputs, labels = examples.batch(rows.to(examples.labels.device))
    norms = [module for module in network.modules() if isinstance(module, _Norm)]
    momenta = [norm.momentum for norm in norms]
    head = None if keys.head is None else network.get_submodule(keys.head)
    seen: list[Tensor] = []
    hook = head and head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    training = network.training
    network.train()
    try:
        for norm in norms:
            norm.momentum = 1.0
        network(inputs)
    finally:
        network.train(training)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        if hook:
            hook.remove()
    if isinstance(head, nn.Linear) and seen and seen[0].ndim == 2:
        weight, bias = discriminant(seen[0], labels, classes)
        weight, bias = weight - weight.mean(dim=0), bias - bias.mean()  # the same probabilities
        size = weight.square().mean().sqrt().clamp_min(1e-9)
        weight, bias = (tensor * (_LARGEST / size).clamp_max(1) for tensor in (weight, bias))
        head.weight.copy_(weight)
        if head.bias is not None:
            head.bias.copy_(bias)


def discriminant(features: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Linear discriminant analysis with one covariance, which is shrunken.

    Args:
        features: (n, d).
        labels: int (n,).
        classes: Number of classes; one without an example has the mean of all.

    Returns:
        Weight (classes, d) and bias (classes,) of logits.
    """
    x = features.double()
    member = nn.functional.one_hot(labels, classes).to(x)
    counts = member.sum(dim=0)
    means = member.T @ x / counts.clamp_min(1)[:, None]
    means = torch.where(counts[:, None] > 0, means, x.mean(dim=0))
    inner = x - means[labels]
    covariance = inner.T @ inner / len(x)
    scale = covariance.diagonal().mean().clamp_min(1e-12)
    covariance = (1 - _SHRINKAGE) * covariance
    covariance.diagonal().add_(_SHRINKAGE * scale)
    weight = torch.linalg.solve(covariance, means.T).T
    priors = counts.clamp_min(0.5) / len(x)
    bias = priors.log() - 0.5 * (weight * means).sum(dim=1)
    return weight.to(features), bias.to(features)
