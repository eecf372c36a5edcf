"""``surrogate-nas search``: the main job."""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from surrogate_nas.cli import search_device, search_training
from surrogate_nas.cli.cluster_options import add_cluster_options, cluster_options
from surrogate_nas.cli.console import (
    BENCHMARK,
    add_accept_option,
    add_limit_options,
    add_source_options,
    add_table_options,
    add_trial_options,
    check_file,
    check_page,
    check_picture,
    names,
    natural,
    note,
    only_json,
    positive,
    progress,
    write_json,
    write_page,
)
from surrogate_nas.cli.goal_options import add_goal_options, wanted_goals
from surrogate_nas.cli.network_options import DEFAULT_SPACE, training_options
from surrogate_nas.cli.proxy_options import add_proxies_option
from surrogate_nas.cli.verify import finished
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.training.options import VERIFICATION_SEEDS

if TYPE_CHECKING:
    from surrogate_nas.benchmarks.base import Benchmark
    from surrogate_nas.records import SearchResult
    from surrogate_nas.searchers.method import Method
    from surrogate_nas.workflows.search import SearchOptions, SearchOutcome, SearchSetup

SUMMARY = "search one task"
DESCRIPTION = """\
Search one task of a table for its best architecture, with few evaluations.
Without options: regularized evolution on the task arxiv of NAS-Bench-Graph, guided by what was
learnt from the other tasks.
With --dataset, every trial is a real training."""
EXAMPLE = """\
surrogate-nas search --task cora --predictor gp --trials 50 --plot cora.png
  surrogate-nas search --space dense-cell --dataset digits --trials 20 --epochs 5"""

_PREDICTOR = "auto"
_READS_PROXIES = "gp"
_TASK = "arxiv"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_table_options(parser)
    # None where they are not given, because a search by training has neither.
    parser.set_defaults(benchmark=None)
    option = parser.add_argument
    option(
        "--task",
        type=names,
        metavar="T",
        help="one, or several for which one architecture is wanted (default: arxiv, or the only "
        "one)",
    )
    search_training.add_options(parser)
    _add_method_options(parser)
    add_goal_options(parser)
    add_source_options(parser)
    add_trial_options(parser)
    option(
        "--workers",
        type=positive,
        metavar="N",
        help="processes that evaluate, and that --verify trains in (default: 1)",
    )
    option(
        "--budget",
        type=positive,
        metavar="EPOCHS",
        help="default: the largest that is recorded; with --dataset the same as --epochs",
    )
    option("--seed", type=natural, default=0, metavar="N", help="default: %(default)s")
    add_limit_options(parser)
    add_accept_option(parser)
    option(
        "--store",
        metavar="URL",
        help="keep the trials in FILE.journal, or in a database (sqlite:///run.db); the same "
        "command again goes on where it was stopped",
    )
    option(
        "--share",
        action="store_true",
        help="work on the search in --store together with other processes, on this and on other "
        "machines, each started with the same command; --trials is the total of all",
    )
    add_cluster_options(parser)
    option("--plot", type=Path, metavar="FILE.png", help="draw the best value so far")
    option("--report", type=Path, metavar="FILE.html", help="make a page about the search")
    _add_training_options(parser)


def _add_training_options(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option(
        "--verify",
        type=positive,
        metavar="K",
        help=f"then really train the best K, {VERIFICATION_SEEDS} times each, as their table "
        "notes; with --benchmark or --task, the options of real training say how, where it notes "
        "nothing. With --cost-model, measure the best K on its device instead, and say whether the "
        "limit holds",
    )
    option(
        "--export-best",
        type=Path,
        metavar="FILE.pt|FILE.onnx|FILE.pt2",
        help="then train the best architecture, as its table notes or as in the search, and write "
        "its network here, with a model card beside it",
    )


def _add_method_options(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option(
        "--searcher",
        default="evolution",
        metavar="S",
        help="random, local, evolution, genetic, bayesian, reinforce, gradient, hyperband or "
        "screening (at the cost of at most --trials of the largest budget), optuna or proxy; a "
        "variant after a colon: bayesian:ei|ucb|thompson, reinforce:ppo|plain, "
        "gradient:softmax|gumbel|score (this matters only with mlp, in spaces too large to be "
        "listed), hyperband:evolution, screening:evolution, optuna:tpe|gp|nsga2|random, "
        "proxy:naswot|…; its predictor after a plus: evolution+gp (default: %(default)s)",
    )
    option(
        "--predictor",
        metavar="P",
        help="the guide: gp, xgboost, meta-gnn, …, a file of weights, none, or auto: meta-gnn with "
        "the sources, or with weights of the space that never saw the task, else gp (default: "
        f"{_PREDICTOR}, or gp for bayesian and with --proxies, unless the searcher names one)",
    )
    add_proxies_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Search, and report."""
    started = time.perf_counter()
    check_picture(arguments.plot, "--plot")
    check_page(arguments.report)
    if arguments.export_best is not None:
        check_file("--export-best", arguments.export_best)
    warnings.filterwarnings("ignore", "every trial failed")  # it is told at the end
    with only_json(arguments.json):
        from surrogate_nas.workflows.search import search_task

        default = _PREDICTOR if arguments.proxies is None else _READS_PROXIES
        method = _method(arguments.searcher, arguments.predictor, default)
        measuring = search_device.plan_measuring(arguments)
        by_training = search_training.wanted(arguments, method)
        setup = (_trained if by_training else _tabulated)(arguments, method)
        if arguments.share:
            note("this process has the settings, weights and proxies of the shared search")
        if setup.known:
            _going_on(setup.known, arguments.store)
        outcome = search_task(setup, progress=progress, started=started)
        if measuring is not None and outcome.result.stopped != "interrupted":
            check = search_device.checked(measuring, outcome)
            outcome = replace(outcome, record=replace(outcome.record, device_check=check))
    if arguments.plot is not None:
        _draw(arguments.plot, setup, outcome.result)
    if arguments.report is not None:
        write_page(outcome, arguments.report, arguments.command_line)
    if arguments.json:
        write_json(outcome.record)
    else:
        _show(setup, outcome)
    checked = outcome.verification
    code = _ending(outcome.result) if checked is None else finished(checked)
    return code or _exported(outcome)


# Setup ----------------------------------------------------------------------------------------


def _method(searcher: str, predictor: str | None, default: str) -> Method:
    """The method with the predictor that is asked for, or else the default one."""
    from surrogate_nas.searchers.method import Method, check_predictor

    method = Method.parse(searcher)
    if method.predictor is not None and predictor is not None:
        raise InvalidArgumentError(
            f"--searcher {searcher} names its predictor; leave out --predictor {predictor}"
        )
    named = method.predictor if predictor is None else predictor
    chosen = (method.own_guide or default) if named is None else named
    check_predictor(chosen)
    return replace(method, predictor=chosen)


def _tabulated(arguments: argparse.Namespace, method: Method) -> SearchSetup:
    from surrogate_nas.benchmarks.catalog import open_benchmark
    from surrogate_nas.workflows.setups import table_setup

    benchmark = open_benchmark(arguments.benchmark or BENCHMARK)
    chosen = arguments.task or [_default_task(benchmark)]
    tasks = [benchmark.task(name, isomorphs=arguments.isomorphs) for name in chosen]
    return table_setup(
        wanted_goals(arguments).of(tasks),
        method,
        _options(arguments),
        sources=arguments.sources,
        leave_one_out=arguments.leave_one_out,
        progress=progress,
    )


def _trained(arguments: argparse.Namespace, method: Method) -> SearchSetup:
    from surrogate_nas.workflows.setups import training_setup

    return training_setup(
        arguments.space or DEFAULT_SPACE,
        method,
        _options(arguments),
        goals=wanted_goals(arguments),
        stop_early=bool(arguments.stop_early),
        progress=progress,
    )


def _options(arguments: argparse.Namespace) -> SearchOptions:
    from surrogate_nas.workflows.search import SearchOptions

    return SearchOptions(
        trials=arguments.trials,
        batch=arguments.batch,
        workers=arguments.workers or 1,
        budget=arguments.budget,
        seed=arguments.seed,
        proxies=arguments.proxies,
        store=arguments.store,
        trial_timeout=arguments.trial_timeout,
        trial_memory=arguments.trial_memory,
        isolated=arguments.network is not None,
        accept=arguments.accept,
        share=arguments.share,
        cluster=cluster_options(arguments),
        verify=arguments.verify if arguments.cost_model is None else None,
        export=arguments.export_best,
        candidates=arguments.candidates,
        training=training_options(arguments),
    )


def _default_task(benchmark: Benchmark) -> str:
    if len(benchmark.tasks) > 1 and _TASK not in benchmark.tasks:
        raise InvalidArgumentError(
            f"the benchmark {benchmark.name} has several tasks; name one with --task: "
            + ", ".join(benchmark.tasks)
        )
    return _TASK if _TASK in benchmark.tasks else benchmark.tasks[0]


# Output ---------------------------------------------------------------------------------------


def _going_on(known: int, store: str) -> None:
    """Tell the user that the store holds earlier trials of this search."""
    from surrogate_nas.reporting.terminal import counted

    are = "is" if known == 1 else "are"
    note(f"{counted(known, 'trial')} of this search {are} in {store}: going on")


def _show(setup: SearchSetup, outcome: SearchOutcome) -> None:
    from surrogate_nas.records import Absence
    from surrogate_nas.reporting.terminal import (
        counted,
        print_front,
        print_search,
        print_training_search,
        print_verification,
    )

    record, task, best = outcome.record, setup.task, "the best again"
    if len(setup.objective.goals) > 1:
        print_front(record, title=setup.title, guide=setup.guide_text)
    elif task is None:
        epochs = counted(setup.options.budget or 1, "epoch")
        title = f"{setup.label}, {epochs}: {setup.shown}"
        print_training_search(record, title=title, guide=setup.guide_text)
    else:
        best = "the best, trained"
        print_search(
            task,
            outcome.result,
            method=setup.shown,
            seed=record.seed,
            seconds=record.seconds,
            guide=setup.guide_text,
        )
    if not isinstance(record.device_check, Absence):
        search_device.show(record.device_check)
    if outcome.verification is not None:
        print_verification(
            outcome.verification.record(),
            title=f"{best}: {setup.verification}",
            tabulated=task is not None,
        )


def _draw(path: Path, setup: SearchSetup, result: SearchResult) -> None:
    from surrogate_nas.reporting.plots import draw_front, draw_search

    if sum(goal.limit is None for goal in result.goals) > 1:
        true = None if setup.task is None else setup.task.front
        draw_front(path, result, title=setup.title, true=true)
        note(f"the picture is in {path}")
    elif setup.task is not None:
        draw_search(path, setup.task, result, method=setup.shown)
        note(f"the picture is in {path}")


def _exported(outcome: SearchOutcome) -> int:
    """Tell the user where the best network is, and return the exit code."""
    from surrogate_nas.records import ExportRecord

    found = outcome.record.export
    if not isinstance(found, ExportRecord):
        return 0
    if found.error is not None:
        note(f"the best network was not exported: {' '.join(found.error.split())}")
        return 1
    note(
        f"the network of {found.arch} (validation {found.validation_accuracy:.2f} %, test "
        f"{found.test_accuracy:.2f} %) is in {found.path}, its card in {found.card}"
    )
    return 0


def _ending(result: SearchResult) -> int:
    """Tell the user how a search ended, and return the exit code.

    Raises:
        KeyboardInterrupt: If one ended it.
    """
    from surrogate_nas.records.front import limit_records
    from surrogate_nas.reporting.terminal import counted, unmet

    if result.stopped == "interrupted":
        raise KeyboardInterrupt
    if result.stopped == "exhausted":
        note(f"the space is used up after {counted(len(result.trials), 'trial')}")
    if result.incumbent is None and result.trials:
        if result.failure is not None:
            note(result.failure)
        else:
            for limit in limit_records(result, ()):
                note(unmet(limit))
        return 1
    return 0
