"""The parameters of a network as one vector, with the kind and depth of each tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

KINDS = ("weight", "scale", "bias", "head")
"""Weights of convolutions and hidden layers, scales of normalisations, biases, and the last layer's
weights."""

_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True, eq=False)
class ParameterLayout:
    """Where each tensor is in the vector, and what it is.

    Attributes:
        shapes: Of the tensors.
        kinds: Index in `KINDS` of each: int64 (tensors,).
        depths: From 0 for the first layer to 1 for the last: float32 (tensors,).
        sizes: Number of elements of each: int64 (tensors,).
        segments: The tensor of each element: int64 (elements,).
    """

    shapes: tuple[torch.Size, ...]
    kinds: Tensor
    depths: Tensor
    sizes: Tensor
    segments: Tensor

    @classmethod
    def of(cls, parameters: list[Tensor], kinds: list[int], depths: list[float]) -> ParameterLayout:
        """The layout of tensors on one device."""
        where = parameters[0].device
        sizes = torch.tensor([p.numel() for p in parameters], device=where)
        return cls(
            shapes=tuple(p.shape for p in parameters),
            kinds=torch.tensor(kinds, device=where),
            depths=torch.tensor(depths, dtype=torch.float32, device=where),
            sizes=sizes,
            segments=torch.repeat_interleave(torch.arange(len(sizes), device=where), sizes),
        )

    def flat(self, tensors: list[Tensor]) -> Tensor:
        """The vector of tensors: (elements,)."""
        return torch.cat([tensor.reshape(-1) for tensor in tensors])

    def split(self, vector: Tensor) -> list[Tensor]:
        """The tensors of a vector (…, elements): views with the same leading dimensions."""
        parts = torch.split(vector, [shape.numel() for shape in self.shapes], dim=-1)
        return [
            part.view(*vector.shape[:-1], *shape)
            for part, shape in zip(parts, self.shapes, strict=True)
        ]

    def means(self, vector: Tensor) -> Tensor:
        """Mean over each tensor: (…, elements) to (…, tensors)."""
        index = self.segments.expand(vector.shape)
        sums = vector.new_zeros(*vector.shape[:-1], len(self.sizes)).scatter_add(-1, index, vector)
        return sums / self.sizes

    def spread(self, numbers: Tensor) -> Tensor:
        """A tensor's number for each of its elements: (…, tensors) to (…, elements)."""
        return numbers.index_select(-1, self.segments)


def described(network: nn.Module) -> Iterator[tuple[str, nn.Parameter, int, float]]:
    """Name, parameter, kind (index in `KINDS`) and depth of each trainable parameter."""
    layers = [
        (prefix, module)
        for prefix, module in network.named_modules()
        if any(p.requires_grad for p in module.parameters(recurse=False))
    ]
    last = max((i for i, (_, m) in enumerate(layers) if not isinstance(m, _NORMS)), default=0)
    seen: set[nn.Parameter] = set()
    for i, (prefix, module) in enumerate(layers):
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad or parameter in seen:
                continue
            seen.add(parameter)
            if parameter.dim() > 1:
                kind = "head" if i == last else "weight"
            else:
                kind = "scale" if isinstance(module, _NORMS) and name == "weight" else "bias"
            full = f"{prefix}.{name}" if prefix else name
            yield full, parameter, KINDS.index(kind), i / max(len(layers) - 1, 1)
