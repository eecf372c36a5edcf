"""Goals, proposals, evaluations and predictions: what searchers and objectives exchange."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.descriptors import checked_descriptor
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.number_text import exact
from surrogate_nas.returned import returned_number
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.spaces.ranges import checked_choices
from surrogate_nas.stopping import MedianStopping

TRAINING_LOSS = "training_loss"
"""Metric of a training from given weights that is shorter than others in its search.

It is the mean loss of the training batches in all epochs. Of such trainings it is a better measure
than the accuracy, see Ru et al., "Speedy Performance Estimation for Neural Architecture Search",
NeurIPS 2021.
"""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is optimised or limited: a metric in its own unit and sign.

    Attributes:
        metric: Its name.
        maximise: Whether larger is better.
        unit: For people to read.
        limit: In the metric's own sign. A goal with a limit is a constraint: a metric that is
            minimised must be at most this, one that is maximised at least this, and nothing is
            gained beyond it.

    Example:
        >>> Goal("latency", maximise=False, unit="ms").sign
        -1
        >>> Goal("latency", maximise=False, limit=5.0).text
        'latency<=5'
    """

    metric: str
    maximise: bool = True
    unit: str = ""
    limit: float | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and not math.isfinite(self.limit):
            raise InvalidArgumentError(
                f"the limit of the goal {self.metric!r} must be finite, got {self.limit}"
            )

    @property
    def sign(self) -> int:
        """+1 or -1: a search's value is ``sign * metric``, and larger is better."""
        return 1 if self.maximise else -1

    @property
    def text(self) -> str:
        """The metric, with its limit if it has one."""
        if self.limit is None:
            return self.metric
        return f"{self.metric}{'>=' if self.maximise else '<='}{exact(self.limit)}"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One measurement of one architecture.

    Attributes:
        values: Validation metrics in the order of the objective's goals, larger is better
            (negated where the goal is minimised).
        cost: What it cost, in epochs.
        budget: Epochs trained.
        seed: Seed of the training; None for the mean over seeds.
        metrics: Further measurements that a search may see, in their own signs.
        hidden: Test metrics: stripped before a searcher is told, read by reports only.
        curve: The first value after each epoch, where it is known.
    """

    values: tuple[float, ...]
    cost: float = 1.0
    budget: int = 1
    seed: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    hidden: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[float, ...] = ()

    @property
    def value(self) -> float:
        """The first value."""
        return self.values[0]


@dataclass(frozen=True, slots=True)
class Proposal:
    """An architecture that a searcher asks to have evaluated."""

    number: int
    arch: Architecture
    budget: int | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """A proposal with its outcome: an evaluation, or the reason why there is none."""

    proposal: Proposal
    evaluation: Evaluation | None = None
    error: str | None = None

    def __post_init__(self) -> None:
        if (self.evaluation is None) == (self.error is None):
            raise InvalidArgumentError(
                "a Trial has either an evaluation or an error, exactly one of them"
            )
        if self.evaluation is None:
            return
        values = self.evaluation.values
        if not values or not all(map(math.isfinite, values)):
            what, got = ("value", str(values[0])) if len(values) == 1 else ("values", str(values))
            raise InvalidArgumentError(
                f"the {what} of a Trial must be finite, got {got}; "
                "report a diverged training as an error"
            )

    @property
    def arch(self) -> Architecture:
        """The architecture that was proposed."""
        return self.proposal.arch

    @property
    def value(self) -> float | None:
        """The value, or None if the trial failed."""
        return None if self.evaluation is None else self.evaluation.value


@dataclass(frozen=True, slots=True)
class News:
    """What others did in a search that several processes share.

    Attributes:
        finished: Trials that ended.
        running: What others evaluate now.
        ended: What others began to evaluate, and ended without a result.
    """

    finished: tuple[Trial, ...] = ()
    running: tuple[Proposal, ...] = ()
    ended: tuple[Proposal, ...] = ()

    def merged(self, later: News) -> News:
        """These and later news."""
        return News(
            self.finished + later.finished, self.running + later.running, self.ended + later.ended
        )


class Features(Protocol):
    """Features of every architecture beside its structure, such as zero-cost proxies."""

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each column."""
        ...

    def __call__(self, choices: IntArray) -> FloatArray:
        """Columns of encodings (n, decisions): float (n, names).

        Over the space, each column has mean 0 and standard deviation 1.
        """
        ...


@dataclass(frozen=True, slots=True)
class TaskData:
    """Architectures with measured values: what a predictor learns from.

    Attributes:
        name: The task's name.
        space: The space of the encodings.
        choices: int (n, decisions).
        values: float (n,), larger is better, finite.
        features: Of all architectures of the space, for predictors that read them (see
            `surrogate_nas.predictors.base.Predictor.reads_features`); or None.
        descriptor: Numbers by name that describe the task itself, or None.
        fingerprint: Recognises the task under any name, see `fingerprint`.
        parts: Of a weighted mean of several tasks, the metric of each: float (n, tasks), each in
            its own sign, NaN where it was not measured; or None.
    """

    name: str
    space: SearchSpace
    choices: IntArray
    values: FloatArray
    features: Features | None = None
    descriptor: Mapping[str, float] | None = None
    fingerprint: str = ""
    parts: FloatArray | None = None

    def __post_init__(self) -> None:
        for name, array in (
            ("choices", checked_choices(self.space, self.choices)),
            ("values", np.asarray(self.values)),
        ):
            if array is not getattr(self, name):  # a list was given
                object.__setattr__(self, name, array)
        if self.values.shape != (len(self.choices),):
            raise InvalidArgumentError(
                f"values must have the shape ({len(self.choices)},), got {self.values.shape}"
            )
        if self.values.dtype.kind not in "fiu":
            raise InvalidArgumentError(f"values must be real numbers, got {self.values.dtype}")
        if not np.isfinite(self.values).all():
            raise InvalidArgumentError("values must be finite; drop missing rows first")
        if self.descriptor is not None:
            object.__setattr__(self, "descriptor", checked_descriptor(self.descriptor))

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {len(self)} rows of {self.space.name!r})"

    def take(self, rows: IntArray) -> TaskData:
        """The same task with only these rows, in this order."""
        return TaskData(
            name=self.name,
            space=self.space,
            choices=self.choices[rows],
            values=self.values[rows],
            features=self.features,
            descriptor=self.descriptor,
            fingerprint=self.fingerprint,
            parts=None if self.parts is None else self.parts[rows],
        )


def fingerprint(space: SearchSpace, choices: IntArray, values: FloatArray) -> str:
    """Hash of a task's sorted architectures and values rounded to 4 significant digits.

    Two tables of the same measurements have the same fingerprint, whatever they are called and
    in whatever order their rows stand.
    """
    numbers = space.index(choices)
    order = np.argsort(numbers, kind="stable")
    if numbers.dtype.kind == "i":
        numbers = numbers.astype("<i8", copy=False)
    digest = hashlib.sha256(space.identity.encode())
    digest.update(numbers[order].tobytes())
    with np.errstate(divide="ignore"):
        magnitude = np.where(values == 0, 0, np.floor(np.log10(np.abs(values))))
    scale = 10.0 ** (3 - magnitude)
    rounded = np.round(values * scale).astype("<i8")[order]
    digest.update(np.stack([rounded, magnitude[order].astype("<i8")]).tobytes())
    return digest.hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predicted values, each array float (n,).

    Attributes:
        mean: The values.
        std: Calibrated standard deviations of a new measurement.
        epistemic: Standard deviations of the model's own uncertainty, without measurement noise
            and not calibrated; None where the predictor does not separate the two.
    """

    mean: FloatArray
    std: FloatArray
    epistemic: FloatArray | None = None

    @classmethod
    def joined(cls, parts: Sequence[Prediction]) -> Prediction:
        """Join predictions; ``epistemic`` is kept only if all have it."""
        epistemic = [part.epistemic for part in parts if part.epistemic is not None]
        return cls(
            np.concatenate([part.mean for part in parts]),
            np.concatenate([part.std for part in parts]),
            np.concatenate(epistemic) if len(epistemic) == len(parts) else None,
        )


@runtime_checkable
class Objective(Protocol):
    """Evaluates architectures: a table, a training, or a user's function."""

    @property
    def space(self) -> SearchSpace:
        """The space of the architectures."""
        ...

    @property
    def goals(self) -> tuple[Goal, ...]:
        """What is optimised; the order of `Evaluation.values`."""
        ...

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        """Measure one architecture.

        Args:
            arch: The architecture.
            budget: Epochs; None for the largest.
            seed: Which training; None for the mean over a table's seeds.
        """
        ...


@runtime_checkable
class PlacedObjective(Objective, Protocol):
    """An objective that evaluates on one of possibly several devices."""

    def devices(self) -> list[str]:
        """Names of the devices that it may use; several processes share them."""
        ...

    def on(self, device: str) -> Objective:
        """The same objective on one of these devices."""
        ...


@runtime_checkable
class KnowsCosts(Objective, Protocol):
    """An objective some of whose goals are known, or predicted, before anything is evaluated.

    Parameters and FLOPs are, and so is a latency that a model of the device predicts. A search
    reads such goals of all candidates. `evaluate` returns them among its values as well, measured
    or exact.
    """

    def known_costs(self, choices: IntArray) -> Mapping[str, Prediction]:
        """The goals that are known, for encodings (n, decisions).

        Returns:
            For each such goal's metric, in the metric's own sign, the mean and standard deviation
            of what an evaluation would measure: each (n,), the deviation 0 where it is exact. The
            metrics are always the same, and each is one of the goals.
        """
        ...


@runtime_checkable
class Budgeted(Objective, Protocol):
    """An objective that evaluates at some budgets only: a table."""

    @property
    def budgets(self) -> Sequence[int]:
        """Epochs that can be evaluated, ascending."""
        ...


@runtime_checkable
class Stopping(Objective, Protocol):
    """An objective that may end an evaluation before its budget."""

    @property
    def stop(self) -> Callable[[int, float], bool] | None:
        """Whether to end after this epoch with this value; None if nothing ever ends early."""
        ...


@runtime_checkable
class Resumable(Objective, Protocol):
    """An objective that keeps on disk how far an evaluation is, so that it can be cut off."""

    def forget(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> None:
        """Remove what was kept of an evaluation whose result is recorded."""
        ...


Report = Callable[[int, float], None]
"""``report(epoch, value)``, the value in the goal's own sign."""


class FunctionObjective:
    """Any function of an architecture as an objective; an exception is a failed trial.

    Example:
        >>> from surrogate_nas.spaces import open_space
        >>> objective = FunctionObjective(
        ...     open_space("nats-size"), lambda arch: sum(arch.choices), goal=Goal("widths")
        ... )
        >>> objective.evaluate(objective.space.parse("8:16:24:32:40")).value
        10.0
    """

    def __init__(
        self,
        space: SearchSpace,
        function: Callable[[Architecture], float] | Callable[[Architecture, Report], float],
        *,
        goal: Goal | None = None,
        stop: Callable[[int, float], bool] | None = None,
    ) -> None:
        """Wrap a function.

        Args:
            space: The space of the architectures.
            function: Returns the goal's metric in its own sign. One with a second argument is
                given a `Report`, to be called after each epoch.
            goal: What the function returns.
            stop: Called with each reported value, for example a `MedianStopping`. A true answer
                ends the function there, and the value reported last is the result.
        """
        self.space = space
        self.function: Callable[..., float] = function
        self.goals = (goal or Goal("value"),)
        self.stop = stop
        self._reports = len(inspect.signature(function).parameters) > 1

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        """Call the function once; the budget and the cost are the epochs that it reported."""
        epochs = budget or 1
        curve: list[float] = []

        def report(epoch: int, value: float) -> None:
            nonlocal epochs
            epochs = epoch
            curve.append(float(value))
            if self.stop is not None and self.stop(epoch, value):
                raise _Stopped(value)

        try:
            value = self.function(arch, report) if self._reports else self.function(arch)
        except _Stopped as stopped:
            value = stopped.value
        number = returned_number(value)
        if isinstance(self.stop, MedianStopping):
            self.stop.learn(curve)
        sign = self.goals[0].sign
        return Evaluation(
            (sign * number,),
            cost=float(epochs) if self._reports else 1.0,
            budget=epochs,
            seed=seed,
            curve=tuple(sign * v for v in curve),
        )


class _Stopped(BaseException):  # no Exception: the function's own handlers must not catch it
    def __init__(self, value: float) -> None:
        super().__init__(value)
        self.value = value
