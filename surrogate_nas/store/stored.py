"""Trials of a search as an Optuna study."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import optuna
from optuna.storages import BaseStorage

from surrogate_nas._version import library_versions
from surrogate_nas.errors import StoreError
from surrogate_nas.evaluation import Evaluation, Objective, Trial
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store.checks import trials_of
from surrogate_nas.store.frozen import TrialFormat, once
from surrogate_nas.store.ownership import Check, certain, check_free, held
from surrogate_nas.store.storages import explained, quiet
from surrogate_nas.training_settings import LEARNT, same_setting


class Stored:
    """An objective whose trials are kept in a storage, one study a search.

    `surrogate_nas.run.search` replays `known` and records new trials, one durable write for each.
    While it runs, the search belongs to its process, and another one that would search the same
    study is refused; see `surrogate_nas.store.shared.Shared` for several processes.

    Attributes:
        known: The trials of earlier runs, each architecture once, also where two processes of an
            older version searched the same study.

    Example:
        >>> from surrogate_nas import FunctionObjective, make_searcher, open_storage, search
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("nats-size")
        >>> objective = FunctionObjective(space, lambda arch: sum(arch.choices))
        >>> for trials in (5, 8):  # the second search continues the first
        ...     storage = open_storage("run.journal")
        ...     stored = Stored(objective, storage, name="widths/random/0", settings={"seed": 0})
        ...     result = search(make_searcher("random", space, seed=0), stored, trials=trials)
        >>> len(result.trials)
        8
    """

    def __init__(
        self,
        objective: Objective,
        storage: BaseStorage,
        *,
        name: str,
        settings: Mapping[str, Any],
    ) -> None:
        """Open the study ``name``, made if it does not exist.

        Args:
            objective: Evaluates new trials.
            storage: See `open_storage`.
            name: Name of the study, by custom ``benchmark/task/searcher+predictor/seed``.
            settings: Whatever else decides the trials, as JSON values. The number of trials does
                not belong there: a longer search continues a shorter one.

        Raises:
            StoreError: If the study is of another space, or of other settings, or another process
                searches it.
        """
        self.objective = objective
        self.space = objective.space
        self.goals = objective.goals
        self.name = name
        self._check_owner: Check = certain  # that no other process has the study now
        self._format = TrialFormat(self.space, self.goals)
        directions = self._format.directions
        with quiet(), explained(f"study {name!r}"):
            self._study = optuna.create_study(
                storage=storage, study_name=name, directions=directions, load_if_exists=True
            )
            if self._study.directions != directions:
                raise StoreError(
                    f"study {name!r} in the store optimises in the directions "
                    f"{[d.name for d in self._study.directions]}, not "
                    f"{[d.name for d in directions]}; choose another store"
                )
            check_free(self._study._storage, self._study._study_id, name, shared=self._shares)
            self._settle(name, settings)
        self._refresh()

    _shares = False  # whether other processes may work on the same study

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Keep other processes from the study, and know what they did before.

        Raises:
            StoreError: If another process searches the study; the message names it.
        """
        with contextlib.ExitStack() as stack:
            with explained(f"study {self.name!r}"):
                where = self._study._storage, self._study._study_id, self.name
                self._check_owner = stack.enter_context(held(*where, shared=self._shares))
            self._refresh()
            yield

    def _refresh(self) -> None:
        with quiet(), explained(f"study {self.name!r}"):
            stored = trials_of(self._study, self.name)
        self.known = once(self.space, self._format.thaw_all(stored, self.name))

    def _settle(self, name: str, settings: Mapping[str, Any]) -> None:
        """Compare the study's attributes with these, and write those that are missing."""
        wanted = {
            "space": self.space.identity,
            "decisions": self._format.decisions,
            "metrics": [goal.metric for goal in self.goals],
            **settings,
        }
        wanted = json.loads(json.dumps(wanted))
        stored = self._study.user_attrs
        shared = [key for key in wanted if key in stored]
        other = [key for key in shared if not same_setting(key, stored[key], wanted[key])]
        if "decisions" in stored:  # it was begun, with what was learnt or without
            other += [key for key in LEARNT if (key in stored) != (key in wanted)]
        if "space" in other or "decisions" in other:
            raise StoreError(
                f"study {name!r} in the store is of the space {stored['space']!r}"
                + (" with other decisions" if "space" not in other else "")
                + f", not {self.space.identity!r}; choose another store"
            )
        if other:
            listed = ", ".join(
                f"{key} {stored.get(key)!r}, now {wanted.get(key)!r}" for key in other
            )
            raise StoreError(
                f"study {name!r} in the store has other settings: {listed}; "
                "repeat them, or choose another store"
            )
        # Attributes that are not compared.
        wanted["versions"] = library_versions()
        if self.space.definition is not None:
            wanted["definition"] = self.space.definition
        for key, value in wanted.items():
            if key not in stored:
                self._study.set_user_attr(key, value)

    def accept(self, settings: Mapping[str, Any]) -> None:
        """Change recorded settings, which later searches must then repeat.

        Raises:
            StoreError: If they cannot be written.
        """
        with quiet(), explained(f"study {self.name!r}"):
            for key, value in settings.items():
                self._study.set_user_attr(key, value)

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        """Evaluate without a record; `surrogate_nas.run.search` makes the records."""
        return self.objective.evaluate(arch, budget=budget, seed=seed)

    def record(self, trial: Trial) -> None:
        """Write one finished trial, all of it or nothing.

        Raises:
            StoreError: If it cannot be written, or another process took the study over meanwhile.
        """
        with explained("the trial store"):
            self._study.add_trial(self._format.freeze(trial))
        self._check_owner()


def study_name(benchmark: str, task: str, searcher: str, predictor: str | None, seed: int) -> str:
    """Name of the study of one search."""
    method = searcher if predictor is None else f"{searcher}+{predictor}"
    return f"{benchmark}/{task}/{method}/{seed}"
