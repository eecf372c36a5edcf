"""``surrogate-nas search``: the main job."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate_nas.cli.console import (
    add_table_options,
    add_trial_options,
    check_picture,
    natural,
    note,
    only_json,
    positive,
    progress,
    write_json,
)
from surrogate_nas.errors import InvalidArgumentError

if TYPE_CHECKING:
    from surrogate_nas.benchmarks.base import TabularTask
    from surrogate_nas.evaluation import Objective, Trial
    from surrogate_nas.result import SearchResult
    from surrogate_nas.store import Stored

SUMMARY = "search one task"
DESCRIPTION = """\
Search one task of a table for its best architecture, with few evaluations.
Without options: regularized evolution, guided by XGBoost, on the task arxiv of NAS-Bench-Graph."""
EXAMPLE = "surrogate-nas search --task cora --predictor gp --trials 50 --plot cora.png"

_PREDICTOR = "xgboost"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_table_options(parser)
    option = parser.add_argument
    option("--task", default="arxiv", metavar="T", help="default: %(default)s")
    option(
        "--searcher",
        default="evolution",
        metavar="S",
        help="random, local, evolution, genetic, …, or with its predictor: evolution+gp "
        "(default: %(default)s)",
    )
    option(
        "--predictor",
        metavar="P",
        help="the guide: xgboost, gp, forest, …, or none (default: "
        f"{_PREDICTOR}, unless the searcher names one)",
    )
    add_trial_options(parser)
    option(
        "--workers",
        type=positive,
        default=1,
        metavar="N",
        help="processes that evaluate (default: %(default)s)",
    )
    option(
        "--budget", type=positive, metavar="EPOCHS", help="default: the largest that is recorded"
    )
    option("--seed", type=natural, default=0, metavar="N", help="default: %(default)s")
    option(
        "--store",
        metavar="URL",
        help="keep the trials in FILE.journal, or in a database (sqlite:///run.db); the same "
        "command again goes on where it was stopped",
    )
    option("--plot", type=Path, metavar="FILE.png", help="draw the best value so far")


def run(arguments: argparse.Namespace) -> int:
    """Search, and report."""
    started = time.perf_counter()
    check_picture(arguments.plot)
    searcher_name, predictor = _method(arguments.searcher, arguments.predictor)
    with only_json(arguments.json):
        from surrogate_nas.benchmarks.catalog import open_benchmark
        from surrogate_nas.run import check_arguments, search
        from surrogate_nas.search.factory import make_searcher

        benchmark = open_benchmark(arguments.benchmark)
        task = benchmark.task(arguments.task, isomorphs=arguments.isomorphs)
        limits = {"trials": arguments.trials, "batch": arguments.batch}
        limits |= {"workers": arguments.workers, "budget": arguments.budget}
        check_arguments(task, **limits)
        searcher = make_searcher(
            searcher_name, task.space, seed=arguments.seed, predictor=predictor
        )
        objective: Objective = task
        if arguments.store is not None:
            objective = _stored(arguments, task, searcher_name, predictor)
        loaded = time.perf_counter()
        method = searcher_name if predictor is None else f"{searcher_name} + {predictor}"
        with progress(f"{task.benchmark}/{task.name} {method}", arguments.trials) as advance:
            best = _Best(task)
            result = search(
                searcher, objective, **limits, callbacks=[lambda t: advance(best.after(t))]
            )
        report = _report(task, result)
        seconds = {
            "load": loaded - started,
            "search": result.seconds,
            "total": time.perf_counter() - started,
        }
    head = {
        "benchmark": task.benchmark,
        "task": task.name,
        "searcher": searcher_name,
        "predictor": predictor,
        "seed": arguments.seed,
    }
    # Of the order of the design; the weights of meta-trained predictors have their place here.
    answer = {**head, **report, "source_evaluations": 0, "weights": None, "seconds": seconds}
    if arguments.plot is not None:
        _draw(arguments.plot, task, result, method)
    if arguments.json:
        write_json(answer)
    else:
        from surrogate_nas.report import print_search

        print_search(task, result, method=method, seed=arguments.seed, seconds=seconds)
    return _ending(result)


def _method(searcher: str, predictor: str | None) -> tuple[str, str | None]:
    name, plus, guide = searcher.partition("+")
    if plus and predictor is not None:
        raise InvalidArgumentError(
            f"--searcher {searcher} names its predictor; leave out --predictor {predictor}"
        )
    chosen = guide if plus else _PREDICTOR if predictor is None else predictor
    return name, None if chosen == "none" else chosen


def _stored(
    arguments: argparse.Namespace, task: TabularTask, searcher: str, predictor: str | None
) -> Stored:
    from surrogate_nas.store import Stored, open_storage, study_name

    stored = Stored(
        task,
        open_storage(arguments.store),
        name=study_name(task.benchmark, task.name, searcher, predictor, arguments.seed),
        settings={
            "benchmark": task.benchmark,
            "task": task.name,
            "fingerprint": task.fingerprint,
            "isomorphs": arguments.isomorphs,
            "searcher": searcher,
            "predictor": predictor,
            "seed": arguments.seed,
            "batch": arguments.batch,
            "budget": arguments.budget,
        },
    )
    if stored.known:
        note(f"{len(stored.known)} trials of this search are in {arguments.store}: going on")
    return stored


class _Best:
    """The text beside the progress bar."""

    def __init__(self, task: TabularTask) -> None:
        self._goal = task.goal
        self._value: float | None = None

    def after(self, trial: Trial) -> str:
        if trial.value is not None and (self._value is None or trial.value > self._value):
            self._value = trial.value
        if self._value is None:
            return "nothing succeeded yet"
        return f"best {self._goal.metric} {self._goal.sign * self._value:.6g}"


def _report(task: TabularTask, result: SearchResult) -> dict[str, Any]:
    from surrogate_nas.result import standing

    sign, space = task.goal.sign, task.space
    best = result.best
    where = standing(task, best)
    trials = [
        {
            "number": number,
            "arch": space.format(trial.arch),
            "value": None if trial.value is None else sign * trial.value,
            "cost": None if trial.evaluation is None else trial.evaluation.cost,
            "error": trial.error,
        }
        for number, trial in enumerate(result.trials)
    ]
    winner = None
    if best is not None and best.evaluation is not None:
        winner = {
            "arch": space.format(best.arch),
            "value": sign * best.evaluation.value,
            "metrics": dict(best.evaluation.metrics),
            "test": where.test,
        }
    return {
        "trials": trials,
        "best": winner,
        "optimum": sign * task.optimum,
        "regret": where.regret,
        "rank": where.rank,
    }


def _draw(path: Path, task: TabularTask, result: SearchResult, method: str) -> None:
    from surrogate_nas.plots import draw_search

    draw_search(path, task, result, method=method)
    note(f"the picture is in {path}")


def _ending(result: SearchResult) -> int:
    if result.stopped == "interrupted":
        raise KeyboardInterrupt
    if result.stopped == "exhausted":
        note(f"the space is used up after {len(result.trials)} trials")
    if result.best is None:
        note("every trial failed; the reasons are in the JSON of --json")
    return 0
