"""What the report of a search shows: from its outcome, its result, or its store."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from surrogate_nas._version import library_versions
from surrogate_nas.benchmarks.base import Benchmark, TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.combined import CombinedTask, combined_settings
from surrogate_nas.errors import InvalidArgumentError, SurrogateNASError
from surrogate_nas.records import SearchResult
from surrogate_nas.records.verification import VerificationRecord
from surrogate_nas.reporting.command import repeating, typed, without_passwords
from surrogate_nas.reporting.html.subject import SearchSubject
from surrogate_nas.training_settings import recorded
from surrogate_nas.workflows.goals import WantedGoals, stored_goals
from surrogate_nas.workflows.search import SearchOutcome

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from surrogate_nas.store import Study

_UNREAD = frozenset(
    {"decisions", "versions", "definition", "metrics", "fingerprint", "training", "data"}
)
_MOST_WINNERS = 50


def of_result(result: SearchResult) -> SearchSubject:
    """The subject of a search from Python, of which only the trials are known."""
    if result.space is None:
        raise InvalidArgumentError(
            "the report of a SearchResult needs its space, and this one has none; take the result "
            "of surrogate_nas.search"
        )
    return SearchSubject(
        f"Search in {result.space.name}",
        f"{len(result.trials):,} trials",
        result,
        result.space,
        versions=library_versions(),
    )


def of_outcome(outcome: SearchOutcome, command: Sequence[str] | None) -> SearchSubject:
    """The subject of a search that `surrogate_nas.search_task` made."""
    setup, record = outcome.setup, outcome.record
    seconds: Sequence[float] = outcome.finished
    if setup.store is not None:
        from surrogate_nas.store import Stored
        from surrogate_nas.store.contents import finished_after

        if isinstance(setup.objective, Stored):
            stored = finished_after(setup.store, setup.objective.name)
            seconds = [*stored.values()] if len(stored) == len(seconds) else seconds
    options, task = setup.options, setup.task
    of_several = {} if task is None else combined_settings(task)
    settings = {
        **{key: str(value) for key, value in setup.where.items()},
        "searcher": record.searcher,
        "predictor": record.predictor or "none",
        "guide": record.guide or "none",
        "weights": setup.guide_text or "none",
        "proxies": ", ".join(record.proxies or ()) or "none",
        "seed": str(options.seed),
        "trials": str(options.trials),
        "batch": str(options.batch),
        "workers": str(options.workers),
        "budget": "the largest" if options.budget is None else f"{options.budget} epochs",
        "store": without_passwords(os.fspath(options.store)) if options.store else "none",
        "space": setup.space.name,
        **{key: _text(value) for key, value in of_several.items()},
    }
    return SearchSubject(
        title=setup.label,
        method=f"{setup.shown}, seed {options.seed}",
        result=outcome.result,
        space=setup.space,
        settings=settings,
        versions=library_versions(),
        command=None if command is None else typed(command),
        seconds=seconds,
        task=task,
        training=None if task is None else task.training,
        verification=None if outcome.verification is None else outcome.verification.record(),
    )


# From a store -----------------------------------------------------------------------------------


def of_store(store: str, name: str | None, space: str | os.PathLike[str] | None) -> SearchSubject:
    """The subject of a stored search."""
    from surrogate_nas.store import open_storage, read_study
    from surrogate_nas.store.contents import finished_after

    storage = open_storage(store, new=False)
    study = read_study(storage, name, space=space)
    task, remarks = _task(study)
    goals = stored_goals(study) if task is None else task.goals
    finished = finished_after(storage, study.name)
    seconds = [finished.get(trial.proposal.number, math.nan) for trial in study.trials]
    total = max((s for s in seconds if s == s), default=0.0)
    settings = study.settings
    return SearchSubject(
        title=study.name.rpartition("/")[0].rpartition("/")[0] or study.name,
        method=_method(study),
        result=SearchResult(study.trials, goals, total, None, study.space),
        space=study.space,
        settings={
            "study": study.name,
            "store": without_passwords(store),
            **{key: _text(value) for key, value in settings.items() if key not in _UNREAD},
        },
        versions=settings.get("versions", {}),
        command=_command(study, task),
        seconds=seconds,
        task=task,
        training=recorded(settings) or (task.training if task is not None else None) or None,
        verification=_verification(storage, study),
        remarks=remarks,
    )


def _command(study: Study, task: TabularTask | None) -> str | None:
    """What repeats the search; None of several tasks whose weights are unknown."""
    settings = dict(study.settings)
    if isinstance(task, CombinedTask):
        settings |= combined_settings(task)
    elif "parts" not in settings and "benchmark" in settings and "+" in str(settings.get("task")):
        return None
    return repeating(settings, space=study.space.name, trials=len(study.trials))


def _method(study: Study) -> str:
    settings = study.settings
    guide = settings.get("predictor")
    name = str(settings.get("searcher", study.name))
    return f"{name}{f' + {guide}' if guide else ''}, seed {settings.get('seed', '–')}"


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _task(study: Study) -> tuple[TabularTask | None, list[str]]:
    """The task of the table that was searched, if it is at hand, else why it is not."""
    settings = study.settings
    if "benchmark" not in settings:
        return None, []
    name = settings["benchmark"]
    try:
        benchmark = open_benchmark(name)
        names = settings.get("parts") or _names(benchmark, settings["task"])
        rule = settings.get("isomorphs", "separate")
        wanted = WantedGoals()
        if len(names) > 1:  # stores of older versions hold means of equal weights, or others
            weights = settings.get("task_weights")
            shares = None if weights is None else tuple(weights)
            wanted = WantedGoals(weights=shares, scale=settings.get("scale", "raw"))
        task = wanted.of([benchmark.task(part, isomorphs=rule) for part in names])
        same = task.fingerprint == settings.get("fingerprint")
        task = _with_goals(task, study)
    except SurrogateNASError:
        same = False
    if same:
        return task, []
    return None, [
        f"The table {name} of this search is not at hand, so ranks and the best value of the "
        "table are left out."
    ]


def _names(benchmark: Benchmark, name: str) -> list[str]:
    """The tasks that a study's task stands for: several, if it is their mean."""
    return [name] if name in benchmark.tasks else name.split("+")


def _with_goals(task: TabularTask, study: Study) -> TabularTask:
    goals = stored_goals(study)
    if len(goals) == 1:
        return task
    return task.with_goals(goals, known=study.settings.get("known") or ())


def _verification(storage: BaseStorage, study: Study) -> VerificationRecord | None:
    """Real trainings of the best that the same store keeps."""
    from surrogate_nas.store import read_study
    from surrogate_nas.store.contents import study_names

    names = [n for n in study_names(storage) if n.startswith(f"verify {study.space.name}/")]
    if not names:
        return None
    from surrogate_nas.workflows.verify import (  # loads torch
        TRAINED,
        Verification,
        trained_goal,
        winners,
    )

    goals = stored_goals(study)
    try:
        compared = trained_goal(goals, TRAINED)
        best = winners(study.space, study.trials, _MOST_WINNERS, goals, compared)
    except InvalidArgumentError:  # no trial succeeded, or other goals were searched for
        return None
    wanted = {winner.arch for winner in best}
    for name in names:
        trained = read_study(storage, name, space=None)
        done = {(t.arch, t.proposal.info.get("seed")): t for t in trained.trials}
        if not wanted & {arch for arch, _ in done}:
            continue
        seeds = sorted({seed for _, seed in done if seed is not None})
        checked = [w for w in best if any((w.arch, seed) in done for seed in seeds)]
        values = tuple(
            tuple(
                None if (w.arch, seed) not in done else done[w.arch, seed].value for seed in seeds
            )
            for w in checked
        )
        errors = tuple(
            f"{study.space.format(arch)}, seed {seed}: {trial.error}"
            for (arch, seed), trial in done.items()
            if trial.error is not None and arch in wanted
        )
        found = Verification(goals[compared], study.space, tuple(checked), values, errors, 0.0)
        return found.record()
    return None
