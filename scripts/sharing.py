"""Measures searches that several processes share; run by ``scripts/sharing``.

The functions sleep, so that two cores suffice for many processes. Processes are forked from one
that has loaded everything, each opens the storage anew, and ``kill -9`` ends some of them.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import multiprocessing
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from surrogate_nas.errors import StoreError
from surrogate_nas.evaluation import Evaluation, FunctionObjective, Proposal, Trial
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import Shared, Stored, open_storage

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tests know how to start database servers

STORES = ("journal", "sqlite", "postgres", "mysql")
SERVERS = ("postgres", "mysql")
SECONDS = (0.05, 0.2, 1.0, 3.0)
METHODS = ("random", "evolution+gp")
SPACE = "transnas-macro"
NAME = "shared"
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Setting:
    """One run: a storage, a method, the duration of an evaluation, and the processes."""

    store: str
    method: str
    seconds: float
    processes: int
    trials: int
    kills: int
    seed: int


@dataclass(frozen=True)
class Found:
    """What one run showed.

    Attributes:
        evaluations: Evaluations that began.
        killed: Processes that were killed.
        cut: Evaluations that a kill ended before their result was in the store.
        twice: Evaluations of a key beside those that were cut.
        lost: Results that were in the store and are not any more.
        done: Finished trials at the end, each key once.
        wall: Seconds from the first evaluation's begin to the last one's end.
    """

    evaluations: int
    killed: int
    cut: int
    twice: int
    lost: int
    done: int
    wall: float


# The processes --------------------------------------------------------------------------------


class _Log:
    """Lines that processes append, each at once, with the time of the machine."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, word: str, arch: str) -> None:
        os.write(self._file, f"{time.monotonic()} {os.getpid()} {word} {arch}\n".encode())


def _work(url: str, log: Path, setting: Setting, seed: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    space, notes = open_space(SPACE), _Log(log)

    def function(arch: Architecture) -> float:
        notes.write("begin", space.format(arch))
        time.sleep(setting.seconds)
        notes.write("end", space.format(arch))
        return value(arch)

    class Noting(Shared):
        def record(self, trial: Trial) -> None:
            super().record(trial)
            notes.write("kept", space.format(trial.arch))

    board = Noting(
        FunctionObjective(space, function), open_storage(url), name=NAME, settings={"seed": 0}
    )
    search(make_searcher(setting.method, space, seed=seed), board, trials=setting.trials)
    os._exit(0)  # a forked process leaves what it inherited alone


def value(arch: Architecture) -> float:
    """A smooth function with one best architecture."""
    return -float(sum((c - i % 2) ** 2 * (i + 1) for i, c in enumerate(arch.choices)))


def run(setting: Setting, url: str, folder: Path) -> Found:
    """Start the processes, kill and replace some, and compare log and store at the end."""
    chance, log = random.Random(setting.seed), folder / f"{setting.seed}.log"
    seeds = itertools.count(1000 * setting.seed)
    opened = FunctionObjective(open_space(SPACE), value)
    Shared(opened, open_storage(url), name=NAME, settings={"seed": 0})
    log.touch()

    def start() -> Any:
        process = _fork.Process(target=_work, args=(url, log, setting, next(seeds)))
        process.start()
        return process

    alive, killed = [start() for _ in range(setting.processes)], set()
    moments = sorted(chance.randrange(1, setting.trials) for _ in range(setting.kills))
    while any(process.is_alive() for process in alive):
        time.sleep(0.02)
        if moments and log.read_bytes().count(b" begin ") >= moments[0]:
            moments.pop(0)
            time.sleep(chance.random() * setting.seconds)
            victim = chance.randrange(len(alive))
            if alive[victim].is_alive():
                os.kill(alive[victim].pid, signal.SIGKILL)
                alive[victim].join()
                killed.add(alive[victim].pid)
                alive[victim] = start()
    for process in alive:
        process.join()
        if process.exitcode:
            raise SystemExit(f"a process ended with {process.exitcode}: {setting}")
    return _compare(setting, url, log, killed)


def _compare(setting: Setting, url: str, log: Path, killed: set[int]) -> Found:
    lines = [line.split(maxsplit=3) for line in log.read_text().splitlines()]
    begun, kept = defaultdict(list), Counter[str]()
    kept_by: set[tuple[str, str]] = set()
    for _, pid, word, arch in lines:
        if word == "begin":
            begun[arch].append(pid)
        elif word == "kept":
            kept[arch] += 1
            kept_by.add((pid, arch))
    cut = sum(
        int(pid) in killed and (pid, arch) not in kept_by
        for arch, pids in begun.items()
        for pid in pids
    )
    evaluations = sum(map(len, begun.values()))
    space = open_space(SPACE)
    stored = Shared(
        FunctionObjective(space, value), open_storage(url), name=NAME, settings={"seed": 0}
    )
    ended = Counter(space.format(trial.arch) for trial in stored.known)
    right = all(t.value == value(t.arch) for t in stored.known)
    # A result that a killed process wrote and did not note any more is one that was kept.
    noted = sum(
        arch in ended and kept[arch] == 0 and all(int(pid) in killed for pid in pids)
        for arch, pids in begun.items()
    )
    times = [float(line[0]) for line in lines]
    return Found(
        evaluations=evaluations,
        killed=len(killed),
        cut=cut - noted,
        twice=evaluations - len(ended) - (cut - noted),
        lost=sum(arch not in ended for arch in kept) + (not right),
        done=len(stored.known),
        wall=max(times) - min(times),
    )


# Storages -------------------------------------------------------------------------------------


@contextlib.contextmanager
def storages(kinds: list[str]) -> Iterator[Any]:
    """A function that names a fresh storage of a kind, in a folder."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sharing-")))
        names = itertools.count()
        unknown = set(kinds) - set(STORES)
        if unknown:
            sys.exit(f"error: --stores must be of {', '.join(STORES)}, got {', '.join(unknown)}")
        servers = {kind: import_module(f"tests.{kind}") for kind in kinds if kind in SERVERS}
        urls = {kind: stack.enter_context(server.server()) for kind, server in servers.items()}

        def fresh(kind: str) -> tuple[str, Path]:
            place = folder / str(next(names))
            place.mkdir()
            if kind in servers:
                return servers[kind].create_database(urls[kind], f"run{place.name}"), place
            files = {"journal": f"{place}/run.journal", "sqlite": f"sqlite:///{place}/run.db"}
            return files[kind], place

        yield fresh


# Measurements ---------------------------------------------------------------------------------


def kills(arguments: argparse.Namespace) -> None:
    """Many runs with kills: nothing twice, nothing lost, the total exact."""
    product = itertools.product(SECONDS, arguments.methods, arguments.stores, arguments.processes)
    settings = [
        Setting(store, method, seconds, n, arguments.trials, min(arguments.kills, 2 * n), i)
        for i, (seconds, method, store, n) in enumerate(product)
        if seconds * arguments.trials / n <= arguments.longest
    ]
    chosen = random.Random(arguments.seed).sample(settings, min(arguments.runs, len(settings)))
    results = []
    # Supervisors are processes of one thread each, since they fork.
    with storages(arguments.stores) as fresh, ProcessPoolExecutor(arguments.at_once, _fork) as pool:
        jobs = {pool.submit(run, setting, *fresh(setting.store)): setting for setting in chosen}
        for job in as_completed(jobs):
            results.append((jobs[job], job.result()))
            print(json.dumps({**asdict(jobs[job]), **asdict(job.result())}), flush=True)
    total = {
        name: sum(getattr(found, name) for _, found in results)
        for name in ("evaluations", "killed", "cut", "twice", "lost")
    }
    exact = sum(found.done == setting.trials for setting, found in results)
    print(json.dumps({"runs": len(results), "exact": exact, **total}))


def speed(arguments: argparse.Namespace) -> None:
    """The time of 1, 2, 4 and 8 processes."""
    with storages(arguments.stores) as fresh:
        for store, method in itertools.product(arguments.stores, arguments.methods):
            walls = {}
            for n in arguments.processes:
                setting = Setting(store, method, arguments.seconds, n, arguments.trials, 0, 0)
                walls[n] = run(setting, *fresh(store)).wall
            fastest = {n: round(walls[min(walls)] / wall, 2) for n, wall in walls.items()}
            seconds = {n: round(wall, 1) for n, wall in walls.items()}
            print(json.dumps({"store": store, "method": method, "seconds": seconds,
                              "times as fast": fastest}), flush=True)  # fmt: skip


def starts(arguments: argparse.Namespace) -> None:
    """Many starts of a search at once without sharing it: one owns it."""
    with storages(arguments.stores) as fresh:
        for store in arguments.stores:
            url, _ = fresh(store)
            begin = time.monotonic() + arguments.count * 0.05 + 2
            said = _fork.Queue()
            for _ in range(arguments.count):
                _fork.Process(target=_own, args=(url, begin, said), daemon=True).start()
            heard = Counter(said.get(timeout=600) for _ in range(arguments.count))
            print(json.dumps({"store": store, **heard}), flush=True)
            for process in multiprocessing.active_children():
                process.kill()


def _own(url: str, begin: float, said: Any) -> None:
    """Start a search that goes on until the measurement ends, unless another process has it."""
    space = open_space(SPACE)
    time.sleep(max(0.0, begin - time.monotonic()))

    def function(arch: Architecture) -> float:
        said.put("owns it")
        time.sleep(600)
        return value(arch)

    try:
        objective = FunctionObjective(space, function)
        stored = Stored(objective, open_storage(url), name=NAME, settings={"seed": 0})
        search(make_searcher("random", space, seed=0), stored, trials=2)
    except StoreError as error:
        right = re.fullmatch(
            r"study .* belongs to process \d+ on .*, since .*--share.*", str(error)
        )
        said.put("is refused in one line" if right else str(error))


def sampler(arguments: argparse.Namespace) -> None:
    """Processes that sample one Optuna study by `SurrogateSampler`: what is evaluated twice."""
    with storages(arguments.stores) as fresh:
        for store, seconds in itertools.product(arguments.stores, (0.05, 1.0)):
            url, _ = fresh(store)
            optuna.create_study(storage=open_storage(url), study_name=NAME)
            each = arguments.trials // 4
            workers = [_fork.Process(target=_sample, args=(url, seconds, each)) for _ in range(4)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            trials = optuna.load_study(study_name=NAME, storage=open_storage(url)).trials
            different = {tuple(sorted(trial.params.items())) for trial in trials}
            found = {"trials": len(trials), "twice": len(trials) - len(different)}
            print(json.dumps({"store": store, "seconds": seconds, **found}), flush=True)


def _sample(url: str, seconds: float, trials: int) -> None:
    from surrogate_nas.searchers.sampler import SurrogateSampler, suggest_architecture

    space = open_space(SPACE)

    def function(trial: optuna.Trial) -> float:
        arch = suggest_architecture(trial, space)
        time.sleep(seconds)
        return -value(arch)

    study = optuna.load_study(
        study_name=NAME, storage=open_storage(url), sampler=SurrogateSampler(space, "gp", seed=0)
    )
    study.optimize(function, n_trials=trials)
    os._exit(0)


def quality(arguments: argparse.Namespace) -> None:
    """Four processes that share a search against batches of four, on a published table.

    The processes are simulated by turns: each looks, claims one architecture, and gives its result
    when the three others have claimed theirs. So the four searchers know what real ones would.
    """
    from surrogate_nas.benchmarks.catalog import open_benchmark

    task = open_benchmark(arguments.benchmark).task(arguments.task)
    rows = []
    for seed in range(arguments.seeds):
        batches = search(
            make_searcher(arguments.method, task.space, seed=seed), task,
            trials=arguments.trials, batch=4,
        )  # fmt: skip
        rows.append((batches.value, _shared_value(task, arguments, seed)))
        print(json.dumps({"seed": seed, "batches": rows[-1][0], "shared": rows[-1][1]}), flush=True)
    from scipy.stats import wilcoxon

    both = np.array(rows)
    equal = bool((both[:, 0] == both[:, 1]).all())
    print(
        json.dumps(
            {
                "batches": float(both[:, 0].mean()),
                "shared": float(both[:, 1].mean()),
                "standard error": float((both[:, 0] - both[:, 1]).std(ddof=1) / len(both) ** 0.5),
                "wilcoxon p": None if equal else float(wilcoxon(both[:, 0], both[:, 1]).pvalue),
            }
        )
    )


def _shared_value(task: Any, arguments: argparse.Namespace, seed: int) -> float:
    from surrogate_nas.sharing import SharedSearch

    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for n in range(4):
            board = Shared(
                task, open_storage(f"{folder}/run.journal"), name=NAME, settings={"seed": 0}
            )
            searcher = make_searcher(
                arguments.method, task.space, seed=int(np.random.SeedSequence([seed, n]).entropy[0])
                * 1000 + n,
            )  # fmt: skip
            parts.append(
                SharedSearch(
                    searcher, board, arguments.trials, lambda _: 1, searcher.tell, lambda _: None
                )
            )
        pending: list[tuple[SharedSearch, Proposal]] = []
        for part in itertools.cycle(parts):
            ready = [one for one in pending if one[0] is part]
            for one, proposal in ready:
                evaluation = task.evaluate(proposal.arch)
                seen = Evaluation(evaluation.values, evaluation.cost, evaluation.budget)
                one.record(Trial(proposal, seen))
                pending.remove((one, proposal))
            claimed = part.next(wait=False)
            if claimed is not None:
                pending.append((part, claimed))
            elif not pending:
                break
        board._settled.clear()
        board._refresh()
        return max(trial.value for trial in board.known if trial.value is not None)


_LISTS: dict[str, tuple[Sequence[Any], Callable[[str], Any]]] = {
    "stores": (STORES, str),
    "methods": (METHODS, str),
    "processes": ((1, 2, 4, 8), int),
}


def main() -> None:
    """Run one measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    chosen = parser.add_subparsers(required=True)
    kinds, several = ("stores",), ("stores", "methods", "processes")
    for function, lists, extra in (
        (
            kills,
            several,
            {"trials": 200, "runs": 50, "kills": 6, "at_once": 4, "longest": 150.0, "seed": 0},
        ),
        (speed, several, {"trials": 100, "seconds": 1.0}),
        (starts, kinds, {"count": 100}),
        (sampler, kinds, {"trials": 60}),
        (
            quality,
            (),
            {
                "trials": 100,
                "seeds": 20,
                "benchmark": "nas-bench-graph",
                "task": "cora",
                "method": "evolution+gp",
            },
        ),
    ):
        command = chosen.add_parser(
            function.__name__, help=(function.__doc__ or "").splitlines()[0]
        )
        command.set_defaults(run=function, methods=list(METHODS))
        for name, default in extra.items():
            option = f"--{name.replace('_', '-')}"
            command.add_argument(option, type=type(default), default=default)
        for name in lists:
            default, kind = _LISTS[name]
            command.add_argument(
                f"--{name}",
                type=lambda text, kind=kind: [kind(part) for part in text.split(",")],
                default=list(default),
                help="comma-separated (default: %(default)s)",
            )
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for method in arguments.methods:  # what forked processes need is loaded once
        searcher = make_searcher(method, open_space(SPACE), seed=0)
        with contextlib.suppress(Exception):
            search(searcher, FunctionObjective(open_space(SPACE), value), trials=12)
    arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
