"""Measure networks on a device, and write a table of their costs."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout

from surrogate_nas._types import IntArray, Progress
from surrogate_nas._version import __version__
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.sources import METRICS, VALIDATION
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.errors import InvalidArgumentError, SurrogateNASError
from surrogate_nas.evaluation import Goal
from surrogate_nas.progress import as_progress
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.training.cost.measuring import MeasuringSettings, NetworkCost, measure_network
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.devices import find_device
from surrogate_nas.training.machine import machine_of
from surrogate_nas.training.networks.base import Build, NetworkTask, build_network, find_build

LATENCY = Goal("latency_ms", maximise=False, unit="ms")
_FURTHER = (
    Goal("spread_ms", maximise=False, unit="ms"),
    Goal("memory_mb", maximise=False, unit="MB"),
    Goal("energy_mj", maximise=False, unit="mJ"),
    Goal("parameters", maximise=False),
    Goal("flops", maximise=False),
)
_EVERY = 2.0  # seconds after which what was measured is written


@dataclass(frozen=True, slots=True)
class Measuring:
    """Networks on a device.

    Attributes:
        space: Of the architectures.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps`` or ``auto``.
        settings: How they are measured.
        task: Shape of the inputs and number of classes.
        dataset: A graph, for networks that take one; or None.
        network: Builds the networks, see `build_network`; a name or None for a table to be written.
        sizes: Sizes of the networks.
    """

    space: SearchSpace
    device: str = "auto"
    settings: MeasuringSettings = field(default_factory=MeasuringSettings)
    task: NetworkTask = field(default_factory=lambda: NetworkTask((3, 32, 32), 10))
    dataset: Dataset | None = None
    network: str | Build | None = None
    sizes: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        find_device(self.device)
        find_build(self.space.name, self.network, self.sizes or {})

    @property
    def where(self) -> torch.device:
        """The device."""
        return find_device(self.device)

    @property
    def machine(self) -> str:
        """Name of the processor or GPU."""
        return machine_of(self.where)["processor"]

    @property
    def provenance(self) -> str:
        """The device and everything on which the numbers depend, for people and for later calls."""
        shape = "x".join(map(str, self.task.shape))
        if self.dataset is not None and self.dataset.graph is not None:
            data = f"the graph {self.dataset.name}"
        else:
            data = f"images of {shape}, {self.task.classes} classes"
        built = self.network if isinstance(self.network, str) else None
        sizes = [f"{key}={value}" for key, value in sorted((self.sizes or {}).items())]
        parts = [self.settings.text, data, *([built] if built else []), *sizes]
        machine = machine_of(self.where)
        return (
            f"measured by surrogate-nas {__version__} on {self.where.type}: "
            f"{machine['processor']}, torch {machine['torch']}; {', '.join(parts)}"
        )

    def cost(self, row: Sequence[int]) -> NetworkCost:
        """Build one network, with the same weights each time, and measure it."""
        arch = self.space.architecture(np.array(row))
        graph = None if self.dataset is None else self.dataset.graph
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = build_network(arch, self.task, network=self.network, settings=self.sizes)
        if graph is None:
            return measure_network(network, self.task, self.settings, self.where)
        edges = torch.from_numpy(graph.edges)
        nodes = len(graph.features)
        return measure_network(
            network, self.task, self.settings, self.where, edges=edges, nodes=nodes
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured.

    Attributes:
        costs: Of each architecture that could be measured, in the order asked for.
        failed: Architecture and reason of each that could not.
        measured: How many of them this call measured; the others were in the table.
        path: The table, or None.
        seconds: Duration of this call.
    """

    costs: Mapping[tuple[int, ...], NetworkCost]
    failed: Mapping[tuple[int, ...], str]
    measured: int
    path: Path | None
    seconds: float


def measure(
    measuring: Measuring,
    choices: IntArray,
    *,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | bool = False,
) -> Measured:
    """Measure networks one after the other, and keep their costs in a table.

    What a table holds already is not measured again, so a call that was stopped goes on. The table
    is written every two seconds and at the end, also where an interrupt ends the call.

    Args:
        measuring: What is measured, where and how.
        choices: int (n, decisions), without repetitions.
        out: The table, a file that ends with .h5; None for no table.
        progress: Shows the networks; True for a bar, also in a notebook.

    Raises:
        InvalidArgumentError: If the table is of another device, or of other settings.
        SurrogateNASError: If no network could be measured, another process writes the table, or it
            cannot be written.
    """
    started = time.perf_counter()
    space, path = measuring.space, None if out is None else Path(out)
    rows = [tuple(row) for row in space.check_all(choices).tolist()]
    label = f"measure on {measuring.where.type}"
    with _table(measuring, path) as costs, as_progress(progress)(label, len(rows)) as advance:
        missing = [row for row in rows if row not in costs]
        for _ in range(len(rows) - len(missing)):
            advance("was there")
        failed: dict[tuple[int, ...], str] = {}
        written = time.monotonic()
        try:
            for row in missing:
                text = space.format(space.architecture(np.array(row)))
                try:
                    costs[row] = measuring.cost(row)
                    advance(f"{text}: {costs[row].latency_ms:.3f} ms")
                except SurrogateNASError:
                    raise
                except Exception as error:
                    failed[row] = f"{type(error).__name__}: {error}"
                    advance(f"{text}: failed")
                if path is not None and costs and time.monotonic() - written > _EVERY:
                    _write(measuring, path, costs)
                    written = time.monotonic()
        finally:
            if path is not None and costs and len(failed) < len(missing):
                _write(measuring, path, costs)
    if not any(row in costs for row in rows):
        raise SurrogateNASError(
            f"no network could be measured on {measuring.device}; the first reason was: "
            f"{next(iter(failed.values()), 'none was asked for')}"
        )
    found = {row: costs[row] for row in rows if row in costs}
    seconds = time.perf_counter() - started
    return Measured(found, failed, len(missing) - len(failed), path, seconds)


@contextmanager
def _table(measuring: Measuring, path: Path | None) -> Iterator[dict[tuple[int, ...], NetworkCost]]:
    """What the table holds, while no other process may write it."""
    if path is None:
        yield {}
        return
    if path.suffix != ".h5":
        raise InvalidArgumentError(f"out must be a file that ends with .h5, got {str(path)!r}")
    lock = FileLock(f"{path}.flock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise SurrogateNASError(
            f"another process measures into {path}; wait for it, or choose another --out"
        ) from error
    except OSError as error:
        raise InvalidArgumentError(
            f"out must be in a folder that exists and can be written, got {str(path)!r}: "
            f"{error.strerror}"
        ) from error
    try:
        yield _read(measuring, path) if path.exists() else {}
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def _read(measuring: Measuring, path: Path) -> dict[tuple[int, ...], NetworkCost]:
    table = HDF5Benchmark(path)
    if table.space.identity != measuring.space.identity or table.source != measuring.provenance:
        raise InvalidArgumentError(
            f"{path} holds {table.space.name} {table.source!r}, and {measuring.space.name} "
            f"{measuring.provenance!r} was asked for; choose another --out"
        )
    columns = table.columns(table.tasks[0])
    found = {}
    numbers = {
        name.removeprefix(METRICS): values[:, 0, 0]
        for name, (_, values) in columns.items()
        if name.startswith(METRICS)
    }
    latency = columns[VALIDATION][1][:, 0, 0]
    for i, row in enumerate(table.choices.tolist()):
        given = {name: float(values[i]) for name, values in numbers.items()}
        given = {name: value for name, value in given.items() if np.isfinite(value)}
        found[tuple(row)] = NetworkCost(
            latency_ms=float(latency[i]),
            spread_ms=given["spread_ms"],
            memory_mb=given.get("memory_mb"),
            energy_mj=given.get("energy_mj"),
            parameters=int(given["parameters"]),
            flops=int(given["flops"]),
        )
    return found


def _write(measuring: Measuring, path: Path, costs: Mapping[tuple[int, ...], NetworkCost]) -> None:
    values = {
        column.name: np.array(
            [np.nan if (v := getattr(cost, column.name)) is None else v for cost in costs.values()],
            dtype=np.float64,
        )
        for column in fields(NetworkCost)
    }
    metrics = [(goal, values[goal.metric]) for goal in _FURTHER]
    task = TaskSpec(
        name=measuring.where.type,
        goal=LATENCY,
        values=values[LATENCY.metric],
        metrics=[(goal, column) for goal, column in metrics if np.isfinite(column).any()],
    )
    spec = TableSpec(
        name=path.stem,
        space=measuring.space,
        choices=np.array(list(costs), dtype=np.int16),
        tasks=[task],
        source=measuring.provenance,
    )
    write_table(path, spec)


# What a table was measured with ------------------------------------------------------------------

_PROVENANCE = re.compile(
    r"^measured by surrogate-nas \S+ on (?P<device>\w+): (?P<machine>.*), torch \S+; "
    r"batch size (?P<batch>\d+), (?P<threads>\d+) threads?, median of (?P<repeats>\d+) passes, "
    r"(?P<runtime>\w+), images of (?P<shape>[\dx]+), (?P<classes>\d+) classes(?P<rest>.*)$"
)


def measuring_of(table: HDF5Benchmark) -> Measuring:
    """How a table was measured, to measure further networks on the same device.

    Raises:
        InvalidArgumentError: If it was not measured by this program, or the device is not that of
            this machine.
    """
    found = _PROVENANCE.match(table.source)
    if found is None:
        raise InvalidArgumentError(
            f"{table.path} was not measured on a device of this program "
            f"({table.source or 'nothing is noted'}), so nothing can be measured in the same way"
        )
    parts = [part.strip() for part in found["rest"].split(",") if part.strip()]
    sizes = {key: _number(value) for key, _, value in (p.partition("=") for p in parts) if value}
    built = [part for part in parts if "=" not in part]
    measuring = Measuring(
        space=table.space,
        device=found["device"],
        settings=MeasuringSettings(
            int(found["batch"]), int(found["threads"]), int(found["repeats"]), found["runtime"]
        ),
        task=NetworkTask(tuple(map(int, found["shape"].split("x"))), int(found["classes"])),
        network=built[0] if built else None,
        sizes=sizes,
    )
    if measuring.machine != found["machine"]:
        raise InvalidArgumentError(
            f"{table.path} was measured on {found['machine']}, and this machine has "
            f"{measuring.machine}; run the command there"
        )
    return measuring


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number
