"""Kernels that were learned on few tasks are drawn towards those of other suites."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surrogate_nas.predictors.meta.kernel import TransferKernel
from surrogate_nas.predictors.meta.suite_prior import shrunk


def kernels(noise: float, families: int = 8) -> tuple[TransferKernel, TransferKernel]:
    found = TransferKernel(families, mixture=True), TransferKernel(families)
    with torch.no_grad():
        for kernel in found:
            kernel.noise.fill_(noise)
            kernel.own.fill_(-7.0)
    return found


@pytest.mark.parametrize("position", [0, 1])
def test_many_tasks_keep_what_they_learned_and_few_do_not(position: int) -> None:
    learned = kernels(-6.0)
    noises = [shrunk(learned, tasks)[position].noise.item() for tasks in (1, 10, 1_000)]
    assert noises[0] > noises[1] > noises[2]
    assert noises[0] > -3.5
    assert noises[2] == pytest.approx(-6.0, abs=0.05)
    assert learned[position].noise.item() == -6.0


def test_what_other_suites_do_not_have_stays_as_it_is() -> None:
    learned = kernels(-6.0)
    with torch.no_grad():
        learned[0].trend.copy_(torch.tensor([0.0, 0.5]))
    found = shrunk(learned, 5)[0]
    assert found.own[7].item() == -7.0  # of decisions
    assert (found.own[:7] > -7.0).all()
    assert found.alike is not None
    np.testing.assert_array_equal(found.trend.detach(), [0.0, 0.5])  # beside a mixture
