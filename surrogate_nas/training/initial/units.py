"""A network as a graph hypernetwork sees it: its units in their order, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from surrogate_nas.training.initial.keys import ParameterKeys, owner_block
from surrogate_nas.training.initial.start import shared_part


@dataclass(frozen=True, slots=True)
class Unit:
    """An operation of a network, such as a convolution with its normalisation.

    Attributes:
        position: Its name in the network.
        kind: Its layers, with the shapes of their parameters.
        parameters: Shape by the name of each parameter within the unit; of the stem without the
            channels of the images.
    """

    position: str
    kind: str
    parameters: Mapping[str, tuple[int, ...]]


def units_of(network: nn.Module, keys: ParameterKeys) -> list[Unit]:
    """The operations of a network in their order, those without parameters among them.

    Args:
        network: Any network.
        keys: Of the network.
    """
    modules = dict(network.named_modules())
    parts: dict[str, list[str]] = {}
    for name, module in modules.items():
        if name != keys.head and not any(True for _ in module.children()):
            parts.setdefault(owner_block(name, modules), []).append(name)
    found = []
    for position, names in parts.items():
        shapes: dict[str, tuple[int, ...]] = {}
        layers = []
        for name in names:
            own = {
                f"{name}.{each}": _shape(f"{name}.{each}", parameter, keys)
                for each, parameter in modules[name].named_parameters(recurse=False)
            }
            shapes |= {each.removeprefix(f"{position}."): shape for each, shape in own.items()}
            said = " ".join("x".join(map(str, shape)) for shape in own.values())
            layers.append(f"{type(modules[name]).__name__} {said or modules[name].extra_repr()}")
        found.append(Unit(position, "+".join(layer.strip() for layer in layers), shapes))
    return found


def _shape(name: str, parameter: Tensor, keys: ParameterKeys) -> tuple[int, ...]:
    return tuple(shared_part(name, parameter, keys).shape)
