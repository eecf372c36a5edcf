"""The base of all records: conversion of dataclasses to plain JSON, and back."""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from surrogate_nas.errors import FormatError


class Absence(enum.Enum):
    """The type of `ABSENT`: the key is missing, which is not the same as ``null``."""

    ABSENT = "absent"


ABSENT: Literal[Absence.ABSENT] = Absence.ABSENT
"""The value of a field without a key in the JSON; the default of optional keys."""


class JsonRecord:
    """Base of the frozen dataclasses that the answers of commands consist of.

    The JSON of a record has a key for each field, in their order, but for those that are
    `ABSENT`. The meaning and unit of each stand in its docstring's ``Attributes``, which
    `surrogate_nas.records.schema` reads.
    """

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON types; numbers that are not finite become None."""
        converted: dict[str, Any] = plain(self)
        return converted

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Make a record from the result of `to_json`; unknown keys are ignored.

        Raises:
            FormatError: If a key is missing, or something has another type.
        """
        record: Self = _read(cls, value, cls.__name__)
        return record


def plain(value: Any, *, finite: bool = True) -> Any:
    """Convert a value to plain JSON types.

    Args:
        value: Dataclasses, mappings, sequences, arrays and scalars of numpy, paths, text, numbers.
        finite: Whether numbers that are not finite become None, as JSON knows none.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: plain(item, finite=finite) for name, item in items if item is not ABSENT}
    if isinstance(value, Mapping):
        return {str(key): plain(item, finite=finite) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, finite=finite) for item in value]
    if hasattr(value, "tolist"):  # an array or a scalar of numpy
        return plain(value.tolist(), finite=finite)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if finite and isinstance(value, float) and not math.isfinite(value):
        return None
    return value


# Reading ------------------------------------------------------------------------------------------


def _read(hint: Any, value: Any, where: str) -> Any:
    """Convert JSON to a value of a field's type."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _read_one_of(inner, value, where)
    if origin is tuple and isinstance(value, list) and inner[1:] == (Ellipsis,):
        return tuple(_read(inner[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        return {key: _read(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _read_fields(hint, value, where)
    if hasattr(hint, "_fields") and isinstance(value, list):  # a named tuple
        kinds = _hints(hint)
        if len(value) == len(kinds):
            pairs = zip(kinds.items(), value, strict=True)
            return hint(*(_read(kind, item, f"{where}.{name}") for (name, kind), item in pairs))
    if (origin is Literal and value in inner) or (hint is type(None) and value is None):
        return value
    if hint is float and type(value) in (int, float):
        return value
    if hint in (str, int, bool) and type(value) is hint:
        return value
    if hint is Path and type(value) is str:
        return Path(value)
    raise FormatError(f"{where} should be {_name(hint)}, got {value!r:.80}")


def _read_one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    first: FormatError | None = None
    for kind in kinds:
        if kind in (type(None), Literal[Absence.ABSENT]):
            continue
        try:
            return _read(kind, value, where)
        except FormatError as error:
            first = first or error
    raise first or FormatError(f"{where} should be null, got {value!r:.80}")


def _read_fields(kind: Any, value: dict[str, Any], where: str) -> Any:
    hints = _hints(kind)
    found = {}
    for field in dataclasses.fields(kind):
        if field.name in value:
            found[field.name] = _read(hints[field.name], value[field.name], f"{where}.{field.name}")
        elif field.default is dataclasses.MISSING:
            raise FormatError(f"{where} has no {field.name!r}")
    return kind(**found)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _name(hint: Any) -> str:
    return getattr(hint, "__name__", str(hint))
