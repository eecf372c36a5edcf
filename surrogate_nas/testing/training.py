"""Contract tests of data sets and networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.testing.contract import Contract, need_not
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.networks.base import NetworkTask, build_network, count_parameters


class DatasetContract(Contract):
    """Promises of a data set that `open_dataset` returns; a subclass defines `make`."""

    def make(self) -> Dataset:
        """The data set, opened anew."""
        raise NotImplementedError

    def test_the_parts_have_no_example_in_common(self) -> None:
        """No node is in two parts, and almost no image, as some sources repeat images."""
        data = self.make()
        parts = [
            {row.tobytes() for row in part.inputs}
            for part in (data.train, data.validation, data.test)
        ]
        shared = len(parts[0] & parts[1]) + len(parts[0] & parts[2]) + len(parts[1] & parts[2])
        assert shared <= (0 if data.graph is not None else sum(map(len, parts)) / 100)

    def test_labels_are_the_numbers_of_the_classes(self) -> None:
        """The labels of the training part are numbers from 0 without a gap."""
        data = self.make()
        assert data.classes >= 2
        assert np.array_equal(np.unique(data.train.labels), np.arange(data.classes))
        for part in (data.train, data.validation, data.test):
            assert len(part) == len(part.inputs) == len(part.labels) > 0
            assert part.labels.dtype == np.int64
            assert np.isin(part.labels, np.arange(data.classes)).all()

    def test_networks_can_read_the_inputs(self) -> None:
        """Inputs are finite images of one shape, or nodes of a valid graph."""
        data = self.make()
        if data.graph is None:
            for part in (data.train, data.validation, data.test):
                assert part.inputs.dtype in (np.uint8, np.float32)
                assert part.inputs.shape[1:] == data.task.image()
                assert np.isfinite(part.inputs).all()
            mean, std = data.moments
            assert mean.shape == std.shape == (data.task.image()[0],)
            assert (std > 0).all()
            return
        nodes = len(data.graph.features)
        assert data.task.shape == data.graph.features.shape[1:]
        assert np.isfinite(data.graph.features).all()
        assert data.graph.edges.shape[0] == 2
        for numbers in (data.graph.edges, data.train.inputs, data.validation.inputs):
            assert ((numbers >= 0) & (numbers < nodes)).all()

    def test_it_is_the_same_each_time(self) -> None:
        """The fingerprint of the same data is always the same."""
        assert self.make().fingerprint == self.make().fingerprint


class NetworkContract(Contract):
    """Promises of a function that builds networks; a subclass defines `space` and `build`.

    Attributes:
        task: The inputs and classes of the networks: images, or nodes of a graph.
    """

    task = NetworkTask((3, 8, 8), 5)

    def space(self) -> SearchSpace:
        """The space of the architectures."""
        raise NotImplementedError

    def build(self) -> Any:
        """The function that builds networks, or its name, see `build_network`."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """Sizes that make small networks."""
        return {}

    def _built(self, number: int) -> Any:
        import torch

        arch = self.space().sample(np.random.default_rng(number))
        torch.manual_seed(0)
        return build_network(arch, self.task, network=self.build(), settings=self.settings())

    def _inputs(self) -> tuple[Any, ...]:
        import torch

        torch.manual_seed(1)
        if len(self.task.shape) == 3:
            return (torch.randn(4, *self.task.shape),)
        ring = torch.arange(4)
        return torch.randn(4, *self.task.shape), torch.stack([ring, ring.roll(1)])

    def test_it_gives_logits_and_gradients(self) -> None:
        """Logits are finite, one for each class, and parameters have gradients."""
        import torch

        for number in range(4):
            network = self._built(number)
            logits = network(*self._inputs())
            assert logits.shape == (4, self.task.classes)
            assert torch.isfinite(logits).all()
            logits.square().sum().backward()
            slopes = [p.grad for p in network.parameters() if p.grad is not None]
            assert any(float(slope.abs().sum()) > 0 for slope in slopes)

    def test_the_same_generator_gives_the_same_weights(self) -> None:
        """All randomness is from torch's generator."""
        import torch

        one, other = self._built(0).state_dict(), self._built(0).state_dict()
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)

    def test_architectures_differ(self) -> None:
        """Not all architectures give the same network."""
        found = set()
        for number in range(8):
            network = self._built(number)
            found.add((count_parameters(network), str(network)))
        assert len(found) > 1

    def test_one_example_is_as_good_as_many(self) -> None:
        """In evaluation mode, an image's logits do not depend on the other images."""
        import torch

        if len(self.task.shape) != 3:
            raise need_not("nodes of a graph depend on their neighbours")
        network, (images,) = self._built(1).eval(), self._inputs()
        with torch.no_grad():
            torch.testing.assert_close(network(images[:1]), network(images)[:1])
