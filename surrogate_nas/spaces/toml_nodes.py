"""Reads the nodes of a space's graphs out of the TOML text that declares it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from surrogate_nas.errors import UnknownNameError
from surrogate_nas.spaces.decisions import Condition, Decision
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS
from surrogate_nas.spaces.toml_conditions import Resolver, find, read_when
from surrogate_nas.spaces.toml_decisions import (
    LISTS,
    MOST_DECISIONS,
    Mistake,
    Spec,
    Specs,
    Wanted,
    as_list,
    check_count,
    check_name,
    is_number,
    known_keys,
    read_spec,
    short,
)

NONE = "none"
"""The operation that removes its node or edge."""
ENDS = ("input", "output")
OPERATION_NAMES = (*(name for name in OPERATIONS if name not in ENDS), NONE)
_LARGEST = 1e100  # an attribute

_NODE_KEYS = ("name", "count", "when", "operation", *ATTRIBUTES, "each", "decisions")
_GROUP_KEYS = ("name", "count", "when", "nodes", "decisions")


@dataclass(frozen=True, slots=True)
class Option:
    """An operation that a node can have: its name, its word in the vocabulary, its attributes."""

    name: str
    operation: str
    attributes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the graphs.

    Attributes:
        name: Its name.
        options: Its possible operations, one for each option of its decision, or a single one.
        decision: Position of the decision about its operation, None if that is fixed.
        fixed: Attributes that are numbers.
        chosen: Attributes that are decisions, with the positions of these.
        when: The condition under which it exists.
    """

    name: str
    options: tuple[Option, ...]
    decision: int | None
    fixed: Mapping[str, float] = field(default_factory=dict)
    chosen: Mapping[str, int] = field(default_factory=dict)
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class _Copy:
    """One copy of a node or a group: its key, its name, and what it inherits."""

    key: str
    name: str
    table: Mapping[str, Any]
    number: int | None  # replaces {}
    index: int  # among its copies, from 0
    prefixes: tuple[str, ...]
    conditions: Wanted


class NodeReader:
    """Reads the list ``nodes`` and all decisions in it."""

    def __init__(
        self,
        operations: Mapping[str, Option],
        default_name: Callable[[int], str] | None,
        specs: Specs,
    ) -> None:
        """Prepare.

        Args:
            operations: The operations by name.
            default_name: Gives nodes without a name one by their position from 0; None if each
                node needs a name.
            specs: The decisions are appended here.
        """
        self._operations = operations
        self._default = default_name
        self._specs = specs
        self._copies: list[_Copy] = []
        self._names: set[str] = set(ENDS)

    def read(self, listed: object) -> None:
        """Expand all copies, and collect their decisions."""
        for position, table in enumerate(as_list(listed, "nodes")):
            key = f"nodes[{position}]"
            for copy in self._expanded(table, key, None):
                if "nodes" not in copy.table:
                    self._add(copy)
                    continue
                self._own_decisions(copy)
                for inner, part in enumerate(as_list(copy.table["nodes"], f"{key}.nodes")):
                    for node in self._expanded(part, f"{key}.nodes[{inner}]", copy):
                        self._add(node)
        if not self._copies:
            raise Mistake("nodes: needs at least one")

    def _expanded(self, table: object, key: str, group: _Copy | None) -> Iterator[_Copy]:
        """The copies of an entry: of a node, or of a group of nodes."""
        if not isinstance(table, dict):
            raise Mistake(
                f'{key}: a node is a table like {{ operation = "conv", kernel = [3, 5] }}, got '
                f"{short(table)}"
            )
        inside = group is not None
        is_group = "nodes" in table and not inside
        known_keys(table, _GROUP_KEYS if is_group else _NODE_KEYS, f"{key}.")
        count = table.get("count")
        if count is not None and (
            isinstance(count, bool) or not isinstance(count, int) or count < 1
        ):
            raise Mistake(f"{key}.count: must be a whole number from 1, got {short(count)}")
        if (count or 1) > MOST_DECISIONS:
            raise Mistake(
                f"{key}.count: {short(count)} copies are too many (limit {MOST_DECISIONS})"
            )
        for index in range(count or 1):
            own = None if count is None else index + 1
            number = own if own is not None else group.number if group else None
            name = self._name(table, key, own, named=is_group or inside)
            full = f"{group.name}.{name}" if group else name
            prefixes = (f"{full}.", *(group.prefixes if group else ()))
            conditions = group.conditions if group else ()
            if "when" in table:
                wanted = read_when(table["when"], f"{key}.when", number)
                conditions = (*conditions, (f"{key}.when", wanted, prefixes))
            yield _Copy(key, full, table, number, index, prefixes, conditions)

    def _name(self, table: Mapping[str, Any], key: str, number: int | None, *, named: bool) -> str:
        if "name" not in table:
            if named or self._default is None:
                raise Mistake(f"{key}.name: is missing")
            return self._default(len(self._copies))
        name = check_name(table["name"], f"{key}.name")
        if number is None:
            if "{}" in name:
                raise Mistake(f"{key}.name: {{}} is the number of a copy, and there is no count")
            return name
        return name.replace("{}", str(number)) if "{}" in name else f"{name}{number}"

    def _add(self, copy: _Copy) -> None:
        if len(self._copies) >= MOST_DECISIONS:
            raise Mistake(f"{copy.key}: more than {MOST_DECISIONS} nodes are too many")
        if copy.name in self._names:
            raise Mistake(f"{copy.key}.name: {copy.name!r} is taken; choose another")
        self._names.add(copy.name)
        self._copies.append(copy)
        operation = copy.table.get("operation")
        if operation is None:
            raise Mistake(
                f"{copy.key}.operation: is missing; it is one of the operations, or a list to "
                "choose from, and 'unknown' stands for all that has no name here"
            )
        if isinstance(operation, list | dict):
            self._spec(copy, "operation", operation)
        for name in ATTRIBUTES:
            if isinstance(copy.table.get(name), list | dict):
                spec = self._spec(copy, name, copy.table[name])
                _check_attribute(spec.decision, spec.key)
        self._own_decisions(copy)

    def _own_decisions(self, copy: _Copy) -> None:
        own = copy.table.get("decisions", {})
        if not isinstance(own, dict):
            raise Mistake(
                f"{copy.key}.decisions: must be a table of decisions by name, got {short(own)}"
            )
        for name, value in own.items():
            self._spec(copy, check_name(name, f"{copy.key}.decisions"), value, "decisions.")

    def _spec(self, copy: _Copy, name: str, value: Any, table: str = "") -> Spec:
        """The decision about a part of a node, which is active if the node is."""
        key = f"{copy.key}.{table}{name}"
        spec = read_spec(value, key, f"{copy.name}.{name}")
        if name == "operation" and not table:
            self._check_options(value, spec)
        conditions = copy.conditions
        if isinstance(value, dict) and "when" in value:
            wanted = read_when(value["when"], f"{key}.when", copy.number)
            conditions = (*conditions, (f"{key}.when", wanted, copy.prefixes))
        spec = Spec(key, spec.decision, conditions)
        self._specs.add(spec)
        return spec

    def _check_options(self, value: Any, spec: Spec) -> None:
        kind = next((k for k in LISTS if isinstance(value, dict) and k in value), "options")
        where = f"{spec.key}.{kind}" if isinstance(value, dict) else spec.key
        for position, name in enumerate(spec.decision.options):
            if name not in self._operations:
                raise Mistake(f"{where}[{position}]: {unknown_option(name, self._operations)}")

    # With all decisions known -----------------------------------------------------------------

    def nodes(self, resolver: Resolver) -> tuple[Node, ...]:
        """The nodes, given all decisions of the space."""
        position = {name: i for i, name in enumerate(resolver.known)}
        return tuple(self._node(copy, resolver, position) for copy in self._copies)

    def _node(self, copy: _Copy, resolver: Resolver, position: Mapping[str, int]) -> Node:
        known = resolver.known
        operation = copy.table["operation"]
        decided: Decision | None = None
        if isinstance(operation, list | dict):
            decided = known[f"{copy.name}.operation"]
        elif not isinstance(operation, str):
            raise Mistake(
                f"{copy.key}.operation: must be a name in quotes or a list of them, got "
                f"{short(operation)}"
            )
        elif operation not in self._operations:
            decided = self._shared(copy, "operation", operation, known)
            for name in decided.options:
                if name not in self._operations:
                    reason = unknown_option(name, self._operations)
                    raise Mistake(f"{copy.key}.operation: decision {operation!r}: {reason}")
        names = decided.options if decided else (operation,)
        fixed, chosen = self._attributes(copy, known, position)
        return Node(
            copy.name,
            tuple(self._operations[name] for name in names),
            None if decided is None else position[decided.name],
            fixed,
            chosen,
            resolver.when(copy.conditions),
        )

    def _attributes(
        self, copy: _Copy, known: Mapping[str, Decision], position: Mapping[str, int]
    ) -> tuple[dict[str, float], dict[str, int]]:
        fixed, chosen = self._each(copy), {}
        for name in ATTRIBUTES:
            value = copy.table.get(name)
            if value is None:
                continue
            key = f"{copy.key}.{name}"
            if name in fixed:
                raise Mistake(f"{key}: stands in each, too; give it once")
            if isinstance(value, list | dict):
                chosen[name] = position[f"{copy.name}.{name}"]
            elif isinstance(value, str):
                decision = self._shared(copy, name, value, known)
                _check_attribute(decision, key)
                chosen[name] = position[decision.name]
            else:
                fixed[name] = positive(value, key)
        return fixed, chosen

    def _each(self, copy: _Copy) -> dict[str, float]:
        """The numbers of this copy."""
        each, count = copy.table.get("each", {}), copy.table.get("count")
        key = f"{copy.key}.each"
        if not isinstance(each, dict):
            raise Mistake(
                f"{key}: must be a table with a list of numbers for each attribute, one a copy, "
                f"got {short(each)}"
            )
        known_keys(each, ATTRIBUTES, f"{key}.")
        found = {}
        for name, values in each.items():
            if len(as_list(values, f"{key}.{name}")) != count:
                raise Mistake(
                    f"{key}.{name}: needs a number for each of the copies (count = {count}), got "
                    f"{len(values)}"
                )
            found[name] = positive(values[copy.index], f"{key}.{name}[{copy.index}]")
        return found

    def _shared(self, copy: _Copy, part: str, name: str, known: Mapping[str, Decision]) -> Decision:
        """A decision of the space that decides a part of the node."""
        key = f"{copy.key}.{part}"
        if copy.number is not None:
            name = name.replace("{}", str(copy.number))
        try:
            return find(name, copy.prefixes, known, key)
        except Mistake:
            if part == "operation":
                raise Mistake(f"{key}: {unknown_option(name, self._operations)}") from None
            raise Mistake(
                f"{key}: is a number, a list of numbers to choose from, or the name of a decision, "
                f"got {name!r}; {UnknownNameError('decision', name, known)}"
            ) from None


def unknown_option(name: str, operations: Mapping[str, Option]) -> str:
    """The message about an option that is no operation, with the repair."""
    reason = UnknownNameError("option", name, operations)
    return (
        f"{reason}; describe it as operations.{name}, or, where a decision is about no node, list "
        "it in the table [decisions]"
    )


def positive(value: object, key: str) -> float:
    """An attribute of an operation."""
    if isinstance(value, int | float) and is_number(value) and 0 < value < _LARGEST:
        return value
    raise Mistake(f"{key}: must be a positive number, got {short(value)}")


def _check_attribute(decision: Decision, key: str) -> None:
    """Refuse attributes that are not numbers."""
    check_count(len(decision.options), key)
    try:
        numbers = [float(option) for option in decision.options]
    except ValueError:
        raise Mistake(
            f"{key}: an attribute's options are numbers, got {', '.join(decision.options[:9])}; "
            "other decisions about a node stand in its table 'decisions'"
        ) from None
    if not all(0 <= number < math.inf for number in numbers):
        raise Mistake(f"{key}: an attribute's options are numbers from 0, got {min(numbers):g}")
