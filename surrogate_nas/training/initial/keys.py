"""Names of a network's parameters that are the same in all architectures of a space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from surrogate_nas.training.networks.base import NetworkTask


@dataclass(frozen=True, slots=True)
class ParameterKeys:
    """The parameters of one network.

    Attributes:
        shared: Key by the parameter's name: its position in the network, and the operation with
            all shapes. The same operation at the same position has the same key in every
            architecture, and on every data set.
        stem: Name of the weight of the convolution that reads the images, or None.
        head: Name of the linear layer that gives the logits, or None.
    """

    shared: Mapping[str, str]
    stem: str | None
    head: str | None


def parameter_keys(network: nn.Module, task: NetworkTask) -> ParameterKeys:
    """The keys of a network's parameters; the head, which depends on the classes, has none.

    Args:
        network: Any network.
        task: Its inputs and classes.
    """
    modules = dict(network.named_modules())
    stem = next((name for name, m in modules.items() if _reads_images(m, task)), None)
    heads = [
        name
        for name, m in modules.items()
        if isinstance(m, nn.Linear) and m.out_features == task.classes
    ]
    head = heads[-1] if heads else None
    shared = {}
    for name, _ in network.named_parameters():
        owner, _, _ = name.rpartition(".")
        if owner == head:
            continue
        block = modules[owner_block(owner, modules)]
        shared[name] = f"{name}|{_signature(block, modules.get(stem or ''))}"
    return ParameterKeys(shared, None if stem is None else f"{stem}.weight", head)


def owner_block(layer: str, modules: Mapping[str, nn.Module]) -> str:
    """Name of the operation that a layer is a part of, or of the layer itself.

    Args:
        layer: Its name.
        modules: All of the network, by name.
    """
    above, _, _ = layer.rpartition(".")
    # Lists of operations, and the whole network, do not say which operation a part is of.
    if not above or isinstance(modules[above], nn.ModuleList | nn.ModuleDict):
        return layer
    return above


def _reads_images(module: nn.Module, task: NetworkTask) -> bool:
    return (
        isinstance(module, nn.Conv2d) and module.groups == 1 and module.in_channels == task.shape[0]
    )


def _signature(block: nn.Module, stem: nn.Module | None) -> str:
    """The parts of a block with the shapes of their parameters."""
    parts = []
    for module in block.modules():
        shapes = [_shape(p, module is stem) for p in module.parameters(recurse=False)]
        if shapes:
            parts.append(f"{type(module).__name__} {' '.join(shapes)}")
    return "+".join(parts)


def _shape(parameter: Tensor, of_stem: bool) -> str:
    sizes = [str(size) for size in parameter.shape]
    if of_stem and len(sizes) > 1:
        sizes[1] = "*"
    return "x".join(sizes)
