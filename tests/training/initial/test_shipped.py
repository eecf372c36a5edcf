"""The starting weights that come with the program."""

import pytest

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces import open_space
from surrogate_nas.training.datasets.base import open_dataset
from surrogate_nas.training.initial.bank import WeightBank
from surrogate_nas.training.initial.choice import find_weights, planned_initial
from surrogate_nas.training.initial.files import SHIPPED, read_weights
from surrogate_nas.training.initial.short import ShortTrainings
from surrogate_nas.training.initial.written import WrittenWeights
from surrogate_nas.training.objective import TrainingObjective
from tests.training.data import squares
from tests.training.initial.banks import SPACE

PATHS = sorted(SHIPPED.glob("*.safetensors"))


def test_they_are_small_and_none_saw_what_it_leaves_out() -> None:
    assert sum(path.stat().st_size for path in PATHS) < 3_000_000
    families = {"digits": "digits", "fashion": "fashion-mnist-14", "watch": "watch"}
    for path in PATHS:
        bank = read_weights(path)
        names = {seen.name for seen in bank.provenance.datasets}
        left_out = path.stem.rpartition("-")[2]
        assert {name for name in families.values() if name not in names} == {families[left_out]}
        assert len(bank.provenance.held_out) == 100
        assert isinstance(bank, WeightBank) == path.stem.startswith("dense-cell-bank")
    assert len(PATHS) == 2 * len(families)


def test_learned_is_one_that_did_not_see_the_data() -> None:
    digits = open_dataset("digits")
    bank = find_weights("learned", SPACE, digits)
    assert not bank.provenance.saw(digits)
    with pytest.raises(InvalidArgumentError, match="--allow-seen"):
        find_weights(SHIPPED / "dense-cell-without-watch.safetensors", SPACE, digits)
    most = max(len(read_weights(path).provenance.datasets) for path in PATHS)
    assert len(find_weights("learned", SPACE, squares()).provenance.datasets) == most
    assert isinstance(bank, WrittenWeights)
    for_ranks, _ = planned_initial(None, "learned:1", SPACE, digits)
    assert isinstance(for_ranks, ShortTrainings)
    assert isinstance(for_ranks.start, WeightBank)
    assert not for_ranks.start.provenance.saw(digits)
    with pytest.raises(InvalidArgumentError, match="for the space 'layerwise'"):
        find_weights("learned", open_space("layerwise"), digits)


def test_one_epoch_from_them_is_better_than_two_from_random_weights() -> None:
    data = open_dataset("digits")
    bank = find_weights("learned", SPACE, data)
    held_out = [SPACE.parse(text) for text in bank.provenance.held_out[:4]]

    def total(epochs: int, initial: object) -> float:
        objective = TrainingObjective(
            SPACE,
            data,
            epochs=epochs,
            device="cpu",
            settings={"channels": 8},
            initial=initial,  # type: ignore[arg-type]
        )
        return sum(objective.train(arch).curve[-1].validation_accuracy for arch in held_out)

    assert total(1, bank) > total(2, None)
