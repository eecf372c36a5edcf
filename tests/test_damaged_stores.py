"""Stores that other programs wrote or changed, or a disk damaged: each is refused in one line."""

from __future__ import annotations

import contextlib
import copy
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from surrogate_nas.errors import StoreError, SurrogateNASError
from surrogate_nas.evaluation import Evaluation, Goal, Proposal, Trial
from surrogate_nas.store import Stored, open_storage, read_study
from surrogate_nas.testing.toys import ToySpace

NAME, SETTINGS = "toy/easy/random/0", {"searcher": "random", "seed": 0}
OTHERS = [None, True, -1, 0.5, 10**400, "x", [], [1], {}, {"x": None}]


class Toy:
    space = ToySpace((4, 3))
    goals = (Goal("accuracy"),)

    def evaluate(self, arch: Any, *, budget: Any = None, seed: Any = None) -> Evaluation:
        raise NotImplementedError


def write(store: str) -> tuple[Trial, ...]:
    stored = Stored(Toy(), open_storage(store), name=NAME, settings=SETTINGS)
    archs = [Toy.space.parse(text) for text in ("10", "21", "32")]
    done = Evaluation((0.5,), 2.0, 2, 7, {"size": 4.0}, {"accuracy": 0.25}, (0.25, 0.5))
    stored.record(Trial(Proposal(0, archs[0], 2, {"predicted": 0.75}), done))
    stored.record(Trial(Proposal(1, archs[1]), error="ValueError: diverged"))
    stored.record(Trial(Proposal(2, archs[2]), Evaluation((0.75,))))
    return read(store)


def read(store: str) -> tuple[Trial, ...]:
    return read_study(open_storage(store), NAME).trials


@pytest.fixture(autouse=True)
def toys_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surrogate_nas.store.studies._space", lambda *_: Toy.space)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "run.journal"
    write(str(path))
    return path


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every JSON value within another one."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield (*path, key)
        if isinstance(value[key], dict | list):
            yield from places(value[key], (*path, key))


def line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def swapped(entry: dict[str, Any], path: tuple[Any, ...], other: Any) -> dict[str, Any]:
    changed = copy.deepcopy(entry)
    inner: Any = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = other
    return changed


def test_any_value_of_another_type_in_a_journal(journal: Path) -> None:
    entries = [json.loads(one) for one in journal.read_bytes().splitlines()]
    for entry in entries:
        assert entry.pop("crc32") > 0
        entry.get("user_attrs", {}).pop("checksum", None)
    plain = [line(entry) for entry in entries]
    told: list[Any] = []
    for number, entry in enumerate(entries):
        for path in places(entry):
            for other in OTHERS:
                changed = line(swapped(entry, path, other))
                journal.write_bytes(b"".join([*plain[:number], changed, *plain[number + 1 :]]))
                try:
                    read(str(journal))
                except SurrogateNASError as error:
                    told.append((entry["op_code"], str(error)))
    assert len(told) > 500
    told = [text for code, text in told if code == 4 and "unknown study" not in text]
    assert not [text for text in told if "trial " not in text]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cost": -1.0}, "cost must be a finite number of at least 0, got -1.0"),
        ({"cost": "2"}, "cost must be a finite number of at least 0, got '2'"),
        ({"cost": float("nan")}, "cost must be a finite number"),
        ({"cost": True}, "cost must be a finite number"),
        ({"budget": 1.5}, "budget must be a whole number"),
        ({"metrics": {"size": "big"}}, "metrics must be an object of finite numbers"),
        ({"hidden": 3}, "hidden must be an object of finite numbers"),
        ({"arch": "21"}, "arch '21' contradicts its parameters, which are 10"),
        ({"arch": "no architecture"}, "contradicts its parameters"),
    ],
)
def test_attributes_that_no_search_writes(
    journal: Path, changes: dict[str, Any], told: str
) -> None:
    entries = [json.loads(one) for one in journal.read_bytes().splitlines()]
    (entry,) = [entry for entry in entries if entry.get("user_attrs", {}).get("arch") == "10"]
    entry["user_attrs"] |= changes
    del entry["user_attrs"]["checksum"]
    for one in entries:
        del one["crc32"]
    journal.write_bytes(b"".join(map(line, entries)))
    with pytest.raises(StoreError, match=told) as caught:
        read(str(journal))
    assert f"trial 0 of study {NAME!r}" in str(caught.value)


def test_no_bit_of_a_journal_changes_silently(journal: Path) -> None:
    content, before = journal.read_bytes(), read(str(journal))
    last = content[:-1].rfind(b"\n")
    for position in range(0, last, 7):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 7
        journal.write_bytes(changed)
        with contextlib.suppress(SurrogateNASError):
            assert read(str(journal)) == before, position


def test_lines_of_other_programs_are_read(journal: Path) -> None:
    before = read(str(journal))
    backend = optuna.storages.journal.JournalFileBackend(str(journal))
    other = optuna.load_study(study_name=NAME, storage=optuna.storages.JournalStorage(backend))
    assert len(other.trials) == 3  # optuna-dashboard reads them, too
    other.set_user_attr("note", "mine")
    assert b"crc32" not in journal.read_bytes().splitlines()[-1]
    assert read(str(journal)) == before


def test_a_changed_number_in_a_database(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    write(f"sqlite:///{path}")
    with sqlite3.connect(path) as database:
        database.execute("update trial_values set value = 0.875 where value = 0.75")
    database.close()
    with pytest.raises(StoreError, match=r"trial 2 .* does not have its checksum"):
        read(f"sqlite:///{path}")


def test_any_value_of_another_type_in_a_database(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    before = write(f"sqlite:///{path}")
    content = path.read_bytes()
    columns = {
        "trials": ("number", "state", "datetime_start", "datetime_complete"),
        "trial_values": ("value", "value_type", "objective"),
        "trial_params": ("param_name", "param_value", "distribution_json"),
        "trial_user_attributes": ("key", "value_json"),
        "trial_intermediate_values": ("step", "intermediate_value"),
        "study_user_attributes": ("key", "value_json"),
        "study_directions": ("direction",),
        "studies": ("study_name",),
    }
    refused = 0
    for table, names in columns.items():
        for name in names:
            for other in ("x", "{", '"x"', "[1]", b"\xff", "1e400", "null"):
                path.write_bytes(content)
                with sqlite3.connect(path) as database:
                    where = f"rowid = (select min(rowid) from {table})"
                    database.execute(f"update {table} set {name} = ? where {where}", (other,))
                database.close()
                storage = optuna.storages.RDBStorage(
                    f"sqlite:///{path}", skip_compatibility_check=True, skip_table_creation=True
                )
                try:
                    read_study(storage, NAME)
                except SurrogateNASError:
                    refused += 1
    assert refused > 100
    path.write_bytes(content)
    assert read(f"sqlite:///{path}") == before
