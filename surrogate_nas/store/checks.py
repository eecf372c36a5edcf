"""Checks of what a storage holds: other programs, older versions and damage may have written it."""

from __future__ import annotations

import json
import math
import reprlib
import zlib
from collections.abc import Mapping
from typing import Any

from optuna.study import Study as OptunaStudy
from optuna.trial import FrozenTrial, TrialState

from surrogate_nas.errors import StoreError, SurrogateNASError
from surrogate_nas.spaces.base import Architecture, SearchSpace

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def shown(value: object) -> str:
    """A value of a storage, shortened for a message."""
    return " ".join(_SHORT.repr(value).split())


def is_number(value: object, least: float = -math.inf) -> bool:
    """Whether a JSON value is a finite number of at least ``least``; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value) and value >= least
    except OverflowError:  # an integer of hundreds of digits
        return False


def is_whole(value: object, least: float = -math.inf) -> bool:
    """Whether a JSON value is a whole number of at least ``least``."""
    return is_number(value, least) and float(value).is_integer()  # type: ignore[arg-type]


def is_numbers(value: object) -> bool:
    """Whether a JSON value is an object of finite numbers; null stands for NaN."""
    return isinstance(value, dict) and all(
        isinstance(key, str) and (one is None or is_number(one)) for key, one in value.items()
    )


def is_float(value: object) -> bool:
    """Whether a JSON value is a number, finite or not."""
    return isinstance(value, float) or is_number(value)


_NUMBER, _COUNT = "must be a finite number", "must be a whole number of at least 0"
_OBJECT = "must be an object of finite numbers"
_RULES: Mapping[str, tuple[Any, str]] = {
    "arch": (lambda value: isinstance(value, str), "must be a text"),
    "asked_budget": (lambda value: value is None or is_whole(value, 1), _COUNT),
    "predicted": (is_float, "must be a number"),
    "seed": (lambda value: value is None or is_whole(value), "must be a whole number or null"),
    "cost": (lambda value: is_number(value, 0), f"{_NUMBER} of at least 0"),
    "budget": (lambda value: is_whole(value, 0), _COUNT),
    "metrics": (is_numbers, _OBJECT),
    "hidden": (is_numbers, _OBJECT),
    "error": (lambda value: isinstance(value, str), "must be a text"),
}
"""What each attribute of a trial must be, where it is there."""

CHECKSUM = "checksum"
"""Name of the attribute that holds the `checksum`."""


def checked_attributes(frozen: FrozenTrial) -> dict[str, Any]:
    """The attributes of a trial, with the types that a search writes.

    Raises:
        ValueError: If the trial has others, or values or a curve that are no numbers.
    """
    attributes: Any = frozen.user_attrs
    if not isinstance(attributes, dict) or not isinstance(frozen.params, dict):
        raise ValueError("its attributes and parameters must be objects")
    for name, (holds, rule) in _RULES.items():
        if name in attributes and not holds(attributes[name]):
            raise ValueError(f"its {name} {rule}, got {shown(attributes[name])}")
    values: Any = frozen.values
    if (values is not None or frozen.state == TrialState.COMPLETE) and (
        not isinstance(values, list | tuple) or not all(map(is_number, values))
    ):
        raise ValueError(f"its values must be finite numbers, got {shown(values)}")
    for step, value in frozen.intermediate_values.items():
        if not is_whole(step) or not is_float(value):
            raise ValueError(f"its curve must be numbers, got {shown(value)} after {step!r}")
    if attributes.get(CHECKSUM, found := checksum(frozen)) != found:
        raise ValueError("it does not have its checksum")
    return attributes


def checksum(trial: FrozenTrial) -> int:
    """Checksum of what a search writes of a trial; older versions wrote none."""
    attributes = {name: trial.user_attrs[name] for name in _RULES if name in trial.user_attrs}
    values = None if trial.values is None else [float(value) for value in trial.values]
    curve = [(int(step), float(value)) for step, value in trial.intermediate_values.items()]
    content = (trial.state.name, values, trial.params, attributes, sorted(curve))
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())


def check_text(space: SearchSpace, arch: Architecture, text: object) -> None:
    """Refuse a trial whose text names another architecture than its parameters.

    Raises:
        ValueError: If it does; None for no text is right.
    """
    if text is None or text == space.format(arch):
        return
    try:
        same = space.key(space.parse(str(text))) == space.key(arch)
    except ValueError:
        same = False
    if not same:
        raise ValueError(
            f"its arch {shown(text)} contradicts its parameters, which are {space.format(arch)}"
        )


def trials_of(study: OptunaStudy, name: str) -> list[FrozenTrial]:
    """All trials of a study.

    Raises:
        StoreError: If one cannot be read; the message names it.
    """
    try:
        return study.get_trials(deepcopy=False)
    except (SurrogateNASError, OSError):
        raise
    except Exception as error:  # a value of any other type can fail anywhere
        number = _first_unreadable(study)
        if number is None:  # the fault is not in a trial
            raise
        raise unreadable(f"trial {number} of study {name!r} in the store", error) from error


def unreadable(what: str, error: Exception) -> StoreError:
    """The error of a part of a storage that no version of this program wrote."""
    reason = " ".join(str(error).split())[:200]
    return StoreError(
        f"{what} is damaged, or was written by another program "
        f"({type(error).__name__}: {reason}); choose another store"
    )


def _first_unreadable(study: OptunaStudy) -> int | None:
    storage, study_id = study._storage, study._study_id
    for number in range(storage.get_n_trials(study_id)):
        try:
            storage.get_trial(storage.get_trial_id_from_study_id_trial_number(study_id, number))
        except Exception:
            return number
    return None


def checked_settings(settings: Any, name: str) -> dict[str, Any]:
    """The attributes of a study of a search.

    Raises:
        StoreError: If they are none of this program.
    """
    if not isinstance(settings, dict) or not {"decisions", "metrics", "space"} <= settings.keys():
        raise StoreError(f"study {name!r} was not stored by a search of this program")
    texts = {key: settings[key] for key in ("space", "definition") if key in settings}
    wrong = [key for key, value in texts.items() if not isinstance(value, str)]
    metrics, decisions = settings["metrics"], settings["decisions"]
    if not _is_texts(metrics) or not metrics:
        wrong.append("metrics")
    if not isinstance(decisions, dict) or not all(map(_is_texts, decisions.values())):
        wrong.append("decisions")
    if wrong:
        raise StoreError(
            f"study {name!r} in the store was not written by this program: its attribute "
            f"{wrong[0]} is {shown(settings[wrong[0]])}; choose another store"
        )
    return settings


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
