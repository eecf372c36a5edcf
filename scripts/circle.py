"""All steps from real trainings to a guided search; run by ``scripts/circle``.

A search trains and stores its trials, and its winners are verified. The trials become a table. A
predictor learns from this table and from another one of the same space. It guides the search of a
task that it never saw. A run that was stopped continues.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from surrogate_nas.cli import main


class CommandError(Exception):
    """A command ended with this exit code."""


def circle(out: Path, *, table: str, task: str, predictor: str, search: Sequence[str]) -> None:
    """Run all steps.

    Args:
        out: Folder for the trials, the table and the weights.
        table: Another table of the space `dense-cell`.
        task: A task of that table: searched at the end, and never learnt from.
        predictor: The predictor.
        search: Options of the search by training.

    Raises:
        CommandError: If a command fails; it has printed the reason.
    """
    out.mkdir(parents=True, exist_ok=True)
    os.environ["SURROGATE_NAS_HOME"] = os.fspath(out / "home")
    store, weights = out / "search.journal", out / "weights.safetensors"
    _run("search", "--space", "dense-cell", "--store", store, *search)
    _run("verify", store, "--top", 3, "--seeds", 2)
    _run("import", "optuna", store, "--study", _searched(store), "--name", "own")
    suite = f"own;{table}"
    _run(
        *("meta-train", "--suite", suite, "--holdout", task, "--predictor", predictor),
        *("--out", weights),
    )
    found = ("--benchmark", table, "--task", task, "--predictor", weights)
    _run("evaluate", *found, "--train-sizes", "0,5", "--seeds", 2)
    _run("search", *found, "--trials", 20)


def _searched(store: Path) -> str:
    from surrogate_nas.store import open_storage, read_study

    return read_study(open_storage(store, new=False)).name


def _run(*words: object) -> None:
    command = [str(word) for word in words]
    print("\n$ surrogate-nas", *command, flush=True)
    code = main(command)
    if code:
        raise CommandError(code)


def parsed(argv: Sequence[str] | None = None) -> tuple[argparse.Namespace, list[str]]:
    """Own options, and those of the search."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    option = parser.add_argument
    option("--out", type=Path, default=Path("circle"), help="folder (default: %(default)s)")
    option("--table", default="cell-bench", help="another table (default: %(default)s)")
    option(
        "--task",
        default="mnist5k-14",
        help="a task of it, never learnt from (default: %(default)s)",
    )
    option("--learner", default="meta-gnn", help="the predictor (default: %(default)s)")
    return parser.parse_known_args(argv)


if __name__ == "__main__":
    own, rest = parsed()
    options = ["--dataset", "digits", "--epochs", "3", "--settings", "channels=8"]
    options += ["--trials", "40", *rest]
    try:
        circle(own.out, table=own.table, task=own.task, predictor=own.learner, search=options)
    except CommandError as failed:
        sys.exit(failed.args[0])
