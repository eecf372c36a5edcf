"""AnalogNAS-Bench: cells of NAS-Bench-201 on digital, quantized, noisy and analog hardware."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.importers.base import Imported, Listener, check_name, install
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec
from surrogate_nas.errors import FormatError, MissingDependencyError
from surrogate_nas.evaluation import Goal
from surrogate_nas.pickles import SafeUnpickler, end_of_pickle, naming, reading
from surrogate_nas.spaces.nasbench201 import NASBench201Space

_PACKAGE, _RELEASE = "analog-nasbench", "0.1.3"

_CONDITIONS = {
    "digital": "baseline_accuracy",
    "ptq": "ptq_accuracy",
    "qat": "qat_accuracy",
    "noisy": "noisy_accuracy",
    "analog": "analog_accuracy",
}
_SECONDS = (60, 3_600, 86_400, 2_592_000)
_DRIFTS = {
    f"{task}_drift_{seconds}": f"{field}_drift_{seconds}"
    for task, field in (("digital", "baseline"), ("analog", "analog"))
    for seconds in _SECONDS
}
TASKS = (*_CONDITIONS, *_DRIFTS)

_ACCURACY = Goal("accuracy", unit="%")
_UNCERTAINTY = Goal("uncertainty", maximise=False, unit="%")
# The edges of a key are 0->1, 0->2, 0->3, 1->2, 1->3, 2->3; the operations are reordered, too.
_EDGES = (0, 1, 3, 2, 4, 5)
_OPERATIONS = np.array([1, 0, 3, 2, 4], dtype=np.int16)


def import_analog(*, name: str, listener: Listener) -> Imported:
    """Make an installed table of the data of the PyPI package ``analog-nasbench``.

    All 15,625 cells of NAS-Bench-201, trained on CIFAR-10; an accuracy in % for each way of
    execution: as trained (``digital``), after quantization (``ptq``), with quantization in the
    training (``qat``), under noise (``noisy``), trained for analog hardware and executed on it
    (``analog``), and both kinds of networks on analog hardware after ``T`` seconds of drift
    (``digital_drift_T``, ``analog_drift_T``; these have an uncertainty as a metric). The package
    states neither epochs nor seeds: the budget and the cost of every evaluation are 1. None of
    its code runs.

    Args:
        name: Name of the table; one of the same name is replaced.
        listener: Hears about the progress.

    Raises:
        InvalidArgumentError: If the name breaks a rule.
        MissingDependencyError: If the package is not installed.
        FormatError: If its data are damaged or not as expected; then nothing is written.
    """
    check_name(name)
    path, release = _installed()
    if release != _RELEASE:
        listener.note(f"{_PACKAGE} {release} is installed, this importer knows {_RELEASE}")
    choices, columns = _records(path)
    tasks = [TaskSpec(task, _ACCURACY, columns[field]) for task, field in _CONDITIONS.items()]
    for task, field in _DRIFTS.items():
        accuracy, uncertainty = columns[field].T
        tasks.append(TaskSpec(task, _ACCURACY, accuracy, metrics=[(_UNCERTAINTY, uncertainty)]))
    return install(
        TableSpec(
            name, NASBench201Space(), choices, tasks, source=f"PyPI package {_PACKAGE} {release}"
        )
    )


def _installed() -> tuple[Path, str]:
    """The data and the version of the package, which is not imported."""
    spec = find_spec("analognasbench")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            f"the format 'analog' reads the data of a package: pip install {_PACKAGE}=={_RELEASE}"
        )
    try:
        release = version(_PACKAGE)
    except PackageNotFoundError:
        release = "unknown"
    return Path(spec.submodule_search_locations[0], "data.anb"), release


def _records(path: Path) -> tuple[IntArray, dict[str, FloatArray]]:
    """Encodings (n, 6), and by field the accuracies (n,) or accuracies with uncertainty (n, 2)."""
    with naming(path):
        content = path.read_bytes()
        end_of_pickle(content)
        data: Any = _Unpickler(reading(content)).load()
    try:
        keys = np.array(list(data))
        if keys.dtype.kind != "i" or keys.shape[1:] != (len(_EDGES),):
            raise ValueError("the key of a record consists of six integers")
        if keys.min() < 0 or keys.max() >= len(_OPERATIONS):
            raise ValueError("the key of a record consists of numbers from 0 to 4")
        records = [record.fields for record in data.values()]
        columns: dict[str, FloatArray] = {
            field: np.array([record[field] for record in records], dtype=np.float64)
            for field in _CONDITIONS.values()
        }
        for field in _DRIFTS.values():
            drifts = [record[field].fields for record in records]
            pairs = [(drift["value"], drift["uncertainty"]) for drift in drifts]
            columns[field] = np.array(pairs, dtype=np.float64)
        if not all(np.isfinite(values).all() for values in columns.values()):
            raise ValueError("a value is missing")
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise FormatError(
            f"{path} does not hold the records of AnalogNAS-Bench ({error!r}); install the "
            f"package again: pip install --force-reinstall {_PACKAGE}=={_RELEASE}"
        ) from error
    choices: IntArray = _OPERATIONS[keys][:, _EDGES]
    return choices, columns


class _Record:
    """An object of the package as its attributes alone."""

    __slots__ = ("fields",)

    def __setstate__(self, state: Any) -> None:
        self.fields = state


class _Unpickler(SafeUnpickler):
    """Knows the two classes of the package, too."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "analognasbench.data" and name in ("Architecture", "DriftMeasurement"):
            return _Record
        return super().find_class(module, name)
