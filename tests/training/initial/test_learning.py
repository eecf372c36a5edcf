"""Learning of starting weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from surrogate_nas.errors import InvalidArgumentError, SurrogateNASError
from surrogate_nas.spaces import open_space
from surrogate_nas.training.initial.learners import BANK, FORMS
from surrogate_nas.training.initial.learning import Reptile, learn_weights
from surrogate_nas.training.initial.sources import Draws, SourceData
from surrogate_nas.training.objective import TrainingObjective
from tests.training.data import squares
from tests.training.initial.banks import SETTINGS, SPACE

DATA = squares()
SHORT = Reptile(trainings=2, batches=1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["layerwise", "hierarchical", "nasbench201"])
def test_other_spaces_learn_and_start(name: str, form: str) -> None:
    space = open_space(name)
    settings = {"channels": 4, "cells": 1} if name == "nasbench201" else {"stem_stride": 2}
    how = replace(SHORT, form=form)
    bank = learn_weights(space, [SourceData(DATA, settings)], how, device="cpu")
    assert bank.provenance.trainings == 2
    objective = TrainingObjective(
        space, DATA, epochs=1, device="cpu", settings=settings, initial=bank
    )
    assert objective.train(space.sample(np.random.default_rng(1))).curve


def test_a_small_rate_stays_near_the_random_start_and_a_large_one_leaves_it() -> None:
    def learnt(rate: float) -> dict[str, torch.Tensor]:
        bank = learn_weights(
            SPACE,
            [SourceData(DATA, SETTINGS)],
            Reptile(1, 3, rate, form=BANK),
            device="cpu",
            seed=3,
        )
        return {key: torch.from_numpy(array) for key, array in bank.tensors.items()}

    small, half, whole = learnt(1e-12), learnt(0.5), learnt(1.0)
    assert not all(torch.equal(small[key], whole[key]) for key in small)
    for key in small:
        torch.testing.assert_close(half[key], (small[key] + whole[key]) / 2)


def test_what_is_held_out_is_never_drawn() -> None:
    held_out = [SPACE.architecture(row) for row in SPACE.all_choices()[:500]]
    draws = Draws(SPACE, [SourceData(DATA)], held_out, 0, torch.device("cpu"))
    drawn = {draws.architecture() for _ in range(60)}
    assert len(drawn) > 30
    assert not drawn & set(held_out)
    everything = [SPACE.architecture(row) for row in SPACE.all_choices()]
    with pytest.raises(InvalidArgumentError, match="hold out fewer"):
        Draws(SPACE, [SourceData(DATA)], everything, 0, torch.device("cpu")).architecture()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trainings": 0}, "at least 1"),
        ({"batches": 0}, "at least 1"),
        ({"rate": 0.0}, "above 0"),
        ({"form": "banks"}, "bank"),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(SurrogateNASError, match=message):
        Reptile(**options)  # type: ignore[arg-type]
