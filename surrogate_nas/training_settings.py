"""The settings of trainings that tables and studies record, so that they can be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RECORDED = ("dataset", "options", "data", "epochs", "recipe", "settings", "network")
"""Settings of trainings that tables and studies record, beside the number of seeds."""

LEARNT = ("initial", "optimizer")
"""Learned parts of trainings, which are recorded where they are used: older records have none."""


def recorded(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of trainings, see `RECORDED` and `LEARNT`; none if they cannot be repeated."""
    if "dataset" not in settings or "epochs" not in settings:
        return {}
    return {key: settings[key] for key in (*RECORDED, *LEARNT) if key in settings}


def same_setting(key: str, one: Any, other: Any) -> bool:
    """Whether two records of a setting mean the same training, wherever a learned file is."""
    if key in LEARNT and isinstance(one, Mapping) and isinstance(other, Mapping):
        return bool(one.get("identity") == other.get("identity"))
    return bool(one == other)


def learnt_names(settings: Mapping[str, Any]) -> dict[str, str]:
    """What was learnt and is used by trainings, see `LEARNT`: its file, and what identifies it."""
    names = {}
    for key in LEARNT:
        if settings.get(key) is not None:
            file, identity = settings[key]["file"], settings[key]["identity"]
            names[key] = file if file == identity else f"{file} ({identity})"
    return names
