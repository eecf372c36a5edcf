"""Reads the TOML text that declares a user's space; messages name the key of a mistake."""

from __future__ import annotations

import hashlib
import json
import math
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from surrogate_nas.errors import FormatError, InvalidArgumentError, UnknownNameError
from surrogate_nas.spaces.cells import cell_edges, cell_states
from surrogate_nas.spaces.conditions import Conditions
from surrogate_nas.spaces.decisions import Decision
from surrogate_nas.spaces.operations import ATTRIBUTES
from surrogate_nas.spaces.option_texts import quote_beside
from surrogate_nas.spaces.toml_conditions import Resolver, read_when
from surrogate_nas.spaces.toml_decisions import (
    MOST_DECISIONS,
    Mistake,
    Spec,
    Specs,
    as_list,
    check_count,
    check_name,
    known_keys,
    read_spec,
    short,
)
from surrogate_nas.spaces.toml_nodes import (
    ENDS,
    OPERATION_NAMES,
    Node,
    NodeReader,
    Option,
    positive,
    unknown_option,
)

GRAPHS: tuple[str, ...] = ("chain", "cell-on-edges", "cell-on-nodes", "template")
SEPARATOR = ":"
MOST_JOINED = 200  # nodes of a graph in which each pair is joined
LONGEST = 4_000_000  # characters of a definition

_KEYS = ("name", "graph", "options", "decisions", "operations", "edges", "separator", "nodes")
_NAMES = {"chain": "layer{}", "cell-on-nodes": "node{}"}  # by position, from 1


@dataclass(frozen=True, slots=True)
class Definition:
    """The checked content of a TOML text.

    Attributes:
        name: The space's name.
        graph: One of `GRAPHS`.
        decisions: The decisions.
        nodes: The nodes between input and output, in their order.
        edges: For a template, pairs of nodes: 0 the input, 1 to n the nodes, n + 1 the output.
        separator: What joins the names of options in the text of an architecture.
        digest: Hash of the content.
    """

    name: str
    graph: str
    decisions: tuple[Decision, ...]
    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]
    separator: str
    digest: str


def read_definition(text: str, source: str) -> Definition:
    """Read and check a TOML text.

    Args:
        text: The TOML text.
        source: Name of the text in messages, such as a path.

    Raises:
        FormatError: If anything is wrong; the message names the key.
    """
    try:
        if len(text) > LONGEST:
            raise Mistake(f"{len(text)} characters are too many (limit {LONGEST})")
        return _Reader(tomllib.loads(text)).definition()
    except RecursionError:
        raise FormatError(f"{source}: tables and lists are nested too deeply") from None
    except (ValueError, Mistake) as error:  # tomllib's errors, and numbers of too many digits
        raise FormatError(f"{source}: {error}") from None


class _Reader:
    def __init__(self, table: dict[str, Any]) -> None:
        self.table = table
        known_keys(table, _KEYS, "")
        self.listed = "nodes" in table or isinstance(table.get("decisions"), dict)
        bare = self.listed and "nodes" not in table and "graph" not in table
        self.graph = "chain" if bare else self.text("graph")
        if self.graph not in GRAPHS:
            raise Mistake(f"graph: {UnknownNameError('graph', self.graph, GRAPHS)}")
        self.separator = self.text("separator", default=SEPARATOR)
        if not re.fullmatch(r"[^\w\s]+", self.separator):
            raise Mistake(
                "separator: must be punctuation, without letters, digits, '_' or blanks, got "
                f"{self.separator!r}"
            )
        if quote_beside(self.separator) in self.separator:
            raise Mistake(f"separator: has all kinds of quotes, got {self.separator!r}")
        self.operations = self.read_operations()

    def text(self, key: str, default: str | None = None) -> str:
        value = self.table.get(key, default)
        if value is None:
            raise Mistake(f"{key}: is missing")
        if not isinstance(value, str):
            raise Mistake(f"{key}: must be a text in quotes, got {short(value)}")
        return value

    def definition(self) -> Definition:
        name = self.text("name")
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, re.ASCII):
            raise Mistake(
                "name: must be letters, digits, '.', '_' and '-', and start with a letter or a "
                f"digit, got {name!r}"
            )
        decisions, nodes = self.read_nodes() if self.listed else self.read_decisions()
        self.check_number(len(nodes))
        try:
            Conditions(decisions)
        except InvalidArgumentError as error:
            raise Mistake(f"when: {error}") from None
        edges = self.read_edges([node.name for node in nodes])
        said = json.dumps(self.table, sort_keys=True, default=str)
        digest = hashlib.sha256(said.encode()).hexdigest()[:12]
        return Definition(name, self.graph, decisions, nodes, edges, self.separator, digest)

    # Operations and options -------------------------------------------------------------------

    def read_operations(self) -> dict[str, Option]:
        """Options by name: those of the shared vocabulary, and those that the text describes."""
        found = {name: Option(name, name, {}) for name in OPERATION_NAMES}
        listed = self.table.get("operations", {})
        if not isinstance(listed, dict):
            raise Mistake(f"operations: must be a table of named operations, got {short(listed)}")
        for name, described in listed.items():
            key = f"operations.{name}"
            if not isinstance(described, dict):
                raise Mistake(
                    f"{key}: must be a table like {{operation = 'conv', kernel = 3}}, got "
                    f"{short(described)}"
                )
            known_keys(described, ("operation", *ATTRIBUTES), f"{key}.")
            operation = described.get("operation")
            if operation not in OPERATION_NAMES:
                reason = UnknownNameError("operation", f"{operation}", OPERATION_NAMES)
                raise Mistake(
                    f"{key}.operation: {'is missing' if operation is None else reason}; 'unknown' "
                    "stands for all that has no name here"
                )
            values = {
                k: positive(v, f"{key}.{k}") for k, v in described.items() if k != "operation"
            }
            found[name] = Option(name, operation, values)
        return found

    def read_options(self, listed: object, key: str) -> tuple[Option, ...]:
        names = as_list(listed, key)
        check_count(len(names), key)
        for position, name in enumerate(names):
            where = f"{key}[{position}]"
            if not isinstance(name, str):
                raise Mistake(
                    f"{where}: an option is a name in quotes, got {short(name)}; numbers are "
                    "options of an attribute of nodes, or of a decision in the table [decisions]"
                )
            if name not in self.operations:
                raise Mistake(f"{where}: {unknown_option(name, self.operations)}")
            check_name(name, where)
            if name in names[:position]:
                raise Mistake(f"{where}: {name!r} is listed twice")
        return tuple(self.operations[name] for name in names)

    # Decisions, nodes and edges ---------------------------------------------------------------

    def read_nodes(self) -> tuple[tuple[Decision, ...], tuple[Node, ...]]:
        """A table of decisions, and a list of nodes with decisions of their own."""
        listed = self.table.get("decisions", {})
        if not isinstance(listed, dict):
            raise Mistake(
                "decisions: beside nodes, it is a table of decisions by name, like layers = "
                f"[2, 4, 6], got {short(listed)}"
            )
        if "options" in self.table:
            raise Mistake("options: the options of nodes stand in their operation")
        specs = Specs()
        for name, value in listed.items():
            key = f"decisions.{name}"
            spec = read_spec(value, key, check_name(name, key))
            if isinstance(value, dict) and "when" in value:
                wanted = read_when(value["when"], f"{key}.when", None)
                spec = Spec(key, spec.decision, ((f"{key}.when", wanted, ()),))
            specs.add(spec)
        reader = NodeReader(self.operations, self.default_name(), specs)
        if "nodes" in self.table:
            reader.read(self.table["nodes"])
        if not specs:
            raise Mistake("decisions: needs at least one; a list of options makes a decision")
        resolver = Resolver(specs)
        return resolver.decisions(), reader.nodes(resolver)

    def default_name(self) -> Callable[[int], str] | None:
        """The function that names nodes without a name by their position."""
        if self.graph == "cell-on-edges":
            return edge_name
        pattern = _NAMES.get(self.graph)
        return None if pattern is None else lambda position: pattern.format(position + 1)

    def read_decisions(self) -> tuple[tuple[Decision, ...], tuple[Node, ...]]:
        """A decision for each node: their number, or a list of names and tables."""
        shared = None
        if "options" in self.table:
            shared = self.read_options(self.table["options"], "options")
        listed = self.table.get("decisions")
        if isinstance(listed, int) and not isinstance(listed, bool):
            listed = self.names(listed)
        elif listed is None:
            raise Mistake("decisions: is missing; give their number, a list or a table of them")
        items = as_list(listed, "decisions")
        if len(items) > MOST_DECISIONS:
            raise Mistake(f"decisions: {len(items)} are too many (limit {MOST_DECISIONS})")
        found: dict[str, tuple[Option, ...]] = {}
        specs = Specs()
        for position, item in enumerate(items):
            key = f"decisions[{position}]"
            described = {"name": item} if isinstance(item, str) else item
            if not isinstance(described, dict):
                raise Mistake(
                    f"{key}: a decision is a name in quotes, or a table with name and options, got "
                    f"{short(item)}"
                )
            known_keys(described, ("name", "options", "when"), f"{key}.")
            name = check_name(described.get("name"), f"{key}.name")
            if name in found or name in ENDS:
                reason = "is taken twice" if name in found else "is the name of an end of the graph"
                raise Mistake(f"{key}.name: {name!r} {reason}")
            if "options" in described:
                found[name] = self.read_options(described["options"], f"{key}.options")
            elif shared is None:
                raise Mistake(f"{key}.options: is missing, and there are no options for all")
            else:
                found[name] = shared
            decision = Decision(name, tuple(option.name for option in found[name]))
            when = f"{key}.when"
            conditions = (
                ((when, read_when(described["when"], when, None), ()),)
                if "when" in described
                else ()
            )
            specs.add(Spec(key, decision, conditions))
        if not specs:
            raise Mistake("decisions: needs at least one")
        decisions = Resolver(specs).decisions()
        nodes = tuple(
            Node(decision.name, found[decision.name], i, when=decision.when)
            for i, decision in enumerate(decisions)
        )
        return decisions, nodes

    def names(self, count: int) -> list[str]:
        """Default names for a number of decisions."""
        if self.graph == "template":
            raise Mistake("decisions: a template needs a list of names, which edges refer to")
        if not 1 <= count <= MOST_DECISIONS:
            raise Mistake(
                f"decisions: must be at least 1 and at most {MOST_DECISIONS}, got {short(count)}"
            )
        if self.graph == "cell-on-edges":
            self.check_number(count)
            return [edge_name(position) for position in range(count)]
        return [_NAMES[self.graph].format(i + 1) for i in range(count)]

    def check_number(self, count: int) -> None:
        """Refuse numbers of nodes that the graph cannot have."""
        key = "nodes" if self.listed else "decisions"
        if self.graph == "cell-on-edges" and count and len(cell_edges(cell_states(count))) != count:
            fitting = ", ".join(str(len(cell_edges(states))) for states in range(2, 7))
            raise Mistake(
                f"{key}: a cell with operations on all edges has a decision for each pair of "
                f"states ({fitting}, ...), got {count}"
            )
        if self.graph == "cell-on-nodes" and count > MOST_JOINED:
            raise Mistake(
                f"{key}: {count} nodes of which each pair is joined are too many (limit "
                f"{MOST_JOINED}); take a chain or a template"
            )

    def read_edges(self, decisions: list[str]) -> tuple[tuple[int, int], ...]:
        if self.graph != "template":
            if "edges" in self.table:
                raise Mistake(f"edges: only a template has edges, and graph is {self.graph!r}")
            return ()
        nodes = {name: i for i, name in enumerate([ENDS[0], *decisions, ENDS[1]])}
        found: dict[tuple[int, int], None] = {}
        for position, pair in enumerate(as_list(self.table.get("edges"), "edges")):
            key = f"edges[{position}]"
            if not (isinstance(pair, list) and len(pair) == 2):
                raise Mistake(f"{key}: an edge is a pair of names, got {short(pair)}")
            for name in pair:
                if not isinstance(name, str) or name not in nodes:
                    raise Mistake(f"{key}: {UnknownNameError('node', f'{name}', nodes)}")
            edge = (nodes[pair[0]], nodes[pair[1]])
            if edge[0] >= edge[1]:
                raise Mistake(
                    f"{key}: {pair[0]!r} -> {pair[1]!r} goes backwards; an edge goes from input or "
                    "a decision to a later decision or output"
                )
            if edge in found:
                raise Mistake(f"{key}: {pair[0]!r} -> {pair[1]!r} is listed twice")
            found[edge] = None
        sources, targets = {s for s, _ in found}, {t for _, t in found}
        for name, node in nodes.items():
            if (node > 0 and node not in targets) or (
                node < len(nodes) - 1 and node not in sources
            ):
                raise Mistake(f"edges: {name!r} is on no path from input to output")
        return tuple(found)


def edge_name(position: int) -> str:
    """``0->1``, ``0->2``, ``1->2`` and so on, by the position from 0."""
    target = (1 + math.isqrt(1 + 8 * position)) // 2
    return f"{position - target * (target - 1) // 2}->{target}"
