"""The importer of NAS-Bench-Macro, on invented values in the official layout."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.folders import tables_folder
from surrogate_nas.benchmarks.importers.base import Imported, Listener
from surrogate_nas.benchmarks.importers.nasbench_macro import import_nasbench_macro
from surrogate_nas.cli import main
from surrogate_nas.errors import FormatError, InvalidArgumentError, MissingRecordError

TEXTS = ["".join(digits) for digits in product("012", repeat=8)]


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


def network(text: str) -> str:
    """What was trained for an encoding: identities behind the first block of a stage come last."""
    stages = (text[:2], text[2:5], text[5:])
    return "".join(s[0] + s[1:].replace("0", "").ljust(len(s) - 1, "0") for s in stages)


def results(texts: list[str]) -> dict[str, dict[str, Any]]:
    """Records in the authors' layout; encodings of one network share theirs."""
    rng = np.random.default_rng(0)
    trained = {}
    for name in sorted(set(map(network, texts))):
        accuracy = rng.uniform(80, 94, size=3).tolist()
        trained[name] = {
            "test_acc": accuracy,
            "mean_acc": np.mean(accuracy),
            "std": np.std(accuracy),
            "params": int(rng.integers(10**6, 10**7)),
            "flops": int(rng.integers(10**7, 10**8)),
        }
    return {text: trained[network(text)] for text in texts}


def imported(
    home: Path, records: Any, listener: Listener | None = None, name: str = "macro"
) -> Imported:
    path = home / "nas-bench-macro_cifar10.json"
    path.write_text(records if isinstance(records, str) else json.dumps(records))
    return import_nasbench_macro(path, name=name, listener=listener or Listener())


def test_every_number_of_the_whole_file(home: Path) -> None:
    records = results(TEXTS)
    listener = Notes()
    made = imported(home, records, listener)
    assert (made.architectures, made.tasks, made.isomorphic) == (6_561, ("cifar10",), 0)
    (note,) = listener.notes
    assert "test accuracy alone" in note
    table = open_benchmark("macro")
    task = table.task("cifar10")
    assert (task.budgets, task.goal.metric, task.goal.unit) == ((50,), "accuracy", "%")
    assert task.test_values is None
    assert task.space.size == 6_561
    assert table.task("cifar10", isomorphs="merged").space.size == 3_969
    for text in TEXTS[::50]:
        arch, record = task.space.parse(text), records[text]
        mean = task.evaluate(arch)
        assert mean.value == pytest.approx(record["mean_acc"])
        assert mean.metrics == {"parameters": record["params"], "flops": record["flops"]}
        assert (mean.cost, mean.hidden) == (50, {})
        seeds = [task.evaluate(arch, seed=seed).value for seed in range(3)]
        assert seeds == record["test_acc"]


def test_a_part_of_the_table_with_other_numbers_of_seeds(home: Path) -> None:
    records = results(["00000000", "22222222", "12121212"])
    records["22222222"] |= {"test_acc": [90.0], "mean_acc": 90.0}
    listener = Notes()
    imported(home, records, listener)
    assert "3 of the 6,561 architectures" in listener.notes[-1]
    task = open_benchmark("macro").task("cifar10")
    assert task.evaluate(task.space.parse("22222222")).value == 90
    with pytest.raises(MissingRecordError):
        task.evaluate(task.space.parse("22222222"), seed=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_acc": []}, "finite numbers"),
        ({"test_acc": [91.0, float("nan")], "mean_acc": 91}, "finite numbers"),
        ({"test_acc": "91"}, "mean_acc"),
        ({"test_acc": 91.0}, "must have test_acc"),
        ({"test_acc": ["high"]}, "must have test_acc"),
        ({"mean_acc": None}, "must have test_acc"),
        ({"params": "many"}, "must have test_acc"),
        ({"flops": float("inf")}, "finite numbers"),
        ({"mean_acc": 0.93}, "mean_acc, 0.93, must be the mean"),
        ({"mean_acc": float("nan")}, "must be the mean"),
    ],
)
def test_a_bad_record_is_named_and_nothing_is_written(
    home: Path, change: dict[str, Any], message: str
) -> None:
    records = results(["00000000", "12121212"])
    records["12121212"] = records["12121212"] | change
    with pytest.raises(FormatError, match=rf"macro_cifar10\.json .*record '12121212': .*{message}"):
        imported(home, records)
    assert not list(tables_folder().glob("*"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no JSON"),
        ('{"00000000": {"test_acc": [9', "no JSON"),
        ("[" * 5_000, "no JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "must be a JSON object"),
        ('{"0000": {}}', "record '0000': .*8 digits"),
        ('{"00000003": {}}', "record '00000003': .*8 digits"),
        ('{"00000000": []}', "record '00000000': .*test_acc"),
        ('{"00000000": {"test_acc": [1]}}', "record '00000000': .*test_acc"),
    ],
)
def test_other_files_are_refused(home: Path, content: str, message: str) -> None:
    with pytest.raises(FormatError, match=rf"macro_cifar10\.json .*{message}"):
        imported(home, content)
    assert not list(tables_folder().glob("*"))


def test_bad_arguments(home: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"absent\.json"):
        import_nasbench_macro(home / "absent.json", name="macro", listener=Listener())
    with pytest.raises(InvalidArgumentError, match="name must"):
        imported(home, results(["00000000"]), name=".hidden")


def test_the_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(home, results(["00000000", "12121212"]))
    source = str(home / "nas-bench-macro_cifar10.json")
    assert main(["import", "nasbench-macro", source, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["name"] == "nasbench-macro"
    assert "test accuracy alone" in captured.err
    assert open_benchmark("nasbench-macro").architectures == 2
