"""Records trainings for tables, with measured latency."""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.devices import find_device
from surrogate_nas.training.machine import machine_of
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.record import Record

_WARM_UP, _PASSES = 3, 15


class TrainingRecorder:
    """Records the trainings of a `TrainingObjective`."""

    def __init__(self, objective: TrainingObjective) -> None:
        self.objective = objective

    @property
    def epochs(self) -> int:
        """Number of epochs of each training."""
        return self.objective.epochs

    def devices(self) -> list[str]:
        """Every GPU that the objective's device may stand for, or its one device."""
        return self.objective.devices()

    def machine(self, device: str) -> dict[str, str]:
        """Processor with its vector instructions, and version of torch."""
        return machine_of(find_device(device))

    def record(self, arch: Architecture, seed: int, device: str) -> Record:
        """Train once.

        Raises:
            TrainingError: If the training diverges or runs out of memory.
        """
        done = self.objective.on(device).train(arch, seed=seed)
        return Record(
            validation=tuple(point.validation_accuracy for point in done.curve),
            test=tuple(point.test_accuracy for point in done.curve),
            elapsed=tuple(point.seconds for point in done.curve),
            parameters=done.parameters,
            flops=done.flops,
            latency=latency(done.network, self.objective.dataset),
            fell_back=None if self.objective.optimizer is None else float(done.fell_back),
        )

    def forget(self, arch: Architecture, seed: int) -> None:
        """Remove the checkpoint of a training whose record is kept."""
        self.objective.forget(arch, seed=seed)


@torch.no_grad()
def latency(network: nn.Module, dataset: Dataset) -> float:
    """Milliseconds of a forward pass for one image, or for a whole graph.

    It is the median of some passes, with inputs and outputs in the processor's memory.
    """
    where = next((p.device for p in network.parameters()), torch.device("cpu"))
    if dataset.graph is None:
        inputs = [torch.zeros((1, *dataset.task.image()))]
    else:
        inputs = [torch.from_numpy(a) for a in (dataset.graph.features, dataset.graph.edges)]
    network.eval()
    passes = []
    for _ in range(_WARM_UP + _PASSES):
        start = time.perf_counter()
        network(*(tensor.to(where) for tensor in inputs)).cpu()
        passes.append(time.perf_counter() - start)
    return 1000 * statistics.median(passes[_WARM_UP:])
