"""Builds the module of an architecture, and counts its parameters and operations."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from surrogate_nas import registry
from surrogate_nas.errors import InvalidArgumentError, SurrogateNASError, UnknownNameError
from surrogate_nas.spaces.base import Architecture


@dataclass(frozen=True, slots=True)
class NetworkTask:
    """Inputs and classes of a network.

    Attributes:
        shape: Shape of one input: (channels, height, width) of an image, (features,) of a node.
        classes: Number of classes.
    """

    shape: tuple[int, ...]
    classes: int

    def image(self) -> tuple[int, int, int]:
        """The shape, for a network of images.

        Raises:
            InvalidArgumentError: If the inputs are no images.
        """
        if len(self.shape) != 3:
            raise InvalidArgumentError(
                f"this network takes images of shape (channels, height, width), got {self.shape}"
            )
        return self.shape[0], self.shape[1], self.shape[2]


Build = Callable[..., nn.Module]
"""``build(architecture, task, **settings)``; settings are keywords with defaults."""


def build_network(
    architecture: Architecture,
    task: NetworkTask,
    *,
    network: str | Build | None = None,
    settings: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build the module of an architecture, with weights drawn from torch's global generator.

    Args:
        architecture: A valid architecture.
        task: Shape of the inputs and number of classes.
        network: A function ``build(architecture, task, **settings)``, its name in the registry or
            ``module:function``; by default the one registered for the space.
        settings: Sizes of the network, such as ``channels``, by the names of the function's
            keywords.

    Raises:
        UnknownNameError: If there is no such network, or none for this space.
        InvalidArgumentError: If a setting is unknown, building fails, or the result is no module.
    """
    build = find_build(architecture.space, network, settings or {})
    with explained(architecture.space, settings, "be built"):
        module = build(architecture, task, **(settings or {}))
    if not isinstance(module, nn.Module):
        raise InvalidArgumentError(
            f"the network of {architecture.space!r} must be a torch.nn.Module, "
            f"got {type(module).__name__}"
        )
    return module


@contextmanager
def explained(space: str, settings: Mapping[str, Any] | None, what: str) -> Iterator[None]:
    """Turn exceptions of torch or of a user's function into one line about a failed ``what``.

    Raises:
        InvalidArgumentError: With the error as its cause.
    """
    try:
        yield
    except SurrogateNASError:
        raise
    except Exception as error:
        sizes = ", ".join(f"{key}={value}" for key, value in (settings or {}).items())
        raise InvalidArgumentError(
            f"the network of {space!r}{' with ' if sizes else ''}{sizes} cannot {what}: "
            f"{type(error).__name__}: {error}"
        ) from error


def source_digest(build: Build) -> str:
    """Hash of the file that a function is written in; of nothing, where it is not Python."""
    source = b""
    with suppress(TypeError, OSError):
        source = Path(inspect.getsourcefile(build) or "").read_bytes()
    return hashlib.sha256(source).hexdigest()


def find_build(space: str, network: str | Build | None, settings: Mapping[str, Any]) -> Build:
    """The function that builds networks, after a check that it has all settings.

    Raises:
        UnknownNameError: If there is no such network.
        InvalidArgumentError: If there is none for this space, a setting is unknown, or a size of
            one of the program's own networks is no positive integer.
    """
    build = network if callable(network) else _loaded(space, network)
    parameters = list(inspect.signature(build).parameters.values())[2:]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return build
    known = {parameter.name: parameter.default for parameter in parameters}
    name = space if network is None else network
    ours = isinstance(name, str) and name in registry.NETWORKS
    for key, value in settings.items():
        if key not in known:
            raise InvalidArgumentError(
                f"the network of {space!r} has no setting {key!r} "
                f"(known: {', '.join(known) or 'none'})"
            )
        if ours and type(known[key]) is int and (type(value) is not int or value < 1):
            raise InvalidArgumentError(
                f"the setting {key} of the network of {space!r} must be an integer of at least 1, "
                f"got {value}"
            )
    return build


def _loaded(space: str, network: str | None) -> Build:
    name = space if network is None else network
    try:
        build = registry.load("network", name)
    except UnknownNameError:
        if network is not None:
            raise
        raise InvalidArgumentError(
            f"space {space!r} has no network of its own; name a function that builds one with "
            "network='module:build' (on the command line --network module:build)"
        ) from None
    if not callable(build):
        raise InvalidArgumentError(f"network {name!r} leads to {build!r}, which is no function")
    found: Build = build
    return found


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def count_flops(network: nn.Module, task: NetworkTask) -> int:
    """Multiply-adds of convolutions and linear layers for one image, as NAS benchmarks count.

    For the network of a graph, they are those of one node without edges, as the cost of messages
    depends on the graph. The network runs once on its own device, in evaluation mode; on
    ``torch.device("meta")`` nothing is computed.
    """
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    training = network.training
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        if len(task.shape) == 1:
            edges = torch.zeros((2, 0), dtype=torch.int64, device=device)
            network(torch.zeros((1, *task.shape), device=device), edges)
        else:
            network(torch.zeros((1, *task.image()), device=device))
    network.train(training)
    return int(counter.get_total_flops()) // 2
