"""The command that repeats a search, from what its store recorded."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@/\s]*@")
_OF_TRAININGS = ("recipe", "network")


def without_passwords(text: str) -> str:
    """The text with the passwords of all URLs replaced."""
    return _PASSWORD.sub(r"\1:***@", text)


def typed(words: Sequence[object]) -> str:
    """A command as it is typed, without passwords."""
    return without_passwords(shlex.join(map(str, words)))


def repeating(settings: Mapping[str, Any], *, space: str, trials: int) -> str | None:
    """The command that repeats a stored search.

    Args:
        settings: The attributes of its study.
        space: Name of its space.
        trials: Number of its trials.

    Returns:
        None where the settings do not say enough, such as those of a study made from Python.
    """
    if "searcher" not in settings or "task" not in settings or settings.get("proxies"):
        return None
    words: list[object] = ["surrogate-nas", "search"]
    if "benchmark" in settings:
        words += ["--benchmark", settings["benchmark"]]
        words += ["--task", ",".join(settings.get("parts") or [settings["task"]])]
        words += _mean(settings)
        if settings.get("isomorphs", "separate") != "separate":
            words += ["--isomorphs", settings["isomorphs"]]
        if settings.get("budget") is not None:
            words += ["--budget", settings["budget"]]
    elif "epochs" in settings:
        names = ",".join(settings.get("parts") or [settings["task"]])
        words += ["--space", space, "--dataset", names, "--epochs", settings["epochs"]]
        words += _mean(settings)
        sizes = settings.get("settings") or {}
        if sizes:
            words += ["--settings", ",".join(f"{key}={value}" for key, value in sizes.items())]
        for name in _OF_TRAININGS:
            if settings.get(name):
                words += [f"--{name}", settings[name]]
        if settings.get("stop_early"):
            words.append("--stop-early")
    else:
        return None
    words += _goals(settings.get("goals") or (), settings.get("known") or ())
    words += ["--searcher", settings["searcher"]]
    words += ["--predictor", settings.get("predictor") or "none"]
    words += ["--trials", trials, "--batch", settings.get("batch", 5)]
    return typed([*words, "--seed", settings.get("seed", 0)])


def _mean(settings: Mapping[str, Any]) -> list[object]:
    """The options of several tasks: each a goal, or the weighted mean of all."""
    parts, weights = settings.get("parts") or (), settings.get("task_weights")
    each = [goal for goal in settings.get("goals") or () if goal.partition(":")[0] in parts]
    if weights is None or each:
        return []
    scale = settings.get("scale", "raw")
    words: list[object] = ["--weights", ",".join(repr(weight) for weight in weights)]
    return words if scale == "raw" else [*words, "--scale", scale]


def _goals(goals: Sequence[str], known: Sequence[str]) -> list[object]:
    """The options of several goals and limits."""
    words: list[object] = []
    for text in goals:
        words += ["--limit" if "<=" in text or ">=" in text else "--goal", text]
    return [*words, "--known", ",".join(known)] if known else words
