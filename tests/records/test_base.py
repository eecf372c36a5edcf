from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest

from surrogate_nas.errors import FormatError
from surrogate_nas.records.base import ABSENT, Absence, JsonRecord, plain
from surrogate_nas.records.schema import attributes, record_schema


class Row(NamedTuple):
    number: int
    value: float | None


@dataclass(frozen=True, slots=True)
class Part:
    """A part
    of the whole.

    Attributes:
        share: In %, of
            something.
    """

    share: float | None


@dataclass(frozen=True, slots=True)
class Whole(JsonRecord):
    """A whole.

    Attributes:
        name: Its ``name``.
        count: How many.
        parts: What it is made of.
        shares: By name.
        extra: Only with an option.

    Raises:
        nothing: At all.
    """

    name: str
    count: int
    parts: tuple[Part, ...]
    shares: Mapping[str, float | None]
    word: Literal["a", "b"] = "a"
    extra: Part | Literal[Absence.ABSENT] | None = ABSENT


WHOLE = Whole("w", 2, (Part(1.5), Part(None)), {"x": 0.1})
JSON = {
    "name": "w", "count": 2, "parts": [{"share": 1.5}, {"share": None}], "shares": {"x": 0.1},
    "word": "a",
}  # fmt: skip


def test_a_record_is_plain_json_and_back() -> None:
    assert WHOLE.to_json() == JSON
    assert list(WHOLE.to_json()) == list(JSON)
    assert Whole.from_json(json.loads(json.dumps(JSON))) == WHOLE


@pytest.mark.parametrize("extra", [None, Part(3.0)])
def test_only_what_is_absent_has_no_key(extra: Part | None) -> None:
    whole = Whole("w", 2, (), {}, extra=extra)
    assert whole.to_json()["extra"] == (None if extra is None else {"share": 3.0})
    assert Whole.from_json(whole.to_json()) == whole


def test_numpy_paths_and_what_is_not_finite() -> None:
    given = {
        1: np.float32(0.5), "nan": np.array([np.nan, 1.0]), "inf": (np.inf, np.int64(3)),
        "path": Path("a") / "b", "flag": np.True_,
    }  # fmt: skip
    assert plain(given) == {
        "1": 0.5, "nan": [None, 1.0], "inf": [None, 3], "path": "a/b", "flag": True,
    }  # fmt: skip
    assert json.dumps(plain(given["nan"], finite=False)) == "[NaN, 1.0]"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": None}, "Whole.count should be int, got None"),
        ({"count": 1.0}, "Whole.count"),
        ({"count": True}, "Whole.count"),
        ({"parts": [{"share": "x"}]}, r"Whole.parts\[0\].share should be float"),
        ({"parts": [{}]}, r"Whole.parts\[0\] has no 'share'"),
        ({"parts": {}}, "Whole.parts"),
        ({"word": "c"}, "Whole.word"),
        ({"shares": {"x": []}}, "Whole.shares.x"),
    ],
)
def test_other_types_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Whole.from_json(JSON | change)


@pytest.mark.parametrize("value", [None, [], 3, {}])
def test_what_is_no_record_is_refused(value: Any) -> None:
    with pytest.raises(FormatError, match="Whole"):
        Whole.from_json(value)


def test_named_tuples_are_lists() -> None:
    @dataclass(frozen=True, slots=True)
    class Rows(JsonRecord):
        rows: tuple[Row, ...]

    Rows.__annotations__["rows"] = tuple[Row, ...]
    rows = Rows((Row(0, 1.0), Row(1, None)))
    assert rows.to_json() == {"rows": [[0, 1.0], [1, None]]}
    assert Rows.from_json(rows.to_json()) == rows
    with pytest.raises(FormatError, match=r"rows\[0\]"):
        Rows.from_json({"rows": [[0]]})


def test_the_schema_of_a_record() -> None:
    assert record_schema(Whole) == {
        "description": "A whole.",
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Its name."},
            "count": {"type": "integer", "description": "How many."},
            "parts": {
                "type": "array",
                "items": {"$ref": "#/$defs/Part"},
                "description": "What it is made of.",
            },
            "shares": {
                "type": "object",
                "additionalProperties": {"type": ["number", "null"]},
                "description": "By name.",
            },
            "word": {"enum": ["a", "b"]},
            "extra": {
                "anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}],
                "description": "Only with an option.",
            },
        },
        "required": ["name", "count", "parts", "shares", "word"],
        "additionalProperties": False,
        "$defs": {
            "Part": {
                "description": "A part of the whole.",
                "type": "object",
                "properties": {
                    "share": {"type": ["number", "null"], "description": "In %, of something."}
                },
                "required": ["share"],
                "additionalProperties": False,
            }
        },
    }


def test_attributes_end_with_their_section() -> None:
    assert attributes(Whole).keys() == {"name", "count", "parts", "shares", "extra"}
