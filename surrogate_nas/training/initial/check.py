"""Notices starting weights that do not help."""

from __future__ import annotations

import numpy as np

from surrogate_nas.errors import TrainingError
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.initial.bank import LearnedWeights
from surrogate_nas.training.initial.keys import parameter_keys
from surrogate_nas.training.initial.short import ShortTrainings
from surrogate_nas.training.objective import TrainingObjective

_DRAWN = 16
_COMPARED = 2  # one alone misleads in up to 8 % of draws, two in up to 2 %
_EPOCHS = 1


def helps(objective: TrainingObjective) -> tuple[bool, str]:
    """Train two architectures from the objective's starting weights, and from random ones.

    They are those of some drawn architectures for which there are most weights. Each is trained
    for one epoch.

    Returns:
        Whether the mean validation accuracy is better from them, and a text about the trainings.
    """
    compared = _served(objective)
    found = []
    for initial in (objective.initial, None):
        there = objective.starting_from(initial)
        found.append(float(np.mean([_accuracy(there, arch) for arch in compared])))
    warm, cold = found
    text = (
        f"after {_EPOCHS} epoch {' and '.join(map(objective.space.format, compared))} reach "
        f"{warm:.2f} % from the starting weights and {cold:.2f} % from random ones, in the mean"
    )
    return warm > cold, text


def _accuracy(objective: TrainingObjective, arch: Architecture) -> float:
    """In %, after a short training; 0 if that fails."""
    try:
        return objective.train(arch, epochs=_EPOCHS).curve[-1].validation_accuracy
    except TrainingError:
        return 0.0


def _served(objective: TrainingObjective) -> list[Architecture]:
    """Different architectures that the starting weights serve most."""
    start = objective.initial
    if isinstance(start, ShortTrainings):
        start = start.start
    rng = np.random.default_rng(0)
    sampled = [objective.space.sample(rng) for _ in range(_DRAWN)]
    drawn = {objective.space.key(arch): arch for arch in sampled}

    def served(arch: Architecture) -> int:
        if not isinstance(start, LearnedWeights):
            return 0
        network = objective.build(arch)
        keys = parameter_keys(network, objective.dataset.task)
        known = start.shared(network, keys)
        return sum(p.numel() for n, p in network.named_parameters() if keys.shared.get(n) in known)

    return sorted(drawn.values(), key=served, reverse=True)[:_COMPARED]
