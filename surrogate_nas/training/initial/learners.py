"""What learns from the short trainings of a meta-training: a bank, or a graph hypernetwork."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from surrogate_nas.training.initial.bank import LearnedWeights, WeightBank, WeightsProvenance
from surrogate_nas.training.initial.hypernetwork import HyperNetwork, Vocabulary
from surrogate_nas.training.initial.keys import ParameterKeys
from surrogate_nas.training.initial.sources import Draws
from surrogate_nas.training.initial.start import shared_part
from surrogate_nas.training.initial.units import Unit, units_of
from surrogate_nas.training.initial.written import NAME, WrittenWeights

BANK = "bank"
FORMS = (NAME, BANK)
"""What can learn; the first is the default."""

_SURVEY = 100  # networks, for each source, that show what a hypernetwork will write
_RATE = 0.005  # of Adam, for a hypernetwork
_SMALLEST = 1e-6  # mean square of a tensor, to which its error is set in relation


class Learner(ABC):
    """Gives trainings their start, and learns from where they ended."""

    @property
    @abstractmethod
    def noted(self) -> dict[str, Any]:
        """What a file notes of it."""

    @abstractmethod
    def start(self, network: nn.Module, keys: ParameterKeys) -> Mapping[str, Tensor]:
        """Tensors for a fresh network, by key."""

    @abstractmethod
    def approach(self, network: nn.Module, keys: ParameterKeys, left: float) -> None:
        """Move towards the end of a training.

        Args:
            network: As it was trained.
            keys: Of the network.
            left: The part of the meta-training that is still ahead, from 1 to 0.
        """

    @abstractmethod
    def learnt(self, provenance: WeightsProvenance) -> LearnedWeights:
        """What was learnt."""


class BankLearner(Learner):
    """Shared weights by position and operation, which go a part of the way."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.bank: dict[str, Tensor] = {}

    @property
    def noted(self) -> dict[str, Any]:
        """See `Learner`."""
        return {"name": "reptile", "rate": self.rate}

    def start(self, network: nn.Module, keys: ParameterKeys) -> Mapping[str, Tensor]:
        """The bank, to which fresh weights are added where it has none."""
        add_to_bank(self.bank, network, keys)
        return self.bank

    @torch.no_grad()
    def approach(self, network: nn.Module, keys: ParameterKeys, left: float) -> None:
        """See `Learner`."""
        for key, part in shared_parts(network, keys):
            self.bank[key].lerp_(part, self.rate * left)

    def learnt(self, provenance: WeightsProvenance) -> WeightBank:
        """The bank."""
        tensors = {key: tensor.cpu().numpy() for key, tensor in self.bank.items()}
        return WeightBank(tensors, provenance)


class HyperNetworkLearner(Learner):
    """A hypernetwork that learns to write what trainings ended with."""

    def __init__(self, draws: Draws) -> None:
        self.vocabulary = Vocabulary.of(_survey(draws))
        self.writer = HyperNetwork(self.vocabulary)
        self.optimiser = torch.optim.Adam(self.writer.parameters(), lr=_RATE)
        self.written: dict[str, Tensor] = {}

    @property
    def noted(self) -> dict[str, Any]:
        """See `Learner`."""
        return {"name": NAME, "vocabulary": asdict(self.vocabulary)}

    def start(self, network: nn.Module, keys: ParameterKeys) -> Mapping[str, Tensor]:
        """What it writes."""
        self.written = self.writer(network, keys)
        return {key: tensor.detach() for key, tensor in self.written.items()}

    def approach(self, network: nn.Module, keys: ParameterKeys, left: float) -> None:
        """See `Learner`."""
        errors = []
        for key, part in shared_parts(network, keys):
            if key in self.written:
                goal = part.detach().cpu()
                size = goal.square().mean().clamp_min(_SMALLEST)
                errors.append((self.written[key] - goal).square().mean() / size)
        if not errors:  # all is unknown or too large
            return
        self.optimiser.param_groups[0]["lr"] = _RATE * left
        self.optimiser.zero_grad()
        # As a bank goes a part of the way that shrinks; Adam remembers how large errors were.
        (left * torch.stack(errors).sum()).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()

    def learnt(self, provenance: WeightsProvenance) -> WrittenWeights:
        """The hypernetwork."""
        weights = self.writer.state_dict()
        return WrittenWeights({name: w.numpy() for name, w in weights.items()}, provenance)


def _survey(draws: Draws) -> Iterator[Unit]:
    """Units of random networks, on each source."""
    for source in draws.sources:
        for _ in range(_SURVEY):
            yield from units_of(*source.build(draws.architecture()))


def shared_parts(network: nn.Module, keys: ParameterKeys) -> Iterator[tuple[str, Tensor]]:
    """Keys of a network's parameters, with what is held of each."""
    for name, parameter in network.named_parameters():
        key = keys.shared.get(name)
        if key is not None:
            yield key, shared_part(name, parameter, keys)


def add_to_bank(bank: dict[str, Tensor], network: nn.Module, keys: ParameterKeys) -> None:
    """Take a fresh network's weights for those keys that the bank does not hold yet."""
    for key, part in shared_parts(network, keys):
        if key not in bank:
            bank[key] = part.detach().clone()
