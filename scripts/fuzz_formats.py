"""Every format that the program reads, on small files, for ``scripts/fuzz``."""

from __future__ import annotations

import gzip
import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tests know the layout of foreign files

from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark  # noqa: E402
from surrogate_nas.benchmarks.importers.optuna import import_optuna  # noqa: E402
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table  # noqa: E402
from surrogate_nas.errors import FormatError  # noqa: E402
from surrogate_nas.evaluation import Evaluation, FunctionObjective, Goal, Proposal, Trial  # noqa: E402
from surrogate_nas.predictors.meta.weights import Settings, read_weights, write_weights  # noqa: E402
from surrogate_nas.spaces import open_space  # noqa: E402
from surrogate_nas.store import Stored, open_storage, read_study  # noqa: E402
from surrogate_nas.training.checkpoints import read_checkpoint, write_checkpoint  # noqa: E402
from surrogate_nas.training.log import TrainingLog  # noqa: E402
from surrogate_nas.training.proxies.memory import _read as read_proxies  # noqa: E402
from surrogate_nas.training.record import Record  # noqa: E402
from tests.benchmarks import csv_files  # noqa: E402, F401
from tests.contracts import test_importers  # noqa: E402


@dataclass(frozen=True)
class Format:
    """A format with a small file of it.

    Attributes:
        write: Writes the file, or a folder, into a folder, and returns it.
        read: What it says, as values that can be compared.
        ours: Whether the program wrote it, so that no damage may change what it says.
        grows: Whether the first lines of it are a whole file, too.
    """

    write: Callable[[Path], Path]
    read: Callable[[Path], Any]
    ours: bool = True
    grows: bool = False


optuna.logging.set_verbosity(optuna.logging.WARNING)
SPACE = open_space("nats-size")
CHOICES = SPACE.sample_choices(np.random.default_rng(0), 12)


def _table(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    columns = rng.random((12, 2, 3))
    task = TaskSpec("toy", Goal("accuracy"), columns, test=columns / 2, budgets=(1, 2, 9))
    write_table(folder / "t.h5", TableSpec("t", SPACE, CHOICES, [task], source="made up"))
    return folder / "t.h5"


def _read_table(path: Path) -> Any:
    table = HDF5Benchmark(path)
    found = [table.name, table.source, table.licence, table.tasks, table.choices.tolist()]
    for name in table.tasks:
        task = table.task(name)
        found += [task.goal, task.budgets, task.values.tolist(), len(task)]
        found.append(task.evaluate(task.space.architecture(table.choices[0])))
        found += [(k, goal, array.tolist()) for k, (goal, array) in table.columns(name).items()]
    return found


def _weights(folder: Path) -> Path:
    settings = Settings("meta-gnn", (), (1, 2), 3, 4, "0.1", {"a": [1.5]})
    tensors = {"x": np.arange(50.0), "y": np.ones((2, 3), np.float32)}
    write_weights(folder / "w.safetensors", tensors, settings)
    return folder / "w.safetensors"


def _read_weights(path: Path) -> Any:
    arrays, settings = read_weights(path)
    return {name: array.tolist() for name, array in arrays.items()}, settings


def _checkpoint(folder: Path) -> Path:
    content = {"epoch": 3, "weights": {"a": torch.arange(40.0)}, "order": [1, 2, 3], "lr": 0.25}
    write_checkpoint(folder / "c.pt", "mine", content)
    return folder / "c.pt"


def _read_checkpoint(path: Path) -> Any:
    found = read_checkpoint(path, "mine", torch.device("cpu")) or {}
    return found["epoch"], found["lr"], found["order"], found["weights"]["a"].tolist()


def _proxies(folder: Path) -> Path:
    with open(folder / "p.npz", "wb") as file:
        np.savez(file, numbers=np.arange(30), values=np.arange(30) / 7)
    return folder / "p.npz"


def _read_proxies(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return read_proxies(path)
        except UserWarning as error:
            raise FormatError(str(error)) from error


def _log(folder: Path) -> Path:
    with TrainingLog(folder / "t.h5.log") as log:
        log.begin("toy", {"task": {"epochs": 2, "network": None}})
        record = Record((50.0, 75.0), (40.0, 60.0), (1.5, 3.0), 100, 200, 0.5)
        for number in range(4):
            log.add(("task", (0, number), 0), record, {"processor": "x"})
        log.add(("task", (1, 1), 0), "ValueError: no", None)
    return folder / "t.h5.log"


def _read_log(path: Path) -> Any:
    with TrainingLog(path) as log:
        return [list(log.done.items()), log.machines, log.space, dict(log.trainings)]


def _store(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        url = str(path) if path.suffix == ".journal" else f"sqlite:///{path}"
        objective = FunctionObjective(SPACE, lambda arch: 1.0, goal=Goal("accuracy"))
        settings = {"searcher": "random", "seed": 0, "budget": None}
        stored = Stored(objective, open_storage(url), name="a/b/random/0", settings=settings)
        for number, row in enumerate(CHOICES[:6]):
            proposal = Proposal(number, SPACE.architecture(row), 2, {"predicted": 0.5})
            done = Evaluation((0.1 * number,), 2.0, 2, 7, {"size": 4.0}, {"a": 0.25}, (0.2, 0.5))
            failed = Trial(proposal, error="ValueError: no")
            stored.record(Trial(proposal, done) if number % 3 else failed)
        return path

    return write


def _read_store(path: Path) -> Any:
    url = str(path) if path.suffix == ".journal" else f"sqlite:///{path}"
    storage = open_storage(url, new=False)
    try:
        study = read_study(storage, "a/b/random/0")
        settings = {key: value for key, value in study.settings.items() if key != "versions"}
        return [*study.trials, study.goals, settings]
    finally:
        storage.remove_session()


def _of_others(write: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """The same lines as another program writes them, without checksums."""

    def plain(folder: Path) -> Path:
        path = write(folder)
        entries = [json.loads(line) for line in path.read_bytes().splitlines()]
        for entry in entries:
            entry.pop("crc32", None)
            entry.get("user_attrs", {}).pop("checksum", None)
        lines = [json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries]
        path.write_text("".join(lines))
        return path

    return plain


def _import_search(path: Path) -> Any:
    made = import_optuna(open_storage(path), name="mine", task="toy")
    return _read_table(made.path)


_TOML = """name = "tiny"
graph = "chain"
decisions = 3
options = ["skip", "conv3", "conv5"]
[operations]
conv3 = { operation = "conv", kernel = 3 }
conv5 = { operation = "conv", kernel = 5 }
"""


def _toml(folder: Path) -> Path:
    (folder / "s.toml").write_text(_TOML)
    return folder / "s.toml"


def _read_toml(path: Path) -> Any:
    space = open_space(path)
    some = space.sample_choices(np.random.default_rng(0), 3)
    return [space.format(space.architecture(row)) for row in some], space.graphs(some).op.tolist()


def _importer(kind: type[Any]) -> Format:
    contract = kind()
    return Format(contract.write, lambda path: contract.run(path).architectures, ours=False)


def _compressed_csv(folder: Path) -> Path:
    plain = test_importers.TestCsv().write(folder)
    packed = plain.with_name(f"{plain.name}.gz")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    return packed


FORMATS: dict[str, Format] = {
    "table": Format(_table, _read_table),
    "weights": Format(_weights, _read_weights),
    "checkpoint": Format(_checkpoint, _read_checkpoint),
    "proxies": Format(_proxies, _read_proxies),
    "build log": Format(_log, _read_log, grows=True),
    "journal": Format(_store("s.journal"), _read_store, grows=True),
    "sqlite": Format(_store("s.db"), _read_store),
    "log of others": Format(_of_others(_log), _read_log, ours=False),
    "journal of others": Format(_of_others(_store("s.journal")), _read_store, ours=False),
    "search of others": Format(_of_others(_store("s.journal")), _import_search, ours=False),
    "Optuna of others": Format(
        _of_others(test_importers.TestOptuna().write),
        lambda path: test_importers.TestOptuna().run(path).architectures,
        ours=False,
    ),
    "toml": Format(_toml, _read_toml, ours=False),
    "csv.gz": Format(
        _compressed_csv, lambda path: test_importers.TestCsv().run(path).architectures, ours=False
    ),
    **{
        name.removeprefix("Test").strip("[]"): _importer(kind)
        for name, kind in sorted(vars(test_importers).items())
        if name.startswith("Test")
    },
}
"""By name; those that the program did not write are imported."""
