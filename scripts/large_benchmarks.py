"""Surrogate benchmarks of spaces that cannot be listed; run by ``scripts/large-benchmarks``.

Networks are trained for two epochs, at half the resolution of the images (``stem_stride=2``). Half
of the rows are drawn at random, and half are along trajectories of searchers. Each training is in
a log at once, and a run that was stopped goes on. One surrogate a space is fitted to the rows of
all data sets. ``--measure`` prints what docs/large-benchmarks.md says of a file.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from surrogate_nas.benchmarks.large import TASKS
from surrogate_nas.benchmarks.sources import METRICS
from surrogate_nas.benchmarks.surrogate import SurrogateBenchmark
from surrogate_nas.cli import main as run
from surrogate_nas.parallel import one_thread
from surrogate_nas.workflows.measurements import joined, of_table
from surrogate_nas.workflows.surrogates import build_surrogate

SPACES = ("layerwise", "hierarchical")
EPOCHS = 2
BUSY = METRICS + "seconds"  # of a machine that also did other work
LICENCE = "Apache-2.0"


def trained(space: str, dataset: str, arguments: argparse.Namespace) -> None:
    """Train architectures, or go on where that was stopped."""
    words = ["build", "--space", space, "--dataset", dataset, "--sample", "both"]
    words += ["--epochs", str(EPOCHS), "--settings", "stem_stride=2", "--device", "cpu"]
    words += ["--count", str(arguments.count), "--workers", str(arguments.workers)]
    if run([*words, "--out", str(table(space, dataset, arguments.out))]):
        raise SystemExit(1)


def table(space: str, dataset: str, folder: Path) -> Path:
    """The measurements."""
    return folder / f"{space}-{dataset}.h5"


def fitted(space: str, datasets: Sequence[str], folder: Path) -> Path:
    """Fit one surrogate to the measurements on all data sets."""
    measured = joined([of_table(str(table(space, name, folder)), None) for name in datasets])
    tasks = []
    for task in measured.tasks:
        columns = {name: cells for name, cells in task.columns.items() if name != BUSY}
        tasks.append(replace(task, columns=columns))
    out = folder / f"large-{space}.h5"
    with one_thread():
        build_surrogate(replace(measured, tasks=tuple(tasks)), out, licence=LICENCE, progress=True)
    return out


def numbers(path: Path) -> str:
    """What the card says of the goal, and of all metrics, as Markdown."""
    card = SurrogateBenchmark(path).card
    lines = ["| task | rows | model | τ | error | coverage | noise of one training | far |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for task, own in card["tasks"].items():
        goal = own["columns"]["validation"]
        held, share = goal["held_out"], goal["weights"]["gp"]
        lines.append(
            f"| {task} | {own['rows']} | {share:.1f} gp, {1 - share:.1f} trees | "
            f"{held['tau']:.2f} | {held['rmse']:.1f} | {held['coverage']:.2f} | "
            f"{goal['noise']['smallest']:.1f} to {goal['noise']['largest']:.1f} | "
            f"{100 * own['extrapolation']['share']:.1f} % |"
        )
    lines += ["", "| τ of held-out rows | " + " | ".join(card["tasks"]) + " |"]
    lines.append("|---|" + "---|" * len(card["tasks"]))
    for name in next(iter(card["tasks"].values()))["columns"]:
        found = [own["columns"][name]["held_out"]["tau"] for own in card["tasks"].values()]
        lines.append(f"| {_named(name)} | " + " | ".join(f"{tau:.2f}" for tau in found) + " |")
    for name in sorted({n for own in card["tasks"].values() for n in _left_out(own)}):
        found = [_left_out(own).get(name, {}).get("tau") for own in card["tasks"].values()]
        said = ["–" if tau is None else f"{tau:.2f}" for tau in found]
        lines.append(f"| validation, without {name} | " + " | ".join(said) + " |")
    return "\n".join(lines)


def _named(column: str) -> str:
    return column.removeprefix(METRICS)


def _left_out(task: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    return task["leave_one_searcher_out"]


def main() -> None:
    """Train and fit, or measure."""
    parser = argparse.ArgumentParser(
        prog="scripts/large-benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option("--space", action="append", choices=SPACES, help="repeats; default: all")
    option("--dataset", action="append", choices=TASKS, help="repeats; default: all")
    option("--count", type=int, default=1_000, help="of each space and data set")
    option("--workers", type=int, default=1)
    option("--out", type=Path, default=Path("large-benchmarks"), help="a folder")
    option("--measure", type=Path, metavar="FILE", help="print the numbers of a surrogate")
    arguments = parser.parse_args()
    if arguments.measure is not None:
        print(numbers(arguments.measure))
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    for space in arguments.space or SPACES:
        datasets = arguments.dataset or TASKS
        for dataset in datasets:
            trained(space, dataset, arguments)
        print(fitted(space, datasets, arguments.out))


if __name__ == "__main__":
    main()
