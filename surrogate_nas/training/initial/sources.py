"""The data sets that starting weights are learnt from, and networks that share their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.devices import DeviceExamples
from surrogate_nas.training.initial.keys import ParameterKeys, parameter_keys
from surrogate_nas.training.networks.base import Build, build_network

_TRIES = 1000
_SEEDS = 2**31


@dataclass(frozen=True, eq=False)
class SourceData:
    """A data set to learn from, and how its networks are built.

    Attributes:
        dataset: Images.
        settings: Sizes of the networks.
        network: Builds them, see `build_network`.
        forms: Other data sets that show the same images, such as those before they were made
            smaller; what is learnt here has seen them, too.
    """

    dataset: Dataset
    settings: Mapping[str, Any] = field(default_factory=dict)
    network: str | Build | None = None
    forms: Sequence[Dataset] = ()

    def build(self, arch: Architecture) -> tuple[nn.Module, ParameterKeys]:
        """A fresh network with its keys."""
        network = build_network(
            arch, self.dataset.task, network=self.network, settings=self.settings
        )
        return network, parameter_keys(network, self.dataset.task)


class Draws:
    """Draws data sets, architectures and batches; all follow from one generator."""

    def __init__(
        self,
        space: SearchSpace,
        sources: Sequence[SourceData],
        held_out: Sequence[Architecture],
        seed: int,
        device: torch.device,
    ) -> None:
        """Put the data sets on a device.

        Args:
            space: Of the architectures.
            sources: At least one.
            held_out: Architectures that are never drawn.
            seed: Of everything that is drawn.
            device: Where the networks are trained.

        Raises:
            InvalidArgumentError: If there is no source, or one of a graph.
        """
        if not sources:
            raise InvalidArgumentError("starting weights are learnt from data sets; name some")
        for source in sources:
            source.dataset.task.image()
        self.space, self.sources = space, sources
        self.rng = np.random.default_rng(seed)
        self.examples = [
            DeviceExamples(s.dataset.train, s.dataset.moments, device) for s in sources
        ]
        self._held_out = {space.key(arch) for arch in held_out}

    def source(self) -> int:
        """Number of a source; all are as likely."""
        return int(self.rng.integers(len(self.sources)))

    def architecture(self) -> Architecture:
        """One that is not held out."""
        for _ in range(_TRIES):
            arch = self.space.sample(self.rng)
            if self.space.key(arch) not in self._held_out:
                return arch
        raise InvalidArgumentError(
            f"nearly all architectures of {self.space.name!r} are held out; hold out fewer"
        )

    def seed(self) -> int:
        """Of something else that is drawn."""
        return int(self.rng.integers(_SEEDS))

    def batch(self, source: int, size: int) -> tuple[Tensor, Tensor]:
        """Inputs and labels of training examples, drawn with replacement."""
        examples = self.examples[source]
        rows = torch.from_numpy(self.rng.integers(0, len(examples), size))
        return examples.batch(rows.to(examples.labels.device))
