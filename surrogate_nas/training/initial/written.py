"""Starting weights that a hypernetwork writes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from surrogate_nas.training.initial.bank import LearnedWeights
from surrogate_nas.training.initial.hypernetwork import HyperNetwork, Vocabulary
from surrogate_nas.training.initial.keys import ParameterKeys

NAME = "hypernetwork"
"""The form, as a file's provenance notes it."""


@dataclass(frozen=True)
class WrittenWeights(LearnedWeights):
    """Starting weights that a graph hypernetwork writes for each network.

    Attributes:
        tensors: Its weights.
    """

    def shared(self, network: nn.Module, keys: ParameterKeys) -> dict[str, Tensor]:
        """What it writes for a network, see `LearnedWeights`."""
        with torch.device("meta"):  # draws no random numbers
            writer = HyperNetwork(Vocabulary.from_json(self.provenance.method["vocabulary"]))
        weights = {name: torch.from_numpy(array) for name, array in self.tensors.items()}
        writer.load_state_dict(weights, assign=True)
        with torch.no_grad():
            found: dict[str, Tensor] = writer(network, keys)
            return found
