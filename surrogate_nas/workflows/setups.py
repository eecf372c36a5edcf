"""Prepares searches of a table and searches by real training."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate_nas._types import Progress
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.combined import combined_settings
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Features, Objective, Stopping
from surrogate_nas.goal_checks import check_one_goal
from surrogate_nas.run import check_arguments
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.method import Method
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import RestrictedSpace, SearchSpace
from surrogate_nas.stopping import MedianStopping
from surrogate_nas.training.options import INHERIT, VERIFICATION_SEEDS
from surrogate_nas.training_settings import learnt_names
from surrogate_nas.transfer import PredictorChoice, choose_for_training, choose_predictor
from surrogate_nas.workflows.data_sets import (
    planned_trainings,
    stored_settings,
    weighted_metrics,
)
from surrogate_nas.workflows.goals import WantedGoals
from surrogate_nas.workflows.proxies import search_proxies
from surrogate_nas.workflows.search import SearchOptions, SearchSetup

if TYPE_CHECKING:
    from surrogate_nas.training.objective import TrainingObjective
    from surrogate_nas.workflows.export import ExportPlan
    from surrogate_nas.workflows.verify import VerificationPlan

EPOCHS = 10
"""Of a training where none are given."""


# Of a table -----------------------------------------------------------------------------------


def table_setup(
    task: TabularTask,
    method: str | Method,
    options: SearchOptions | None = None,
    *,
    sources: str | None = None,
    leave_one_out: bool = False,
    progress: Progress | bool = False,
) -> SearchSetup:
    """Prepare the search of a table's task.

    Args:
        task: The task.
        method: See `Method.parse`; the predictor may be a file of weights, or ``auto``.
        options: None for 100 trials in batches of 5.
        sources: See `surrogate_nas.transfer.choose_predictor`.
        leave_one_out: See `surrogate_nas.transfer.choose_predictor`.
        progress: Shows a meta-training, or the proxies; True for bars, also in a notebook.

    Raises:
        SurrogateNASError: If a name, a number, a file or their combination is wrong.
    """
    options, method = options or SearchOptions(), _guided(method)
    check_arguments(task, **options.limits)
    plan, export = _afterwards(task, options)
    guide = None
    if method.predictor is not None:
        guide = choose_predictor(
            method.predictor, task, sources=sources, leave_one_out=leave_one_out, progress=progress
        )
    elif sources is not None or leave_one_out:
        raise InvalidArgumentError("--sources and --leave-one-out need a --predictor")
    networks = None if plan is None else plan.training
    if networks is None and (options.proxies is not None or method.features):
        networks, _ = options.training.plan(_whole(task.space), task.training, epochs=1)
    features = search_proxies(options.proxies, method, guide, task.space, networks, progress)
    setup = SearchSetup(
        label=f"{task.benchmark}/{task.name}",
        where={"benchmark": task.benchmark, "task": task.name},
        space=task.space,
        objective=task,
        method=method,
        searcher=_searcher(method, task.space, options, guide, _budgets(task, options), features),
        guide=guide,
        features=features,
        options=options,
        task=task,
        verification=plan,
        export=export,
    )
    settings = {
        "benchmark": task.benchmark,
        "task": task.name,
        "fingerprint": task.fingerprint,
        "isomorphs": task.isomorphs,
        "budget": options.budget,
        "training": task.training,
        **_goal_settings(task),
    }
    return _kept(setup, task.benchmark, task.name, settings)


def _budgets(task: TabularTask, options: SearchOptions) -> list[int]:
    return [b for b in task.budgets if options.budget is None or b <= options.budget]


def _afterwards(
    task: TabularTask, options: SearchOptions
) -> tuple[VerificationPlan | None, ExportPlan | None]:
    """The real trainings after a search."""
    plan = None if options.verify is None else _table_verification(task, options, options.verify)
    return plan, None if options.export is None else _table_export(task, options, options.export)


def _table_verification(task: TabularTask, options: SearchOptions, top: int) -> VerificationPlan:
    from surrogate_nas.workflows.verify import VerificationPlan

    _check_verified(task, options, task.own_goal.metric)
    training, plan = options.training.plan(_whole(task.space), task.training)
    seeds = range(plan["seeds"], plan["seeds"] + VERIFICATION_SEEDS)  # not those of the table
    return VerificationPlan(top, training, plan, seeds, task.own_goal.metric)


def _table_export(
    task: TabularTask, options: SearchOptions, path: str | os.PathLike[str]
) -> ExportPlan:
    from surrogate_nas.workflows.export import plan_export

    _check_verified(task, options, task.own_goal.metric)
    training, plan = options.training.plan(_whole(task.space), task.training)
    return plan_export(path, training, plan, seed=plan["seeds"])  # not one of the table


def _whole(space: SearchSpace) -> SearchSpace:
    return space.whole if isinstance(space, RestrictedSpace) else space


# By training ----------------------------------------------------------------------------------


def training_setup(
    space: str | os.PathLike[str] | SearchSpace,
    method: str | Method,
    options: SearchOptions,
    *,
    stop_early: bool = False,
    goals: WantedGoals | None = None,
    progress: Progress | bool = False,
) -> SearchSetup:
    """Prepare a search in which every trial is a real training; isomorphs are merged.

    Args:
        space: A registered name, a TOML file, or an object.
        method: See `Method.parse`; the predictor may be a file of weights, or ``auto``.
        options: Their ``training`` names the data set.
        stop_early: Whether to end a training that is worse than half of the earlier ones, after a
            third of its epochs.
        goals: What is optimised and limited; None for the accuracy.
        progress: Shows the proxies; True for bars, also in a notebook.

    Raises:
        SurrogateNASError: If a name, a number, a file or their combination is wrong.
    """
    method = _guided(method)
    epochs = _epochs(options)
    options = replace(options, budget=epochs)
    planned = planned_trainings(
        space if isinstance(space, SearchSpace) else open_space(space),
        options,
        epochs,
        stop_early=stop_early,
        weights=_inherited_weights(method, options),
        several_budgets=_has_budgets(method),
    )
    training, plan = planned[0]
    check_arguments(training, **options.limits)
    objective = _with_goals([training for training, _ in planned], goals, options)
    names = [training.dataset.name for training, _ in planned]
    space_name, dataset = training.space.name, "+".join(names)
    guide = _training_guide(method, training.space, names, objective)
    features = search_proxies(options.proxies, method, guide, training.space, training, progress)
    setup = SearchSetup(
        label=f"{space_name} on {dataset}",
        where=_where(space, options, epochs) | learnt_names(plan),
        space=training.space,
        objective=objective,
        method=method,
        searcher=_searcher(method, training.space, options, guide, range(1, epochs + 1), features),
        guide=guide,
        features=features,
        options=options,
        verification=_own_verification(training, plan, options),
        export=_own_export(space, training, plan, options),
    )
    settings = stored_settings(planned, objective, stop_early=stop_early)
    return _kept(setup, f"train {space_name}", dataset, settings | _goal_settings(objective))


def _training_guide(
    method: Method, space: SearchSpace, datasets: Sequence[str], objective: Objective
) -> PredictorChoice | None:
    if method.predictor is None:
        return None
    guide = choose_for_training(method.predictor, space, datasets)
    return guide if guide.weights is None else replace(guide, parts=weighted_metrics(objective))


def _has_budgets(method: Method | None) -> bool:
    """Whether a method, or a searcher within it, evaluates at several budgets."""
    return method is not None and (method.requirements.budgets or _has_budgets(method.inner))


def _inherited_weights(method: Method, options: SearchOptions) -> Path | None:
    """The folder of the weights that trainings of this search inherit, or None."""
    if options.training.initial is None or os.fspath(options.training.initial) != INHERIT:
        return None
    if options.cluster is not None or options.share:
        raise InvalidArgumentError(
            "--initial inherit is for searches on one machine, where all trainings reach the "
            "weights; leave out --ray and --share, or give a file of starting weights"
        )
    from surrogate_nas.training.initial.inherited import weights_folder

    return weights_folder(options.store) / f"{method.name} {options.seed}".replace("/", "-")


def _epochs(options: SearchOptions) -> int:
    epochs, budget = options.training.epochs, options.budget
    if None not in (epochs, budget) and epochs != budget:
        raise InvalidArgumentError(
            f"--epochs {epochs} and --budget {budget} mean the same here; give one"
        )
    return epochs or budget or EPOCHS


def _where(
    space: str | os.PathLike[str] | SearchSpace, options: SearchOptions, epochs: int
) -> dict[str, Any]:
    named = space.name if isinstance(space, SearchSpace) else os.fspath(space)
    return {"space": named, "dataset": options.training.dataset, "epochs": epochs}


def _own_verification(
    training: TrainingObjective, plan: Mapping[str, Any], options: SearchOptions
) -> VerificationPlan | None:
    if options.verify is None:
        return None
    from surrogate_nas.workflows.verify import VerificationPlan

    to_the_end, plan = _to_the_end(training, plan)
    first = options.seed + 1
    seeds = range(first, first + VERIFICATION_SEEDS)
    return VerificationPlan(options.verify, to_the_end, plan, seeds)


def _with_goals(
    trainings: Sequence[TrainingObjective], goals: WantedGoals | None, options: SearchOptions
) -> Objective:
    objective = (goals or WantedGoals()).of_trainings(trainings)
    _check_verified(objective, options, trainings[0].goals[0].metric)
    return objective


def _check_verified(objective: Objective, options: SearchOptions, metric: str) -> None:
    if options.verify is not None:
        from surrogate_nas.workflows.verify import trained_goal  # loads torch

        trained_goal(objective.goals, metric)
    if options.export is not None:  # limits are no goals: one trial is the best that keeps them
        check_one_goal([goal for goal in objective.goals if goal.limit is None], "--export-best")


def _goal_settings(objective: Objective) -> dict[str, Any]:
    """What a store keeps of several goals, or of several tasks."""
    found = combined_settings(objective)
    if len(objective.goals) == 1:
        return found
    known = sorted(getattr(objective, "known", ()))
    added = getattr(objective, "added", "")
    found |= {"goals": [goal.text for goal in objective.goals], "known": known}
    return found | ({"cost_model": added} if added else {})


def _own_export(
    space: str | os.PathLike[str] | SearchSpace,
    training: TrainingObjective,
    plan: Mapping[str, Any],
    options: SearchOptions,
) -> ExportPlan | None:
    """The training of the best trial again: the same seed gives the same network."""
    if options.export is None:
        return None
    from surrogate_nas.workflows.export import plan_export

    to_the_end, plan = _to_the_end(training, plan)
    named = None if isinstance(space, SearchSpace) else os.fspath(space)
    return plan_export(options.export, to_the_end, plan, seed=options.seed, space=named)


def _to_the_end(
    training: TrainingObjective, plan: Mapping[str, Any]
) -> tuple[TrainingObjective, Mapping[str, Any]]:
    """Whole trainings; from random weights where those of the search follow from each other."""
    if plan.get("initial", {}).get("file") == INHERIT:
        kept = {key: value for key, value in plan.items() if key != "initial"}
        return training.starting_from(None), kept
    to_the_end = copy.copy(training)
    to_the_end.stop = None
    return to_the_end, plan


# Both -----------------------------------------------------------------------------------------


def _guided(method: str | Method) -> Method:
    """The name of the method with its predictor, including the searcher's default one."""
    method = Method.parse(method) if isinstance(method, str) else method
    guide = method.own_guide if method.guide is None else method.guide
    return replace(method, predictor=guide)


def _searcher(
    method: Method,
    space: SearchSpace,
    options: SearchOptions,
    guide: PredictorChoice | None,
    budgets: Sequence[int],
    features: Features | None,
) -> Searcher:
    return make_searcher(
        replace(method, predictor=None),
        space,
        seed=options.searcher_seed(),
        predictor=None if guide is None else guide.make,
        budgets=budgets,
        features=features,
        candidates=options.candidates,
    )


def _kept(
    setup: SearchSetup, benchmark: str, task: str, settings: Mapping[str, Any]
) -> SearchSetup:
    """The setup with a store, if one was given; early stopping learns from its trials."""
    options, guide = setup.options, setup.guide
    if options.store is None:
        return setup
    from surrogate_nas.store import Shared, Stored, accept_settings, open_storage, study_name

    predictor = None if guide is None else guide.name
    store = open_storage(options.store)
    name = study_name(benchmark, task, setup.method.name, predictor, options.seed)
    accept_settings(store, name, {key: settings[key] for key in options.accept if key in settings})
    stored = (Shared if options.share else Stored)(
        setup.objective,
        store,
        name=name,
        settings={
            **settings,
            "searcher": setup.method.name,
            "predictor": predictor,
            "weights": None if guide is None else guide.identity,
            "proxies": None if setup.features is None else setup.features.identity,
            "candidates": setup.candidates,
            "seed": options.seed,
            "batch": options.batch,
        },
    )
    if isinstance(setup.objective, Stopping) and isinstance(setup.objective.stop, MedianStopping):
        for trial in stored.known:
            if trial.evaluation is not None:
                setup.objective.stop.learn(trial.evaluation.curve)
    return replace(setup, objective=stored, store=store)
