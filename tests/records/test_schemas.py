"""The schemas of docs/json: that they are of the records, and that commands keep to them."""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from surrogate_nas.cli import parser
from surrogate_nas.records import SearchRecord
from surrogate_nas.records.schema import ANSWERS, file_of, schema_text, write_schemas
from tests.answers import SCHEMAS, answered, validator
from tests.tables import TABLE

SMALL = ("--settings", "channels=2", "--device", "cpu", "--epochs", "1")
REPEATED = ("--benchmark", TABLE, "--task", "easy", "--seeds", "1", "--workers", "1")
TRAINED = (*SMALL, "--dataset", "digits", "--trials", "1", "--store", "run.journal")
SURROGATE = (
    *("--surrogate", "cell-bench", "--task", "digits", "--count", "60"),
    *("--out", "surrogate.h5"),
)
COMMANDS: dict[str, tuple[str, ...]] = {
    "benchmarks": (),
    "import": (
        *("csv", "cells.csv", "--space", "dense-cell", "--arch", "cell", "--name", "mine"),
        *("--task", "digits=value"),
    ),
    "search": (*TRAINED, "--verify", "1"),
    "compare": (*REPEATED, "--searcher", "random,local", "--trials", "4", "--out", "out"),
    "meta-train": (
        *("--suite", "cell-bench:digits,watch", "--holdout", "mnist5k-14"),
        *("--predictor", "transfer-ridge", "--out", "w.safetensors"),
    ),
    "report": ("cell-bench", "--out", "report.html"),
    "retry": ("run.journal",),
    "evaluate": (
        *("--benchmark", "cell-bench", "--task", "digits", "--seeds", "1", "--workers", "1"),
        *("--predictor", "gp", "--train-sizes", "20,624"),
    ),
    "train": ("conv3x3-conv5x5-skip-maxpool3x3", *SMALL),
    "supernet": ("--settings", "channels=1,stem_stride=2", "--device", "cpu", "--epochs", "1"),
    "verify": ("run.journal", "--top", "1", "--seeds", "1", "--workers", "1", *SMALL),
    "build": (*SMALL, "--count", "2", "--workers", "1", "--out", "built.h5"),
    "check-surrogate": (
        *("surrogate.h5", "--truth", "cell-bench", "--seeds", "1", "--trials", "4"),
        *("--searcher", "random,local", "--workers", "1"),
    ),
    "measure": (
        *("--count", "2", "--settings", "channels=2", "--device", "cpu", "--repeats", "2"),
        *("--shape", "1,8,8", "--out", "cpu.h5"),
    ),
}
"""A small run of each command, in an empty folder."""


def test_the_committed_schemas_are_those_of_the_records() -> None:
    files = {path.name: path.read_text(encoding="utf-8") for path in SCHEMAS.iterdir()}
    made = {file_of(command): schema_text(command) for command in ANSWERS}
    assert files == made, "run scripts/json-schema"


def test_every_command_has_a_schema() -> None:
    (commands,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert set(ANSWERS) == set(commands.choices)


def test_the_files_are_written(tmp_path: Path) -> None:
    assert [path.name for path in write_schemas(tmp_path)] == [file_of(c) for c in ANSWERS]
    assert {path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {
        schema_text(command) for command in ANSWERS
    }


def test_every_key_has_a_meaning() -> None:
    for command in ANSWERS:
        schema = validator(command).schema
        for record in (schema, *schema.get("$defs", {}).values()):
            assert record["description"]
            assert all("description" in key for key in record["properties"].values()), record


@pytest.mark.parametrize("command", ANSWERS)
def test_answers_keep_to_their_schema(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    Path("cells.csv").write_text(
        "cell,value\nconv3x3-conv3x3-skip-skip,1\nskip-skip-skip-skip,2\n", encoding="utf-8"
    )
    if command in ("verify", "retry"):
        answered(capsys, "search", *TRAINED)
    if command == "check-surrogate":
        built = answered(capsys, "build", *SURROGATE)
        assert built["surrogate"]["sampling"] == {"random": 60}
    answer = answered(capsys, command, *COMMANDS[command])
    assert ANSWERS[command].from_json(answer).to_json() == answer
    for broken in _broken(answer):
        with pytest.raises(jsonschema.ValidationError):
            validator(command).validate(broken)


def test_a_search_of_a_table_keeps_to_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    table = ("--benchmark", TABLE, "--task", "easy", "--predictor", "none", "--trials", "4")
    answer = answered(capsys, "search", *table)
    assert answer["rank"] >= 1
    assert SearchRecord.from_json(answer).to_json() == answer


def _broken(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Without its first key, with another one, and with another type."""
    first, *_ = answer
    without = copy.copy(answer)
    del without[first]
    return [without, {**answer, "another": 1}, {**answer, first: {"of": "another type"}}]
