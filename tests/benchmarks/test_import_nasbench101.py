"""The importer of NAS-Bench-101 against the official reader's rules, in plain Python."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas.benchmarks.catalog import list_benchmarks, open_benchmark
from surrogate_nas.benchmarks.folders import tables_folder
from surrogate_nas.benchmarks.importers.base import Imported, Listener
from surrogate_nas.benchmarks.importers.nasbench101 import import_nasbench101
from surrogate_nas.cli import main
from surrogate_nas.errors import FormatError, InvalidArgumentError, MissingRecordError
from surrogate_nas.spaces.nasbench101 import NASBench101Space
from tests.benchmarks import tfrecords

SPACE = NASBench101Space()
INPUT, OUTPUT = "input", "output"
C1, C3, POOL = "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3"
EPOCHS = (4, 12, 36, 108)
Cell = tuple[list[list[int]], list[str]]
CELLS: list[Cell] = [
    (  # the first record of the published table
        [
            [0, 1, 0, 0, 1, 1, 0],
            [0, 0, 1, 0, 0, 0, 0],
            [0, 0, 0, 1, 0, 0, 1],
            [0, 0, 0, 0, 0, 1, 0],
            [0, 0, 0, 0, 0, 1, 0],
            [0, 0, 0, 0, 0, 0, 1],
            [0, 0, 0, 0, 0, 0, 0],
        ],
        [INPUT, C3, POOL, C3, C3, C1, OUTPUT],
    ),
    ([[0, 1], [0, 0]], [INPUT, OUTPUT]),
    ([[0, 1, 1], [0, 0, 1], [0, 0, 0]], [INPUT, POOL, OUTPUT]),
    ([[0, 1, 1], [0, 0, 1], [0, 0, 0]], [INPUT, C1, OUTPUT]),
    ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [INPUT, C1, OUTPUT]),
    ([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]], [INPUT, C1, POOL, OUTPUT]),
]


class Notes(Listener):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of the user's tables."""
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    return tmp_path


def imported(path: Path, listener: Listener | None = None) -> Imported:
    return import_nasbench101(path, name="nb", listener=listener or Listener())


def trainings(epochs: tuple[int, ...], seeds: int = 3) -> list[bytes]:
    """Records in a random order; accuracies are float32, as in the published file."""
    rng = np.random.default_rng(0)
    records = []
    for number, (matrix, ops) in enumerate(CELLS):
        for budget in epochs:
            for _ in range(seeds):
                values = rng.random((3, 5)).astype(np.float32).astype(float)
                values[:, 0] = (0, budget / 2, budget)
                data = tfrecords.metrics(values.tolist(), 10 ** (number + 1) + 7)
                module_hash = SPACE.hash(SPACE.encode(matrix, ops))
                records.append(tfrecords.record(module_hash, budget, matrix, ops, data))
    return [records[i] for i in rng.permutation(len(records))]


def official(records: list[bytes]) -> dict[str, Any]:
    """What the official API keeps, by hash and epochs; see ``NASBench.__init__`` in its api.py."""
    kept: dict[str, Any] = {}
    for record in records:
        module_hash, epochs, adjacency, ops, encoded = json.loads(record)
        message = base64.b64decode(encoded)
        # The tests' messages hold 5 doubles of 9 bytes in each evaluation, and nothing before them.
        evaluations = []
        for i in range(3):
            part = message[47 * i + 2 : 47 * (i + 1)]
            raw = b"".join(part[9 * k + 1 : 9 * k + 9] for k in range(5))
            evaluations.append(np.frombuffer(raw, dtype="<f8").tolist())
        cell = kept.setdefault(module_hash, {"text": f"{adjacency}:{ops}", "runs": {}})
        cell["runs"].setdefault(epochs, []).append(evaluations[1:])
    return kept


@pytest.mark.parametrize("epochs", [EPOCHS, (108,)], ids=["full", "only108"])
def test_every_number_is_that_of_the_official_reader(home: Path, epochs: tuple[int, ...]) -> None:
    records = trainings(epochs)
    listener = Notes()
    made = imported(tfrecords.write(home / "nasbench.tfrecord", records), listener)
    assert (made.architectures, made.tasks, made.isomorphic) == (len(CELLS), ("cifar10",), 0)
    (note,) = listener.notes
    assert "6 of the 423,624 cells" in note
    assert f"0 of {len(records):,} trainings are missing" in note

    table = open_benchmark("nb")
    task = table.task("cifar10")
    assert table.space.name == "nasbench101"
    assert (task.budgets, task.goal.metric, task.goal.unit) == (epochs, "accuracy", "fraction")
    expected = official(records)
    assert len(expected) == len(task) == len(CELLS)
    parameters = {SPACE.hash(SPACE.encode(*cell)): 10.0**i + 7 for i, cell in enumerate(CELLS, 1)}
    for module_hash, cell in expected.items():
        arch = SPACE.parse(cell["text"])
        assert SPACE.hash(arch) == module_hash
        for budget in epochs:
            runs = cell["runs"][budget]
            for seed, (half, end) in enumerate(runs):
                found = task.evaluate(arch, budget=budget, seed=seed)
                assert found.values == (end[3],)
                assert found.hidden == {"accuracy": end[4]}
                assert found.metrics == {
                    "train_accuracy": end[2],
                    "training_seconds": end[1],
                    "halfway_validation_accuracy": half[3],
                    "halfway_training_seconds": half[1],
                    "parameters": parameters[module_hash],
                }
                assert found.cost == budget
            mean = task.evaluate(arch, budget=budget)
            assert mean.value == pytest.approx(np.mean([end[3] for _, end in runs]))
            with pytest.raises(MissingRecordError):
                task.evaluate(arch, budget=budget, seed=3)


def test_a_published_training(home: Path) -> None:
    matrix, ops = CELLS[0]
    data = base64.b64decode(tfrecords.PUBLISHED)
    record = tfrecords.record("00005c142e6f48ac74fdcf73e3439874", 4, matrix, ops, data)
    imported(tfrecords.write(home / "one.tfrecord", [record]))
    found = open_benchmark("nb").task("cifar10").evaluate(SPACE.encode(matrix, ops), seed=0)
    _, half, end = tfrecords.PUBLISHED_EVALUATIONS
    assert found.values == (end[3],)
    assert found.hidden == {"accuracy": end[4]}
    assert found.metrics["training_seconds"] == end[1]
    assert found.metrics["halfway_training_seconds"] == half[1]
    assert found.metrics["parameters"] == tfrecords.PUBLISHED_PARAMETERS


def test_two_orders_of_the_nodes_are_one_cell(home: Path) -> None:
    matrix, ops = CELLS[5]
    values = [[0.0] * 5, [0.0] * 5, [4, 60.0, 0.5, 0.25, 0.125]]
    records = [
        tfrecords.record("0" * 32, 4, matrix, names, tfrecords.metrics(values, 5))
        for names in (ops, [INPUT, POOL, C1, OUTPUT])
    ]
    assert imported(tfrecords.write(home / "two.tfrecord", records)).architectures == 1
    task = open_benchmark("nb").task("cifar10")
    arch = SPACE.encode(matrix, ops)
    assert [task.evaluate(arch, seed=seed).value for seed in (0, 1)] == [0.25, 0.25]


def test_missing_trainings_are_told_and_empty(home: Path) -> None:
    records = trainings((4, 108))
    first = json.loads(records[0])
    listener = Notes()
    imported(tfrecords.write(home / "part.tfrecord", records[1:]), listener)
    assert f"1 of {len(records)} trainings are missing" in listener.notes[0]
    task = open_benchmark("nb").task("cifar10")
    arch = SPACE.parse(f"{first[2]}:{first[3]}")
    assert task.evaluate(arch, budget=first[1], seed=1)
    with pytest.raises(MissingRecordError, match="seed 2"):
        task.evaluate(arch, budget=first[1], seed=2)


def test_what_the_file_does_not_say_is_missing(home: Path) -> None:
    empty = tfrecords.text(1, b"")
    end = tfrecords.text(1, tfrecords.double(4, 0.5) + tfrecords.text(6, b"/model.ckpt-1"))
    matrix, ops = CELLS[1]
    record = tfrecords.record("0" * 32, 108, matrix, ops, empty + empty + end)
    imported(tfrecords.write(home / "some.tfrecord", [record]))
    found = open_benchmark("nb").task("cifar10").evaluate(SPACE.encode(matrix, ops))
    assert found.value == 0.5
    assert np.isnan([*found.metrics.values(), *found.hidden.values()]).all()


GOOD = trainings((4,), seeds=1)
FIELDS = json.loads(GOOD[0])


def changed(**fields: Any) -> bytes:
    """A good record with other fields, by their place."""
    return json.dumps([fields.get(f"at{i}", field) for i, field in enumerate(FIELDS)]).encode()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b"[1, 2", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"1], [2", "no JSON"),
        (b"[" * 3_000, "no JSON"),
        (b"null", "must be [hash, epochs"),
        (b'{"hash": 1}', "must be [hash, epochs"),
        (b"[1, 2, 3]", "must be [hash, epochs"),
        (changed(at1="4"), "must be [hash, epochs"),
        (changed(at1=0), "must be [hash, epochs"),
        (changed(at1=True), "must be [hash, epochs"),
        (changed(at1=10**30), "must be [hash, epochs"),
        (changed(at2=[0, 1]), "must be [hash, epochs"),
        (changed(at3=None), "digits of an adjacency matrix"),
        (changed(at4=5), "must be [hash, epochs"),
        (changed(at4="Q"), "must be [hash, epochs"),
        (changed(at2="0110"), "digits of an adjacency matrix"),
        (changed(at2="0000", at3="input,output"), "no path"),
        (changed(at2="001001000", at3="input,conv5x5-bn-relu,output"), "conv5x5-bn-relu"),
        (changed(at2="0" * 64, at3=",".join(["input"] * 8)), "2 to 7 nodes"),
        (changed(at4=""), "a training has 3 evaluations, this one 0"),
        (changed(at4=encoded(tfrecords.text(1, b"") * 4)), "3 evaluations, this one 4"),
        (changed(at4=encoded(tfrecords.varint(1 << 3) + b"\x01")), "3 evaluations, this one 1"),
        (changed(at4=encoded(b"\x08\x01" * 3)), "must be a message"),
        (changed(at4=encoded(tfrecords.text(1, b"\x20\x01") * 3)), "field 4 .* must be a double"),
        (
            changed(at4=encoded(tfrecords.text(1, b"") * 3 + tfrecords.text(2, b"x"))),
            "field 2 .* must be an int32",
        ),
        (
            changed(at4=encoded(tfrecords.text(1, b"") * 3 + b"\x10" + tfrecords.varint(2**70))),
            "field 2 .* must be an int32",
        ),
        (changed(at4=encoded(tfrecords.text(1, b"\x21\x00") * 3)), "cut off"),
    ],
)
def test_a_bad_record_is_named_and_nothing_is_written(home: Path, bad: bytes, message: str) -> None:
    path = tfrecords.write(home / "bad.tfrecord", [*GOOD, bad, *GOOD])
    escaped = message.replace("[", r"\[")
    with pytest.raises(FormatError, match=rf"bad\.tfrecord .*record {len(GOOD) + 1}: .*{escaped}"):
        imported(path)
    assert not list(tables_folder().glob("*"))


def test_other_files_are_refused(home: Path) -> None:
    path = home / "other.tfrecord"
    whole = b"".join(map(tfrecords.framed, GOOD))
    for content, message in (
        (b"", "is empty"),
        (whole[:-1], "is cut off in record 6"),
        (b"\x80\x02 a pickle, perhaps", "is damaged or no TFRecord file"),
    ):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=rf"other\.tfrecord {message}"):
            imported(path)
    with pytest.raises(InvalidArgumentError, match=r"absent\.tfrecord"):
        imported(home / "absent.tfrecord")
    with pytest.raises(InvalidArgumentError, match="name must"):
        import_nasbench101(path, name="a/b", listener=Listener())
    assert not list(tables_folder().glob("*"))


def test_the_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listing = {found.name: found for found in list_benchmarks()}["nasbench101"]
    assert not listing.available
    assert "surrogate-nas import nasbench101 SOURCE" in listing.how_to_get
    path = tfrecords.write(home / "nasbench_only108.tfrecord", trainings((108,)))
    assert main(["import", "nasbench101", str(path), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["name"], made["architectures"], made["tasks"]) == ("nasbench101", 6, ["cifar10"])
    listing = {found.name: found for found in list_benchmarks()}["nasbench101"]
    assert listing.available
    assert listing.tasks == ("cifar10",)
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["import", "nasbench101", str(path)]) == 2
    assert "cut off" in capsys.readouterr().err
