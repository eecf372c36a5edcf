"""Zero-cost proxies: scores of architectures from an untrained network and one batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.devices import DeviceExamples, find_device
from surrogate_nas.training.networks.base import (
    Build,
    NetworkTask,
    build_network,
    count_flops,
    count_parameters,
)

_JITTER = 1e-5  # of jacob_cov, as published
_MIX = 0.01  # of zen, as published
_TINY = 1e-12  # keeps logarithms finite where a network ignores its input


def grad_norm(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Norms of the gradients of the loss, summed over weights (Abdelfattah et al., ICLR 2021).

    Args:
        network: In training mode; its gradients are overwritten.
        images: Standardised, (n, channels, height, width).
        labels: int64 (n,).
    """
    gradients = _loss_gradients(network, images, labels)
    return float(sum(gradient.norm().item() for _, gradient in gradients))


def snip(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Sum of ``|weight * gradient|`` (Lee et al., ICLR 2019; Abdelfattah et al., ICLR 2021)."""
    gradients = _loss_gradients(network, images, labels)
    return float(sum((weight * gradient).abs().sum().item() for weight, gradient in gradients))


def synflow(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Log of 1 + the flow through absolute weights (Tanaka et al., NeurIPS 2020).

    The flow is ``sum(weight * gradient)`` of the summed output for an image of ones, as
    Abdelfattah et al. (ICLR 2021) sum it over a network. It needs no data; in evaluation mode a
    new batch normalisation passes it on. The logarithm keeps the order of values that differ by
    tens of magnitudes.
    """
    network.double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    ones = torch.ones_like(images[:1], dtype=torch.float64)
    total = network(ones).sum()
    flow = sum((weight * g).sum().item() for weight, g in _gradients(network, total))
    return math.log1p(flow)


def naswot(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Log-determinant of the similarity of images' ReLU patterns (Mellor et al., ICML 2021).

    Entry (i, j) of the matrix K counts the ReLU units that are on for both images or off for both.
    The value is that of K + I, which equals the published one up to rounding, and is finite even
    if images have the same pattern.
    """
    with _ReluCodes() as codes, torch.no_grad():
        network(images)
    kernel = torch.eye(len(images), dtype=torch.float64, device=images.device)
    for code in codes.found:
        on = code.sum(dim=1)
        # Both on, or both off: all units, less those of either, plus those of both twice.
        kernel += (2 * (code @ code.T) - on - on[:, None] + code.shape[1]).double()
    return float(torch.linalg.slogdet(kernel)[1].item())


def jacob_cov(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """How uncorrelated the images' input gradients are (Mellor et al., 2020, arXiv:2006.04647v1).

    ``-sum(log(v + k) + 1 / (v + k))`` over the eigenvalues v of their correlation matrix, with
    k = 1e-5, in the form of Abdelfattah et al. (ICLR 2021). Without any gradient all images count
    as equal.
    """
    images = images.clone().requires_grad_()
    total = network(images).sum()
    rows = _gradient_or_zero(total, [images])[0].flatten(1).double()
    rows = rows - rows.mean(dim=1, keepdim=True)
    norms = rows.norm(dim=1, keepdim=True)
    alike = (norms == 0) & (norms == 0).T
    rows = rows / norms.clamp_min(_TINY)
    values = torch.linalg.eigvalsh(rows @ rows.T + alike.double()).clamp_min(0) + _JITTER
    return float(-(values.log() + 1 / values).sum().item())


def zen(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Zen-score: how far features of noise move with the noise (Lin et al., ICCV 2021).

    With normal weights and inputs, the log of the mean absolute change of the last feature maps
    (what the last `AdaptiveAvgPool2d` reads, else the output), plus the log of the standard
    deviations that batch normalisations divided by.
    """
    with torch.no_grad():
        for weight in _weights(network):
            weight.normal_()
        noise, other = torch.randn_like(images), torch.randn_like(images)
        features, scale = _observed(network, noise)
        moved, _ = _observed(network, noise + _MIX * other)
        change = (features - moved).abs().flatten(1).sum(dim=1).mean().item()
    return math.log(change + _TINY) + scale


def parameters(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Number of trainable parameters."""
    return float(count_parameters(network))


def flops(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Multiply-adds of one image."""
    return float(count_flops(network, NetworkTask(tuple(images.shape[1:]), 0)))


Proxy = Callable[[nn.Module, Tensor, Tensor], float]
"""``proxy(network, images, labels)`` of a new network, which it may change."""

PROXIES: dict[str, Proxy] = {
    proxy.__name__: proxy
    for proxy in (synflow, naswot, snip, grad_norm, jacob_cov, zen, parameters, flops)
}


def proxy_values(
    choices: IntArray,
    space: SearchSpace,
    dataset: Dataset,
    names: Sequence[str] = tuple(PROXIES),
    *,
    seed: int = 0,
    batch: int = 64,
    device: str = "cpu",
    network: str | Build | None = None,
    settings: Mapping[str, Any] | None = None,
) -> FloatArray:
    """Zero-cost proxies of architectures, as features of a `TaskData`.

    All architectures see the same training images, and a value depends neither on the other
    architectures nor on the other names.

    Args:
        choices: int (n, decisions).
        space: Their space.
        dataset: Images; only the training part is read.
        names: Of `PROXIES`, a column each.
        seed: Of weights, noise and the images.
        batch: Number of images.
        device: As for a training.
        network: Builds the networks, see `build_network`.
        settings: Sizes of the networks, see `build_network`.

    Returns:
        float64 (n, names). It is NaN where a network's output is not finite.

    Raises:
        UnknownNameError: If there is no such proxy, network or device.
        ArchitectureError: If a row is not part of the space.
        InvalidArgumentError: If ``batch`` is below 2 or above the training examples.
    """
    for name in names:
        if name not in PROXIES:
            raise UnknownNameError("proxy", name, list(PROXIES))
    if not 2 <= batch <= len(dataset.train):
        raise InvalidArgumentError(
            f"batch must be from 2 to the {len(dataset.train)} training examples of "
            f"{dataset.name!r}, got {batch}"
        )
    where = find_device(device)
    rows = np.random.default_rng(seed).permutation(len(dataset.train))[:batch]
    examples = DeviceExamples(dataset.train.take(rows), dataset.moments, where)
    images, labels = examples.batch(torch.arange(batch, device=where))
    found = np.empty((len(choices), len(names)))
    cuda = [where.index or 0] if where.type == "cuda" else []
    for i, row in enumerate(space.check_all(choices)):
        arch = space.architecture(row)
        for j, name in enumerate(names):
            with torch.random.fork_rng(devices=cuda):
                torch.manual_seed(seed)
                built = build_network(arch, dataset.task, network=network, settings=settings)
                found[i, j] = PROXIES[name](built.to(where).train(), images, labels)
    return found


def _weights(network: nn.Module) -> Iterator[Tensor]:
    """Weights of convolutions and linear layers."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            yield module.weight


def _gradient_or_zero(total: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    """Gradients of a sum, 0 for parameters on which it does not depend."""
    if not total.requires_grad:
        return [torch.zeros_like(x) for x in inputs]
    found = torch.autograd.grad(total, inputs, allow_unused=True)
    return [
        torch.zeros_like(x) if g is None else g.detach() for x, g in zip(inputs, found, strict=True)
    ]


def _gradients(network: nn.Module, total: Tensor) -> list[tuple[Tensor, Tensor]]:
    weights = list(_weights(network))
    pairs = zip(weights, _gradient_or_zero(total, weights), strict=True)
    return [(weight.detach(), gradient) for weight, gradient in pairs]


def _loss_gradients(
    network: nn.Module, images: Tensor, labels: Tensor
) -> list[tuple[Tensor, Tensor]]:
    return _gradients(network, cross_entropy(network(images), labels))


class _ReluCodes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Record the units that are on at each ReLU, whether that is a module or a function call."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[Tensor] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in (torch.ops.aten.relu.default, torch.ops.aten.relu_.default):
            self.found.append((result.detach() > 0).flatten(1).float())
        return result


def _observed(network: nn.Module, images: Tensor) -> tuple[Tensor, float]:
    """Last feature maps of a batch, and the summed log of the normalisations' divisors."""
    features: list[Tensor] = []
    scale = [0.0]

    def pooled(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        features.append(inputs[0])

    def normalised(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        variance = inputs[0].var(dim=(0, 2, 3), unbiased=False).mean().item()
        scale[0] += 0.5 * math.log(variance + _TINY)

    hooks = [
        module.register_forward_pre_hook(
            pooled if isinstance(module, nn.AdaptiveAvgPool2d) else normalised
        )
        for module in network.modules()
        if isinstance(module, nn.AdaptiveAvgPool2d | nn.BatchNorm2d)
    ]
    output: Tensor = network(images)
    for hook in hooks:
        hook.remove()
    return (features[-1] if features else output), scale[0]
