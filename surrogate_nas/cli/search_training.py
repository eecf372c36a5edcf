"""``surrogate-nas search --dataset``: every trial is a real training."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from surrogate_nas.cli.console import only_json, positive, progress, write_json
from surrogate_nas.cli.network_options import (
    DEFAULT_SPACE,
    KNOWN_DATASETS,
    add_data_dir_option,
    add_network_options,
    add_space_option,
    planned,
)
from surrogate_nas.cli.proxy_options import chosen_proxies
from surrogate_nas.cli.search_report import Steps, ending, going_on, trial_report
from surrogate_nas.cli.verify import SEEDS, finished, verified, what
from surrogate_nas.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.storages import BaseStorage

    from surrogate_nas.evaluation import Objective
    from surrogate_nas.searchers.method import Method
    from surrogate_nas.store import Stored
    from surrogate_nas.training.objective import TrainingObjective
    from surrogate_nas.training.proxies.table import ProxyTable
    from surrogate_nas.transfer import PredictorChoice

_EPOCHS = 10
_ONLY_HERE = (
    "space",
    "data_dir",
    "epochs",
    "device",
    "recipe",
    "network",
    "settings",
    "stop_early",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of a search by training."""
    group = parser.add_argument_group("real training instead of a table (isomorphs are merged)")
    option = group.add_argument
    option(
        "--dataset",
        metavar="D",
        help=f"what is learned: {KNOWN_DATASETS}",
    )
    add_data_dir_option(option)
    add_space_option(option, later=True)
    option("--epochs", type=positive, metavar="E", help=f"of each training (default: {_EPOCHS})")
    option(
        "--stop-early",
        action="store_true",
        default=None,
        help="end a training that is worse than half of the earlier ones, from a third of its "
        "epochs on",
    )
    add_network_options(parser, later=True)


def needs_proxies(arguments: argparse.Namespace, method: Method) -> bool:
    """Whether a search reads zero-cost proxies."""
    return arguments.proxies is not None or bool(method.features)


def wanted(arguments: argparse.Namespace, method: Method) -> bool:
    """Whether the search is by training.

    Raises:
        InvalidArgumentError: If options of both kinds of search are mixed.
    """
    of_a_table = arguments.benchmark is not None or arguments.task is not None
    builds = arguments.verify is not None or needs_proxies(arguments, method)
    if builds and (of_a_table or arguments.dataset is None):
        for name in ("space", "stop_early"):
            if getattr(arguments, name) is not None:
                raise InvalidArgumentError(
                    f"--{name.replace('_', '-')} is for searches by training, and this one is of a "
                    "table; leave it out"
                )
        return False
    if arguments.dataset is None:
        for name in _ONLY_HERE:
            if getattr(arguments, name) is not None:
                raise InvalidArgumentError(
                    f"--{name.replace('_', '-')} is for real training; name a --dataset, too"
                )
        return False
    for name in ("benchmark", "task", "sources"):
        if getattr(arguments, name) is not None:
            raise InvalidArgumentError(
                f"--{name} is for searches of a table and --dataset trains; leave one out"
            )
    if arguments.leave_one_out:
        raise InvalidArgumentError(
            "--leave-one-out is for searches of a table and --dataset trains; leave one out"
        )
    if arguments.plot is not None:
        raise InvalidArgumentError("--plot draws searches of a table; leave it out with --dataset")
    if None not in (arguments.epochs, arguments.budget) and arguments.epochs != arguments.budget:
        raise InvalidArgumentError(
            f"--epochs {arguments.epochs} and --budget {arguments.budget} mean the same here; "
            "give one"
        )
    return True


def run(arguments: argparse.Namespace, method: Method, predictor: str | None) -> int:
    """Search, and report."""
    started = time.perf_counter()
    searcher_name = method.name
    with only_json(arguments.json):
        from surrogate_nas.run import check_arguments, search
        from surrogate_nas.searchers.factory import make_searcher
        from surrogate_nas.spaces import open_space
        from surrogate_nas.stopping import MedianStopping
        from surrogate_nas.transfer import choose_for_training

        epochs = arguments.epochs or arguments.budget or _EPOCHS
        training, plan = planned(
            arguments,
            open_space(arguments.space or DEFAULT_SPACE),
            epochs=epochs,
            seed=arguments.seed,
            stop=MedianStopping(first=max(1, epochs // 3)) if arguments.stop_early else None,
        )
        limits = {"trials": arguments.trials, "batch": arguments.batch}
        limits |= {"workers": arguments.workers, "budget": epochs}
        check_arguments(training, **limits)
        guide = None
        if predictor is not None:
            guide = choose_for_training(predictor, training.space, training.dataset.name)
        features = chosen_proxies(arguments, method, guide, training.space, training)
        searcher = make_searcher(
            searcher_name,
            training.space,
            seed=arguments.seed,
            predictor=None if guide is None else guide.make,
            budgets=range(1, epochs + 1),
            features=features,
        )
        objective: Objective = training
        storage = None
        if arguments.store is not None:
            from surrogate_nas.store import open_storage

            storage = open_storage(arguments.store)
            objective = _stored(arguments, training, plan, searcher_name, guide, features, storage)
        loaded = time.perf_counter()
        shown = searcher_name if guide is None else f"{searcher_name} + {guide.name}"
        where = f"{training.space.name} on {training.dataset.name}"
        with progress(f"{where}, {shown}", arguments.trials) as advance:
            steps = Steps(training.goals[0], epochs, advance)
            result = search(searcher, objective, **limits, callbacks=[steps.after])
        checked = None
        if arguments.verify and result.best is not None and result.stopped != "interrupted":
            seeds = range(arguments.seed + 1, arguments.seed + 1 + SEEDS)
            training.stop = None
            checked = verified(
                result.trials,
                arguments.verify,
                training,
                plan,
                training.goals[0],
                seeds,
                storage,
                arguments.workers,
            )
        seconds = {
            "load": loaded - started,
            "search": result.seconds,
            "total": time.perf_counter() - started,
        }
    answer: dict[str, Any] = {
        "benchmark": None,
        "task": None,
        "space": arguments.space or DEFAULT_SPACE,
        "dataset": arguments.dataset,
        "epochs": epochs,
        "searcher": searcher_name,
        "predictor": predictor,
        "guide": None if guide is None else guide.name,
        "proxies": None if features is None else list(features.names),
        "seed": arguments.seed,
        **trial_report(training.space, training.goals[0], result),
        "optimum": None,
        "regret": None,
        "rank": None,
        "source_evaluations": 0 if guide is None else guide.source_evaluations,
        "weights": None if guide is None else guide.weights,
    }
    if arguments.verify is not None:
        answer["verification"] = None if checked is None else checked.report()
    answer["seconds"] = seconds
    if arguments.json:
        write_json(answer)
    else:
        from surrogate_nas.reporting.terminal import (
            counted,
            print_training_search,
            print_verification,
        )

        print_training_search(answer, title=f"{where}, {counted(epochs, 'epoch')}: {shown}")
        if checked is not None:
            title = f"the best again: {what(plan)}"
            print_verification(answer["verification"], title=title, tabulated=False)
    return ending(result) if checked is None else finished(checked)


def _stored(
    arguments: argparse.Namespace,
    training: TrainingObjective,
    plan: Mapping[str, Any],
    searcher: str,
    guide: PredictorChoice | None,
    features: ProxyTable | None,
    storage: BaseStorage,
) -> Stored:
    from surrogate_nas.evaluation import recorded
    from surrogate_nas.store import Stored, study_name

    predictor = None if guide is None else guide.name
    dataset = training.dataset.name
    stored = Stored(
        training,
        storage,
        name=study_name(
            f"train {training.space.name}", dataset, searcher, predictor, training.seed
        ),
        settings={
            "task": dataset,
            **recorded(plan),
            "searcher": searcher,
            "predictor": predictor,
            "weights": None if guide is None else guide.digest,
            "proxies": None if features is None else features.identity,
            "seed": training.seed,
            "stop_early": training.stop is not None,
            "batch": arguments.batch,
        },
    )
    if stored.known:
        going_on(len(stored.known), arguments.store)
    if training.stop is not None:
        for trial in stored.known:
            if trial.evaluation is not None:
                training.stop.learn(trial.evaluation.curve)
    return stored
