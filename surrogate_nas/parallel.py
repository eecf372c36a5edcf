"""Work in other processes, with one thread each."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, Self, TypeVar

from surrogate_nas.errors import SurrogateNASError
from surrogate_nas.limits import LOOK, LimitExceeded, TrialLimits, WorkerEnded, reason_of

D = TypeVar("D")
T = TypeVar("T")
R = TypeVar("R")

_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_limited = False


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch, xgboost, scikit-learn and BLAS at one thread, loaded already or not.

    Two pools of OpenMP threads on the same cores slow each other down by a factor of ten and
    more. The environment serves libraries that load later, threadpoolctl those that are there.
    """
    global _limited
    if _limited:
        yield
        return
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, "1"))
    _limited = True
    try:
        with _limit_loaded():
            yield
    finally:
        _limited = False
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _limit_loaded() -> contextlib.AbstractContextManager[Any]:
    if "numpy" not in sys.modules:
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits

    limits: contextlib.AbstractContextManager[Any] = threadpool_limits(limits=1)
    return limits


def cores() -> int:
    """Number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_workers(devices: Sequence[str]) -> int:
    """Number of processes that train on such devices: one a GPU, or else a core."""
    return cores() if list(devices) == ["cpu"] else len(devices)


class Pool:
    """Processes that end with this one, however it ends; the crash of one spares the others.

    `submit` needs a free process, `wait` frees those that are done.
    """

    def __init__(
        self,
        workers: int,
        setup: Callable[..., object] | None = None,
        *arguments: Any,
        limits: TrialLimits | None = None,
    ) -> None:
        """Plan ``workers`` processes, each of which calls ``setup(*arguments)`` once.

        Args:
            workers: Most processes at once.
            setup: Prepares a process.
            arguments: Of ``setup``.
            limits: Of each job; a process that exceeds them is ended.
        """
        self._workers = workers
        self._limits = limits or TrialLimits()
        self._begun: dict[Future[Any], float] = {}
        self._processes: dict[ProcessPoolExecutor, BaseProcess] = {}
        self._reasons: dict[Future[Any], BrokenProcessPool] = {}
        self._setup = (setup, arguments)
        self._context = multiprocessing.get_context("spawn")
        # The processes hold the other end; it breaks when this process ends or closes its own.
        self._lifeline, self._held = self._context.Pipe(duplex=False)
        # One executor a process, so that a crash does not end the work of the others.
        self._idle: list[ProcessPoolExecutor] = []
        self._started: dict[ProcessPoolExecutor, Future[None]] = {}
        self._busy: dict[Future[Any], ProcessPoolExecutor] = {}

    @property
    def free(self) -> int:
        """How many jobs could be submitted now."""
        return self._workers - len(self._busy)

    @property
    def busy(self) -> int:
        """How many jobs are running."""
        return len(self._busy)

    def submit(self, function: Callable[..., R], *arguments: Any) -> Future[R]:
        """Start a job in a free process."""
        with _interrupts_blocked():  # a new process inherits it, and leaves Ctrl-C to this one
            executor = self._idle.pop() if self._idle else self._start()
            future = executor.submit(function, *arguments)
        self._busy[future] = executor
        self._begun[future] = time.monotonic()
        started: Any = getattr(executor, "_processes", None) or {}
        for process in started.values():  # one, that of the job
            self._processes[executor] = process
        return future

    def _start(self) -> ProcessPoolExecutor:
        executor = ProcessPoolExecutor(
            1, self._context, initializer=_prepare, initargs=(self._lifeline, *self._setup)
        )
        self._started[executor] = executor.submit(_greet)
        return executor

    def wait(self) -> list[Future[Any]]:
        """Wait until a job is done, and return those that are, in the order of their start.

        Raises:
            SurrogateNASError: If a process could not be started.
        """
        done = self._wait()
        finished = [future for future in self._busy if future in done]
        for future in finished:
            executor = self._busy.pop(future)
            del self._begun[future]
            if not isinstance(future.exception(), BrokenProcessPool):
                self._idle.append(executor)
                continue
            process = self._processes.pop(executor, None)
            self._reasons.setdefault(future, WorkerEnded(reason_of(process)))
            if self._started.pop(executor).exception() is not None:
                raise SurrogateNASError(
                    "a worker process could not start (its reason is above); a script needs "
                    'its main part below `if __name__ == "__main__":`, or workers=1'
                )
        return finished

    def _wait(self) -> set[Future[Any]]:
        """Wait until a job is done; end the processes that exceed the limits."""
        while True:
            pause = LOOK if self._limits.are_watched else None
            done = wait(self._busy, timeout=pause, return_when=FIRST_COMPLETED).done
            if done:
                return done
            for future, executor in self._busy.items():
                if not self._started[executor].done():  # it is still loading
                    self._begun[future] = time.monotonic()
                process = self._processes.get(executor)
                if process is None or future in self._reasons:
                    continue
                reason = self._limits.exceeded(process, self._begun[future])
                if reason is not None:
                    self._reasons[future] = LimitExceeded(reason)
                    process.kill()

    def result(self, future: Future[R]) -> R:
        """The result of a job that is done, or its exception.

        Raises:
            WorkerEnded: If its process ended before; the message says why.
            LimitExceeded: If its process was ended, as it took too much.
        """
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise self._reasons.pop(future, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()  # ends the processes, also those at work
        self._lifeline.close()
        for executor in (*self._idle, *self._busy.values()):
            results: Any = getattr(executor, "_result_queue", None)
            executor.shutdown(wait=False, cancel_futures=True)
            if results is not None:  # else a thread that reads half a result waits for ever
                results._writer.close()


class Workers(Protocol):
    """What does jobs: a `Pool`, or processes on other machines."""

    @property
    def free(self) -> int:
        """How many jobs could be submitted now."""
        ...

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Start a job and return its future."""
        ...

    def wait(self) -> Sequence[Any]:
        """Wait until a job is done or there is more room; the futures of those that are done."""
        ...

    def result(self, future: Any) -> Any:
        """The result of a job that is done, or its exception."""
        ...


def dispatch(
    workers: Workers,
    function: Callable[[T, D], R],
    take: Callable[[], T | None],
    devices: Sequence[D],
) -> Iterator[tuple[T, Callable[[], R]]]:
    """Dispatch jobs to workers and devices, as many at once as workers are free.

    Args:
        workers: Do the jobs.
        function: Does a job on a device.
        take: Returns the next job, or None if there is none yet. It is called again whenever a
            job finishes; None while no job is running ends the work. One job is taken ahead, so
            that no worker waits for this function.
        devices: Assigned evenly to the workers.

    Yields:
        Each job in the order in which they finish, and what returns its result or raises its
        exception.
    """
    # Taken from the end, as `Pool` takes its processes: each keeps to the memory of one device.
    idle = [devices[i % len(devices)] for i in reversed(range(workers.free))]
    running: dict[Any, tuple[T, D]] = {}
    ahead: T | None = None
    while True:
        while workers.free and (following := take() if ahead is None else ahead) is not None:
            device = idle.pop() if idle else devices[len(running) % len(devices)]
            ahead = None
            running[workers.submit(function, following, device)] = following, device
        if not running:
            return
        if ahead is None:
            ahead = take()
        for future in workers.wait():
            job, device = running.pop(future)
            idle.append(device)
            yield job, partial(workers.result, future)


def each(function: Callable[[T], R], jobs: Sequence[T], *, workers: int) -> Iterator[tuple[int, R]]:
    """Do independent jobs and yield their positions and results as they finish.

    One worker means this process. A job's exception is raised here.
    """
    with one_thread():
        workers = min(workers, len(jobs))
        if workers <= 1:
            for position, job in enumerate(jobs):
                yield position, function(job)
            return
        with Pool(workers) as pool:
            waiting = iter(enumerate(jobs))
            positions: dict[Future[R], int] = {}
            while True:
                for position, job in _take(waiting, pool.free):
                    positions[pool.submit(function, job)] = position
                if not pool.busy:
                    return
                for future in pool.wait():
                    yield positions.pop(future), _result(future)


def _result(future: Future[R]) -> R:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise SurrogateNASError(
            "a worker process was killed, perhaps for want of memory; fewer workers need less"
        ) from error


def _take(iterator: Iterator[T], n: int) -> Iterator[T]:
    for _ in range(n):
        try:
            yield next(iterator)
        except StopIteration:
            return


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # its start unblocks interrupts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare(
    lifeline: Connection, setup: Callable[..., object] | None, arguments: tuple[Any, ...]
) -> None:
    """Prepare a new process; runs before it loads anything heavy."""
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    contextlib.ExitStack().enter_context(one_thread())
    if setup is not None:
        setup(*arguments)


def _greet() -> None:
    """Prove that the process started."""


def _end_with(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)
