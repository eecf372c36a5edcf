"""Reads the searches that a storage holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

from surrogate_nas.errors import InvalidArgumentError, StoreError, UnknownNameError
from surrogate_nas.evaluation import Goal, Trial
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.store.checks import checked_settings, trials_of
from surrogate_nas.store.frozen import TrialFormat, once
from surrogate_nas.store.storages import explained, quiet


@dataclass(frozen=True, slots=True)
class Study:
    """One search of a store.

    Attributes:
        name: Name of the study.
        space: The space that was searched.
        goals: The goals; their units are not stored.
        settings: All other attributes of the study.
        trials: Finished and failed trials, by number, each architecture once.
    """

    name: str
    space: SearchSpace
    goals: tuple[Goal, ...]
    settings: Mapping[str, Any]
    trials: tuple[Trial, ...]


def read_study(
    storage: BaseStorage,
    name: str | None = None,
    *,
    space: str | os.PathLike[str] | None = None,
) -> Study:
    """Read the trials of a search.

    Args:
        storage: See `open_storage`.
        name: Name of the study; None if the store holds one search only.
        space: Name or TOML file of its space, if that is neither registered nor in the study.

    Raises:
        UnknownNameError: If there is no such study, or its space is unknown.
        InvalidArgumentError: If no study is named and there are several, or none.
        StoreError: If the study is not of this program, or the storage cannot be read.
    """
    with quiet(), explained("the trial store"):
        found = {study.study_name: study for study in storage.get_all_studies()}
        searches = [key for key, study in found.items() if _is_search(study.user_attrs)]
        if name is None and not searches:
            raise InvalidArgumentError("the store holds no search; name another store")
        if name is None and len(searches) > 1:
            listed = ", ".join(map(repr, searches))
            raise InvalidArgumentError(f"name a search with --study: the store holds {listed}")
        if name is not None and name not in found:
            raise UnknownNameError("study", name, searches)
        name = searches[0] if name is None else name
        study = optuna.load_study(study_name=name, storage=storage)
        settings, directions = study.user_attrs, study.directions
        frozen = trials_of(study, name)
    settings = checked_settings(settings, name)
    if len(settings["metrics"]) != len(directions):
        raise StoreError(f"study {name!r} in the store has other metrics than directions")
    opened = _space(settings, space)
    goals = tuple(
        Goal(metric, direction == StudyDirection.MAXIMIZE)
        for metric, direction in zip(settings["metrics"], directions, strict=True)
    )
    form = TrialFormat(opened, goals)
    if form.decisions != settings["decisions"]:
        raise StoreError(f"study {name!r} has other decisions than the space {opened.name!r}")
    trials = once(opened, form.thaw_all(frozen, name))
    return Study(name, opened, goals, settings, trials)


def accept_settings(storage: BaseStorage, name: str, settings: Mapping[str, Any]) -> None:
    """Change recorded settings of a study, if it exists.

    Raises:
        StoreError: If they cannot be written.
    """
    with quiet(), explained("the trial store"):
        if name in {study.study_name for study in storage.get_all_studies()}:
            study = optuna.load_study(study_name=name, storage=storage)
            for key, value in settings.items():
                if study.user_attrs.get(key) != value:
                    study.set_user_attr(key, value)


def _is_search(settings: Mapping[str, Any]) -> bool:
    return "decisions" in settings and "searcher" in settings


def _space(settings: Mapping[str, Any], space: str | os.PathLike[str] | None) -> SearchSpace:
    if space is not None:
        return open_space(space)
    if "definition" in settings:
        return CustomSpace(settings["definition"], source="the space of the study")
    return open_space(settings["space"])
