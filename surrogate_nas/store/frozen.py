"""A trial of a search as a trial of Optuna, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from surrogate_nas.errors import StoreError
from surrogate_nas.evaluation import Evaluation, Goal, Proposal, Trial
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.store.checks import CHECKSUM, check_text, checked_attributes, checksum


class TrialFormat:
    """How trials of one space and goals are written: options by name, metrics in their own signs.

    A learning curve becomes intermediate values. Of a proposal's ``info`` are kept ``predicted``
    and ``seed``.
    """

    ASKED = frozenset({"arch", "asked_budget", "predicted"})
    """Attributes that a trial has from the beginning."""

    def __init__(self, space: SearchSpace, goals: tuple[Goal, ...]) -> None:
        """Write trials of ``space``, with a value for each of ``goals``."""
        self.space = space
        self.goals = goals
        self._options = {d.name: d.options for d in space.decisions}
        self._distributions = {d.name: CategoricalDistribution(d.options) for d in space.decisions}

    @property
    def decisions(self) -> dict[str, list[str]]:
        """Names of the decisions and of their options."""
        return {name: list(options) for name, options in self._options.items()}

    @property
    def directions(self) -> list[StudyDirection]:
        """The directions of a study of such trials."""
        maximise, minimise = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE
        return [maximise if goal.maximise else minimise for goal in self.goals]

    def freeze(self, trial: Trial) -> FrozenTrial:
        """Convert a trial to one of Optuna."""
        params, attributes = self._asked(trial.proposal)
        info, sign = trial.proposal.info, self.goals[0].sign
        if "seed" in info:
            attributes["seed"] = info["seed"]
        evaluation = trial.evaluation
        curve: tuple[float, ...] = ()
        if evaluation is None:
            attributes["error"] = trial.error
        else:
            curve = evaluation.curve
            attributes |= {
                "cost": evaluation.cost,
                "budget": evaluation.budget,
                "seed": evaluation.seed,
                "metrics": _finite(evaluation.metrics),
                "hidden": _finite(evaluation.hidden),
            }
        frozen = create_trial(
            state=TrialState.FAIL if evaluation is None else TrialState.COMPLETE,
            values=None if evaluation is None else self._signed(evaluation.values),
            params=params,
            distributions=dict(self._distributions),
            user_attrs=attributes,
            intermediate_values={epoch: sign * v for epoch, v in enumerate(curve, start=1)},
        )
        frozen.set_user_attr(CHECKSUM, checksum(frozen))
        return frozen

    def running(self, proposal: Proposal, attributes: Mapping[str, Any]) -> FrozenTrial:
        """A running trial of Optuna with all decisions and further attributes."""
        params, own = self._asked(proposal)
        return create_trial(
            state=TrialState.RUNNING,
            params=params,
            distributions=dict(self._distributions),
            user_attrs={**own, **attributes},
        )

    def _asked(self, proposal: Proposal) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parameters and attributes that a trial has from the beginning."""
        params = {
            decision.name: decision.options[choice]
            for decision, choice in zip(self.space.decisions, proposal.arch.choices, strict=True)
        }
        attributes: dict[str, Any] = {"arch": self.space.format(proposal.arch)}
        if proposal.budget is not None:
            attributes["asked_budget"] = proposal.budget
        if "predicted" in proposal.info:
            attributes["predicted"] = self.goals[0].sign * proposal.info["predicted"]
        return params, attributes

    def thaw(self, frozen: FrozenTrial, study: str) -> Trial:
        """Convert back to the trial that `freeze` was given, but for the rest of ``info``.

        Raises:
            StoreError: If something else wrote the trial; the message names the ``study``.
        """
        try:
            choices = tuple(
                options.index(frozen.params[name]) for name, options in self._options.items()
            )
            attributes, sign = checked_attributes(frozen), self.goals[0].sign
            arch = self.space.check(Architecture(self.space.name, choices))
            check_text(self.space, arch, attributes.get("arch"))
            info = {}
            if "predicted" in attributes:
                info["predicted"] = sign * attributes["predicted"]
            if attributes.get("seed") is not None:
                info["seed"] = attributes["seed"]
            proposal = Proposal(
                frozen.number,
                arch,
                attributes.get("asked_budget"),
                info,
            )
            if frozen.state == TrialState.FAIL:
                return Trial(proposal, error=attributes["error"])
            evaluation = Evaluation(
                values=self._signed(tuple(frozen.values)),
                cost=attributes["cost"],
                budget=attributes["budget"],
                seed=attributes["seed"],
                metrics=_numbers(attributes["metrics"]),
                hidden=_numbers(attributes["hidden"]),
                curve=tuple(sign * v for _, v in sorted(frozen.intermediate_values.items())),
            )
            return Trial(proposal, evaluation)
        except (LookupError, ValueError, TypeError) as error:
            raise StoreError(
                f"trial {frozen.number} of study {study!r} in the store was not "
                f"written by this program, or for another table ({type(error).__name__}: {error}); "
                "choose another store"
            ) from error

    def thaw_all(self, frozen: list[FrozenTrial], study: str) -> tuple[Trial, ...]:
        """Convert all finished trials, in their order.

        Raises:
            StoreError: See `thaw`.
        """
        return tuple(
            self.thaw(trial, study)
            for trial in frozen
            if trial.state in (TrialState.COMPLETE, TrialState.FAIL)
        )

    def _signed(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Convert values of a search to the metrics' own signs, or back."""
        return tuple(goal.sign * v for goal, v in zip(self.goals, values, strict=True))


def once(space: SearchSpace, trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Trials without repetitions: of equal keys, budgets and seeds the first that succeeded.

    It has the position of the first of them. A failure may know no seed; any success replaces it.
    """
    if not trials:
        return ()
    keys = space.keys(np.array([trial.arch.choices for trial in trials]))
    found: dict[Any, Trial] = {}
    replaced: dict[Any, Any] = {}  # the key of a failure without seed, by that of its success
    for row, trial in zip(keys.tolist(), trials, strict=True):
        at, seed = (tuple(row), trial.proposal.budget), trial.proposal.info.get("seed")
        key = replaced.get((*at, seed), (*at, seed))
        bare = found.get((*at, None))
        if trial.evaluation is not None and bare is not None and bare.evaluation is None:
            key = replaced[*at, seed] = (*at, None)
        before = found.get(key)
        if before is None or (before.evaluation is None and trial.evaluation is not None):
            found[key] = trial
    return tuple(found.values())


def _finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN, and the dashboard reads JSON."""
    return {key: v if math.isfinite(v) else None for key, v in numbers.items()}


def _numbers(stored: Mapping[str, float | None]) -> dict[str, float]:
    return {key: math.nan if v is None else v for key, v in stored.items()}
