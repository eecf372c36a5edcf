"""The gain by guidance in spaces that cannot be listed; run by ``scripts/large-spaces``.

The settings are

- ``chain``: 20 layers with 8 operations each, 8**20 architectures;
- ``numbers``: 10 decisions of 10 ordered values;
- ``nasbench101``: the whole space of NAS-Bench-101, without its table;
- ``hierarchical``: the space of that name;
- ``BENCHMARK:TASK``: of a surrogate benchmark, such as ``large-layerwise``, or of its file.

The functions of the first four are made up, see `large_functions`: each seed is another function,
searched with that seed. In a surrogate benchmark a seed is another training of each network. The
value of a search is that of its incumbent, without noise. A searcher with a guide is
compared with the same searcher alone by a one-sided Wilcoxon test over all seeds. Times are of the
processor.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from large_functions import SETTINGS, made

from surrogate_nas._types import FloatArray
from surrogate_nas.parallel import each
from surrogate_nas.reporting.statistics import signed_rank
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher

AT = (50, 100, 200)
SEARCHERS = ("evolution", "genetic", "local", "reinforce", "gradient", "optuna:tpe")
GUIDES = ("none", "gp", "xgboost")

Job = tuple[str, str, int]
"""Setting, method and seed."""


def run(setting: str, method: str, seed: int, trials: int) -> tuple[FloatArray, float]:
    """Values of the incumbent after each trial, without noise: (trials,), and the seconds."""
    space, function, objective = made(setting, seed)
    start = time.process_time()
    result = search(make_searcher(method, space, seed=seed), objective, trials=trials)
    seconds = time.process_time() - start
    measured = np.array([-np.inf if t.value is None else t.value for t in result.trials])
    true = function.values(np.array([trial.arch.choices for trial in result.trials]))
    first = np.maximum.accumulate(measured)
    incumbent = [int(np.flatnonzero(measured == best)[0]) for best in first.tolist()]
    return true[incumbent], seconds


def _run(trials: int, job: Job) -> tuple[list[float], float]:
    values, seconds = run(*job, trials)
    return values.tolist(), seconds


def measured(
    jobs: Sequence[Job], trials: int, *, workers: int, out: Path | None
) -> dict[Job, tuple[FloatArray, float]]:
    """Results of all jobs; those in a file of an earlier call are not repeated."""
    found: dict[Job, tuple[FloatArray, float]] = {}
    if out is not None and out.exists():
        for line in out.read_text(encoding="utf-8").splitlines():
            setting, method, seed, values, seconds = json.loads(line)
            found[setting, method, seed] = np.array(values), seconds
    todo = [job for job in jobs if job not in found]
    for position, (values, seconds) in each(functools.partial(_run, trials), todo, workers=workers):
        found[todo[position]] = np.array(values), seconds
        if out is not None:
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps([*todo[position], values, seconds]) + "\n")
    return found


def report(found: dict[Job, tuple[FloatArray, float]], jobs: Sequence[Job], trials: int) -> None:
    """Print means, times, and whether guided searchers are better than the same ones alone."""
    at = [n for n in AT if n <= trials] or [trials]
    seeds = sorted({seed for *_, seed in jobs})
    for setting, method in dict.fromkeys((setting, method) for setting, method, _ in jobs):
        values = np.stack([found[setting, method, seed][0] for seed in seeds])
        seconds = sum(found[setting, method, seed][1] for seed in seeds)
        line = f"{setting} {method}: {1000 * seconds / len(seeds) / trials:.0f} ms a trial"
        alone = method.partition("+")[0]
        for n in at:
            reached = values[:, n - 1]
            line += f"; {n} trials {reached.mean():.2f}"
            if method != alone and (setting, alone, seeds[0]) in jobs:
                plain = np.array([found[setting, alone, seed][0][n - 1] for seed in seeds])
                line += f" (p = {signed_rank(reached, plain, 'greater'):.1g})"
        print(line, flush=True)


def main() -> None:
    """Run all methods in all settings with all seeds."""
    parser = argparse.ArgumentParser(
        prog="scripts/large-spaces",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    made_up = ", ".join(SETTINGS)
    option("--setting", action="append", help=f"repeats; {made_up} (default), or BENCHMARK:TASK")
    option("--searcher", action="append", help=f"repeats; default: {', '.join(SEARCHERS)}")
    option("--guide", action="append", help=f"repeats; default: {', '.join(GUIDES)}")
    option("--seeds", type=int, default=20)
    option("--trials", type=int, default=max(AT))
    option("--processes", type=int, default=1)
    option("--out", type=Path, help="a file of JSON lines that keeps results")
    arguments = parser.parse_args()
    for setting in arguments.setting or ():
        if setting not in SETTINGS and ":" not in setting:
            parser.error(f"--setting must be one of {made_up}, or BENCHMARK:TASK, got {setting!r}")
    jobs = [
        (setting, searcher if guide == "none" else f"{searcher}+{guide}", seed)
        for setting in arguments.setting or SETTINGS
        for searcher in arguments.searcher or SEARCHERS
        for guide in arguments.guide or GUIDES
        for seed in range(arguments.seeds)
    ]
    found = measured(jobs, arguments.trials, workers=arguments.processes, out=arguments.out)
    report(found, jobs, arguments.trials)


if __name__ == "__main__":
    main()
