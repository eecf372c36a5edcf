"""``surrogate-nas search``: the main job."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate_nas.cli import search_training
from surrogate_nas.cli.console import (
    BENCHMARK,
    add_source_options,
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
from surrogate_nas.cli.network_options import planned
from surrogate_nas.cli.proxy_options import add_proxies_option, chosen_proxies
from surrogate_nas.cli.search_report import Steps, ending, going_on, trial_report
from surrogate_nas.cli.verify import SEEDS, finished, verified, what
from surrogate_nas.errors import InvalidArgumentError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from surrogate_nas.benchmarks.base import Benchmark, TabularTask
    from surrogate_nas.evaluation import Objective
    from surrogate_nas.records import SearchResult
    from surrogate_nas.searchers.method import Method
    from surrogate_nas.store import Stored
    from surrogate_nas.training.proxies.table import ProxyTable
    from surrogate_nas.transfer import PredictorChoice

SUMMARY = "search one task"
DESCRIPTION = """\
Search one task of a table for its best architecture, with few evaluations.
Without options: regularized evolution, guided by XGBoost, on the task arxiv of NAS-Bench-Graph.
With --dataset, every trial is a real training."""
EXAMPLE = """\
surrogate-nas search --task cora --predictor gp --trials 50 --plot cora.png
  surrogate-nas search --space dense-cell --dataset digits --trials 20 --epochs 5"""

_PREDICTOR = "xgboost"
_TASK = "arxiv"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_table_options(parser)
    # None where they are not given, because a search by training has neither.
    parser.set_defaults(benchmark=None)
    option = parser.add_argument
    option("--task", metavar="T", help="default: arxiv, or the only one")
    search_training.add_options(parser)
    option(
        "--searcher",
        default="evolution",
        metavar="S",
        help="random, local, evolution, genetic, bayesian, reinforce, gradient, hyperband (at the "
        "cost of at most --trials of the largest budget), optuna or proxy; a variant after a "
        "colon: bayesian:ei|ucb|thompson, reinforce:ppo|plain, gradient:softmax|gumbel|score (this "
        "matters only with mlp, in spaces too large to be listed), hyperband:evolution, "
        "optuna:tpe|gp|nsga2|random, proxy:naswot|…; its predictor after a plus: evolution+gp "
        "(default: %(default)s)",
    )
    option(
        "--predictor",
        metavar="P",
        help="the guide: xgboost, gp, meta-gnn, …, a file of weights, none, or auto: meta-gnn with "
        "the sources, or with weights of the space that never saw the task, else gp (default: "
        f"{_PREDICTOR}, or gp for bayesian, unless the searcher names one)",
    )
    add_proxies_option(parser)
    add_source_options(parser)
    add_trial_options(parser)
    option(
        "--workers",
        type=positive,
        default=1,
        metavar="N",
        help="processes that evaluate, and that --verify trains in (default: %(default)s)",
    )
    option(
        "--budget",
        type=positive,
        metavar="EPOCHS",
        help="default: the largest that is recorded; with --dataset the same as --epochs",
    )
    option("--seed", type=natural, default=0, metavar="N", help="default: %(default)s")
    option(
        "--store",
        metavar="URL",
        help="keep the trials in FILE.journal, or in a database (sqlite:///run.db); the same "
        "command again goes on where it was stopped",
    )
    option("--plot", type=Path, metavar="FILE.png", help="draw the best value so far")
    option(
        "--verify",
        type=positive,
        metavar="K",
        help=f"then really train the best K, {SEEDS} times each, as their table notes; with "
        "--benchmark or --task, the options of real training say how, where it notes nothing",
    )


def _default_task(benchmark: Benchmark) -> str:
    if len(benchmark.tasks) > 1 and _TASK not in benchmark.tasks:
        raise InvalidArgumentError(
            f"the benchmark {benchmark.name} has several tasks; name one with --task: "
            + ", ".join(benchmark.tasks)
        )
    return _TASK if _TASK in benchmark.tasks else benchmark.tasks[0]


def run(arguments: argparse.Namespace) -> int:
    """Search, and report."""
    started = time.perf_counter()
    check_picture(arguments.plot, "--plot")
    method, predictor = _method(arguments.searcher, arguments.predictor)
    searcher_name = method.name
    if search_training.wanted(arguments, method):
        return search_training.run(arguments, method, predictor)
    with only_json(arguments.json):
        from surrogate_nas.benchmarks.catalog import open_benchmark
        from surrogate_nas.run import check_arguments, search
        from surrogate_nas.searchers.factory import make_searcher
        from surrogate_nas.transfer import choose_predictor

        benchmark = open_benchmark(arguments.benchmark or BENCHMARK)
        name = arguments.task or _default_task(benchmark)
        task = benchmark.task(name, isomorphs=arguments.isomorphs)
        limits = {"trials": arguments.trials, "batch": arguments.batch}
        limits |= {"workers": arguments.workers, "budget": arguments.budget}
        check_arguments(task, **limits)
        checking = None
        if arguments.verify is not None:
            checking = planned(arguments, benchmark.space, task.training)
        whole = arguments.budget or task.budgets[-1]
        guide = None
        if predictor is not None:
            guide = choose_predictor(
                predictor,
                task,
                sources=arguments.sources,
                leave_one_out=arguments.leave_one_out,
                on_step=note,
            )
        elif arguments.sources is not None or arguments.leave_one_out:
            raise InvalidArgumentError("--sources and --leave-one-out need a --predictor")
        networks = None
        if search_training.needs_proxies(arguments, method):
            networks, _ = checking or planned(arguments, benchmark.space, task.training, epochs=1)
        features = chosen_proxies(arguments, method, guide, task.space, networks)
        searcher = make_searcher(
            searcher_name,
            task.space,
            seed=arguments.seed,
            predictor=None if guide is None else guide.make,
            budgets=[budget for budget in task.budgets if budget <= whole],
            features=features,
        )
        objective: Objective = task
        storage = None
        if arguments.store is not None:
            from surrogate_nas.store import open_storage

            storage = open_storage(arguments.store)
            objective = _stored(arguments, task, searcher_name, guide, features, storage)
        loaded = time.perf_counter()
        shown = searcher_name if guide is None else f"{searcher_name} + {guide.name}"
        with progress(f"{task.benchmark}/{task.name} {shown}", arguments.trials) as advance:
            steps = Steps(task.goal, whole, advance)
            result = search(searcher, objective, **limits, callbacks=[steps.after])
        report = _report(task, result)
        checked = None
        if checking is not None and result.best is not None and result.stopped != "interrupted":
            training, plan = checking
            seeds = range(plan["seeds"], plan["seeds"] + SEEDS)
            checked = verified(
                result.trials,
                arguments.verify,
                training,
                plan,
                task.goal,
                seeds,
                storage,
                arguments.workers,
            )
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
        "guide": None if guide is None else guide.name,
        "proxies": None if features is None else list(features.names),
        "seed": arguments.seed,
    }
    learnt = {
        "source_evaluations": 0 if guide is None else guide.source_evaluations,
        "weights": None if guide is None else guide.weights,
    }
    answer = {**head, **report, **learnt}
    if checking is not None:
        answer["verification"] = None if checked is None else checked.report()
    answer["seconds"] = seconds
    if arguments.plot is not None:
        _draw(arguments.plot, task, result, shown)
    if arguments.json:
        write_json(answer)
    else:
        from surrogate_nas.reporting.terminal import print_search, print_verification

        print_search(task, result, method=shown, seed=arguments.seed, seconds=seconds)
        if checked is not None:
            title = f"the best, trained: {what(plan)}"
            print_verification(answer["verification"], title=title, tabulated=True)
    return ending(result) if checked is None else finished(checked)


def _method(searcher: str, predictor: str | None) -> tuple[Method, str | None]:
    """The method, and the predictor that guides it."""
    from surrogate_nas.searchers.method import NONE, Method, check_predictor

    method = Method.parse(searcher)
    if method.predictor is not None and predictor is not None:
        raise InvalidArgumentError(
            f"--searcher {searcher} names its predictor; leave out --predictor {predictor}"
        )
    named = method.predictor if predictor is None else predictor
    chosen = (method.own_guide or _PREDICTOR) if named is None else named
    check_predictor(chosen)
    return method, method.own_guide if chosen == NONE else chosen


def _stored(
    arguments: argparse.Namespace,
    task: TabularTask,
    searcher: str,
    guide: PredictorChoice | None,
    features: ProxyTable | None,
    storage: BaseStorage,
) -> Stored:
    from surrogate_nas.store import Stored, study_name

    predictor = None if guide is None else guide.name
    stored = Stored(
        task,
        storage,
        name=study_name(task.benchmark, task.name, searcher, predictor, arguments.seed),
        settings={
            "benchmark": task.benchmark,
            "task": task.name,
            "fingerprint": task.fingerprint,
            "isomorphs": arguments.isomorphs,
            "searcher": searcher,
            "predictor": predictor,
            "weights": None if guide is None else guide.digest,
            "proxies": None if features is None else features.identity,
            "seed": arguments.seed,
            "batch": arguments.batch,
            "budget": arguments.budget,
            "training": task.training,
        },
    )
    if stored.known:
        going_on(len(stored.known), arguments.store)
    return stored


def _report(task: TabularTask, result: SearchResult) -> dict[str, Any]:
    from surrogate_nas.records import standing

    where = standing(task, result.best)
    return {
        **trial_report(task.space, task.goal, result),
        "optimum": task.goal.sign * task.optimum,
        "regret": where.regret,
        "rank": where.rank,
    }


def _draw(path: Path, task: TabularTask, result: SearchResult, method: str) -> None:
    from surrogate_nas.reporting.plots import draw_search

    draw_search(path, task, result, method=method)
    note(f"the picture is in {path}")
