"""Files of starting weights."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas.tensor_files import FileKind
from surrogate_nas.training.initial.bank import LearnedWeights, WeightBank, WeightsProvenance
from surrogate_nas.training.initial.hypernetwork import Vocabulary
from surrogate_nas.training.initial.written import NAME, WrittenWeights

KIND = FileKind(
    "surrogate-nas starting weights",
    1,
    "starting weights",
    "surrogate-nas meta-train --learn weights",
)
SHIPPED = Path(__file__).parent / "shipped"
"""Starting weights that come with the program."""


def write_weights(path: str | os.PathLike[str], weights: LearnedWeights) -> None:
    """Write a file.

    Raises:
        SurrogateNASError: If its name does not end in ``.safetensors``, or it cannot be written.
    """
    KIND.write(path, weights.tensors, asdict(weights.provenance))


def read_weights(path: str | os.PathLike[str]) -> LearnedWeights:
    """Read a file.

    Raises:
        InvalidArgumentError: If there is no such file.
        FormatError: If it is no such file, damaged, or of another version.
    """
    tensors, provenance = KIND.read(path, _provenance)
    form = WrittenWeights if provenance.method.get("name") == NAME else WeightBank
    return form({key: np.asarray(v, np.float32) for key, v in tensors.items()}, provenance)


def read_provenance(path: str | os.PathLike[str]) -> WeightsProvenance:
    """Read what a file saw alone; see `read_weights`."""
    return KIND.read(path, _provenance, tensors=False)[1]


def _provenance(content: dict[str, Any]) -> WeightsProvenance:
    read = WeightsProvenance.from_json(content)
    if read.method.get("name") == NAME:
        Vocabulary.from_json(read.method["vocabulary"])
    return read
