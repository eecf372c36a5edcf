"""What guidance gains each searcher; run by ``scripts/guidance``.

Reads the compare.json of one or more comparisons that had searchers alone and guided, with the
same tasks and seeds, for example of

    surrogate-nas compare --benchmark B --task T,U --searcher local,local+gp,evolution,evolution+gp
        --trials 200 --seeds 10 --out DIR
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy.stats import wilcoxon

from surrogate_nas.summary import holm, method

_AT = (20, 50, 100, 200)
_SIGNIFICANT = 0.05

Pairs = dict[tuple[str, str], list[np.ndarray]]
"""By guided method and task, logarithms of the ranks (2, trials): guided, and alone."""


def pairs(files: Iterable[Path]) -> Pairs:
    """All runs of guided searchers beside the runs of the same searchers alone."""
    found: Pairs = {}
    for file in files:
        runs = json.loads(file.read_text(encoding="utf-8"))["runs"]
        alone = {
            (run["searcher"], run["task"], run["seed"]): run
            for run in runs
            if run["predictor"] is None
        }
        for run in runs:
            other = alone.get((run["searcher"], run["task"], run["seed"]))
            if run["predictor"] is not None and other is not None:
                both = np.log([run["ranks"], other["ranks"]])
                found.setdefault((method(run), f"{file}: {run['task']}"), []).append(both)
    return found


def _p(differences: np.ndarray, alternative: str) -> float:
    if not differences.any():
        return 1.0
    return float(wilcoxon(differences, alternative=alternative).pvalue)


def main() -> None:
    """Print the gain of each guided searcher, and the tasks on which it loses."""
    parser = argparse.ArgumentParser(
        prog="scripts/guidance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="compare.json")
    found = pairs(parser.parse_args().files)
    if not found:
        parser.error("there is no searcher that was run guided and alone")
    for name in dict.fromkeys(guided for guided, _ in found):
        tasks = {task: np.stack(both) for (guided, task), both in found.items() if guided == name}
        for trials in _AT:
            gains = {
                task: both[:, 0, trials - 1] - both[:, 1, trials - 1]
                for task, both in tasks.items()
                if both.shape[-1] >= trials
            }
            if not gains:
                continue
            together = np.concatenate(list(gains.values()))
            worse = holm([_p(gain, "greater") for gain in gains.values()])
            lost = [task for task, p in zip(gains, worse, strict=True) if p < _SIGNIFICANT]
            print(
                f"{name}, {trials} trials, {len(together)} pairs on {len(gains)} tasks: "
                f"rank by the geometric mean {np.exp(together.mean()):.2f} of what it is alone, "
                f"p = {_p(together, 'less'):.1g}; significantly worse on "
                f"{', '.join(lost) or 'no task'}"
            )


if __name__ == "__main__":
    main()
