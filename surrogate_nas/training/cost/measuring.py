"""Measures the latency, memory and energy of a network on a device of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.training.cost.energy import EnergyMeter
from surrogate_nas.training.cost.memory import peak_memory
from surrogate_nas.training.cost.runtimes import RUNTIMES, prepared
from surrogate_nas.training.networks.base import NetworkTask, count_flops, count_parameters

_WARM_UP_SECONDS = 0.05
_WARM_UP_PASSES = 5
_MOST = 3  # times as many passes, where other processes interrupt them


@dataclass(frozen=True, slots=True)
class MeasuringSettings:
    """How networks are measured.

    Attributes:
        batch_size: Images of one pass; the network of a graph takes the whole graph.
        threads: Threads of one pass on a processor.
        repeats: Passes of which the median is taken.
        runtime: One of `RUNTIMES`: eager, compile or onnx.
    """

    batch_size: int = 1
    threads: int = 1
    repeats: int = 50
    runtime: str = "eager"

    def __post_init__(self) -> None:
        for name in ("batch_size", "threads", "repeats"):
            value = getattr(self, name)
            if value < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {value}")
        if self.runtime not in RUNTIMES:
            raise InvalidArgumentError(
                f"runtime must be one of {', '.join(RUNTIMES)}, got {self.runtime!r}"
            )

    @property
    def text(self) -> str:
        """For people."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return (
            f"batch size {self.batch_size}, {threads}, median of {self.repeats} passes, "
            f"{self.runtime}"
        )


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """What one network costs.

    Attributes:
        latency_ms: Median duration of a pass in milliseconds.
        spread_ms: Distance of the quartiles of these durations.
        memory_mb: Peak of parameters, inputs and activations in 10⁶ bytes, or None.
        energy_mj: Millijoules of a pass, of the whole processor or GPU, or None where the machine
            does not tell it.
        parameters: Number of trainable parameters.
        flops: Multiply-adds of one image.
    """

    latency_ms: float
    spread_ms: float
    memory_mb: float | None
    energy_mj: float | None
    parameters: int
    flops: int


@torch.no_grad()
def measure_network(
    network: nn.Module,
    task: NetworkTask,
    settings: MeasuringSettings,
    device: torch.device,
    *,
    edges: Tensor | None = None,
    nodes: int = 0,
) -> NetworkCost:
    """Measure one network in evaluation mode.

    Args:
        network: With any weights.
        task: Shape of its inputs.
        settings: How.
        device: Where; the network is moved there.
        edges: Of a graph, int64 (2, m), for a network that takes one.
        nodes: Number of nodes of the graph.

    Raises:
        MissingDependencyError: If the runtime needs a package that is not installed.
        SurrogateNASError: If the network cannot be prepared for the runtime.
    """
    network = network.eval().to(device)
    generator = torch.Generator().manual_seed(0)
    if edges is None:
        shape: tuple[int, ...] = (settings.batch_size, *task.image())
        inputs = [torch.randn(shape, generator=generator)]
    else:
        inputs = [torch.randn((nodes, *task.shape), generator=generator), edges]
    with _threads(settings.threads):
        placed = [tensor.to(device) for tensor in inputs]
        run = prepared(settings.runtime, network, placed, settings.threads)
        seconds, energy = _timed(run, settings.repeats, device)
        memory = peak_memory(network, placed, device)
    low, middle, high = (1000 * np.quantile(seconds, (0.25, 0.5, 0.75))).tolist()
    return NetworkCost(
        latency_ms=middle,
        spread_ms=high - low,
        memory_mb=memory,
        energy_mj=energy,
        parameters=count_parameters(network),
        flops=count_flops(network, task),
    )


def _timed(
    run: Callable[[], object], repeats: int, device: torch.device
) -> tuple[list[float], float | None]:
    """Seconds of each pass after some that warm up, and millijoules of a pass.

    A pass that another process interrupted is made again, up to a limit.
    """
    started = time.perf_counter()
    passes = 0
    while passes < _WARM_UP_PASSES or time.perf_counter() - started < _WARM_UP_SECONDS:
        run()
        passes += 1
    _finish(device)
    meter = EnergyMeter(device)
    whole: list[float] = []
    interrupted: list[float] = []
    before = meter.read()
    while len(whole) < repeats and len(whole) + len(interrupted) < _MOST * repeats:
        switches, start = _switches(), time.perf_counter()
        run()
        _finish(device)
        seconds = time.perf_counter() - start
        (whole if _switches() == switches else interrupted).append(seconds)
    after = meter.read()
    passes = len(whole) + len(interrupted)
    # The shortest of the passes during which other processes had the processor are the nearest.
    kept = [*whole, *sorted(interrupted)[: repeats - len(whole)]]
    if before is None or after is None or after <= before:
        return kept, None
    return kept, (after - before) / passes


def _switches() -> int:
    """How often the system took the processor away from this process for another one."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def _finish(device: torch.device) -> None:
    """Wait until the device has computed what was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
