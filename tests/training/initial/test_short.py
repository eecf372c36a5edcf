"""Starts of short trainings alone."""

import numpy as np
import pytest

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import TRAINING_LOSS
from surrogate_nas.spaces import open_space
from surrogate_nas.training.initial.base import Initial
from surrogate_nas.training.initial.check import helps
from surrogate_nas.training.initial.choice import planned_initial
from surrogate_nas.training.initial.fitted import FittedStart
from surrogate_nas.training.initial.short import ShortTrainings, check_length, split_epochs
from surrogate_nas.training.objective import TrainingObjective
from tests.training.data import squares

SPACE = open_space("dense-cell")
ARCH = SPACE.parse("conv3x3-skip-conv5x5-maxpool3x3")
DATA = squares()


def _training(initial: Initial | None) -> TrainingObjective:
    return TrainingObjective(
        SPACE, DATA, epochs=3, device="cpu", settings={"channels": 2}, initial=initial
    )


def test_short_trainings_have_the_start_and_long_ones_have_none() -> None:
    short = _training(ShortTrainings(FittedStart(), 2))
    fitted, cold = _training(FittedStart()), _training(None)
    for epochs, same in ((1, fitted), (2, fitted), (3, cold)):
        found = short.evaluate(ARCH, budget=epochs)
        assert found.curve == same.evaluate(ARCH, budget=epochs).curve
        assert (TRAINING_LOSS in found.metrics) == (epochs < 3)
        assert TRAINING_LOSS not in same.evaluate(ARCH, budget=epochs).metrics
    losses = [point.loss for point in short.train(ARCH, epochs=2).curve]
    assert short.evaluate(ARCH, budget=2).metrics[TRAINING_LOSS] == np.mean(losses)
    facts = [short.facts(short.train(ARCH, epochs=e))["starting weights"] for e in (2, 3)]
    assert facts == ["fitted:2", None]


def test_a_check_compares_short_trainings() -> None:
    assert helps(_training(ShortTrainings(FittedStart(), 2))) == helps(_training(FittedStart()))


def test_the_epochs_follow_a_colon() -> None:
    assert split_epochs("learned:3") == ("learned", 3)
    assert split_epochs("C:\\weights.safetensors") == ("C:\\weights.safetensors", None)
    assert split_epochs("a:b") == ("a:b", None)
    start, note = planned_initial(None, "fitted:1", SPACE, DATA)
    assert start == ShortTrainings(FittedStart(), 1)
    assert note == {"file": "fitted:1", "identity": "fitted:1"}
    assert planned_initial(note, None, SPACE, DATA) == (start, note)
    for name in ("learned:0", "inherit:1"):
        with pytest.raises(InvalidArgumentError, match=f"--initial {name}"):
            split_epochs(name)


def test_a_start_that_no_training_has_is_refused() -> None:
    start = ShortTrainings(FittedStart(), 1)
    check_length(start, 1)
    check_length(FittedStart(), 9)
    with pytest.raises(InvalidArgumentError, match="all trainings here have 2; leave out ':1'"):
        check_length(start, 2)
