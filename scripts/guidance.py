"""The gain of each searcher by guidance; run by ``scripts/guidance``.

Reads the compare.json of comparisons of searchers with and without guidance, on the same tasks and
seeds, for example of

    surrogate-nas compare --benchmark B --task T,U --searcher local,local+gp,evolution,evolution+gp
        --trials 200 --seeds 10 --out DIR
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from surrogate_nas.errors import FormatError
from surrogate_nas.records import ComparisonRecord
from surrogate_nas.reporting.statistics import holm, signed_rank

_AT = (20, 50, 100, 200)
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


def main() -> None:
    """Print the gain of each guided searcher, and the tasks on which it loses."""
    parser = argparse.ArgumentParser(
        prog="scripts/guidance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="compare.json")
    try:
        found = pairs(parser.parse_args().files)
    except FormatError as error:
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
