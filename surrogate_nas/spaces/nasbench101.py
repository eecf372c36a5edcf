"""The cell space of NAS-Bench-101 (Ying et al., ICML 2019)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, cached_property
from itertools import product

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Architecture, Decision, Isomorphs, SearchSpace, frozen
from surrogate_nas.spaces.graphs import ArchGraphs, from_template
from surrogate_nas.spaces.nasbench101_cells import (
    EDGES,
    INNER,
    LABELLINGS,
    MAX_EDGES,
    NODES,
    all_forms,
    best_forms,
    edges_of,
    inner_of,
    official_hash,
    pruning,
)
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS, attributes

OPERATIONS: tuple[str, ...] = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")

CELLS = 423_624
"""Number of pruned cells that are not isomorphic: the length of `NASBench101Space.unique`."""

_OUTPUT = NODES - 1
_FORM = re.compile(r"([01]+):(.+)")
_NODE_OPS = np.array([OPERATION_IDS[name] for name in ("conv", "conv", "max_pool")])
_NODE_ATTRIBUTES = np.stack([attributes(kernel=size) for size in (3, 1, 3)])


class NASBench101Space(SearchSpace):
    """A cell of at most 7 nodes and 9 edges, with one of three operations on each inner node.

    Node 0 is the input, node 6 the output. The first 21 decisions are the upper triangle of the
    adjacency matrix row by row, the last 5 are the operations of nodes 1 to 5. As in the official
    ``ModelSpec``, nodes that lie on no path from input to output are pruned first; an encoding is
    valid if there is a path and if at most 9 edges are left.

    The table has one record for each of the 423,624 pruned cells that are not isomorphic, hence
    ``isomorphs = "merged"``. `unique` lists them within a second or two.

    An architecture is written as in the official records: the rows of the square adjacency matrix
    one after another, and the operations, ``001001000:input,maxpool3x3,output``. A matrix of less
    than 7 nodes stands for the encoding that leaves the last inner nodes unused.
    """

    name = "nasbench101"
    isomorphs: Isomorphs = "merged"
    decisions = (
        *(Decision(f"{source}->{target}", ("0", "1")) for source, target in EDGES),
        *(Decision(f"op{node}", OPERATIONS) for node in range(1, _OUTPUT)),
    )

    def valid(self, choices: IntArray) -> BoolArray:
        """Which encodings have a path from input to output and at most 9 edges: bool (n,)."""
        return np.asarray(pruning()[0][self.index(choices) // LABELLINGS] >= 0)

    def is_valid(self, arch: Architecture) -> bool:
        """Whether this is an architecture of this space."""
        number = self.number(arch)
        return number >= 0 and bool(pruning()[0][number // LABELLINGS] >= 0)

    def canonicalise(self, choices: IntArray) -> IntArray:
        """The pruned cell, its inner nodes in the best order, unused ones last: int16 (n, 26).

        The best order has the greatest adjacency matrix, read row by row, and then the least
        operations. The classes are those of `hash`; its authors checked that no two different
        cells of this space share a hash.
        """
        edges, ops = best_forms(*np.divmod(self.index(choices), LABELLINGS))
        return self.from_index(edges.astype(np.int64) * LABELLINGS + ops)

    @cached_property
    def size(self) -> int:
        """Number of different keys: 423,624, or all valid encodings if isomorphs are separate."""
        if self.isomorphs == "merged":
            return CELLS
        return int(np.count_nonzero(pruning()[0] >= 0)) * LABELLINGS

    @cached_property
    def _unique(self) -> IntArray:
        if self.isomorphs == "separate":
            return self.all_choices()
        return frozen(self.from_index(all_forms()))

    def hash(self, arch: Architecture) -> str:
        """The official hash of a cell, the key of its record.

        Raises:
            ArchitectureError: If the cell is not part of this space.
        """
        return self.hashes(np.array([self.check(arch).choices]))[0]

    def hashes(self, choices: IntArray) -> list[str]:
        """The official hash of each of n valid encodings (n, 26)."""
        number, back = np.unique(self.index(self.canonicalise(choices)), return_inverse=True)
        inner = inner_of(pruning()[1][number // LABELLINGS]).sum(axis=1).tolist()
        ops = self.from_index(number)[:, len(EDGES) :].tolist()
        found = []
        for bits, used, labels in zip(
            edges_of(number // LABELLINGS).tolist(), inner, ops, strict=True
        ):
            # In a canonical cell the used nodes are 1 to `used`; the output comes next.
            edges = [(s, min(t, used + 1)) for (s, t), bit in zip(EDGES, bits, strict=True) if bit]
            found.append(official_hash(edges, labels[:used]))
        return [found[i] for i in back.tolist()]

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """The pruned cell. A node sums its inputs; the output concatenates them."""
        pruned, live = pruning()
        adjacency = pruned[self.index(choices) // LABELLINGS]
        chosen = np.asarray(choices)[:, len(EDGES) :]
        op = np.empty((len(chosen), NODES), dtype=np.int16)
        op[:, 0], op[:, _OUTPUT] = OPERATION_IDS["input"], OPERATION_IDS["output"]
        op[:, 1:_OUTPUT] = _NODE_OPS[chosen]
        described = np.zeros((*op.shape, len(ATTRIBUTES)), dtype=np.float32)
        described[:, 1:_OUTPUT] = _NODE_ATTRIBUTES[chosen]
        present = np.ones(op.shape, dtype=np.bool_)
        present[:, 1:_OUTPUT] = inner_of(live[adjacency])
        return from_template(
            op, described, np.array(EDGES).T, node_mask=present, edge_mask=edges_of(adjacency)
        )

    def encode(
        self, matrix: Sequence[Sequence[int]] | IntArray, ops: Sequence[str]
    ) -> Architecture:
        """The architecture of an adjacency matrix (v, v), v <= 7, and the names of v operations.

        Raises:
            ArchitectureError: If they are not a cell of this space.
        """
        rows = np.asarray(matrix)
        nodes = len(ops)
        if rows.shape != (nodes, nodes) or not 2 <= nodes <= NODES:
            raise ArchitectureError(
                f"a cell has 2 to {NODES} nodes, a square adjacency matrix and an operation for "
                f"each node, got a matrix of shape {rows.shape} and {nodes} operations"
            )
        if not np.isin(rows, (0, 1)).all() or np.tril(rows).any():
            raise ArchitectureError(
                f"an adjacency matrix is 0 or 1, and 1 above its diagonal only, got {rows.tolist()}"
            )
        if (ops[0], ops[-1]) != ("input", "output"):
            raise ArchitectureError(
                "the first operation is 'input' and the last is 'output', got "
                f"{ops[0]!r} and {ops[-1]!r}"
            )
        position = [*range(nodes - 1), _OUTPUT]
        edges = {
            (position[source], position[target]) for source, target in np.argwhere(rows).tolist()
        }
        labels = [self._option(i, op, ",".join(ops)) for i, op in enumerate(ops[1:-1], len(EDGES))]
        labels += [0] * (INNER - len(labels))
        arch = self._wrap([*(int(edge in edges) for edge in EDGES), *labels])
        if not self.is_valid(arch):
            raise ArchitectureError(
                f"the cell {rows.tolist()} has no path from input to output, or more than "
                f"{MAX_EDGES} edges on such paths"
            )
        return arch

    def matrix(self, arch: Architecture) -> tuple[IntArray, tuple[str, ...]]:
        """Inverse of `encode`: the smallest adjacency matrix, int8 (v, v), and the operations."""
        rows = np.zeros((NODES, NODES), dtype=np.int8)
        rows[tuple(np.array(EDGES).T)] = arch.choices[: len(EDGES)]
        labels = arch.choices[len(EDGES) :]
        inner = INNER
        while inner and not (labels[inner - 1] or rows[inner].any() or rows[:, inner].any()):
            inner -= 1
        keep = [*range(inner + 1), _OUTPUT]
        ops = ("input", *(OPERATIONS[label] for label in labels[:inner]), "output")
        return rows[np.ix_(keep, keep)], ops

    def parse(self, text: str) -> Architecture:
        """Read ``001001000:input,maxpool3x3,output``.

        Raises:
            ArchitectureError: If the text is of another form or no cell of this space.
        """
        found = _FORM.fullmatch(text)
        ops = found[2].split(",") if found else []
        if found is None or len(found[1]) != len(ops) ** 2:
            raise ArchitectureError(
                f"architecture {text!r} is not the v*v digits of an adjacency matrix and v "
                "operations, like 001001000:input,maxpool3x3,output"
            )
        digits = np.array([int(digit) for digit in found[1]])
        try:
            return self.encode(digits.reshape(len(ops), len(ops)), ops)
        except ArchitectureError as error:
            raise ArchitectureError(f"architecture {text!r}: {error}") from None

    def _read_all(self, texts: Sequence[str]) -> tuple[IntArray, BoolArray]:
        choices, read = super()._read_all(texts)
        halves = [text.partition(":") for text in texts]
        labels = _labellings()
        found = [labels.get(ops, (0, ())) for _, _, ops in halves]
        nodes = np.array([count for count, _ in found], dtype=np.int64)
        digits = np.array([len(matrix) for matrix, _, _ in halves], dtype=np.int64)
        numbers = {edge: i for i, edge in enumerate(EDGES)}
        for v in range(2, NODES + 1):
            rows = np.flatnonzero((nodes == v) & (digits == v * v))
            if not rows.size:
                continue
            joined = "".join(halves[i][0] for i in rows.tolist()).encode("ascii", "replace")
            cells = np.frombuffer(joined, dtype=np.uint8).reshape(-1, v, v) - np.uint8(ord("0"))
            good = (cells <= 1).all(axis=(1, 2)) & ~np.tril(cells).any(axis=(1, 2))
            rows, cells = rows[good], cells[good]
            position = [*range(v - 1), _OUTPUT]
            for source, target in zip(*np.triu_indices(v, 1), strict=True):
                choices[rows, numbers[position[source], position[target]]] = cells[
                    :, source, target
                ]
            choices[rows, len(EDGES) :] = [found[i][1] for i in rows.tolist()]
            read[rows] = True
        return choices, read

    def format(self, arch: Architecture) -> str:
        """Write ``001001000:input,maxpool3x3,output``."""
        rows, ops = self.matrix(arch)
        return f"{''.join(map(str, rows.ravel().tolist()))}:{','.join(ops)}"


@cache
def _labellings() -> dict[str, tuple[int, tuple[int, ...]]]:
    """Number of nodes and last 5 decisions of a cell, by the text of its operations."""
    found = {}
    for inner in range(INNER + 1):
        for labels in product(range(len(OPERATIONS)), repeat=inner):
            text = ",".join(["input", *(OPERATIONS[label] for label in labels), "output"])
            found[text] = (inner + 2, (*labels, *(0,) * (INNER - inner)))
    return found
