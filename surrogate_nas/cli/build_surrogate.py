"""The part of ``surrogate-nas build`` about samples and surrogates."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from surrogate_nas.cli.console import names, only_json, progress, write_json
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.number_text import rounded

if TYPE_CHECKING:
    from surrogate_nas.records import BuildRecord
    from surrogate_nas.workflows.measurements import Measurements
    from surrogate_nas.workflows.sampling import Sampling

SAMPLES = ("random", "search", "both")


@dataclass(frozen=True, slots=True)
class SearchedRows:
    """How searches choose what is trained; see `workflows.sampled_build.build_sampled`."""

    how: Sampling
    count: int | None
    seed: int


def add_surrogate_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--sample``, ``--surrogate`` and ``--task``."""
    option = parser.add_argument
    option(
        "--sample",
        choices=SAMPLES,
        help="how the --count architectures are chosen: at random, where several searchers go, or "
        "half of each; it ends before where that teaches no more (default: at random; of a "
        "--surrogate, all rows)",
    )
    option(
        "--surrogate",
        metavar="TABLE|STORE",
        help="fit models to these measurements, in place of training",
    )
    option("--task", type=names, metavar="T,…", help="tasks of the --surrogate (default: all)")


def run_surrogate(arguments: argparse.Namespace) -> int:
    """Fit and write a surrogate, and report."""
    started = time.perf_counter()
    with only_json(arguments.json):
        from surrogate_nas.workflows.surrogates import build_surrogate

        _check_out(arguments)
        measured = _measured(arguments)
        built = build_surrogate(measured, arguments.out, progress=progress)
        record = _record(arguments, measured, dict(built.card), time.perf_counter() - started)
    if arguments.json:
        write_json(record)
        return 0
    print(
        f"{record.path}: a surrogate of {record.space}, fitted to {record.architectures:,} "
        f"architectures of {measured.source}"
    )
    for task in record.tasks:
        optimum = built.card["tasks"][task]["optimum"]
        print(
            f"{task}: best {rounded(optimum['value'])} ± {rounded(optimum['uncertainty'], 2)} by "
            f"{optimum['arch']}"
        )
    return 0


def _check_out(arguments: argparse.Namespace) -> None:
    from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark

    out = arguments.out
    if out.exists() and not HDF5Benchmark(out).is_surrogate:
        raise InvalidArgumentError(
            f"{out} exists and holds measurements; choose another --out for the surrogate"
        )


def _measured(arguments: argparse.Namespace) -> Measurements:
    from surrogate_nas.workflows.measurements import is_store, of_store, of_table, sampled_from

    name, tasks = arguments.surrogate, arguments.task
    if arguments.sample is None and arguments.count is None:
        return of_store(name, tasks) if is_store(name) else of_table(name, tasks)
    if is_store(name):
        raise InvalidArgumentError(
            "--sample and --count choose rows of a table, and a store is taken whole; leave them "
            "out"
        )
    if arguments.count is None:
        raise InvalidArgumentError("--sample needs the number of rows; give it --count")
    how: Sampling = arguments.sample or "random"
    return sampled_from(
        name, tasks, how=how, count=arguments.count, seed=arguments.seed, progress=progress
    )


def _record(
    arguments: argparse.Namespace, measured: Measurements, card: dict[str, object], seconds: float
) -> BuildRecord:
    from surrogate_nas.records import BuildRecord, SurrogateSummary

    cards = card["tasks"]
    assert isinstance(cards, dict)
    errors = {name: own["columns"]["validation"]["held_out"] for name, own in cards.items()}
    sampling = card["sampling"]
    assert isinstance(sampling, dict)
    return BuildRecord(
        path=arguments.out,
        log=None,
        space=measured.space.name,
        tasks=tuple(cards),
        architectures=len(measured.choices),
        seeds=max(t.columns["validation"].shape[1] for t in measured.tasks),
        epochs=max(task.budgets[-1] for task in measured.tasks),
        trainings=0,
        trained=0,
        failed=(),
        seconds=seconds,
        surrogate=SurrogateSummary(
            fitted_to=measured.source,
            rows=len(measured.choices),
            sampling=sampling,
            tau={name: error["tau"] for name, error in errors.items()},
            rmse={name: error["rmse"] for name, error in errors.items()},
            coverage={name: error["coverage"] for name, error in errors.items()},
        ),
    )
