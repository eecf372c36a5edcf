"""The answer of ``surrogate-nas measure``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from surrogate_nas.records.base import JsonRecord


@dataclass(frozen=True, slots=True)
class MeasuredNetwork(JsonRecord):
    """What one network costs.

    Attributes:
        arch: In the notation of its space.
        latency_ms: Median duration of a pass in milliseconds.
        spread_ms: Distance of the quartiles of these durations.
        memory_mb: Peak of parameters, inputs and activations in 10⁶ bytes; null where the device
            does not tell it.
        energy_mj: Millijoules of a pass, of the whole processor or GPU; null where the machine does
            not tell it.
        parameters: Number of trainable parameters.
        flops: Multiply-adds of one image.
    """

    arch: str
    latency_ms: float
    spread_ms: float
    memory_mb: float | None
    energy_mj: float | None
    parameters: int
    flops: int


@dataclass(frozen=True, slots=True)
class FailedNetwork(JsonRecord):
    """A network that could not be measured.

    Attributes:
        arch: In the notation of its space.
        error: The reason.
    """

    arch: str
    error: str


@dataclass(frozen=True, slots=True)
class MeasuringRecord(JsonRecord):
    """Networks that were measured on a device.

    Attributes:
        space: Of the architectures.
        device: cpu, cuda or mps.
        machine: Name of the processor or GPU.
        batch_size: Images of one pass.
        threads: Threads of one pass on a processor.
        repeats: Passes of which the median is taken.
        runtime: eager, compile or onnx.
        path: The table; null if there is none.
        measured: How many networks this call measured; the others were in the table.
        networks: What they cost, in the order asked for.
        failed: Those that could not be measured.
        seconds: Duration.
    """

    space: str
    device: str
    machine: str
    batch_size: int
    threads: int
    repeats: int
    runtime: str
    path: Path | None
    measured: int
    networks: tuple[MeasuredNetwork, ...]
    failed: tuple[FailedNetwork, ...]
    seconds: float
