"""Which methods of a comparison are one and the same search, so that they run once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.records.comparison import KeptRun
from surrogate_nas.searchers.identity import identity
from surrogate_nas.searchers.method import Method
from surrogate_nas.transfer import PredictorChoice

Chosen = Mapping[tuple[str, str], PredictorChoice | None]
"""The predictor of each task and method."""


def same_searches(
    methods: Mapping[str, Method],
    tasks: Mapping[str, TabularTask],
    guides: Chosen,
    *,
    trials: int,
    candidates: str | None,
) -> dict[str, str]:
    """By each method, the first one whose trials are the same on every task, with the same seed.

    Args:
        methods: By their text.
        tasks: By their names.
        guides: The predictor of each task and method.
        trials: Of each run.
        candidates: What guides compare.
    """
    by_guide: dict[object, list[str]] = {}
    for text, method in methods.items():
        chosen = tuple(_guide(method, guides[name, text]) for name in tasks)
        by_guide.setdefault(chosen, []).append(text)
    first: dict[str, str] = {text: text for text in methods}
    for texts in by_guide.values():
        if len(texts) < 2:  # nothing to compare, and no need to load a predictor
            continue
        found: dict[tuple[str, ...], str] = {}
        for text in texts:
            names = tuple(
                _identity(methods[text], guides[name, text], task, trials, candidates)
                for name, task in tasks.items()
            )
            first[text] = found.setdefault(names, text)
    return first


def _guide(method: Method, guide: PredictorChoice | None) -> tuple[str | None, str | None]:
    """The guide, and the weights that it has."""
    return (method.own_guide, None) if guide is None else (guide.name, guide.identity)


def _identity(
    method: Method,
    guide: PredictorChoice | None,
    task: TabularTask,
    trials: int,
    candidates: str | None,
) -> str:
    if guide is not None:
        method = replace(method, predictor=guide.name)
    return identity(
        method,
        task.space,
        trials=trials,
        predictor=None if guide is None or guide.weights is None else guide.make(task.space, 0),
        candidates=candidates,
    )


def groups(first: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Methods that are one search, those that run first; without methods of their own."""
    found: dict[str, list[str]] = {}
    for text, other in first.items():
        found.setdefault(other, []).append(text)
    return tuple(tuple(texts) for texts in found.values() if len(texts) > 1)


def expanded(
    kept: Sequence[KeptRun], methods: Mapping[str, Method], first: Mapping[str, str]
) -> list[KeptRun]:
    """The runs of all methods, by task, method and seed, from those that were made."""
    made: dict[tuple[str, str], list[KeptRun]] = {}
    for one in kept:
        made.setdefault((one.run.task, one.run.method), []).append(one)
    return [
        replace(one, run=replace(one.run, searcher=method.name, predictor=method.predictor))
        for task in dict.fromkeys(one.run.task for one in kept)
        for text, method in methods.items()
        for one in made.get((task, str(methods[first[text]])), ())
    ]
