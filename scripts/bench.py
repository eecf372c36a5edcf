"""The measurements of speed in the README; run by ``scripts/bench``.

Numbers are ratios to a baseline of the same run, as absolute times vary with the machine and its
load. Each time is the best of several alternating repetitions. Each part runs in a process of its
own, so that none meets what another has loaded or encoded.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import bench_csv
import bench_imports
import bench_predictors
import bench_search
import bench_spaces
import bench_surrogate
import bench_training
import numpy as np
from timing import alternate

MILLION = 1_000_000


def lookup() -> dict[str, float]:
    """A million lookups against a Python dict with prepared tuple keys."""
    from surrogate_nas.benchmarks.catalog import open_benchmark

    task = open_benchmark("nas-bench-graph").task("arxiv")
    pool = task.space.unique()
    rng = np.random.default_rng(0)
    choices = pool[rng.integers(len(pool), size=MILLION)]
    rows = task.rows(choices)
    table = dict(zip(map(tuple, pool.tolist()), task.lookup(pool).tolist(), strict=True))
    keys = list(map(tuple, choices.tolist()))

    plain, from_choices, from_rows = alternate(
        lambda: [table[key] for key in keys],
        lambda: task.lookup(choices),
        lambda: task.lookup_rows(rows),
    )
    return {
        "dict_seconds": plain,
        "from_choices_times_as_fast": plain / from_choices,
        "from_rows_times_as_fast": plain / from_rows,
    }


_OPENING = """
import json, resource, sys, time
import numpy, h5py
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark

def resident():
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 1e6
    except OSError:  # not Linux: the peak, in bytes on macOS
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

before, start = resident(), time.perf_counter()
HDF5Benchmark(sys.argv[1]).task("arxiv")
print(json.dumps({
    "milliseconds": 1e3 * (time.perf_counter() - start), "megabytes": resident() - before
}))
"""


def opening() -> dict[str, float]:
    """Opening the converted table and a task, above numpy and h5py, in fresh processes."""
    from surrogate_nas.benchmarks.catalog import open_benchmark

    path = str(open_benchmark("nas-bench-graph").path)
    # With bytecode, like an installed package: the time shall not include compiling.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", _OPENING, path]
    runs = [json.loads(subprocess.check_output(command, env=environment)) for _ in range(6)]
    return {key: min(run[key] for run in runs) for key in runs[0]} | {"milliseconds_limit": 10}


def evolution() -> dict[str, float]:
    """Regularized evolution, 200 trials on the table, against a minimal loop."""
    from surrogate_nas.benchmarks.catalog import open_benchmark
    from surrogate_nas.run import search
    from surrogate_nas.searchers.factory import make_searcher

    task = open_benchmark("nas-bench-graph").task("arxiv")
    everything = task.space.all_choices()
    table = dict(
        zip(map(tuple, everything.tolist()), task.lookup(everything).tolist(), strict=True)
    )
    sizes = task.space.sizes
    seeds = range(20)

    def minimal(seed: int) -> float:
        rng = np.random.default_rng(seed)
        population: deque[tuple[float, tuple[int, ...]]] = deque(maxlen=20)
        seen: set[tuple[int, ...]] = set()
        best = -float("inf")
        while len(seen) < 200:
            if len(population) < 20:
                arch = tuple(rng.integers(sizes).tolist())
            else:
                drawn = rng.integers(20, size=10).tolist()
                parent = list(max(population[i] for i in drawn)[1])
                place = int(rng.integers(len(sizes)))
                parent[place] = int(rng.integers(sizes[place]))
                arch = tuple(parent)
            if arch in seen or arch not in table:
                continue
            seen.add(arch)
            value = table[arch]
            population.append((value, arch))
            best = max(best, value)
        return best

    def ours(seed: int) -> object:
        return search(make_searcher("evolution", task.space, seed=seed), task, trials=200)

    ours(0)
    plain, real = alternate(
        lambda: [minimal(seed) for seed in seeds], lambda: [ours(seed) for seed in seeds]
    )
    return {"minimal_ms": 1e3 * plain / len(seeds), "times_as_slow": real / plain}


def start() -> dict[str, float]:
    """``surrogate-nas --help`` against ``import numpy``, whole processes."""

    def run(*arguments: str) -> Callable[[], object]:
        return lambda: subprocess.run(
            [sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL
        )

    numpy_only, help_text = alternate(
        run("-c", "import numpy"), run("-m", "surrogate_nas", "--help"), repetitions=10
    )
    return {"import_numpy_seconds": numpy_only, "help_times_as_long": help_text / numpy_only}


def defaults() -> dict[str, float]:
    """``surrogate-nas search`` with defaults, after the first conversion."""
    command = [sys.executable, "-m", "surrogate_nas", "search", "--json"]
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds)}


PARTS: dict[str, Callable[[], dict[str, float]]] = {
    "lookup": lookup,
    "opening": opening,
    "enumeration": bench_spaces.enumeration,
    "hashing": bench_spaces.hashing,
    "column": bench_spaces.column,
    "csv": bench_csv.importing,
    "nats": bench_imports.nats_import,
    "adapting": bench_predictors.adapting,
    "training": bench_training.training,
    "building": bench_training.building,
    "evolution": evolution,
    "guided": bench_search.guided,
    "surrogate": bench_surrogate.surrogate,
    "start": start,
    "defaults": defaults,
}


def main() -> None:
    """Run the named parts, or all of them."""
    parser = argparse.ArgumentParser(prog=f"scripts/{Path(__file__).stem}", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}")
    wanted = parser.parse_args().parts or list(PARTS)
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        parser.error(f"unknown part {unknown[0]!r} (choose from: {', '.join(PARTS)})")
    print(json.dumps({part: _alone(part) for part in wanted}, indent=2))


def _alone(part: str) -> dict[str, float]:
    """What a part measures in a fresh process."""
    print(f"{part} ...", file=sys.stderr)
    work = "import bench, json, sys; print(json.dumps(bench.PARTS[sys.argv[1]]()))"
    output = subprocess.check_output(
        [sys.executable, "-c", work, part], cwd=Path(__file__).parent, text=True
    )
    measured: dict[str, float] = json.loads(output.splitlines()[-1])
    return {key: round(value, 4) for key, value in measured.items()}


if __name__ == "__main__":
    main()
