"""Predictors that learn from other tasks: suites of tasks, meta-training, choice for a task."""

from surrogate_nas.searchers.method import AUTO
from surrogate_nas.transfer.ahead import WantedWeights, train_ahead
from surrogate_nas.transfer.choice import PredictorChoice, choose_for_training, choose_predictor
from surrogate_nas.transfer.meta_training import (
    HELD_OUT_LABELS,
    learns_from_others,
    meta_train,
)
from surrogate_nas.transfer.suites import held_out_tasks, suite_tasks

__all__ = [
    "AUTO",
    "HELD_OUT_LABELS",
    "PredictorChoice",
    "WantedWeights",
    "choose_for_training",
    "choose_predictor",
    "held_out_tasks",
    "learns_from_others",
    "meta_train",
    "suite_tasks",
    "train_ahead",
]
