"""Claims of architectures in an Optuna study that several processes sample."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial

from surrogate_nas.spaces.base import Architecture

_CLAIM = "surrogate_nas:claim"  # system attribute of a trial: its parameters, until it has them
_KEPT = "surrogate_nas:kept"
_PATIENCE = 30.0  # seconds for another process to decide; it takes milliseconds
_PAUSE = 0.02


def claimed_parameters(trial: FrozenTrial) -> Mapping[str, Any]:
    """The parameters that the process of a running trial is about to suggest."""
    found = trial.system_attrs.get(_CLAIM)
    return found if isinstance(found, dict) and not trial.state.is_finished() else {}


class StudyClaims:
    """Lets no two running trials have one key, whichever processes and threads they belong to.

    A trial writes all parameters at once before the first is suggested, and then reads those of the
    others. Of two undecided claims that of the smaller number stands; one that is decided, or whose
    trial has parameters already, stands in any case.
    """

    def __init__(self, storage: BaseStorage, study_id: int) -> None:
        """Claim architectures of a study."""
        self._storage = storage
        self._study_id = study_id
        self._alone = isinstance(storage, InMemoryStorage)  # of one process, which knows them all

    def hold(
        self,
        trial: FrozenTrial,
        params: Mapping[str, Any],
        key: Architecture,
        key_of: Callable[[FrozenTrial], Architecture | None],
    ) -> bool:
        """Claim an architecture for a trial.

        Args:
            trial: The trial.
            params: Its parameters, as JSON values.
            key: Their key.
            key_of: The key that another trial has or claims, or None.

        Returns:
            Whether no other trial has it.
        """
        if self._alone:
            return True
        self._write(trial, _CLAIM, dict(params))
        end = time.monotonic() + _PATIENCE
        while True:
            others = [t for t in self._trials() if t.number != trial.number]
            same = [t for t in others if key_of(t) == key]
            if any(_is_decided(t) or t.number < trial.number for t in same):
                self._write(trial, _CLAIM, {})
                return False
            if not same or time.monotonic() > end:
                break
            time.sleep(_PAUSE * random.random())
        if any(t.number < trial.number and not t.state.is_finished() for t in others):
            self._write(trial, _KEPT, True)  # to those that may claim it yet
        return True

    def _trials(self) -> list[FrozenTrial]:
        return self._storage.get_all_trials(self._study_id, deepcopy=False)

    def _write(self, trial: FrozenTrial, name: str, value: Any) -> None:
        self._storage.set_trial_system_attr(trial._trial_id, name, value)


def _is_decided(trial: FrozenTrial) -> bool:
    return trial.state.is_finished() or bool(trial.params) or _KEPT in trial.system_attrs
