"""The space of NAS-Bench-Graph: small graph neural networks (Qin et al., NeurIPS 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import permutations

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Architecture, Decision, Isomorphs, SearchSpace, frozen
from surrogate_nas.spaces.graphs import ArchGraphs, from_template
from surrogate_nas.spaces.notation import option_pieces, read_pieces
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS

LINKS: tuple[str, ...] = (
    "0000",
    "0001",
    "0011",
    "0012",
    "0013",
    "0111",
    "0112",
    "0122",
    "0123",
)
OPERATIONS: tuple[str, ...] = (
    "gat",
    "gcn",
    "gin",
    "cheb",
    "sage",
    "arma",
    "graph",
    "fc",
    "skip",
)
NODES = 4
SKIP = OPERATIONS.index("skip")

_SHARED = {"graph": "graph_conv", "fc": "linear"}  # the others have their name in OPERATION_IDS
_NODE_OPS = np.array([OPERATION_IDS[_SHARED.get(name, name)] for name in OPERATIONS])
_PATTERNS = {tuple(int(digit) for digit in link): i for i, link in enumerate(LINKS)}
_Links = tuple[int, ...]


class NASBenchGraphSpace(SearchSpace):
    """Four operations, each on the input (0) or on an earlier operation (1 to 3).

    The first decision is the link pattern, a digit for each operation that says what it reads. The
    others are the operations in this order. The network's output is the concatenation of the
    operations that no other one reads.

    An architecture is written ``0012-gcn-gat-skip-fc``; `parse` also accepts the benchmark's key
    of a record, for example ``31087`` (the positions of the five options). Four skips are not
    valid; the other 59,040 encodings are 26,206 architectures by the benchmark's rules.
    """

    name = "nas-bench-graph"
    isomorphs: Isomorphs = "merged"  # records are kept by canonical form only
    decisions = (
        Decision("link", LINKS),
        *(Decision(f"op{i}", OPERATIONS) for i in range(1, NODES + 1)),
    )

    def valid(self, choices: IntArray) -> BoolArray:
        """Which encodings have an operation other than skip: bool (n,)."""
        return np.asarray((np.asarray(choices)[:, 1:] != SKIP).any(axis=1))

    def canonicalise(self, choices: IntArray) -> IntArray:
        """Canonical encodings by the benchmark's rules: int16 (n, 5).

        Skips that only forward a value come first, see `_skips_first`. Of equivalent orders of the
        operations, the least one is taken.
        """
        return self.from_index(_canonical_numbers()[self.index(choices)])

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """Seven nodes each: input, the four operations, concatenation, output."""
        choices = np.asarray(choices)
        op = np.empty((len(choices), NODES + 3), dtype=np.int16)
        op[:, 0] = OPERATION_IDS["input"]
        op[:, 1:-2] = _NODE_OPS[choices[:, 1:]]
        op[:, -2] = OPERATION_IDS["concat"]
        op[:, -1] = OPERATION_IDS["output"]
        attributes = np.zeros((*op.shape, len(ATTRIBUTES)), dtype=np.float32)
        return from_template(op, attributes, _EDGES, edge_mask=_EDGE_MASKS[choices[:, 0]])

    def parse(self, text: str) -> Architecture:
        """Read ``0012-gcn-gat-skip-fc`` or a record's key such as ``31087``.

        Raises:
            ArchitectureError: If the text is neither, or has four skips.
        """
        choices = _key_digits(text)
        if choices is None:
            link, *ops = text.split("-")
            if len(ops) != NODES:
                raise ArchitectureError(
                    f"architecture {text!r} is not a link pattern and {NODES} operations joined by "
                    "'-', like 0012-gcn-gat-skip-fc, nor a record's key of 5 digits, like 31087"
                )
            choices = [self._option(i, name, text) for i, name in enumerate([link, *ops])]
        elif max(choices) >= len(OPERATIONS):
            raise ArchitectureError(
                f"architecture {text!r}: the digits of a record's key are 0 to 8"
            )
        if choices[1:] == [SKIP] * NODES:
            raise ArchitectureError(
                f"architecture {text!r} has four skips, so it computes nothing; "
                "change at least one operation"
            )
        return self._wrap(choices)

    def _read_all(self, texts: Sequence[str]) -> tuple[IntArray, BoolArray]:
        return read_pieces(texts, "-", option_pieces(self.decisions))

    def format(self, arch: Architecture) -> str:
        """Write the pattern and the operations, ``0012-gcn-gat-skip-fc``."""
        chosen = zip(self.decisions, arch.choices, strict=True)
        return "-".join(decision.options[choice] for decision, choice in chosen)


def _key_digits(text: str) -> list[int] | None:
    """The five digits of a record's key, if the text is one; keys below 10000 are shorter."""
    width = 1 + NODES
    if not (text.isascii() and text.isdecimal() and len(text) <= width):
        return None
    if len(text) < width and text != str(int(text)):  # 0012 is an unfinished pattern, no key
        return None
    return [int(digit) for digit in text.zfill(width)]


def _skips_first(links: _Links, skips: tuple[bool, ...]) -> tuple[_Links, tuple[int, ...]]:
    """Move the skips that only forward a value to the front, as a chain after the input.

    Such a skip has readers, is the only reader of its source, or reads the input. A skip that adds
    an inner value to the output stays where it is. The readers of a moved skip read its source.

    Args:
        links: Source of each node, 0 for the input.
        skips: Which nodes are skips.

    Returns:
        The new links, and the old position of each node.
    """
    reads = dict(enumerate(links, start=1))
    front = []
    for node in sorted(reads):  # a node comes after its source, which is final by now
        source = reads[node]
        others = [n for n in reads if n != node and reads[n] == source]
        readers = [n for n in reads if reads[n] == node]
        if skips[node - 1] and (readers or not others or source == 0):
            for reader in readers:
                reads[reader] = source
            del reads[node]
            front.append(node)
    order = [*front, *reads]
    position = {node: i for i, node in enumerate(order, start=1)} | {0: len(front)}
    moved = [*range(len(front)), *(position[source] for source in reads.values())]
    return tuple(moved), tuple(node - 1 for node in order)


def _reordered(links: _Links) -> list[tuple[int, tuple[int, ...]]]:
    """Every order of the nodes in which the links are one of the patterns: (pattern, order)."""
    found = []
    for order in permutations(range(NODES)):
        position = {0: 0} | {old + 1: new + 1 for new, old in enumerate(order)}
        pattern = _PATTERNS.get(tuple(position[links[old]] for old in order))
        if pattern is not None:
            found.append((pattern, order))
    return found


@cache
def _canonical_numbers() -> IntArray:
    """The number of the canonical form of each of the 59,049 encodings: int32 (59049,).

    The skip rule needs the pattern and the positions of the skips only, so there are 9 * 16 cases.
    """
    base = len(OPERATIONS)
    weights = base ** np.arange(NODES - 1, -1, -1)
    ops = np.arange(base**NODES)[:, None] // weights % base
    mask = (ops == SKIP) @ (1 << np.arange(NODES))
    result = np.empty((len(LINKS), len(ops)), dtype=np.int32)
    for bits in range(1 << NODES):
        rows = np.flatnonzero(mask == bits)
        skips = tuple(bool(bits >> i & 1) for i in range(NODES))
        for links, pattern in _PATTERNS.items():
            moved, order = _skips_first(links, skips)
            forms = [
                target * base**NODES + ops[rows][:, [order[i] for i in again]] @ weights
                for target, again in _reordered(moved)
            ]
            result[pattern, rows] = np.min(forms, axis=0)
    return frozen(result.ravel())


def _template() -> tuple[IntArray, BoolArray]:
    """Possible edges int (2, e) between the seven slots, and which exist in each pattern (9, e)."""
    concat, output = NODES + 1, NODES + 2
    edges = [(source, node) for node in range(1, NODES + 1) for source in range(node)]
    edges += [(node, concat) for node in range(1, NODES + 1)] + [(concat, output)]
    masks = []
    for links in _PATTERNS:
        used = {(source, node) for node, source in enumerate(links, start=1)}
        used |= {(n, concat) for n in range(1, NODES + 1) if n not in links} | {(concat, output)}
        masks.append([edge in used for edge in edges])
    return np.array(edges).T, np.array(masks)


_EDGES, _EDGE_MASKS = _template()
