"""What a storage holds: names of its studies, and when trials were finished."""

from __future__ import annotations

import math

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from surrogate_nas.store.storages import explained, quiet


def study_names(storage: BaseStorage) -> tuple[str, ...]:
    """Names of all studies, in the order in which they were made."""
    with quiet(), explained("the trial store"):
        return tuple(study.study_name for study in storage.get_all_studies())


def finished_after(storage: BaseStorage, name: str) -> dict[int, float]:
    """Seconds from the first start to the end of each finished or failed trial, by its number.

    Args:
        storage: See `surrogate_nas.store.open_storage`.
        name: Of the study.

    Returns:
        NaN where a time is unknown; the trials in their order.
    """
    with quiet(), explained("the trial store"):
        study = optuna.load_study(study_name=name, storage=storage)
        frozen = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL))
    starts = [t.datetime_start for t in frozen if t.datetime_start is not None]
    first = min(starts, default=None)
    return {
        trial.number: math.nan
        if trial.datetime_complete is None or first is None
        else (trial.datetime_complete - first).total_seconds()
        for trial in frozen
    }
