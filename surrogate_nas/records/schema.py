"""The JSON schema of each command's answer, made from type hints and docstrings of records."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from surrogate_nas.records.base import ABSENT, Absence, JsonRecord
from surrogate_nas.records.comparison import ComparisonRecord
from surrogate_nas.records.measurement import MeasurementRecord
from surrogate_nas.records.measuring import MeasuringRecord
from surrogate_nas.records.meta_training import MetaTrainingRecord
from surrogate_nas.records.report import ReportRecord
from surrogate_nas.records.retry import RetryRecord
from surrogate_nas.records.search import SearchRecord
from surrogate_nas.records.surrogates import SurrogateCheckRecord
from surrogate_nas.records.tables import BenchmarksRecord, ImportRecord
from surrogate_nas.records.training import BuildRecord, SupernetRecord, TrainingRecord
from surrogate_nas.records.verification import VerificationRecord

ANSWERS: dict[str, type[JsonRecord]] = {
    "benchmarks": BenchmarksRecord,
    "import": ImportRecord,
    "search": SearchRecord,
    "compare": ComparisonRecord,
    "report": ReportRecord,
    "retry": RetryRecord,
    "meta-train": MetaTrainingRecord,
    "evaluate": MeasurementRecord,
    "train": TrainingRecord,
    "supernet": SupernetRecord,
    "verify": VerificationRecord,
    "build": BuildRecord,
    "check-surrogate": SurrogateCheckRecord,
    "measure": MeasuringRecord,
}
"""The record that ``surrogate-nas COMMAND --json`` prints, by command."""

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SIMPLE = {str: "string", Path: "string", int: "integer", float: "number", bool: "boolean"}
_ATTRIBUTE = re.compile(r"^(\w+): (.*)$")


def file_of(command: str) -> str:
    """Name of the file of a command's schema."""
    return f"{command}.schema.json"


def write_schemas(folder: Path) -> list[Path]:
    """Write the schema of every command into a folder that exists.

    Returns:
        The files.
    """
    paths = []
    for command in ANSWERS:
        path = folder / file_of(command)
        path.write_text(schema_text(command), encoding="utf-8")
        paths.append(path)
    return paths


def schema_text(command: str) -> str:
    """The content of the file of a command's schema."""
    return json.dumps(command_schema(command), indent=2, ensure_ascii=False) + "\n"


def command_schema(command: str) -> dict[str, Any]:
    """The schema of a command's answer."""
    return {
        "$schema": _DRAFT,
        "title": f"surrogate-nas {command} --json",
        **record_schema(ANSWERS[command]),
    }


def record_schema(kind: type) -> dict[str, Any]:
    """The schema of a dataclass; those inside it are definitions."""
    definitions: dict[str, Any] = {}
    schema = _object(kind, definitions)
    return schema | ({"$defs": dict(sorted(definitions.items()))} if definitions else {})


def _object(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints, meanings = typing.get_type_hints(kind), attributes(kind)
    properties, required = {}, []
    for field in dataclasses.fields(kind):
        meaning = meanings.get(field.name)
        properties[field.name] = _value(hints[field.name], definitions) | (
            {} if meaning is None else {"description": meaning}
        )
        if field.default is not ABSENT:
            required.append(field.name)
    return {
        "description": _summary(kind),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _value(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    if hint is type(None):
        return {"type": "null"}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (types.UnionType, typing.Union):
        kinds = [kind for kind in inner if kind != Literal[Absence.ABSENT]]
        return _one_of([_value(kind, definitions) for kind in kinds])
    if origin is tuple and inner[1:] == (Ellipsis,):
        return {"type": "array", "items": _value(inner[0], definitions)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _value(inner[1], definitions)}
    if dataclasses.is_dataclass(hint):
        name = typing.cast("type", hint).__name__
        if name not in definitions:
            definitions[name] = {}  # so that a record may hold its own kind
            definitions[name] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{name}"}
    raise TypeError(f"no JSON type is known for {hint}")


def _one_of(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    if len(schemas) == 1:
        return schemas[0]
    if all(set(schema) == {"type"} for schema in schemas):
        return {"type": [schema["type"] for schema in schemas]}
    return {"anyOf": schemas}


# Docstrings -------------------------------------------------------------------------------------


def _summary(kind: type) -> str:
    return _of_json(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " "))


def attributes(kind: type) -> dict[str, str]:
    """The texts under ``Attributes`` in a docstring in Google style, by name."""
    _, _, section = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")
    found: dict[str, list[str]] = {}
    name = ""
    for line in section.splitlines():
        if line and not line.startswith(" "):  # the next section
            break
        text = line.strip()
        start = _ATTRIBUTE.match(text) if len(line) - len(line.lstrip()) == 4 else None
        if start:
            name = start[1]
            found[name] = [start[2]]
        elif text:
            found[name].append(text)
    return {name: _of_json(" ".join(lines)) for name, lines in found.items()}


def _of_json(text: str) -> str:
    """Replace Python's terms in a text by those of JSON."""
    return re.sub(r"\bNone\b", "null", text.replace("`", ""))
