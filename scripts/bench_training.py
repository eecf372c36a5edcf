"""How long a real training takes, against a loop by hand; part of ``scripts/bench``."""

from __future__ import annotations

import dataclasses
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from timing import alternate

_BATCH = 128
_REPETITIONS = 15  # repetitions of a step: the best of few varies by a tenth on a busy machine
_WORKERS = 2
_CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


def training() -> dict[str, float]:
    """A step of a NAS-Bench-201 network by its recipe; the ratio may be 1.1."""
    import torch
    from torch import nn

    from surrogate_nas.parallel import one_thread
    from surrogate_nas.spaces import open_space
    from surrogate_nas.training.datasets.base import Dataset
    from surrogate_nas.training.datasets.examples import Split
    from surrogate_nas.training.networks.base import build_network
    from surrogate_nas.training.recipes import RECIPES
    from surrogate_nas.training.trainer import train

    rng = np.random.default_rng(0)

    def images(count: int) -> Split:
        pixels = rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
        return Split(pixels, rng.integers(0, 10, count))

    # An epoch is one step; two images are for validation and test.
    dataset = Dataset("random", images(_BATCH), images(1), images(1), 10, True)
    arch = open_space("nasbench201").parse(_CELL)
    recipe = dataclasses.replace(RECIPES["nasbench201"], batch_size=_BATCH)
    network = build_network(arch, dataset.task)
    by_hand = build_network(arch, dataset.task)
    optimiser = torch.optim.SGD(
        by_hand.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=True
    )
    inputs = torch.from_numpy(dataset.train.inputs)
    labels = torch.from_numpy(dataset.train.labels)
    mean, std = (torch.tensor(m).float().view(1, 3, 1, 1) for m in dataset.moments)

    def step() -> None:
        by_hand.train()
        padded = nn.functional.pad(inputs, (4, 4, 4, 4))
        top, left = rng.integers(9, size=2).tolist()
        crop = padded[:, :, top : top + 32, left : left + 32].flip(3)
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(by_hand((crop.float() - mean) / std), labels)
        loss.backward()
        optimiser.step()

    with one_thread():
        ours, plain = alternate(
            lambda: train(network, dataset, epochs=1, recipe=recipe, device="cpu"),
            step,
            repetitions=_REPETITIONS,
        )
    return {"step_seconds": ours, "ratio": ours / plain, "ratio_limit": 1.1}


def building() -> dict[str, float]:
    """Share of two cores that ``build`` keeps busy, including its start; it should be .9.

    It is meaningful only on an idle machine with two cores or more.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "surrogate_nas", "build", "--dataset", "digits"]
        command += ["--count", "150", "--epochs", "8", "--settings", "channels=8"]
        command += ["--workers", str(_WORKERS), "--out", str(Path(folder, "cells.h5"))]
        before, start = _processor_seconds(), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        busy = _processor_seconds() - before
    return {"seconds": seconds, "share": busy / (_WORKERS * seconds), "share_wished": 0.9}


def _processor_seconds() -> float:
    """Processor time of all ended child processes and their children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
