"""Notices starting weights that do not help."""

from __future__ import annotations

import numpy as np

from surrogate_nas.errors import TrainingError
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.initial.bank import WeightBank
from surrogate_nas.training.initial.keys import parameter_keys
from surrogate_nas.training.initial.short import ShortTrainings
from surrogate_nas.training.objective import TrainingObjective

_DRAWN = 16


def helps(objective: TrainingObjective) -> tuple[bool, str]:
    """Train one architecture from the objective's starting weights, and once from random ones.

    It is the one of some drawn architectures for which there are most weights. A start of short
    trainings is tried on the longest of them.

    Returns:
        Whether the validation accuracy is better from them, and a text about both trainings.
    """
    arch = _served(objective)
    epochs = objective.epochs
    if isinstance(objective.initial, ShortTrainings):
        epochs = min(epochs, objective.initial.epochs)
    found = []
    for initial in (objective.initial, None):
        there = objective.starting_from(initial)
        try:
            found.append(there.train(arch, epochs=epochs).curve[-1].validation_accuracy)
        except TrainingError:
            found.append(0.0)
    warm, cold = found
    text = (
        f"{objective.space.format(arch)} reaches {warm:.2f} % from the starting weights and "
        f"{cold:.2f} % from random ones"
    )
    return warm > cold, text


def _served(objective: TrainingObjective) -> Architecture:
    bank = objective.initial
    if isinstance(bank, ShortTrainings):
        bank = bank.start
    known = bank.tensors.keys() if isinstance(bank, WeightBank) else ()
    rng = np.random.default_rng(0)
    drawn = [objective.space.sample(rng) for _ in range(_DRAWN)]

    def served(arch: Architecture) -> int:
        network = objective.build(arch)
        keys = parameter_keys(network, objective.dataset.task).shared
        return sum(p.numel() for n, p in network.named_parameters() if keys.get(n) in known)

    return max(drawn, key=served)
