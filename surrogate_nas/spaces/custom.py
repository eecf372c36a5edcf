"""Users' spaces, declared in a small TOML file."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from surrogate_nas import registry
from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import FormatError
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.spaces.decisions import Decision
from surrogate_nas.spaces.definitions import read_definition
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.node_graphs import NodeGraphs
from surrogate_nas.spaces.option_texts import OptionTexts


class CustomSpace(SearchSpace):
    """A space that a TOML text declares: decisions, options, and how they form a graph.

    ::

        name = "my-cells"
        graph = "cell-on-edges"
        decisions = 6                        # or a list of names, or of tables with own options
        options = ["none", "skip", "conv3", "gate"]  # of all decisions that list none

        [operations]                         # what has a name in the shared vocabulary needs none
        conv3 = {operation = "conv", kernel = 3}
        gate = {operation = "unknown"}

    The graph is one of

    - ``chain``: one decision after another; an option `none` leaves the layer out.
    - ``cell-on-edges``: a state for the input and for each sum, an operation on each edge between
      two states, ordered 0->1, 0->2, 1->2, 0->3 and so on; `none` removes the edge.
    - ``cell-on-nodes``: every operation reads the input and all earlier operations, the output
      reads all of them; `none` removes the node.
    - ``template``: the same with the edges given, ``edges = [["input", "a"], ["a", "output"]]``,
      where names are those of decisions.

    All encodings are valid, and each is its own architecture. One is written as the names of its
    options joined by ``separator`` (by default ``:``); where no decision has more than ten options
    `parse` also reads their numbers, a digit each.

    Attributes:
        definition: The TOML text, from which the same space can be made again.
    """

    def __init__(self, definition: str, *, source: str = "definition of a space") -> None:
        """Read a TOML text.

        Args:
            definition: The text.
            source: Name of the text in messages.

        Raises:
            FormatError: If anything is wrong with it; the message names the key.
        """
        read = read_definition(definition, source)
        self.definition: str = definition
        self.name = read.name
        self.decisions = read.decisions
        self._identity = f"{read.name}#{read.digest}"
        self._nodes = read.nodes
        self._graphs = NodeGraphs(read.graph, read.nodes, read.edges, read.decisions)
        self._texts = OptionTexts(read.decisions, read.separator, self._conditions)

    @property
    def identity(self) -> str:
        """The name and a hash of the definition's content, without layout and comments."""
        return self._identity

    @cached_property
    def size(self) -> int:
        """Number of different keys: encodings without those that differ in inactive decisions."""
        if self._counted is None:
            return super().size
        return self._counted

    @property
    def countable(self) -> bool:
        """Whether `size` is known; not if conditions depend on each other in too many ways."""
        return self.enumerable or self._counted is not None

    @cached_property
    def _counted(self) -> int | None:
        return self.encodings if self._conditions is None else self._conditions.count()

    @property
    def unknown(self) -> tuple[str, ...]:
        """Options whose operation the shared vocabulary does not know, each once."""
        found = (self._nodes[i].options[option].name for i, option in self._graphs.unknown)
        return tuple(dict.fromkeys(found))

    def is_valid(self, arch: Architecture) -> bool:
        """Whether this is an architecture of this space."""
        if self.number(arch) < 0:
            return False
        if self._conditions is None:
            return True
        active = self._conditions.active_of(arch.choices)
        return all(counts or x == 0 for x, counts in zip(arch.choices, active, strict=True))

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """The architectures as graphs; a node with several inputs sums them."""
        return self._graphs(choices)

    def parse(self, text: str) -> Architecture:
        """Read the names of the options, or their numbers where each is a digit.

        A decision that is inactive may have any of its options, or be empty or ``-``.

        Raises:
            ArchitectureError: If the text is neither.
        """
        return self._wrap(self._texts.read(text))

    def _read_all(self, texts: Sequence[str]) -> tuple[IntArray, BoolArray]:
        return self._texts.read_all(texts)

    def format(self, arch: Architecture) -> str:
        """Write the names of the options, joined by the separator; ``-`` for what is inactive."""
        return self._texts.write(arch.choices)


def load_space(path: str | os.PathLike[str]) -> CustomSpace:
    """The space that a TOML file declares, see `CustomSpace`.

    Warns if options have the operation `unknown`: no predictor can know them from other spaces.

    Raises:
        FormatError: If the file cannot be read or anything is wrong with it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"cannot read the space {os.fspath(path)!r}: {error}") from error
    space = CustomSpace(text, source=os.fspath(path))
    if space.name in registry.names("space"):
        raise FormatError(
            f"{os.fspath(path)}: name: {space.name!r} is a registered space; choose another"
        )
    if space.unknown:
        warnings.warn(
            f"{os.fspath(path)}: the operation of {', '.join(space.unknown)} is 'unknown', so "
            "predictors that were meta-trained on other spaces cannot tell these options apart",
            stacklevel=2,
        )
    return space


def define_space(name: str, decisions: Iterable[Decision]) -> CustomSpace:
    """Make a space of decisions without a graph of nodes, see `Decision` for their kinds.

    Example:
        >>> rate = Decision.real("learning_rate", 1e-4, 1e-1, log=True, levels=4)
        >>> depth = Decision.integer("depth", 1, 3)
        >>> norm = Decision.categorical("norm", ["batch", "layer"], when={"depth": [2, 3]})
        >>> define_space("tuning", [rate, depth, norm]).parse("0.01:1:-").choices
        (2, 0, 0)

    Raises:
        FormatError: If names are not fit for it, or a condition names no decision or option.
    """
    return CustomSpace(declaration(name, decisions), source=f"space {name!r}")


def declaration(name: str, decisions: Iterable[Decision]) -> str:
    """The TOML text of `define_space`.

    Raises:
        FormatError: If options of a number are no numbers.
    """
    lines = [f"name = {_quoted(name)}", "[decisions]"]
    return "\n".join([*lines, *map(_declared, decisions)])


def _declared(decision: Decision) -> str:
    options = ", ".join(map(_quoted, decision.options))
    told = [f"{decision.kind} = [{options}]"]
    if decision.kind == "number":
        try:
            numbers = [float(option) for option in decision.options]
        except ValueError:
            raise FormatError(
                f"decision {decision.name!r}: the options of a number must be numbers, got "
                f"{', '.join(decision.options[:9])}; declare it by Decision.numbers"
            ) from None
        told = [
            f"options = [{', '.join(decision.options)}]",
            f"log = {str(decision.values != tuple(numbers)).lower()}",
        ]
    if decision.when:
        names: dict[str, set[str]] = {}
        for other, holding in decision.when:
            names[other] = names.get(other, set(holding)) & set(holding)
        clauses = (
            f"{_quoted(other)} = [{', '.join(map(_quoted, sorted(options)))}]"
            for other, options in names.items()
        )
        told.append(f"when = {{{', '.join(clauses)}}}")
    return f"{_quoted(decision.name)} = {{{', '.join(told)}}}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
