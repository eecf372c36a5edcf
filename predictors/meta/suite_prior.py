"""What kernels of other suites of tasks look like, for those that were learned on a few tasks."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch

from surrogate_nas.predictors.meta.kernel import TransferKernel

_TASKS = 10  # source tasks whose likelihood counts as much as the other suites

# Means over NAS-Bench-Graph and TransNAS-Bench-101 micro, of the parameters that `fit` learned with
# each of their tasks left out. With the sources, the learned encodings have a larger share: the
# episodes of `fit` describe a task by one encoder, and a new task is described by the mean of two.
_WITH_SOURCES: Mapping[str, float | tuple[float, ...]] = {
    "constant": -5.9,
    "linear": -2.8,
    "neural": -1.2,
    "neural_scale": -0.05,
    "noise": -2.7,
    "own": (-3.75, -2.85, -3.3, -3.45, -3.75, -2.9, -3.15),
    "scales": (0.5, -0.2, 0.75, 0.35, 0.55, 0.25, 0.0),
    "trend": (0.33, 0.13),
}
_WITHOUT_SOURCES: Mapping[str, float | tuple[float, ...]] = {
    "constant": -5.6,
    "neural": -3.3,
    "noise": -2.55,
    "own": (-1.65, -1.25, -1.1, -1.7, -2.8, -2.65, -3.15),
    "scales": (0.55, -0.25, 0.45, 0.25, 0.55, 0.3, 0.0),
}


def shrunk(
    kernels: tuple[TransferKernel, TransferKernel], tasks: int
) -> tuple[TransferKernel, TransferKernel]:
    """Kernels with and without the sources, drawn towards those of other suites.

    A few source tasks determine some twenty parameters badly, and a new task differs more from
    them than they differ from each other. The share of what was learned is that of ``tasks`` in
    10 more, as in hierarchical models (Gelman et al., "Bayesian Data Analysis", chapter 5).
    Parameters that other suites do not have, such as those of decisions, stay as they are.

    Args:
        kernels: As they were learned; they are not changed.
        tasks: Number of source tasks.
    """
    share = tasks / (tasks + _TASKS)
    first, second = kernels
    return _towards(first, _WITH_SOURCES, share), _towards(second, _WITHOUT_SOURCES, share)


def _towards(
    kernel: TransferKernel, prior: Mapping[str, float | tuple[float, ...]], share: float
) -> TransferKernel:
    found = copy.deepcopy(kernel)
    with torch.no_grad():
        for name, parameter in found.named_parameters():
            if name not in prior or (name == "trend" and found.alike is not None):
                continue  # a mean over sources and one over similar ones share the trend
            expected = torch.tensor(prior[name], dtype=parameter.dtype)
            shared = parameter[: len(expected)] if expected.ndim else parameter
            shared.mul_(share).add_(expected, alpha=1 - share)
    return found
