"""Jobs on a Ray cluster, behind the interface of `surrogate_nas.parallel.Pool`."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import time
import uuid
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from surrogate_nas.errors import InvalidArgumentError, MissingDependencyError, SurrogateNASError
from surrogate_nas.limits import TrialLimits, WorkerEnded
from surrogate_nas.parallel import Pool

R = TypeVar("R")

_PATIENCE = 10.0  # seconds
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # as gRPC begins
_LOOK = 2.0  # seconds after which the cluster is asked again what it has


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Where on a Ray cluster trainings run.

    Attributes:
        address: Address of the cluster, such as ``ray://host:10001`` or ``auto``; ``local`` starts
            one on this machine.
        gpus: GPUs of each training; a share of one if below 1.
        cpus: Processors of each training; a share of one if below 1.
        retries: How often a training is tried again whose process or machine dies.
        workers: Number of trainings at once, whether or not the cluster has room for them, so that
            an autoscaler sees the demand; None for as many as it has room for at each moment.
    """

    address: str
    gpus: float = 0.0
    cpus: float = 1.0
    retries: int = 3
    workers: int | None = None

    def __post_init__(self) -> None:
        for name, share, least in (("gpus", self.gpus, 0), ("cpus", self.cpus, 0.001)):
            if not (least <= share <= 1 or (share > 1 and float(share).is_integer())):
                raise InvalidArgumentError(
                    f"--{name}-per-trial must be a share from 0 to 1 or a whole number, got {share}"
                )
        if self.retries < 0:
            raise InvalidArgumentError(f"--retries must be at least 0, got {self.retries}")


class Cluster:
    """Processes of a Ray cluster; a job whose process dies is tried again elsewhere.

    Machines that join are used, and the jobs of those that leave are tried again on others.
    `submit` needs a free slot, and `wait` frees the slots of finished jobs. All machines need
    surrogate_nas and the functions that are sent; Ray gives each process one thread.

    Moritz et al., "Ray: A Distributed Framework for Emerging AI Applications", OSDI 2018.
    """

    def __init__(
        self,
        options: ClusterOptions,
        setup: Callable[..., object],
        *arguments: Any,
        limits: TrialLimits | None = None,
    ) -> None:
        """Prepare a connection.

        Args:
            options: Where the jobs run.
            setup: Called once in each process, before its first job.
            arguments: Arguments of ``setup``.
            limits: Of each job, which then has a process of its own, started by the cluster's; it
                is ended beyond them, and its job is not tried again.

        Raises:
            MissingDependencyError: If Ray is not installed.
        """
        try:
            import ray
        except ImportError as error:
            raise MissingDependencyError("--ray needs Ray: pip install ray") from error
        self._ray: Any = ray
        self._options = options
        self._setup = (setup, arguments, limits or TrialLimits())
        self._busy: dict[Any, _Job[Any]] = {}
        self._slots, self._looked = 0, -math.inf

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            InvalidArgumentError: If there is no such cluster, or none of its machines has what a
                job needs.
        """
        options, address = self._options, self._options.address
        _check_reachable(address)
        quiet: dict[str, Any] = {"logging_level": "ERROR"}
        if address == "local":
            quiet |= {"num_cpus": options.workers, "include_dashboard": False}
            quiet |= {"_node_ip_address": "127.0.0.1"}
        try:
            self._ray.init(address=address, **quiet)
        except Exception as error:  # a start that times out, another version, a wrong token
            with contextlib.suppress(Exception):
                self._ray.shutdown()
            raise _no_cluster(address, error) from error
        if options.workers is None or address == "local":
            self._check_room()
        self._sent = self._ray.put(self._setup)
        self._name = uuid.uuid4().hex
        self._run = self._ray.remote(
            num_cpus=options.cpus,
            num_gpus=options.gpus,
            max_retries=options.retries,
            retry_exceptions=[WorkerEnded],
        )(_run)
        return self

    def _check_room(self) -> None:
        there = self._ray.cluster_resources()
        for kind, each in (("GPU", self._options.gpus), ("CPU", self._options.cpus)):
            if each > there.get(kind, 0):
                self._ray.shutdown()
                raise InvalidArgumentError(
                    f"a training needs {each:g} {kind}, and the Ray cluster "
                    f"{self._options.address!r} has {there.get(kind, 0):g}; see "
                    f"--{kind.lower()}s-per-trial"
                )

    def __exit__(self, *_: object) -> None:
        """Disconnect, which ends running jobs."""
        with contextlib.suppress(Exception):  # a cluster that is gone
            self._ray.shutdown()

    @property
    def free(self) -> int:
        """How many jobs could be submitted now."""
        if self._options.workers is not None:
            return self._options.workers - len(self._busy)
        if time.monotonic() - self._looked > _LOOK:
            there = self._asked(self._ray.cluster_resources)
            needs = {"GPU": self._options.gpus, "CPU": self._options.cpus}
            rooms = [int(there.get(kind, 0) / each + 1e-6) for kind, each in needs.items() if each]
            self._slots, self._looked = max(1, min(rooms)), time.monotonic()
        return self._slots - len(self._busy)

    def submit(self, function: Callable[..., R], *arguments: Any) -> _Job[R]:
        """Start a job."""
        reference = self._run.remote(self._name, [self._sent], function, arguments)
        job: _Job[R] = _Job(self._ray, reference)
        self._busy[reference] = job
        return job

    def wait(self) -> list[_Job[Any]]:
        """The jobs that are done; none if there is room for another one.

        Raises:
            SurrogateNASError: If the cluster is gone.
        """
        while True:
            done, _ = self._asked(self._ray.wait, list(self._busy), num_returns=1, timeout=_LOOK)
            if done or self.free > 0:
                return [self._busy.pop(reference) for reference in done]

    def result(self, job: _Job[R]) -> R:
        """The result of a job that is done, or its exception."""
        return job.result()

    def _asked(self, question: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return question(*arguments, **options)
        except Exception as error:
            raise SurrogateNASError(
                f"the Ray cluster {self._options.address!r} is gone ({_line(error)}); what was "
                "finished is kept, and the same command goes on from there"
            ) from error


def _check_reachable(address: str) -> None:
    """Check within seconds that the cluster can be reached, for which Ray takes minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        try:
            with socket.create_connection((host, int(port)), timeout=_PATIENCE) as connection:
                if os.environ.get("RAY_USE_TLS", "0") == "0":
                    connection.sendall(_HELLO)
                    if connection.recv(5) in (b"", b"HTTP/"):
                        raise ConnectionError("another server answers there")
        except TimeoutError as error:
            raise _no_cluster(address, TimeoutError("it does not answer")) from error
        except OSError as error:
            raise _no_cluster(address, error) from error


def _no_cluster(address: str, reason: Exception) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"--ray must be the address of a Ray cluster that runs, or local, got {address!r}: "
        f"{_line(reason)}"
    )


def _line(error: Exception) -> str:
    """An error of Ray, which may have many lines, as one."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}…"


class _Job(Generic[R]):
    """A job of the cluster, with the interface of a future."""

    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray = ray
        self._reference = reference

    def result(self) -> R:
        """Return the function's result, or raise its exception.

        Raises:
            BrokenProcessPool: If its process died, and so did those of all retries, or if it took
                more than the limits.
        """
        try:
            found: R = self._ray.get(self._reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause or error from None
        except self._ray.exceptions.RayError as error:
            raise BrokenProcessPool(str(error).splitlines()[0]) from error
        return found


_prepared: set[str] = set()
_pools: dict[str, Pool] = {}  # of limited jobs


def _run(name: str, sent: list[Any], function: Callable[..., R], arguments: tuple[Any, ...]) -> R:
    """Run in a process of the cluster: set it up once, then do the job."""
    if name not in _prepared:
        import ray

        setup, its_arguments, limits = ray.get(sent[0])
        if limits.are_watched:  # the cluster itself isolates
            _pools[name] = Pool(1, setup, *its_arguments, limits=limits)
        else:
            setup(*its_arguments)
        _prepared.add(name)
    if name in _pools:
        pool = _pools[name]
        job = pool.submit(function, *arguments)
        pool.wait()
        return pool.result(job)
    return function(*arguments)
