"""The interfaces of predictors and of meta-learners."""

from __future__ import annotations

import copy
import inspect
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy.typing as npt

from surrogate_nas._types import IntArray, OnStep, silent
from surrogate_nas.errors import InvalidArgumentError, NotFittedError
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.given import Given, learning, predicting, untold
from surrogate_nas.spaces.base import SearchSpace

if TYPE_CHECKING:
    from torch import Tensor

_SHORT = reprlib.Repr()
_SHORT.maxstring, _SHORT.maxother = 60, 200


class Predictor(ABC):
    """Learns from measured architectures and predicts others, with calibrated uncertainty.

    Constructors only store their arguments, as keywords, and take ``seed``. The same seed and
    data give the same predictions in a fresh process.

    Three promises let a search keep and reuse predictors, tested by
    `surrogate_nas.testing.PredictorContract`:

    - `fit` starts anew: nothing of an earlier `fit` or `update` is left.
    - A shallow copy (``copy.copy``) is independent: what either learns later, the other does not
      see. So `fit` and `update` replace what they learnt, and change nothing in place.
    - A read-only array of encodings never changes. What was computed for it may be kept, with
      the array itself as the key (``is``), until the next `fit` or `update`.

    Attributes:
        has_prior: Whether `predict` works before `fit`, from what other tasks have taught.
        conditions: Whether it is a distribution over functions that `update` conditions on new
            rows, at little cost. The uncertainty then shrinks where rows are known. A guide updates
            such a predictor after each result.
        reads_features: Whether it learns from `TaskData.features`, too.

    Example:
        >>> from surrogate_nas.predictors.forest import Forest
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("transnas-macro")
        >>> choices = space.all_choices()[::50]
        >>> data = TaskData("depth", space, choices, (choices > 1).sum(axis=1) * 1.0)
        >>> prediction = Forest(seed=0).fit(data).predict(space.all_choices())
        >>> prediction.mean.shape == prediction.std.shape == (3256,)
        True
    """

    has_prior: ClassVar[bool] = False
    conditions: bool = False
    reads_features: ClassVar[bool] = False
    _given: Given | None = None
    _learning = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Check what the methods of every predictor are given, see `given`."""
        super().__init_subclass__(**arguments)
        for name, wrapped in (("fit", learning), ("update", learning), ("predict", predicting)):
            if name in vars(cls):
                setattr(cls, name, wrapped(vars(cls)[name]))

    def __repr__(self) -> str:
        return _with_arguments(self)

    @abstractmethod
    def fit(self, data: TaskData) -> Self:
        """Learn from ``data`` alone, forgetting what was learnt before.

        Raises:
            InvalidArgumentError: If there are too few rows.
        """

    def update(self, data: TaskData) -> Self:
        """Learn from ``data`` alone, too; what changes slowly may stay as in the last `fit`.

        For the many small steps of a search; the same as `fit` unless a subclass is faster here.
        """
        return self.fit(data)

    @abstractmethod
    def predict(self, choices: IntArray) -> Prediction:
        """Predict encodings (n, decisions) of the space of the last `fit`, in its values' scale.

        Raises:
            NotFittedError: If `fit` was not called.
        """


@runtime_checkable
class DifferentiablePredictor(Protocol):
    """A predictor, once fitted, whose mean is differentiable in relaxed encodings."""

    def relaxed(self, p: Tensor) -> Tensor:
        """Predict mixtures of options; at one-hot rows the mean that `Predictor.predict` gives.

        Args:
            p: float32 (n, decisions, options), the probability of each option of each decision,
                0 beyond a decision's own number of options.

        Returns:
            The mean, float32 (n,), through which gradients flow to ``p``.
        """
        ...


Relaxation = Callable[["Tensor"], "Tensor"]
"""A function of mixtures of options, as `DifferentiablePredictor.relaxed` is one."""


class MetaPredictor(ABC):
    """Learns across tasks, and adapts to a new one, which leaves the meta-learner unchanged.

    Attributes:
        any_space: Whether what was learnt in some spaces can be used in others.
        conditions: See `Predictor`; of what `adapt` returns.

    Example:
        >>> from surrogate_nas.predictors.meta.ridge import TransferRidge
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("transnas-macro")
        >>> choices = space.all_choices()[::20]
        >>> easy = TaskData("easy", space, choices, choices.sum(axis=1) * 1.0)
        >>> hard = TaskData("hard", space, choices[:9], choices[:9].sum(axis=1) - 20.0)
        >>> learner = TransferRidge().meta_fit([easy])
        >>> bool(learner.prior(space).predict(choices).mean.argmax() == easy.values.argmax())
        True
        >>> len(learner.adapt(hard).predict(choices).mean) == len(choices)
        True
    """

    any_space: ClassVar[bool] = False
    conditions: ClassVar[bool] = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Let priors check what they are given."""
        super().__init_subclass__(**arguments)
        if "prior" in vars(cls):
            cls.prior = untold(vars(cls)["prior"])  # type: ignore[method-assign, assignment]

    def __init__(
        self,
        *,
        seed: int = 0,
        workers: int | None = 1,
        checkpoint: Path | None = None,
        on_step: OnStep = silent,
    ) -> None:
        """Store the arguments; subclasses may have more, with defaults.

        Args:
            seed: Of all randomness.
            workers: Processes of the meta-training; None for all cores.
            checkpoint: Folder where finished parts of a meta-training are kept, so that it can
                go on after it was stopped; or None.
            on_step: Called with a text for each finished part.
        """
        self.seed = seed
        self.workers = workers
        self.checkpoint = checkpoint
        self.on_step = on_step

    def __repr__(self) -> str:
        return _with_arguments(self)

    def parts(self, tasks: int) -> int:
        """How often `meta_fit` of so many tasks calls ``on_step``, for a display of progress."""
        return 0

    @abstractmethod
    def meta_fit(self, tasks: Sequence[TaskData]) -> Self:
        """Learn from many tasks, each on all of its rows.

        Raises:
            InvalidArgumentError: If there is no task, or their spaces do not fit together.
        """

    @abstractmethod
    def prior(self, space: SearchSpace) -> Predictor:
        """A predictor of ``space`` without any label of the new task; only its order counts.

        Raises:
            NotFittedError: If `meta_fit` was not called.
            InvalidArgumentError: If nothing was learnt that helps in this space.
        """

    def described(self, task: Mapping[str, float] | None) -> Self:
        """The same for a task that is described by numbers; those that use none return themselves.

        Args:
            task: See `TaskData.descriptor`.
        """
        return self

    @abstractmethod
    def adapt(self, support: TaskData) -> Predictor:
        """A predictor of the support's task; raises as `prior` does."""

    @abstractmethod
    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """What was learnt, for a file of weights."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What else `restored` needs, as JSON types."""

    @classmethod
    @abstractmethod
    def restored(cls, tensors: Mapping[str, npt.NDArray[Any]], settings: Mapping[str, Any]) -> Self:
        """The meta-learner that `tensors` and `settings` came from."""


class Adapted(Predictor):
    """A meta-learner as a predictor of one task: it has a prior, and adapts at each `fit`."""

    has_prior = True

    def __init__(self, learner: MetaPredictor, space: SearchSpace) -> None:
        """Store the arguments."""
        self.learner = learner
        self.space = space
        self.conditions = learner.conditions
        self._current: Predictor | None = None
        self._given = Given(space, 1.0)

    def fit(self, data: TaskData) -> Self:
        """Adapt to ``data`` alone."""
        require_rows(data)
        self._current = self.learner.adapt(data)
        return self

    def update(self, data: TaskData) -> Self:
        """Adapt to ``data`` alone, from what `fit` adapted to."""
        if self._current is None:
            return self.fit(data)
        # A copy, so that copies of this object keep what they adapted to.
        self._current = copy.copy(self._current).update(data)
        return self

    def predict(self, choices: IntArray) -> Prediction:
        """Predict by what `fit` adapted to, else by the prior."""
        return self._model().predict(choices)

    def _model(self) -> Predictor:
        if self._current is None:
            self._current = self.learner.prior(self.space)
        return self._current


def require_rows(data: TaskData, least: int = 1) -> None:
    """Raise `InvalidArgumentError` if there are fewer rows than ``least``."""
    if len(data) < least:
        raise InvalidArgumentError(
            f"a predictor learns from at least {least} architectures, got {len(data)}; "
            "measure more before fitting"
        )


def not_fitted(predictor: object) -> NotFittedError:
    """The error of a predictor that is asked to predict before it was fitted."""
    return NotFittedError(f"{type(predictor).__name__} was not fitted; call fit before predict")


def _with_arguments(predictor: object) -> str:
    """The class with its seed and the stored arguments that differ from their defaults."""
    parameters = inspect.signature(type(predictor)).parameters
    shown = []
    for name in dict.fromkeys(["seed", *parameters]):
        if not hasattr(predictor, name) or inspect.isroutine(value := getattr(predictor, name)):
            continue
        default = parameters[name].default if name in parameters else None
        simple = isinstance(value, str | int | float | None)
        if name == "seed" or not simple or value != default:
            shown.append(f"{name}={' '.join(_SHORT.repr(value).split())}")
    return f"{type(predictor).__name__}({', '.join(shown)})"
