"""A tiny bank of starting weights, and what it is for."""

import time

import numpy as np
import torch

from surrogate_nas._version import __version__
from surrogate_nas.spaces import open_space
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.datasets.seen import SeenDataset
from surrogate_nas.training.initial.bank import WeightBank, WeightsProvenance
from surrogate_nas.training.initial.learners import add_to_bank
from surrogate_nas.training.initial.sources import SourceData

SPACE = open_space("dense-cell")
SETTINGS = {"channels": 2}


def tiny_bank(dataset: Dataset, *, seed: int = 0, scale: float = 1.0) -> WeightBank:
    """Random weights of every operation at every position, as if they were learnt on a data set."""
    tensors: dict[str, torch.Tensor] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for operation in range(5):
            arch = SPACE.architecture(np.full(4, operation))
            add_to_bank(tensors, *SourceData(dataset, SETTINGS).build(arch))
    return WeightBank(
        {key: scale * tensor.numpy() for key, tensor in tensors.items()},
        WeightsProvenance(
            space=SPACE.identity,
            datasets=(SeenDataset.of(dataset),),
            settings={dataset.name: SETTINGS},
            held_out=(),
            method={},
            trainings=1,
            seconds=0.0,
            seed=seed,
            created=int(time.time()),
            program=__version__,
        ),
    )
