"""Random weights whose statistics and head are taken from the data."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.initial.base import FreshTraining
from surrogate_nas.training.initial.keys import parameter_keys
from surrogate_nas.training.initial.start import fit_to_data
from surrogate_nas.training.options import FITTED


@dataclass(frozen=True, slots=True)
class FittedStart:
    """Starts as a bank does that holds nothing: it needs no other data, and fits every network.

    Data-dependent starts are known from Mishkin and Matas, "All You Need is a Good Init", ICLR
    2016; a linear classifier of random features as the head from extreme learning machines.
    """

    identity: str = FITTED

    def begin(self, network: nn.Module, training: FreshTraining) -> None:
        """Take the statistics and the head of a random network from the data, see `Initial`."""
        data = training.dataset
        keys = parameter_keys(network, data.task)
        fit_to_data(network, keys, training.examples, data.classes, training.seed)

    def keep(self, arch: Architecture, network: nn.Module, value: float) -> None:
        """Nothing."""
