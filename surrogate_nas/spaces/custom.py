"""Spaces of one's own, declared in a small TOML file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from surrogate_nas import registry
from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import ArchitectureError, FormatError
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.cells import line_graphs
from surrogate_nas.spaces.chains import chain_graphs
from surrogate_nas.spaces.definitions import NONE, read_definition
from surrogate_nas.spaces.graphs import INPUT, OUTPUT, ArchGraphs, from_template
from surrogate_nas.spaces.notation import option_pieces, read_pieces
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS, attributes


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
            source: What it is called in messages.

        Raises:
            FormatError: If anything is wrong with it; the message names the key.
        """
        read = read_definition(definition, source)
        self.definition: str = definition
        self.name = read.name
        self.decisions = tuple(
            Decision(name, tuple(option.name for option in options))
            for name, options in read.decisions
        )
        self._identity = f"{read.name}#{read.digest}"
        self._graph = read.graph
        self._separator = read.separator
        shape = (len(self.decisions), max(len(options) for _, options in read.decisions))
        self._op = np.zeros(shape, dtype=np.int16)
        self._attributes = np.zeros((*shape, len(ATTRIBUTES)), dtype=np.float32)
        self._present = np.zeros(shape, dtype=np.bool_)
        for i, (_, options) in enumerate(read.decisions):
            for j, option in enumerate(options):
                if option.operation != NONE:
                    self._op[i, j] = OPERATION_IDS[option.operation]
                    self._attributes[i, j] = attributes(**option.attributes)
                    self._present[i, j] = True
        edges = read.edges or [(s, t) for t in range(shape[0] + 2) for s in range(t)]
        self._edges = np.array(edges).T

    @property
    def identity(self) -> str:
        """The name and a hash of what the definition says; its layout and comments do not count."""
        return self._identity

    @cached_property
    def size(self) -> int:
        """Number of different keys: all encodings."""
        return self.encodings

    @property
    def unknown(self) -> tuple[str, ...]:
        """Options whose operation the shared vocabulary does not know, each once."""
        rows, columns = np.nonzero(self._present & (self._op == OPERATION_IDS["unknown"]))
        places = zip(rows.tolist(), columns.tolist(), strict=True)
        return tuple(dict.fromkeys(self.decisions[i].options[j] for i, j in places))

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """The architectures as graphs; a node with several inputs sums them."""
        place = np.arange(len(self.decisions)), np.asarray(choices)
        op, described, present = self._op[place], self._attributes[place], self._present[place]
        if self._graph == "chain":
            return chain_graphs(op, described, present=present)
        if self._graph == "cell-on-edges":
            return line_graphs(op, described, present)
        return from_template(
            np.pad(op, ((0, 0), (1, 1)), constant_values=((0, 0), (INPUT, OUTPUT))),
            np.pad(described, ((0, 0), (1, 1), (0, 0))),
            self._edges,
            node_mask=np.pad(present, ((0, 0), (1, 1)), constant_values=True),
        )

    def parse(self, text: str) -> Architecture:
        """Read the names of the options, or their numbers where each is a digit.

        Raises:
            ArchitectureError: If the text is neither.
        """
        names = text.split(self._separator)
        count = len(self.decisions)
        if len(names) == 1 < count == len(text) and text.isascii() and text.isdecimal():
            choices = [int(digit) for digit in text]
            if max(self.sizes) > 10 or any(
                c >= n for c, n in zip(choices, self.sizes, strict=True)
            ):
                raise ArchitectureError(
                    f"architecture {text!r}: digits are numbers of options from 0, and decisions "
                    f"have at most ten; sizes of the decisions: {self.sizes}"
                )
            return self._wrap(choices)
        if len(names) != count:
            raise ArchitectureError(
                f"architecture {text!r} is not the {count} names of options joined by "
                f"{self._separator!r}, like {self.format(self._wrap([0] * count))}"
            )
        return self._wrap([self._option(i, name, text) for i, name in enumerate(names)])

    def _read_all(self, texts: Sequence[str]) -> tuple[IntArray, BoolArray]:
        return read_pieces(texts, self._separator, option_pieces(self.decisions))

    def format(self, arch: Architecture) -> str:
        """Write the names of the options, joined by the separator."""
        chosen = zip(self.decisions, arch.choices, strict=True)
        return self._separator.join(decision.options[choice] for decision, choice in chosen)


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
