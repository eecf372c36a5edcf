"""The answer of ``surrogate-nas meta-train``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from surrogate_nas.records.base import JsonRecord


@dataclass(frozen=True, slots=True)
class MetaTrainingRecord(JsonRecord):
    """A meta-training of a predictor.

    Attributes:
        tasks: What it learnt from, as benchmark/task.
        labels: Number of their values.
        seconds: Duration.
        held_out: For each held-out task Kendall's τ on the architectures outside a support, by
            the number of labels in the support.
    """

    tasks: tuple[str, ...]
    labels: int
    seconds: float
    held_out: Mapping[str, Mapping[str, float]]
