"""Zero-cost proxies of all architectures of a space, computed once and kept in files."""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray, IntArray, OnStep, silent
from surrogate_nas._version import __version__
from surrogate_nas.checksums import check_zip
from surrogate_nas.errors import InvalidArgumentError, SurrogateNASError, UnknownNameError
from surrogate_nas.files import cannot_write, writing
from surrogate_nas.parallel import Pool, cores, one_thread
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.devices import find_device
from surrogate_nas.training.networks.base import Build, find_build, source_digest
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.proxies.table import ProxyTable
from surrogate_nas.training.proxies.values import PROXIES, proxy_values

_BLIND = ("synflow", "zen", "parameters", "flops")  # depend on the images' shape only
_SEED = 0  # of weights, noise and images, whatever the seed of a search
_BATCH = 64
_AT_ONCE = 10  # architectures
_SECONDS = 2.0  # between writes; a kill loses no more than this
_FIRST, _LONGEST = 5.0, 300.0  # seconds to the first report, and between two


@dataclass(frozen=True, slots=True)
class _Plan:
    """How proxies are computed; it is sent to other processes."""

    space: SearchSpace
    dataset: Dataset
    device: str
    network: str | Build | None
    settings: Mapping[str, Any]

    def values(self, choices: IntArray, name: str) -> FloatArray:
        """One proxy of architectures (n, decisions): float64 (n,)."""
        return proxy_values(
            choices,
            self.space,
            self.dataset,
            [name],
            seed=_SEED,
            batch=min(_BATCH, len(self.dataset.train)),
            device=self.device,
            network=self.network,
            settings=self.settings,
        )[:, 0]


class ProxyMemory:
    """Proxies of all architectures of a space, known and missing ones.

    A file holds one proxy by the architectures' numbers. Its name is a hash of all that decides the
    values: the space, the network with its settings and source, the images, the kind of device, the
    version. It is replaced as a whole every few seconds, so that a run that was stopped or killed
    can continue.
    """

    def __init__(
        self,
        space: SearchSpace,
        training: TrainingObjective,
        names: Sequence[str],
        folder: str | os.PathLike[str],
    ) -> None:
        """Read the known values.

        Args:
            space: A space that can be listed.
            training: Builds the networks, and names their images. Nothing is trained.
            names: Names of `surrogate_nas.training.proxies.values.PROXIES`.
            folder: Folder of the files, made if it does not exist.

        Raises:
            UnknownNameError: If there is no such proxy.
            InvalidArgumentError: If the space has too many architectures, or the data set is no
                images.
        """
        for name in names:
            if name not in PROXIES:
                raise UnknownNameError("proxy", name, list(PROXIES))
        if not space.enumerable:
            raise InvalidArgumentError(
                "proxies need the network of every architecture to be built, and space "
                f"{space.name!r} has {space.encodings:,} encodings, too many; leave them out"
            )
        dataset = training.dataset
        if dataset.graph is not None:
            raise InvalidArgumentError(
                f"proxies need images, and data set {dataset.name!r} is a graph; leave them out"
            )
        self.space = space
        self.names = tuple(names)
        self._choices = space.unique()
        self._numbers = space.index(self._choices)
        self._plan = _Plan(space, dataset, training.device, training.network, training.settings)
        self._identities = {name: self._identity(name) for name in names}
        self._files = {
            name: Path(folder) / f"{name}-{self._identities[name]}.npz" for name in names
        }
        self._known = {name: _read(path) for name, path in self._files.items()}

    def _identity(self, name: str) -> str:
        plan = self._plan
        build = find_build(self.space.name, plan.network, plan.settings)
        parts = [
            __version__,
            self.space.identity,
            f"{build.__module__}:{getattr(build, '__qualname__', build)}",
            source_digest(build),
            sorted(plan.settings.items()),
            str(plan.dataset.task) if name in _BLIND else plan.dataset.fingerprint,
            find_device(plan.device).type,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]

    @property
    def missing(self) -> int:
        """Number of unknown values."""
        return sum(len(self._unknown(name)) for name in self.names)

    def _unknown(self, name: str) -> IntArray:
        """Rows of the space without a value."""
        known = self._known[name]
        return np.array([i for i, n in enumerate(self._numbers.tolist()) if n not in known], int)

    def fill(self, *, workers: int | None = None, on_step: OnStep = silent) -> None:
        """Compute missing values.

        Args:
            workers: Processes; None for one a core, or one in all where a GPU computes.
            on_step: Called from time to time with a text that estimates the remaining time.

        Raises:
            SurrogateNASError: If a network cannot be built, or a file cannot be written.
        """
        jobs = [
            (name, rows[start : start + _AT_ONCE])
            for name in self.names
            for rows in [self._unknown(name)]
            for start in range(0, len(rows), _AT_ONCE)
        ]
        if workers is None:
            workers = cores() if find_device(self._plan.device).type == "cpu" else 1
        total, done, started = self.missing, 0, time.monotonic()
        data = self._plan.dataset.name
        report, saved, changed = _FIRST, started, set[str]()
        try:
            for (name, rows), values in _computed(self._plan, self._choices, jobs, workers):
                self._known[name].update(
                    zip(self._numbers[rows].tolist(), values.tolist(), strict=True)
                )
                changed.add(name)
                now = time.monotonic()
                if now - saved > _SECONDS:
                    self._save(changed)
                    saved = now
                done += len(rows)
                if now - started > report and done < total:
                    report += min(report, _LONGEST)
                    left = _duration((now - started) / done * (total - done))
                    on_step(f"proxies on {data}: {done:,} of {total:,}, {left} left")
        finally:
            self._save(changed)

    def _save(self, names: set[str]) -> None:
        for name in sorted(names):
            path, known = self._files[name], self._known[name]
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with writing(path) as file:
                    np.savez(file, numbers=np.array([*known]), values=np.array([*known.values()]))
            except OSError as error:
                raise cannot_write(path, error) from error
        names.clear()

    def table(self) -> ProxyTable:
        """All proxies, as features of predictors and searchers.

        Raises:
            InvalidArgumentError: If some are missing.
        """
        if self.missing:
            raise InvalidArgumentError(f"{self.missing:,} proxies are missing; call fill first")
        columns = [[self._known[name][n] for n in self._numbers.tolist()] for name in self.names]
        identity = ",".join(f"{name}-{self._identities[name]}" for name in self.names)
        return ProxyTable(self.space, self.names, np.array(columns).T, identity)


def _read(path: Path) -> dict[int, float]:
    """The content of a file; nothing if it is missing or damaged."""
    if not path.exists():
        return {}
    try:
        check_zip(path)
        with np.load(path, allow_pickle=False) as file:
            return dict(zip(file["numbers"].tolist(), file["values"].tolist(), strict=True))
    except Exception as error:  # damaged bytes can fail anywhere
        reason = " ".join(str(error).split())[:200]
        warnings.warn(f"{path} is damaged ({reason}); its proxies are computed again", stacklevel=4)
        return {}


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


# In this process, or in others ----------------------------------------------------------------

_Job = tuple[str, IntArray]

_received: _Plan


def _computed(
    plan: _Plan, choices: IntArray, jobs: Sequence[_Job], workers: int
) -> Iterator[tuple[_Job, FloatArray]]:
    workers = min(workers, len(jobs))
    if workers <= 1:
        with one_thread():
            for name, rows in jobs:
                yield (name, rows), plan.values(choices[rows], name)
        return
    waiting, running = iter(jobs), dict[Future[FloatArray], _Job]()
    with one_thread(), Pool(workers, _receive, plan) as pool:
        while True:
            while pool.free and (job := next(waiting, None)) is not None:
                running[pool.submit(_values_there, choices[job[1]], job[0])] = job
            if not pool.busy:
                return
            for future in pool.wait():
                try:
                    yield running.pop(future), future.result()
                except BrokenProcessPool as error:
                    raise SurrogateNASError(
                        "a process that computes proxies was killed, perhaps for want of memory"
                    ) from error


def _receive(plan: _Plan) -> None:
    global _received
    _received = plan


def _values_there(choices: IntArray, name: str) -> FloatArray:
    return _received.values(choices, name)
