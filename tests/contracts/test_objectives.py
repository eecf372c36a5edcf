from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.evaluation import FunctionObjective, Objective, TaskData
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import Stored, open_storage
from surrogate_nas.testing import ObjectiveContract
from surrogate_nas.testing.toys import Linear, ToySpace
from surrogate_nas.training.objective import TrainingObjective
from tests.tables import toy_task
from tests.training.data import squares

SPACE = ToySpace((3, 4, 2))


def total(arch: Architecture) -> float:
    return float(sum(arch.choices))


class TestTabularTask(ObjectiveContract):
    def make(self) -> Objective:
        return toy_task()


class TestFunctionObjective(ObjectiveContract):
    def make(self) -> Objective:
        return FunctionObjective(SPACE, total)


class TestPredictedObjective(ObjectiveContract):
    def make(self) -> Objective:
        choices = SPACE.all_choices()
        data = TaskData("toy", SPACE, choices, choices.sum(axis=1).astype(np.float64))
        return PredictedObjective(SPACE, Linear().fit(data))


class TestTrainingObjective(ObjectiveContract):
    def make(self) -> Objective:
        return TrainingObjective(
            open_space("dense-cell"),
            squares(),
            epochs=1,
            device="cpu",
            settings={"channels": 4, "cells": 1},
        )


class TestStored(ObjectiveContract):
    stays = "the process that owns a search holds its storage open"
    folder: Path

    @pytest.fixture(autouse=True)
    def _in(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make(self) -> Objective:
        storage = open_storage(self.folder / "trials.journal")
        return Stored(toy_task(), storage, name="toy", settings={"seed": 0})
