"""The answers of ``surrogate-nas train``, ``build`` and ``supernet``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from surrogate_nas.records.base import ABSENT, Absence, JsonRecord
from surrogate_nas.records.surrogates import SurrogateSummary
from surrogate_nas.training.record import Epoch


@dataclass(frozen=True, slots=True)
class TrainingRecord(JsonRecord):
    """A training of one architecture.

    Attributes:
        arch: In the notation of its space.
        dataset: What it was trained on.
        epochs: Length of the training.
        seed: Of weights and order.
        validation_accuracy: After the last epoch, in %; null if there was none.
        test_accuracy: Likewise.
        seconds: Duration.
        parameters: Number of trainable parameters.
        flops: Multiply-adds of one example.
        curve: A point an epoch.
        initial: What the network started from, where that was not random weights.
        optimizer: The learned optimizer, where one was used.
        fell_back: Whether the training diverged with it, and was made with the recipe's own.
    """

    arch: str
    dataset: str
    epochs: int
    seed: int
    validation_accuracy: float | None
    test_accuracy: float | None
    seconds: float
    parameters: int
    flops: int
    curve: tuple[Epoch, ...]
    initial: str | Literal[Absence.ABSENT] = ABSENT
    optimizer: str | Literal[Absence.ABSENT] = ABSENT
    fell_back: bool | Literal[Absence.ABSENT] = ABSENT


@dataclass(frozen=True, slots=True)
class ExportRecord(JsonRecord):
    """The best network of a search, trained and written to a file.

    Attributes:
        path: The file.
        card: The model card beside it; null where writing failed.
        arch: In the notation of its space.
        epochs: Length of the training.
        seed: Of weights and order.
        validation_accuracy: After the last epoch, in %; null where the training failed.
        test_accuracy: Likewise.
        error: Why the training or writing failed, or null.
    """

    path: Path
    card: Path | None
    arch: str
    epochs: int
    seed: int
    validation_accuracy: float | None
    test_accuracy: float | None
    error: str | None


@dataclass(frozen=True, slots=True)
class FailedTraining(JsonRecord):
    """A training that failed.

    Attributes:
        task: Of the table.
        arch: In the notation of the space.
        seed: Of the training.
        error: The reason.
    """

    task: str
    arch: str
    seed: int
    error: str


@dataclass(frozen=True, slots=True)
class BuildRecord(JsonRecord):
    """A table that was built.

    Attributes:
        path: The file.
        log: The log of its trainings, which more seeds, architectures or tasks go on from; null
            for a surrogate of measurements.
        space: The space, as it was named.
        tasks: Names of the tasks, which are data sets.
        architectures: Number of rows.
        seeds: Trainings of each architecture on each task.
        epochs: Length of each training.
        trainings: Number of trainings in the table, failed ones included.
        trained: How many of them this call made.
        failed: Those that failed.
        seconds: Duration of this call.
        surrogate: Of a surrogate, what it was fitted to.
    """

    path: Path
    log: Path | None
    space: str
    tasks: tuple[str, ...]
    architectures: int
    seeds: int
    epochs: int
    trainings: int
    trained: int
    failed: tuple[FailedTraining, ...]
    seconds: float
    surrogate: SurrogateSummary | Literal[Absence.ABSENT] = ABSENT


@dataclass(frozen=True, slots=True)
class SupernetPoint(JsonRecord):
    """One point of a supernet's search.

    Attributes:
        epoch: From 1 on.
        loss: Mean cross-entropy of the training batches, for the weights.
        validation_loss: Mean cross-entropy of the validation batches, for the architecture.
        arch: The most probable architecture.
        seconds: Since the search began.
    """

    epoch: int
    loss: float
    validation_loss: float
    arch: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SupernetRecord(JsonRecord):
    """A search in one network that shares its weights.

    Attributes:
        space: Name of the space.
        dataset: What it was trained on.
        method: darts, darts2 or gdas.
        epochs: Length of the training.
        seed: Of weights, logits, order and noise.
        arch: The most probable architecture.
        probabilities: Of each option of each decision.
        seconds: Duration.
        curve: A point an epoch.
    """

    space: str
    dataset: str
    method: str
    epochs: int
    seed: int
    arch: str
    probabilities: Mapping[str, Mapping[str, float]]
    seconds: float
    curve: tuple[SupernetPoint, ...]
