"""Results of Optuna's trials as ours, for studies of one or several directions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from optuna import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Evaluation, Goal, Proposal, Trial

Constraints = Callable[[FrozenTrial], Sequence[float]]
"""Values of a finished trial that must not be above 0, as Optuna's samplers take it."""


class StudyReader:
    """Reads finished trials of a study; values are larger-is-better.

    Attributes:
        goals: One for each direction, and one with a limit for each constraint.
        worst: The worst value of the finished trials, of a study of one direction.
    """

    def __init__(self, study: Study, constraints: Constraints | None = None) -> None:
        """Read trials of ``study``."""
        names = [f"value {i}" for i in range(len(study.directions))]
        self.directions = study.directions
        self._maximise = [d == StudyDirection.MAXIMIZE for d in study.directions]
        self._constraints = constraints
        self._free = tuple(map(Goal, names, self._maximise))
        self.goals: tuple[Goal, ...] = self._free
        self.worst = math.inf

    def anew(self) -> StudyReader:
        """The same reader, that has read nothing."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, worst=math.inf)
        return other

    def count_constraints(self, trials: Iterable[FrozenTrial]) -> bool:
        """Learn the number of constraints from the first finished trial; whether it is news."""
        if self._constraints is None or len(self.goals) > len(self._free):
            return False
        for trial in trials:
            if trial.state == TrialState.COMPLETE:
                count = len(self._constraints(trial))
                limits = [Goal(f"constraint {i}", False, limit=0.0) for i in range(count)]
                self.goals = (*self._free, *limits)
                return count > 0
        return False

    def check_directions(self, study: Study) -> None:
        """Refuse a study of other directions as a warm start.

        Raises:
            InvalidArgumentError: If they differ.
        """
        if study.directions == self.directions:
            return
        wanted = [direction.name.lower() for direction in self.directions]
        what = f"to {wanted[0]} one value" if len(wanted) == 1 else f"of the directions {wanted}"
        raise InvalidArgumentError(
            f"warm_start must be a study that is {what}, "
            f"got the directions {[d.name.lower() for d in study.directions]}"
        )

    def read(self, frozen: FrozenTrial, proposal: Proposal) -> Trial | None:
        """A finished trial; None for a pruned one as long as no value can be compared with it."""
        if frozen.state == TrialState.FAIL or frozen.values is None:
            return Trial(proposal, error=frozen.state.name.lower())
        signs = [1 if maximise else -1 for maximise in self._maximise]
        values = [sign * value for sign, value in zip(signs, frozen.values, strict=True)]
        if not all(map(math.isfinite, values)):
            given = frozen.values if len(values) > 1 else frozen.values[0]
            return Trial(proposal, error=f"the value is {given}")
        if len(self.goals) > 1:
            return self._of_several(frozen, proposal, values)
        if frozen.state == TrialState.COMPLETE:
            self.worst = min(self.worst, values[0])
        elif math.isinf(self.worst):
            return None
        return Trial(proposal, Evaluation((max(values[0], self.worst),)))

    def _of_several(
        self, frozen: FrozenTrial, proposal: Proposal, values: list[float]
    ) -> Trial | None:
        if frozen.state != TrialState.COMPLETE:  # a pruned one, of a study with constraints
            return None
        if self._constraints is not None:
            beyond = [float(value) for value in self._constraints(frozen)]
            if len(beyond) != len(self.goals) - len(self._free):
                raise InvalidArgumentError(
                    f"constraints_func must return {len(self.goals) - len(self._free)} numbers for "
                    f"each trial, as for the first one, got {len(beyond)} for trial {frozen.number}"
                )
            values += [-value for value in beyond]
        if not all(map(math.isfinite, values)):
            return Trial(proposal, error="a constraint is not finite")
        return Trial(proposal, Evaluation(tuple(values)))
