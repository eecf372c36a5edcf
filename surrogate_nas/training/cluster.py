"""Jobs on a Ray cluster, behind the interface of `surrogate_nas.parallel.Pool`."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, Self, TypeVar

from surrogate_nas.errors import InvalidArgumentError, MissingDependencyError

R = TypeVar("R")

_PATIENCE = 10.0  # seconds
_RETRIES = 3  # of a job whose process or machine dies


class Cluster:
    """Processes of a Ray cluster; a job whose process dies is tried again elsewhere.

    `submit` needs a free slot, and `wait` frees the slots of finished jobs. All machines need
    surrogate_nas and the functions that are sent; Ray gives each process one thread.

    Moritz et al., "Ray: A Distributed Framework for Emerging AI Applications", OSDI 2018.
    """

    def __init__(
        self,
        address: str,
        workers: int | None,
        gpus: float,
        setup: Callable[..., object],
        *arguments: Any,
    ) -> None:
        """Prepare a connection.

        Args:
            address: Address of the cluster, such as ``ray://host:10001`` or ``auto``; ``local``
                starts one here.
            workers: Number of jobs at once; None for the number of processors, or of GPUs.
            gpus: GPUs of each job; a share of one if below 1.
            setup: Called once in each process, before its first job.
            arguments: Arguments of ``setup``.

        Raises:
            MissingDependencyError: If Ray is not installed.
            InvalidArgumentError: If ``gpus`` is neither a share of one nor a whole number.
        """
        if not (0 <= gpus <= 1 or (gpus > 1 and float(gpus).is_integer())):
            raise InvalidArgumentError(
                f"--gpus-per-trial must be a share from 0 to 1 or a whole number, got {gpus}"
            )
        try:
            import ray
        except ImportError as error:
            raise MissingDependencyError("--ray needs Ray: pip install ray") from error
        self._ray: Any = ray
        self._address = address
        self._workers = workers
        self._gpus = gpus
        self._setup = (setup, arguments)
        self._busy: dict[Any, _Job[Any]] = {}

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            InvalidArgumentError: If there is no such cluster, or none of its machines has the
                GPUs.
        """
        _check_reachable(self._address)
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self._address == "local":
            quiet |= {"num_cpus": self._workers, "include_dashboard": False}
        try:
            self._ray.init(address=self._address, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise _no_cluster(self._address, error) from error
        there = self._ray.cluster_resources()
        kind, each = ("GPU", self._gpus) if self._gpus else ("CPU", 1)
        slots = int(there.get(kind, 0) / each)
        if slots < 1:
            self._ray.shutdown()
            raise InvalidArgumentError(
                f"a training needs {each:g} {kind}, and the Ray cluster {self._address!r} has "
                f"{there.get(kind, 0):g}; see --gpus-per-trial"
            )
        self._slots = min(self._workers or slots, slots)
        self._sent = self._ray.put(self._setup)
        self._name = uuid.uuid4().hex
        self._run = self._ray.remote(
            num_cpus=1, num_gpus=self._gpus, max_retries=_RETRIES, retry_exceptions=False
        )(_run)
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect, which ends running jobs."""
        self._ray.shutdown()

    @property
    def free(self) -> int:
        """How many jobs could be submitted now."""
        return self._slots - len(self._busy)

    def submit(self, function: Callable[..., R], *arguments: Any) -> _Job[R]:
        """Start a job."""
        reference = self._run.remote(self._name, [self._sent], function, arguments)
        job: _Job[R] = _Job(self._ray, reference)
        self._busy[reference] = job
        return job

    def wait(self) -> list[_Job[Any]]:
        """Wait until a job is done; the jobs that are."""
        done, _ = self._ray.wait(list(self._busy), num_returns=1)
        return [self._busy.pop(reference) for reference in done]

    def result(self, job: _Job[R]) -> R:
        """The result of a job that is done, or its exception."""
        return job.result()


def _check_reachable(address: str) -> None:
    """Check within seconds that the cluster can be reached, for which Ray takes minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        try:
            socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
        except OSError as error:
            raise _no_cluster(address, error) from error


def _no_cluster(address: str, reason: Exception) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"--ray must be the address of a Ray cluster that runs, or local, got {address!r}: "
        f"{str(reason).splitlines()[0]}"
    )


class _Job(Generic[R]):
    """A job of the cluster, with the interface of a future."""

    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray = ray
        self._reference = reference

    def result(self) -> R:
        """Return the function's result, or raise its exception.

        Raises:
            BrokenProcessPool: If its process died, and so did those of all retries.
        """
        try:
            found: R = self._ray.get(self._reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause or error from None
        except self._ray.exceptions.RayError as error:
            raise BrokenProcessPool(str(error).splitlines()[0]) from error
        return found


_prepared: set[str] = set()


def _run(name: str, sent: list[Any], function: Callable[..., R], arguments: tuple[Any, ...]) -> R:
    """Run in a process of the cluster: set it up once, then do the job."""
    if name not in _prepared:
        import ray

        setup, its_arguments = ray.get(sent[0])
        setup(*its_arguments)
        _prepared.add(name)
    return function(*arguments)
