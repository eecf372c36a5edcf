"""A graph hypernetwork: writes the starting weights of a network from its operations."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor, nn

from surrogate_nas.training.initial.keys import ParameterKeys
from surrogate_nas.training.initial.units import Unit, units_of

LARGEST = 4096
"""Numbers of a parameter that is still written; larger ones would need millions of weights."""

_STATE, _HIDDEN, _ROUNDS = 32, 64, 2
_GAIN = 0.6  # of kernels, as a part of the scale of He et al. (2015)
_SPREAD = 0.7  # of kernels, without what depends on their unit
_APART = 0.1  # of parameters of one unit, whose states are otherwise the same

_Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What networks consist of, by which a hypernetwork knows them.

    Attributes:
        positions: Of units.
        kinds: Of units.
        names: Of parameters within their unit.
        shapes: Of what is written: for vectors their length, such as ``8``; for kernels their
            channels with the largest height and width, such as ``8x8x5x5``.
    """

    positions: tuple[str, ...]
    kinds: tuple[str, ...]
    names: tuple[str, ...]
    shapes: tuple[str, ...]

    @classmethod
    def of(cls, units: Iterable[Unit]) -> Self:
        """The vocabulary of the units of some networks."""
        positions, kinds, names = set[str](), set[str](), set[str]()
        largest: dict[_Shape, _Shape] = {}
        for unit in units:
            positions.add(unit.position)
            kinds.add(unit.kind)
            names.update(unit.parameters)
            for shape in map(_filled, filter(_fits, unit.parameters.values())):
                met = largest.get(shape[:2], shape)
                largest[shape[:2]] = tuple(map(max, zip(met, shape, strict=True)))
        small = sorted(shape for shape in largest.values() if math.prod(shape) <= LARGEST)
        return cls(
            positions=tuple(sorted(positions)),
            kinds=tuple(sorted(kinds)),
            names=tuple(sorted(names)),
            shapes=tuple("x".join(map(str, shape)) for shape in small),
        )

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` gave.

        Raises:
            KeyError, TypeError: If it is something else.
        """
        return cls(**{each.name: tuple(map(str, content[each.name])) for each in fields(cls)})


def _fits(shape: _Shape) -> bool:
    """Whether it is that of a vector or of a kernel of two dimensions at most."""
    return 1 <= len(shape) <= 4


def _filled(shape: _Shape) -> _Shape:
    """A vector's shape, or a kernel's with four sizes; a stem has no channels of its images."""
    match shape:
        case (out, inner):
            return out, inner, 1, 1
        case (out, height, width):
            return out, 1, height, width
        case _:
            return shape


class HyperNetwork(nn.Module):
    """Writes kernels, scales and biases from a network's operations and their order.

    Each unit has a state. It begins with the unit's kind and position, and learns in two rounds of
    messages what is before and behind it. A parameter is written from the state of its unit: all
    kernels with the same numbers of channels by one layer, of which small kernels take the middle.
    After Zhang et al., "Graph HyperNetworks for Neural Architecture Search", ICLR 2019, and Knyazev
    et al., "Parameter Prediction for Unseen Deep Architectures", NeurIPS 2021.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.positions = _Words(vocabulary.positions)
        self.kinds = _Words(vocabulary.kinds)
        self.names = _Words(vocabulary.names, _APART)
        self.rounds = nn.ModuleList(
            nn.Sequential(nn.Linear(3 * _STATE, _STATE), nn.ReLU(), nn.Linear(_STATE, _STATE))
            for _ in range(_ROUNDS)
        )
        self.norm = nn.LayerNorm(_STATE)
        self.hidden = nn.Sequential(nn.Linear(_STATE, _HIDDEN), nn.ReLU())
        self.writers = nn.ModuleDict()
        self.written: dict[_Shape, tuple[str, _Shape]] = {}
        for text in vocabulary.shapes:
            shape = tuple(map(int, text.split("x")))
            self.writers[text] = _writer(shape)
            self.written[shape[:2]] = text, shape

    def forward(self, network: nn.Module, keys: ParameterKeys) -> dict[str, Tensor]:
        """The tensors that it writes for a network, by key; none where something is unknown."""
        units = units_of(network, keys)
        found: dict[str, Tensor] = {}
        for unit, state in zip(units, self._states(units), strict=True):
            if unit.position not in self.positions or unit.kind not in self.kinds:
                continue
            for name, shape in unit.parameters.items():
                key = keys.shared.get(f"{unit.position}.{name}")
                if key is not None and name in self.names and self._writes(shape):
                    own = state + self.names([name])[0]
                    found[key] = self._write(own, shape, scale=name.endswith("weight"))
        return found

    def _states(self, units: Sequence[Unit]) -> Tensor:
        """(units, state): what each is, among those before and behind it."""
        state: Tensor = self.kinds([unit.kind for unit in units])
        state = state + self.positions([unit.position for unit in units])
        before = torch.ones(len(units), len(units)).tril(-1)
        means = [m / m.sum(dim=1, keepdim=True).clamp_min(1) for m in (before, before.T)]
        for step in self.rounds:
            state = state + step(torch.cat([state, *(mean @ state for mean in means)], dim=1))
        found: Tensor = self.norm(state)
        return found

    def _writes(self, shape: _Shape) -> bool:
        filled = _filled(shape)
        found = self.written.get(filled[:2])
        return _fits(shape) and found is not None and all(map(operator.le, filled, found[1]))

    def _write(self, state: Tensor, shape: _Shape, *, scale: bool) -> Tensor:
        filled = _filled(shape)
        text, largest = self.written[filled[:2]]
        numbers: Tensor = self.writers[text](self.hidden(state))
        if len(shape) == 1:
            scales, biases = numbers.chunk(2)
            return 1 + scales if scale else biases
        numbers = numbers.reshape(largest)
        _, inner, height, width = filled
        top, left = (largest[2] - height) // 2, (largest[3] - width) // 2
        middle = numbers[:, :, top : top + height, left : left + width]
        return (_GAIN * math.sqrt(2 / (inner * height * width)) * middle).reshape(shape)


class _Words(nn.Module):
    """A vector for each word; zero for those that are unknown."""

    def __init__(self, words: Sequence[str], spread: float = 1.0) -> None:
        super().__init__()
        self.numbers = {word: 1 + i for i, word in enumerate(words)}
        self.table = nn.Embedding(1 + len(words), _STATE, padding_idx=0)
        with torch.no_grad():
            self.table.weight.mul_(spread)

    def __contains__(self, word: str) -> bool:
        return word in self.numbers

    def forward(self, words: Sequence[str]) -> Tensor:
        """(words, state)."""
        found: Tensor = self.table(torch.tensor([self.numbers.get(word, 0) for word in words]))
        return found


def _writer(shape: _Shape) -> nn.Linear:
    """Of a kernel, or of a normalisation, whose scales begin as ones and biases as zeros."""
    if len(shape) == 1:
        layer = nn.Linear(_HIDDEN, 2 * shape[0])
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    else:
        layer = nn.Linear(_HIDDEN, math.prod(shape))
        nn.init.normal_(layer.weight, std=math.sqrt(2 / _HIDDEN))
        nn.init.normal_(layer.bias, std=_SPREAD)
    return layer
