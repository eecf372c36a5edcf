"""What stores need of a database, by Optuna's public interface alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial

_WAIT = 60.0  # seconds that SQLite waits for other writers


class PublicDatabase(RDBStorage):
    """Optuna's database storage; `Database` does the same with few statements.

    It serves where Optuna's tables are others than `Database` knows. A trial then costs tens of
    statements, `finish` is not one transaction, and of two processes that `decide` at the same
    moment both may.
    """

    def __init__(self, url: str) -> None:
        """Open a database; its tables are made if they do not exist."""
        wait = {"connect_args": {"timeout": _WAIT}} if url.startswith("sqlite") else None
        super().__init__(url, engine_kwargs=wait)

    def finish(self, trial_id: int, result: FrozenTrial) -> bool:
        """Write the end of a running trial.

        Args:
            trial_id: The trial.
            result: Its state and values, and the attributes that it does not have yet.

        Returns:
            Whether it was still running.
        """
        return ended_publicly(self, trial_id, result, result.user_attrs)

    def decide(
        self, study_id: int, key: str, decision: Callable[[Any, float], tuple[bool, Any]]
    ) -> bool:
        """Read and write a system attribute of a study.

        Args:
            study_id: The study.
            key: The attribute's name.
            decision: Called with its value, or None, and the time in seconds, that of the database
                where it can be asked; returns whether to write, and the new value.

        Returns:
            Whether it was written.
        """
        wanted, value = decision(self.get_study_system_attrs(study_id).get(key), self.now())
        if wanted:
            self.set_study_system_attr(study_id, key, value)
        return wanted

    def now(self) -> float:
        """The time in seconds, that of the database where it can be asked."""
        return time.time()


def database_of(storage: BaseStorage) -> PublicDatabase | None:
    """The database behind a storage that `open_storage` opened; None for another storage."""
    found = getattr(storage, "_backend", storage)
    return found if isinstance(found, PublicDatabase) else None


def ended_publicly(
    storage: BaseStorage, trial_id: int, result: FrozenTrial, new: Mapping[str, Any]
) -> bool:
    """End a running trial, part by part; False if it was ended already.

    Args:
        storage: Any storage.
        trial_id: The trial.
        result: Its state, values and learning curve.
        new: The attributes that it does not have yet.
    """
    try:
        for key, value in new.items():
            storage.set_trial_user_attr(trial_id, key, value)
        for step, value in result.intermediate_values.items():
            storage.set_trial_intermediate_value(trial_id, step, value)
        return storage.set_trial_state_values(trial_id, result.state, result.values)
    except UpdateFinishedTrialError:
        return False
