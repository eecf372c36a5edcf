"""What commands answer, checked against the schema of the command."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from surrogate_nas.cli import main
from surrogate_nas.records.schema import file_of

SCHEMAS = Path(__file__).resolve().parent.parent / "docs" / "json"


@functools.cache
def validator(command: str) -> jsonschema.Draft202012Validator:
    """Of the committed schema."""
    schema = json.loads((SCHEMAS / file_of(command)).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def answered(
    capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0
) -> dict[str, Any]:
    """The JSON object that a command prints; ``--json`` is added."""
    capsys.readouterr()
    words = [str(word) for word in (*arguments, "--json")]
    assert main(words) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    validator(words[0]).validate(found)
    return found
