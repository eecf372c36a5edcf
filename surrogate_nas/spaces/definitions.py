"""Reads the TOML text that declares a space of one's own; every mistake is named by its key."""

from __future__ import annotations

import hashlib
import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surrogate_nas.errors import FormatError, UnknownNameError
from surrogate_nas.spaces.cells import cell_edges, cell_states
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS

GRAPHS: tuple[str, ...] = ("chain", "cell-on-edges", "cell-on-nodes", "template")
NONE = "none"
"""The operation that removes its node or edge."""
SEPARATOR = ":"

_KEYS = ("name", "graph", "options", "decisions", "operations", "edges", "separator")
_NAMES = {"chain": "layer{}", "cell-on-nodes": "node{}"}  # by position, from 1
_ENDS = ("input", "output")
_OPERATION_NAMES = (*(name for name in OPERATIONS if name not in _ENDS), NONE)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a decision: its name, its operation and the operation's attributes."""

    name: str
    operation: str
    attributes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Definition:
    """What a TOML text declares, checked.

    Attributes:
        name: The space's name.
        graph: One of `GRAPHS`.
        decisions: Name and options of each decision.
        edges: For a template, pairs of nodes: 0 the input, 1 to d the decisions, d + 1 the output.
        separator: What joins the names of options in the text of an architecture.
        digest: Hash of all that the text says.
    """

    name: str
    graph: str
    decisions: tuple[tuple[str, tuple[Option, ...]], ...]
    edges: tuple[tuple[int, int], ...]
    separator: str
    digest: str


def read_definition(text: str, source: str) -> Definition:
    """Read and check a TOML text.

    Args:
        text: The TOML text.
        source: What it is called in messages, a path for example.

    Raises:
        FormatError: If anything is wrong; the message names the key.
    """
    try:
        return _Reader(tomllib.loads(text)).definition()
    except (tomllib.TOMLDecodeError, _Mistake) as error:
        raise FormatError(f"{source}: {error}") from None


class _Mistake(Exception):  # noqa: N818  # never leaves this file
    pass


class _Reader:
    def __init__(self, table: dict[str, Any]) -> None:
        self.table = table
        _known_keys(table, _KEYS, "")
        self.graph = self.text("graph")
        if self.graph not in GRAPHS:
            raise _Mistake(f"graph: {UnknownNameError('graph', self.graph, GRAPHS)}")
        self.separator = self.text("separator", default=SEPARATOR)
        if not re.fullmatch(r"[^\w\s]+", self.separator):
            raise _Mistake(
                "separator: must be punctuation, without letters, digits, '_' or blanks, got "
                f"{self.separator!r}"
            )
        self.operations = self.read_operations()

    def text(self, key: str, default: str | None = None) -> str:
        value = self.table.get(key, default)
        if value is None:
            raise _Mistake(f"{key}: is missing")
        if not isinstance(value, str):
            raise _Mistake(f"{key}: must be a text in quotes, got {value!r}")
        return value

    def definition(self) -> Definition:
        name = self.text("name")
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, re.ASCII):
            raise _Mistake(
                "name: must be letters, digits, '.', '_' and '-', and start with a letter or a "
                f"digit, got {name!r}"
            )
        decisions = self.read_decisions()
        edges = self.read_edges([decision for decision, _ in decisions])
        said = json.dumps(self.table, sort_keys=True)
        digest = hashlib.sha256(said.encode()).hexdigest()[:12]
        return Definition(name, self.graph, decisions, edges, self.separator, digest)

    # Operations and options -------------------------------------------------------------------

    def read_operations(self) -> dict[str, Option]:
        """Options by name: those of the shared vocabulary, and those that the text describes."""
        found = {name: Option(name, name, {}) for name in _OPERATION_NAMES}
        listed = self.table.get("operations", {})
        if not isinstance(listed, dict):
            raise _Mistake(f"operations: must be a table of named operations, got {listed!r}")
        for name, described in listed.items():
            key = f"operations.{name}"
            if not isinstance(described, dict):
                raise _Mistake(
                    f"{key}: must be a table like {{operation = 'conv', kernel = 3}}, got "
                    f"{described!r}"
                )
            _known_keys(described, ("operation", *ATTRIBUTES), f"{key}.")
            operation = described.get("operation")
            if operation not in _OPERATION_NAMES:
                reason = UnknownNameError("operation", f"{operation}", _OPERATION_NAMES)
                raise _Mistake(
                    f"{key}.operation: {'is missing' if operation is None else reason}; 'unknown' "
                    "stands for all that has no name here"
                )
            values = {k: v for k, v in described.items() if k != "operation"}
            for attribute, value in values.items():
                number = isinstance(value, int | float) and not isinstance(value, bool)
                if not (number and 0 < value < math.inf):
                    raise _Mistake(f"{key}.{attribute}: must be a positive number, got {value!r}")
            found[name] = Option(name, operation, values)
        return found

    def read_options(self, listed: object, key: str) -> tuple[Option, ...]:
        names = _list(listed, key)
        if not names:
            raise _Mistake(f"{key}: needs at least one option")
        for position, name in enumerate(names):
            place = f"{key}[{position}]"
            if not isinstance(name, str):
                raise _Mistake(f"{place}: an option is a name in quotes, got {name!r}")
            if name not in self.operations:
                reason = UnknownNameError("option", name, self.operations)
                raise _Mistake(f"{place}: {reason}; describe it as operations.{name}")
            if self.separator in name or not name or name != "".join(name.split()):
                raise _Mistake(
                    f"{place}: an option's name is not empty and holds neither blanks nor the "
                    f"separator {self.separator!r}, got {name!r}; rename it or set a separator"
                )
            if name in names[:position]:
                raise _Mistake(f"{place}: {name!r} is listed twice")
        return tuple(self.operations[name] for name in names)

    # Decisions and edges ----------------------------------------------------------------------

    def read_decisions(self) -> tuple[tuple[str, tuple[Option, ...]], ...]:
        shared = None
        if "options" in self.table:
            shared = self.read_options(self.table["options"], "options")
        listed = self.table.get("decisions")
        if isinstance(listed, int) and not isinstance(listed, bool):
            listed = self.names(listed)
        elif listed is None:
            raise _Mistake("decisions: is missing; give their number or a list of them")
        found: dict[str, tuple[Option, ...]] = {}
        for position, item in enumerate(_list(listed, "decisions")):
            key = f"decisions[{position}]"
            described = {"name": item} if isinstance(item, str) else item
            if not isinstance(described, dict):
                raise _Mistake(
                    f"{key}: a decision is a name in quotes, or a table with name and options, got "
                    f"{item!r}"
                )
            _known_keys(described, ("name", "options"), f"{key}.")
            name = described.get("name")
            if not isinstance(name, str) or not name.strip():
                raise _Mistake(f"{key}.name: must be a name in quotes, got {name!r}")
            if name in found or name in _ENDS:
                reason = "is taken twice" if name in found else "is the name of an end of the graph"
                raise _Mistake(f"{key}.name: {name!r} {reason}")
            if "options" in described:
                found[name] = self.read_options(described["options"], f"{key}.options")
            elif shared is None:
                raise _Mistake(f"{key}.options: is missing, and there are no options for all")
            else:
                found[name] = shared
        self.check_number(len(found))
        return tuple(found.items())

    def names(self, count: int) -> list[str]:
        """Names for a number of decisions without any."""
        if self.graph == "template":
            raise _Mistake("decisions: a template needs a list of names, which edges refer to")
        if count < 1:
            raise _Mistake(f"decisions: must be at least 1, got {count}")
        if self.graph == "cell-on-edges":
            self.check_number(count)
            return [f"{source}->{target}" for source, target in cell_edges(cell_states(count))]
        return [_NAMES[self.graph].format(i + 1) for i in range(count)]

    def check_number(self, count: int) -> None:
        if count < 1:
            raise _Mistake("decisions: needs at least one")
        if self.graph == "cell-on-edges" and len(cell_edges(cell_states(count))) != count:
            fitting = ", ".join(str(len(cell_edges(states))) for states in range(2, 7))
            raise _Mistake(
                "decisions: a cell with operations on all edges has a decision for each pair of "
                f"states ({fitting}, ...), got {count}"
            )

    def read_edges(self, decisions: list[str]) -> tuple[tuple[int, int], ...]:
        if self.graph != "template":
            if "edges" in self.table:
                raise _Mistake(f"edges: only a template has edges, and graph is {self.graph!r}")
            return ()
        nodes = [_ENDS[0], *decisions, _ENDS[1]]
        found: list[tuple[int, int]] = []
        for position, pair in enumerate(_list(self.table.get("edges"), "edges")):
            key = f"edges[{position}]"
            if not (isinstance(pair, list) and len(pair) == 2):
                raise _Mistake(f"{key}: an edge is a pair of names, got {pair!r}")
            for name in pair:
                if name not in nodes:
                    raise _Mistake(f"{key}: {UnknownNameError('node', f'{name}', nodes)}")
            edge = (nodes.index(pair[0]), nodes.index(pair[1]))
            if edge[0] >= edge[1]:
                raise _Mistake(
                    f"{key}: {pair[0]!r} -> {pair[1]!r} goes backwards; an edge goes from input or "
                    "a decision to a later decision or output"
                )
            if edge in found:
                raise _Mistake(f"{key}: {pair[0]!r} -> {pair[1]!r} is listed twice")
            found.append(edge)
        for node, name in enumerate(nodes):
            sources, targets = {s for s, _ in found}, {t for _, t in found}
            if (node > 0 and node not in targets) or (
                node < len(nodes) - 1 and node not in sources
            ):
                raise _Mistake(f"edges: {name!r} is on no path from input to output")
        return tuple(found)


def _list(value: object, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise _Mistake(
            f"{key}: {'is missing' if value is None else f'must be a list, got {value!r}'}"
        )
    return value


def _known_keys(table: Mapping[str, object], keys: tuple[str, ...], prefix: str) -> None:
    for key in table:
        if key not in keys:
            raise _Mistake(f"{prefix}{key}: {UnknownNameError('key', key, keys)}")
