"""The gain of each searcher by guidance; run by ``scripts/guidance``.

Reads the compare.json of comparisons of searchers with and without guidance, on the same tasks and
seeds, for example of

    surrogate-nas compare --benchmark B --task T,U --searcher local,local+gp,evolution,evolution+gp
        --trials 200 --seeds 10 --out DIR

With --best-of evolution,local each guided method is compared, on each task and after 50, 100, 150
and 200 trials, with the one of these that has the best mean rank there: whether it stalls where
they go on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from surrogate_nas.errors import FormatError
from surrogate_nas.records import ComparisonRecord
from surrogate_nas.reporting.statistics import holm, signed_rank

_AT = (20, 50, 100, 200)
_STALLS_AT = (50, 100, 150, 200)
_SIGNIFICANT = 0.05

Pairs = dict[tuple[str, str], list[np.ndarray]]
"""By guided method and task, logarithms of the ranks (2, trials): guided, and alone."""


def pairs(files: Iterable[Path]) -> Pairs:
    """All runs of guided searchers, each with the run of the same searcher alone."""
    found: Pairs = {}
    for file in files:
        runs = ComparisonRecord.from_json(json.loads(file.read_text(encoding="utf-8"))).runs
        alone = {(run.searcher, run.task, run.seed): run for run in runs if run.predictor is None}
        for run in runs:
            other = alone.get((run.searcher, run.task, run.seed))
            if run.predictor is not None and other is not None:
                both = np.log(np.array([run.ranks, other.ranks], dtype=np.float64))
                found.setdefault((run.method, f"{file}: {run.task}"), []).append(both)
    return found


def stalls(files: Iterable[Path], others: Sequence[str]) -> None:
    """Print for each guided method the tests against the best of others, the worst task first."""
    found: dict[str, list[tuple[float, str, int, float, float, str]]] = {}
    ratios: dict[tuple[str, Path, int], list[float]] = {}
    for file in files:
        runs = ComparisonRecord.from_json(json.loads(file.read_text(encoding="utf-8"))).runs
        ranks: dict[tuple[str, str], np.ndarray] = {}
        for method, task in dict.fromkeys((run.method, run.task) for run in runs):
            kept = [run for run in runs if (run.method, run.task) == (method, task)]
            kept.sort(key=lambda run: run.seed)
            ranks[method, task] = np.array([run.ranks for run in kept], dtype=np.float64)
        for (method, task), own in ranks.items():
            alone = [other for other in others if (other, task) in ranks]
            if method in others or not alone:
                continue
            for trials in (n for n in _STALLS_AT if n <= own.shape[1]):
                at = {other: ranks[other, task][:, trials - 1] for other in alone}
                best = min(alone, key=lambda other: float(at[other].mean()))
                p = signed_rank(own[:, trials - 1], at[best][: len(own)], "greater")
                means = float(own[:, trials - 1].mean()), float(at[best].mean())
                row = (p, f"{file}: {task}", trials, *means, best)
                found.setdefault(method, []).append(row)
                ratios.setdefault((method, file, trials), []).append(means[0] / means[1])
    for method, rows in found.items():
        corrected = dict(zip(rows, holm([row[0] for row in rows]), strict=True))
        worse = sum(p < _SIGNIFICANT for p in corrected.values())
        print(f"{method}: significantly worse in {worse} of {len(rows)} tests of a task")
        for row in sorted(rows):
            p, task, trials, own_mean, best_mean, best = row
            print(
                f"  {task}, {trials} trials: mean rank {own_mean:.1f}, {best} {best_mean:.1f}, "
                f"p = {p:.2g}, corrected {corrected[row]:.2g}"
            )
        for (of, file, trials), divided in ratios.items():
            if of == method:
                mean = np.exp(np.log(divided).mean())
                print(f"  {file}, {trials} trials, {len(divided)} tasks: {mean:.2f}")


def main() -> None:
    """Print the gain of each guided searcher, and the tasks on which it loses."""
    parser = argparse.ArgumentParser(
        prog="scripts/guidance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="compare.json")
    parser.add_argument("--best-of", type=lambda text: text.split(","), metavar="SEARCHER,…")
    arguments = parser.parse_args()
    try:
        if arguments.best_of:
            stalls(arguments.files, arguments.best_of)
            return
        found = pairs(arguments.files)
    except (OSError, FormatError) as error:
        parser.error(str(error))
    if not found:
        parser.error("there is no searcher that was run guided and alone")
    for name in dict.fromkeys(guided for guided, _ in found):
        tasks = {task: np.stack(both) for (guided, task), both in found.items() if guided == name}
        for trials in _AT:
            there = {
                task: both[:, :, trials - 1].T
                for task, both in tasks.items()
                if both.shape[-1] >= trials
            }
            if not there:
                continue
            guided, alone = np.concatenate(list(there.values()), axis=1)
            worse = holm([signed_rank(*both, "greater") for both in there.values()])
            lost = [task for task, p in zip(there, worse, strict=True) if p < _SIGNIFICANT]
            print(
                f"{name}, {trials} trials, {len(guided)} pairs on {len(there)} tasks: rank by the "
                f"geometric mean {np.exp((guided - alone).mean()):.2f} of what it is alone, "
                f"p = {signed_rank(guided, alone, 'less'):.1g}; significantly worse on "
                f"{', '.join(lost) or 'no task'}"
            )


if __name__ == "__main__":
    main()
