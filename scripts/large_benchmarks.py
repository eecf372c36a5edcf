"""Surrogate benchmarks of spaces that cannot be listed; run by ``scripts/large-benchmarks``.

Networks are trained for two epochs, at half the resolution of the images (``stem_stride=2``). Data
sets are trained one after the other, in steps that are whole samples each: half of the rows at
random, half along trajectories of searchers. Each training is in a log at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from surrogate_nas.cli import main as run

SPACES = ("layerwise", "hierarchical")
DATASETS = ("digits", "mnist5k-14")
EPOCHS = 2
STEPS = 10  # from the first rows to all


def trained(space: str, dataset: str, arguments: argparse.Namespace, count: int) -> None:
    """Train so many architectures, or go on where that was stopped."""
    words = ["build", "--space", space, "--dataset", dataset, "--sample", "both"]
    words += ["--epochs", str(EPOCHS), "--settings", "stem_stride=2", "--device", "cpu"]
    words += ["--count", str(count), "--workers", str(arguments.workers)]
    if run([*words, "--out", str(table(space, dataset, arguments))]):
        raise SystemExit(1)


def table(space: str, dataset: str, arguments: argparse.Namespace) -> Path:
    """The measurements."""
    folder: Path = arguments.out
    return folder / f"{space}-{dataset}.h5"


def main() -> None:
    """Train, and fit."""
    parser = argparse.ArgumentParser(
        prog="scripts/large-benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option("--space", action="append", choices=SPACES, help="repeats; default: all")
    option("--dataset", action="append", choices=DATASETS, help="repeats; default: all")
    option("--count", type=int, default=2_000, help="of each space and data set")
    option("--workers", type=int, default=1)
    option("--out", type=Path, default=Path("large-benchmarks"), help="a folder")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    spaces, datasets = arguments.space or SPACES, arguments.dataset or DATASETS
    for step in range(1, STEPS + 1):
        for dataset in datasets:
            for space in spaces:
                trained(space, dataset, arguments, arguments.count * step // STEPS)
    for space in spaces:
        for dataset in datasets:
            out = str(arguments.out / f"{space}-{dataset}-surrogate.h5")
            if run(["build", "--surrogate", str(table(space, dataset, arguments)), "--out", out]):
                raise SystemExit(1)


if __name__ == "__main__":
    main()
