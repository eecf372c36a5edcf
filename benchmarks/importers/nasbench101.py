"""NAS-Bench-101: the official TFRecord files, read without TensorFlow.

A record is a JSON array: the cell's hash, the epochs of the training, the adjacency matrix row by
row (``"0100…"``), the operations (``"input,conv3x3-bn-relu,…,output"``), and, in base64, a message
``ModelMetrics`` of protocol buffers with three evaluations: before the training, half-way through
it, and after it. See ``api.py`` and ``model_metrics.proto`` in google-research/nasbench.
"""

from __future__ import annotations

import binascii
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.importers.base import Imported, Listener, check_name, install
from surrogate_nas.benchmarks.importers.bounded import MOST_VALUES
from surrogate_nas.benchmarks.importers.tfrecord import Message, read_message, read_records
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec
from surrogate_nas.errors import ArchitectureError, FormatError
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces.nasbench101 import NASBench101Space
from surrogate_nas.spaces.nasbench101_cells import LABELLINGS

_ACCURACY = Goal("accuracy", unit="fraction")
_METRICS = (
    Goal("train_accuracy", unit="fraction"),
    Goal("training_seconds", maximise=False, unit="s"),
    Goal("halfway_validation_accuracy", unit="fraction"),
    Goal("halfway_training_seconds", maximise=False, unit="s"),
)
_PARAMETERS = Goal("parameters", maximise=False)

# Fields of ModelMetrics and EvaluationData.
_EVALUATIONS, _TRAINABLE = 1, 2
_SECONDS, _TRAIN, _VALIDATION, _TEST = 2, 3, 4, 5

_LARGEST = 2**31 - 1

_Trainings = tuple[IntArray, IntArray, FloatArray]


def import_nasbench101(
    source: str | os.PathLike[str], *, name: str, listener: Listener
) -> Imported:
    """Make an installed table of ``nasbench_full.tfrecord`` or ``nasbench_only108.tfrecord``.

    One task, ``cifar10``; accuracies are fractions, as in the file. The budgets are the epochs of
    whole trainings, each with a learning rate that falls to zero: 4, 12, 36 and 108. The trainings
    of a cell at a budget are its seeds, in the order of the file. What was measured half-way
    through a training is a metric, as it is not the result of a shorter training. The test
    accuracy there is omitted, as a search sees all metrics. A cell has one row, its canonical
    encoding, which is found by the matrix and the operations.

    Args:
        source: The file; it is read as a stream.
        name: Name of the table; one of the same name is replaced.
        listener: Hears about the progress.

    Raises:
        InvalidArgumentError: If the name breaks a rule, or the file cannot be read.
        FormatError: If the file is cut off, damaged or of another kind; then nothing is written.
    """
    check_name(name)
    path = Path(source)
    space = NASBench101Space()
    choices, task = _table(space, _trainings(space, path, listener), path, listener)
    spec = TableSpec(name, space, choices, (task,), source=path.name, licence="Apache-2.0")
    return install(spec)


class _Cells:
    """Finds the numbers of cells; matrices and lists of operations are read once each."""

    def __init__(self, space: NASBench101Space) -> None:
        self._space = space
        self._adjacency: dict[str, int] = {}
        self._operations: dict[str, tuple[int, int]] = {}  # with the digits of its matrix

    def number(self, adjacency: str, operations: str) -> int:
        """`SearchSpace.index` of a cell.

        Raises:
            ArchitectureError: If it is no cell of the space.
        """
        edges, ops = self._adjacency.get(adjacency), self._operations.get(operations)
        if edges is None or ops is None or ops[0] != len(adjacency):
            return self._read(adjacency, operations)
        return edges + ops[1]

    def _read(self, adjacency: str, operations: str) -> int:
        number = self._space.number(self._space.parse(f"{adjacency}:{operations}"))
        ops = number % LABELLINGS
        self._adjacency[adjacency] = number - ops
        self._operations[operations] = len(adjacency), ops
        return number


def _trainings(space: NASBench101Space, path: Path, listener: Listener) -> list[_Trainings]:
    """The cells' numbers, the epochs and the values (n, 7) of each block of the file."""
    cells = _Cells(space)
    found = []
    for first, records in read_records(path, listener):
        numbers, epochs, values = [], [], []
        for position, record in enumerate(_decoded(records, path, first), first):
            try:
                cell, budget, row = _training(cells, record)
            except (ArchitectureError, FormatError) as error:
                raise _bad(path, position, str(error)) from None
            numbers.append(cell)
            epochs.append(budget)
            values.append(row)
        if records:
            found.append((np.array(numbers), np.array(epochs), np.array(values)))
    if not found:
        raise FormatError(f"{path} is empty; get it again")
    return found


def _decoded(records: list[bytes], path: Path, first: int) -> Iterable[Any]:
    try:  # all at once is faster
        found: list[Any] = json.loads(b"[" + b",".join(records) + b"]")
    except (ValueError, RecursionError):
        found = []
    return found if len(found) == len(records) else _decoded_singly(records, path, first)


def _decoded_singly(records: list[bytes], path: Path, first: int) -> Iterable[Any]:
    for position, record in enumerate(records, first):
        try:
            yield json.loads(record)
        except (ValueError, RecursionError) as error:
            raise _bad(path, position, f"no JSON ({error})") from None


def _bad(path: Path, position: int, reason: str) -> FormatError:
    return FormatError(f"{path} is no file of NAS-Bench-101: record {position:,}: {reason}")


def _training(cells: _Cells, record: Any) -> tuple[int, int, tuple[float, ...]]:
    """Number of the cell, epochs, and values in the order of the table's columns."""
    try:
        _, epochs, adjacency, operations, encoded = record
        number = cells.number(adjacency, operations)
        message = binascii.a2b_base64(encoded)
        if type(epochs) is not int or not 1 <= epochs <= _LARGEST:
            raise TypeError
    except ArchitectureError:
        raise
    except (TypeError, ValueError, AttributeError):
        raise FormatError(
            "it must be [hash, epochs, adjacency, operations, metrics in base64]"
        ) from None
    metrics = read_message(message)
    evaluations = metrics.get(_EVALUATIONS, [])
    if len(evaluations) != 3:
        raise FormatError(f"a training has 3 evaluations, this one {len(evaluations)}")
    half, end = (_inner(evaluation) for evaluation in evaluations[1:])
    return (
        number,
        epochs,
        (
            _double(end, _VALIDATION),
            _double(end, _TEST),
            _double(end, _TRAIN),
            _double(end, _SECONDS),
            _double(half, _VALIDATION),
            _double(half, _SECONDS),
            _integer(metrics, _TRAINABLE),
        ),
    )


def _inner(value: int | float | bytes) -> Message:
    if not isinstance(value, bytes):
        raise FormatError(f"field {_EVALUATIONS} of the metrics must be a message, got {value}")
    return read_message(value)


def _double(message: Message, field: int) -> float:
    """The last value of a field; NaN where there is none."""
    value = message[field][-1] if field in message else math.nan
    if type(value) is not float:
        raise FormatError(f"field {field} of an evaluation must be a double, got {value!r}")
    return value


def _integer(message: Message, field: int) -> float:
    """The last value of a field, an int32 above zero; NaN where there is none."""
    if field not in message:
        return math.nan
    value = message[field][-1]
    if not isinstance(value, int) or value > _LARGEST:
        raise FormatError(f"field {field} of the metrics must be an int32, got {value!r}")
    return float(value)


def _table(
    space: NASBench101Space, trainings: list[_Trainings], path: Path, listener: Listener
) -> tuple[IntArray, TaskSpec]:
    """Encodings (rows, 26), and the task."""
    numbers = np.concatenate([block[0] for block in trainings])
    epochs = np.concatenate([block[1] for block in trainings])
    cells, cell = np.unique(numbers, return_inverse=True)
    canonical = space.index(space.canonicalise(space.from_index(cells)))
    rows, row_of_cell = np.unique(canonical, return_inverse=True)
    row = row_of_cell[cell]
    budgets, budget = np.unique(epochs, return_inverse=True)
    seed = _occurrence(row * len(budgets) + budget)
    shape = len(rows), int(seed.max()) + 1, len(budgets)
    if math.prod(shape) > MOST_VALUES:
        raise FormatError(
            f"{path} is no file of NAS-Bench-101: {shape[1]:,} trainings of one cell and "
            f"{shape[2]:,} numbers of epochs are too many"
        )

    def cube(column: int) -> FloatArray:
        values = np.full(shape, np.nan)
        values[row, seed, budget] = np.concatenate([block[2][:, column] for block in trainings])
        return values

    validation, test, *metrics = (cube(column) for column in range(2 + len(_METRICS)))
    parameters = np.empty(len(rows))
    parameters[row] = np.concatenate([block[2][:, -1] for block in trainings])

    missing = math.prod(shape) - len(numbers)
    if len(rows) < space.size or missing:
        listener.note(
            f"{path.name} has {len(rows):,} of the {space.size:,} cells of NAS-Bench-101, and of "
            f"these {missing:,} of {math.prod(shape):,} trainings are missing ({shape[1]} seeds at "
            f"{', '.join(map(str, budgets.tolist()))} epochs)"
        )
    task = TaskSpec(
        "cifar10",
        _ACCURACY,
        validation,
        test=test,
        metrics=[*zip(_METRICS, metrics, strict=True), (_PARAMETERS, parameters)],
        budgets=tuple(budgets.tolist()),
    )
    return space.from_index(rows), task


def _occurrence(group: IntArray) -> IntArray:
    """How many earlier elements are equal to each: int64 (n,)."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    begins = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    position = np.arange(len(group))
    occurrence = np.empty(len(group), dtype=np.int64)
    occurrence[order] = position - np.repeat(begins, np.diff(begins, append=len(group)))
    return occurrence
