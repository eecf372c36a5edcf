"""The learned optimisers that come with the program."""

from dataclasses import replace

import pytest

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.training.optimisers import choice
from surrogate_nas.training.optimisers.choice import find_optimizer
from surrogate_nas.training.optimisers.files import SHIPPED, read_optimizer
from surrogate_nas.training.trainer import train
from tests.training.data import squares
from tests.training.optimisers.test_optimisers import small_network

FAMILIES = {
    "mnist": {"digits", "mnist5k-14"},
    "fashion": {"fashion-mnist-14"},
    "watch": {"watch"},
}


def test_each_lacks_one_family() -> None:
    files = {path.stem: path for path in SHIPPED.glob("*.safetensors")}
    assert set(files) == {f"dense-cell-without-{family}" for family in FAMILIES}
    everything = set().union(*FAMILIES.values())
    for family, tasks in FAMILIES.items():
        provenance = read_optimizer(files[f"dense-cell-without-{family}"]).provenance
        assert provenance is not None
        assert {seen.name for seen in provenance.datasets} == everything - tasks
    assert sum(path.stat().st_size for path in files.values()) < 100_000


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_chosen_did_not_see_the_data_set(family: str) -> None:
    for task in FAMILIES[family]:
        found = find_optimizer("learned", replace(squares(), name=task))
        assert found.name.endswith(f"without-{family}.safetensors")


def test_it_trains_a_data_set_that_none_saw() -> None:
    rule = find_optimizer("learned", squares())
    assert rule.provenance is not None
    assert len(rule.provenance.datasets) == 3
    told: list[str] = []
    curves = [
        train(
            small_network(),
            squares(),
            epochs=10,
            optimizer=optimizer,
            device="cpu",
            on_fallback=told.append,
        )
        for optimizer in (None, rule)
    ]
    assert not told
    assert curves[1][-1].loss < curves[0][-1].loss


def test_one_that_all_saw_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(choice, "SHIPPED", tmp_path)
    with pytest.raises(InvalidArgumentError, match="all saw the data set 'squares'"):
        find_optimizer("learned", squares())
