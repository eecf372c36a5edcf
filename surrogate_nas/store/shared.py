"""A stored search that any number of processes on any number of machines work on at once."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import InterfaceError, OperationalError

from surrogate_nas._version import library_versions
from surrogate_nas.errors import StoreError
from surrogate_nas.evaluation import News, Objective, Proposal, Trial
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import journal as journals
from surrogate_nas.store.checks import trials_of
from surrogate_nas.store.ownership import regularly
from surrogate_nas.store.processes import BEAT, PATIENCE, is_gone, this_process
from surrogate_nas.store.public_database import database_of, ended_publicly
from surrogate_nas.store.storages import explained, quiet
from surrogate_nas.store.stored import Stored

_DEATHS = 5  # of processes that evaluated one architecture, after which it counts as failed
_SKEW = 900.0  # seconds by which clocks of machines may differ
_OUTAGE, _RETRY = 600.0, 5.0  # seconds for which a storage that fails is tried again

R = TypeVar("R")
_Key = tuple[Architecture, int | None]


@dataclass(frozen=True)
class _Claim:
    """A running trial: its process evaluates the architecture."""

    trial_id: int
    key: _Key
    proposal: Proposal
    process: Mapping[str, Any]
    beat: float


class Shared(Stored):
    """A stored search that several processes share, each started by the same command.

    What a process wants to evaluate it writes first, as a running trial with all decisions: a
    claim. Then it reads the claims of all: if an older one has the same key it withdraws its own,
    which stays as a pruned trial and counts for nothing, and proposes anew. A claim is renewed
    every `BEAT` seconds. If its process ends without a result, others withdraw it and evaluate its
    architecture next: at once on the same machine, after `PATIENCE` seconds elsewhere.

    Example:
        >>> from surrogate_nas import FunctionObjective, make_searcher, open_storage, search
        >>> from surrogate_nas.spaces import open_space
        >>> from surrogate_nas.store.shared import Shared
        >>> space = open_space("nats-size")
        >>> objective = FunctionObjective(space, lambda arch: sum(arch.choices))
        >>> storage = open_storage("shared.journal")
        >>> shared = Shared(objective, storage, name="widths/random/0", settings={"seed": 0})
        >>> len(search(make_searcher("random", space, seed=0), shared, trials=5).trials)
        5
    """

    _shares = True
    patience = PATIENCE
    beat = BEAT

    def __init__(
        self, objective: Objective, storage: Any, *, name: str, settings: Mapping[str, Any]
    ) -> None:
        """Open the study ``name``; see `Stored` for the arguments and errors."""
        self._me = this_process()
        self._settled: set[int] = set()  # numbers of trials whose fate is known
        self._done: dict[_Key, Trial] = {}
        self._active: dict[int, _Claim] = {}  # by number
        self._mine: dict[int, int] = {}  # identities of this process's claims, by number
        self._dropped: dict[_Key, Proposal] = {}  # claims that ended without a result
        self._deaths: dict[_Key, int] = {}
        self._seen: dict[int, tuple[float, float]] = {}  # sign of life, and when it was new
        self._claiming: int | None = None  # identity of the claim that was written last
        self._pending = News()  # what `claim` noticed, and nobody was told yet
        super().__init__(objective, storage, name=name, settings=settings)
        with quiet(), explained(f"study {name!r}"):
            self._settle(name, settings)  # again: two processes may have begun it at once
            theirs, ours = self._study.user_attrs.get("versions"), library_versions()
        if theirs != ours:
            warnings.warn(
                f"study {name!r} was begun with other versions of libraries: {theirs}, here {ours}",
                stacklevel=2,
            )

    def _refresh(self) -> None:
        if not self._settled:
            super()._refresh()

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Take part, give signs of life, and give back at the end what was not finished.

        Raises:
            StoreError: If a process owns the study that was started without sharing it.
        """
        with super().owned():
            try:
                with regularly(self._renew, self.beat):
                    yield
            finally:
                for trial_id in list(self._mine.values()):
                    with contextlib.suppress(StoreError):
                        self._withdraw(trial_id, "its process stopped")
                self._mine.clear()

    def _renew(self) -> None:
        for trial_id in list(self._mine.values()):
            with contextlib.suppress(UpdateFinishedTrialError):
                self._study._storage.set_trial_user_attr(trial_id, "beat", time.time())

    # What others do ---------------------------------------------------------------------------

    def _look(self) -> News:
        """What happened in the study since the last look."""
        trials = self._patiently(lambda: trials_of(self._study, self.name))
        finished: list[Trial] = []
        before, self._active = self._active, {}
        for frozen in trials:
            if frozen.number in self._settled:
                continue
            if frozen.state in (TrialState.COMPLETE, TrialState.FAIL):
                trial = self._format.thaw(frozen, self.name)
                if self._settle_finished(trial):
                    finished.append(trial)
            elif "claim" in frozen.user_attrs:
                self._see_claim(frozen)
            elif frozen.state == TrialState.PRUNED:
                self._settled.add(frozen.number)
        for number, claim in list(self._active.items()):
            # A process may end right after its result, which the next look shows.
            if self._is_dead(number, claim) and self._withdraw(claim.trial_id, "its process died"):
                del self._active[number]
                self._drop(number, claim.key, claim.proposal, died=True)
        mine = self._mine
        own = self._claiming
        new = [
            claim.proposal
            for number, claim in self._active.items()
            if number not in before and number not in mine and claim.trial_id != own
        ]
        lost = [c.proposal for n, c in before.items() if n not in self._active and n not in mine]
        ended = tuple(p for p in lost if self._key(p) not in self._done)
        return News(tuple(finished), tuple(new), ended)

    def _settle_finished(self, trial: Trial) -> bool:
        """Take note of a finished trial; whether it is news."""
        self._settled.add(trial.proposal.number)
        key = self._key(trial.proposal)
        known = self._done.get(key)
        if known is not None and (known.evaluation is not None or trial.evaluation is None):
            return False
        self._done[key] = trial
        self._dropped.pop(key, None)
        return known is None

    def _see_claim(self, frozen: FrozenTrial) -> None:
        proposal = self._proposal(frozen)
        key = self._key(proposal)
        if frozen.state == TrialState.PRUNED or "withdrawn" in frozen.user_attrs:
            died = frozen.user_attrs.get("withdrawn") == "its process died"
            self._drop(frozen.number, key, proposal, died=died)
            return
        process = frozen.user_attrs["claim"]
        process = process if isinstance(process, dict) else {}
        beat = frozen.user_attrs.get("beat", process.get("time", 0.0))
        beat = float(beat) if isinstance(beat, int | float) else 0.0
        self._active[frozen.number] = _Claim(frozen._trial_id, key, proposal, process, beat)

    def _drop(self, number: int, key: _Key, proposal: Proposal, *, died: bool) -> None:
        self._settled.add(number)
        self._deaths[key] = self._deaths.get(key, 0) + died
        if key not in self._done:
            self._dropped.setdefault(key, proposal)

    def _proposal(self, frozen: FrozenTrial) -> Proposal:
        """The proposal of a trial that is not finished, checked like one that is."""
        asked = {key: v for key, v in frozen.user_attrs.items() if key in self._format.ASKED}
        begun = create_trial(
            state=TrialState.FAIL,
            params=frozen.params,
            distributions=frozen.distributions,
            user_attrs={**asked, "error": ""},
        )
        begun.number = frozen.number
        return self._format.thaw(begun, self.name).proposal

    def _key(self, proposal: Proposal) -> _Key:
        return self.space.key(proposal.arch), proposal.budget

    def _is_dead(self, number: int, claim: _Claim) -> bool:
        if claim.process.get("token") == self._me["token"]:
            return number not in self._mine and claim.trial_id != self._claiming
        if is_gone(claim.process):
            return True
        now = time.monotonic()
        beat, since = self._seen.get(number, (None, now))
        if beat != claim.beat:
            since = now
        self._seen[number] = claim.beat, since
        silent = now - since > self.patience
        return silent or time.time() - claim.beat > self.patience + _SKEW

    # What this process does -------------------------------------------------------------------

    @property
    def finished(self) -> list[Proposal]:
        """The proposals of all finished trials, each key once."""
        return [trial.proposal for trial in self._done.values()]

    @property
    def running(self) -> list[Proposal]:
        """The claims of all processes, each key once."""
        keys = {c.key: c.proposal for _, c in sorted(self._active.items(), reverse=True)}
        return [proposal for key, proposal in keys.items() if key not in self._done]

    @property
    def abandoned(self) -> list[Proposal]:
        """Claims that ended without a result and wait for another process, the oldest first."""
        taken = {claim.key for claim in self._active.values()}
        return [p for key, p in self._dropped.items() if key not in taken and key not in self._done]

    def claim(self, proposal: Proposal, fits: Callable[[list[Proposal]], bool]) -> Proposal | None:
        """Claim a proposal, with a number of the study; None if that is another process's.

        Args:
            proposal: What is to be evaluated.
            fits: Whether there is room beside all trials that are finished or have older claims.

        Raises:
            StoreError: If the storage cannot be read or written.
        """
        template = self._format.running(proposal, {"claim": {**self._me, "time": time.time()}})
        storage, study_id = self._study._storage, self._study._study_id
        trial_id = self._patiently(lambda: storage.create_new_trial(study_id, template))
        self._claiming = trial_id
        key = self._key(proposal)
        self._dropped.pop(key, None)
        self._pending = self._pending.merged(self._look())
        number = next(n for n, claim in self._active.items() if claim.trial_id == trial_id)
        self._mine[number] = trial_id
        older = [
            c for n, c in sorted(self._active.items()) if n < number and c.key not in self._done
        ]
        if key in self._done or any(c.key == key for c in older):
            reason = "another process has an older claim"
        elif not fits([*self.finished, *{c.key: c.proposal for c in older}.values()]):
            reason = "the study has enough trials"
        else:
            return dataclasses.replace(proposal, number=number)
        del self._mine[number]
        self._withdraw(trial_id, reason)
        self._active.pop(number, None)
        self._drop(number, key, proposal, died=False)
        return None

    def news(self) -> News:
        """What happened since the last call.

        Raises:
            StoreError: If the storage cannot be read.
        """
        found = self._pending.merged(self._look())
        self._pending = News()
        return found

    def deadly(self, proposal: Proposal) -> bool:
        """Whether so many processes died of an architecture that it counts as failed."""
        return self._deaths.get(self._key(proposal), 0) >= _DEATHS

    def record(self, trial: Trial) -> None:
        """Write the result of a claim, all of it or nothing.

        Raises:
            StoreError: If it cannot be written, and cannot for ten minutes in an outage.
        """
        number = trial.proposal.number
        trial_id = self._mine.get(number)
        template = self._format.freeze(trial)

        def write() -> None:
            if trial_id is None or not self._end(trial_id, template):
                self._study.add_trial(template)  # it was given to another process

        self._patiently(write)
        self._mine.pop(number, None)
        self._check_owner()

    def _patiently(self, action: Callable[[], R]) -> R:
        """Do something with the storage, again and again while that cannot be reached."""
        end = time.monotonic() + _OUTAGE
        while True:
            try:
                with quiet(), explained(f"study {self.name!r}"):
                    return action()
            except StoreError as error:
                if not _is_outage(error) or time.monotonic() > end:
                    raise
                warnings.warn(f"{error}; trying again", stacklevel=3)
                time.sleep(_RETRY)

    def _withdraw(self, trial_id: int, reason: str) -> bool:
        """End a claim without a result; False if it was ended already."""
        template = create_trial(state=TrialState.PRUNED, user_attrs={"withdrawn": reason})
        with explained("the trial store"):
            return self._end(trial_id, template)

    def _end(self, trial_id: int, result: FrozenTrial) -> bool:
        """End a running trial at once; False if it was ended already."""
        storage = self._study._storage
        has = self._format.ASKED
        new = {key: value for key, value in result.user_attrs.items() if key not in has}
        database = database_of(storage)
        if database is not None:
            bare = create_trial(
                state=result.state,
                values=result.values,
                user_attrs=new,
                intermediate_values=result.intermediate_values,
            )
            return database.finish(trial_id, bare)
        journal = getattr(storage, "_backend", None)
        if isinstance(journal, journals.CheckedJournal):
            journal.append_logs(_entries(trial_id, result, new, self._me["token"]))
            ended = storage.get_trial(trial_id)
            return ended.state == result.state and new.items() <= ended.user_attrs.items()
        return ended_publicly(storage, trial_id, result, new)


def _is_outage(error: BaseException) -> bool:
    """Whether a storage failed that may be there again later, such as a database that restarts."""
    causes = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    return any(isinstance(cause, OSError | OperationalError | InterfaceError) for cause in causes)


def _entries(
    trial_id: int, result: FrozenTrial, new: Mapping[str, Any], worker: str
) -> list[dict[str, Any]]:
    """The lines of a journal that end a trial; after its end they count for nothing."""
    head = {"worker_id": worker, "trial_id": trial_id}
    values: list[dict[str, Any]] = [
        {"op_code": journals.SET_USER_ATTR, **head, "user_attr": {key: value}}
        for key, value in new.items()
    ]
    step = {"op_code": journals.SET_INTERMEDIATE_VALUE, **head}
    values += [
        {**step, "step": epoch, "intermediate_value": value}
        for epoch, value in result.intermediate_values.items()
    ]
    end = {"op_code": journals.SET_STATE_VALUES, **head, "state": result.state}
    now = datetime.now(tz=UTC).isoformat(timespec="microseconds")
    return [*values, {**end, "values": result.values, "datetime_complete": now}]
