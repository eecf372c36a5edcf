"""The page of what the commands print with ``--json``, made from the schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def page(folder: Path) -> str:
    """A table of keys for each command and each object inside its answer."""
    parts = [
        "# JSON of the commands",
        "",
        "Each command prints one object with `--json`. What is not finite or does not exist is "
        "`null`. The schemas are files of the repository, made from the records themselves, and "
        "tested against what the commands print.",
        "",
    ]
    for path in sorted(folder.glob("*.schema.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        command = path.name.partition(".")[0]
        link = f"[{path.name}](../json/{path.name})"
        parts += [f"## {command}", "", f"{schema.get('description', '')} Schema: {link}.", ""]
        parts += _table(schema)
        for name, inner in schema.get("$defs", {}).items():
            if "properties" in inner:
                parts += [f"### {command}: {name}", "", inner.get("description", ""), ""]
                parts += _table(inner)
    return "\n".join(parts) + "\n"


def _table(schema: dict[str, Any]) -> list[str]:
    required = set(schema.get("required", ()))
    lines = ["| key | type | meaning |", "|---|---|---|"]
    for key, value in schema.get("properties", {}).items():
        name = f"`{key}`" if key in required else f"`{key}` (may be absent)"
        text = value.get("description", "").replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {name} | {_type(value)} | {text} |")
    return [*lines, ""]


def _type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return value["$ref"].rpartition("/")[2]
    for key in ("anyOf", "oneOf"):
        if key in value:
            return " or ".join(_type(option) for option in value[key])
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value:
        return " or ".join(f"`{json.dumps(option)}`" for option in value["enum"])
    kinds = value.get("type", "anything")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    names = []
    for kind in kinds:
        if kind == "array" and isinstance(value.get("items"), dict):
            names.append(f"array of {_type(value['items'])}")
        elif kind == "object" and isinstance(value.get("additionalProperties"), dict):
            names.append(f"object of {_type(value['additionalProperties'])}")
        else:
            names.append(kind)
    return " or ".join(names)
