"""A start of short trainings alone, so that searches over several budgets can use it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.initial.base import FreshTraining, Initial
from surrogate_nas.training.options import INHERIT


@dataclass(frozen=True, slots=True)
class ShortTrainings:
    """Gives its start to trainings of a few epochs; longer ones begin with random weights.

    So a training with this start is another budget of a search, and not another kind of value.

    Attributes:
        start: Of the short trainings.
        epochs: The most epochs of one.
    """

    start: Initial
    epochs: int

    @property
    def identity(self) -> str:
        """That of the start, with the epochs."""
        return f"{self.start.identity}:{self.epochs}"

    def serves(self, epochs: int) -> bool:
        """Whether a training of so many epochs begins with the start."""
        return epochs <= self.epochs

    def begin(self, network: nn.Module, training: FreshTraining) -> None:
        """Change a network whose training is short, see `Initial`."""
        if self.serves(training.epochs):
            self.start.begin(network, training)

    def keep(self, arch: Architecture, network: nn.Module, value: float) -> None:
        """Nothing, as long trainings follow from no others."""


def split_epochs(name: str) -> tuple[str, int | None]:
    """``learned:1`` as the name of a start and the most epochs of a training; None for any.

    Raises:
        InvalidArgumentError: If the epochs are 0, or for ``inherit``.
    """
    start, colon, digits = name.rpartition(":")
    if not colon or not (digits.isascii() and digits.isdecimal()):
        return name, None
    if int(digits) < 1:
        raise InvalidArgumentError(
            f"--initial {name}: the epochs after the colon must be at least 1, got {digits}"
        )
    if start == INHERIT:
        raise InvalidArgumentError(
            f"--initial {name}: weights are inherited by trainings of all lengths; leave out "
            f"':{digits}'"
        )
    return start, int(digits)


def check_length(start: Initial | None, epochs: int) -> None:
    """Refuse a start of short trainings where all trainings are longer.

    Raises:
        InvalidArgumentError: If no training would begin with the start.
    """
    if isinstance(start, ShortTrainings) and not start.serves(epochs):
        raise InvalidArgumentError(
            f"--initial …:{start.epochs} is for trainings of at most {start.epochs} epochs, and "
            f"all trainings here have {epochs}; leave out ':{start.epochs}', or search several "
            "budgets with --searcher screening or hyperband"
        )
