"""The cell space of NAS-Bench-101 against published numbers and brute force."""

import hashlib
import pickle
import re
from itertools import islice, permutations, product

import networkx as nx
import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.nasbench101 import NASBench101Space
from surrogate_nas.spaces.nasbench101_cells import EDGES
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS

SPACE = NASBench101Space()
C3, C1, MP = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
# The first record of the published table, with its hash.
MATRIX = [
    [0, 1, 0, 0, 1, 1, 0],
    [0, 0, 1, 0, 0, 0, 0],
    [0, 0, 0, 1, 0, 0, 1],
    [0, 0, 0, 0, 0, 1, 0],
    [0, 0, 0, 0, 0, 1, 0],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 0],
]
OPS = ["input", C3, MP, C3, C3, C1, "output"]
HASH = "00005c142e6f48ac74fdcf73e3439874"

Cell = tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]


def _full_cells(nodes: int) -> list[Cell]:
    """Every cell of so many nodes, all of them on a path from input to output."""
    pairs = [(i, j) for i in range(nodes) for j in range(i + 1, nodes)]
    found: list[Cell] = []
    for bits in product((0, 1), repeat=len(pairs)):
        rows = np.zeros((nodes, nodes), dtype=int)
        for pair, bit in zip(pairs, bits, strict=True):
            rows[pair] = bit
        if rows[:-1].any(axis=1).all() and rows[:, 1:].any(axis=0).all() and sum(bits) <= 9:
            matrix = tuple(map(tuple, rows.tolist()))
            found += [(matrix, ops) for ops in product(range(3), repeat=nodes - 2)]
    return found


def _encode(cell: Cell) -> Architecture:
    names = [(C3, C1, MP)[op] for op in cell[1]]
    return SPACE.encode(cell[0], ["input", *names, "output"])


def _canonical(archs: list[Architecture]) -> list[tuple[int, ...]]:
    choices = SPACE.canonicalise(np.array([arch.choices for arch in archs]))
    return list(map(tuple, choices.tolist()))


def _network(cell: Cell) -> nx.DiGraph:
    network = nx.DiGraph()
    network.add_nodes_from(enumerate({"op": op} for op in (-1, *cell[1], -2)))
    network.add_edges_from(np.argwhere(np.array(cell[0])).tolist())
    return network


def _brute_force(cell: Cell) -> Cell:
    """The least of all relabelled forms, topological or not."""
    matrix, ops = np.array(cell[0]), cell[1]
    inner = range(1, len(matrix) - 1)
    forms = []
    for order in permutations(inner):
        place = [0, *order, len(matrix) - 1]
        rows = tuple(map(tuple, matrix[np.ix_(place, place)].tolist()))
        forms.append((rows, tuple(ops[i - 1] for i in order)))
    return min(forms)


def _hash_by_the_paper(cell: Cell) -> str:
    """Colour refinement on the matrix, as the paper describes it."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    matrix = np.array(cell[0], dtype=bool)
    degrees = zip(matrix.sum(axis=1).tolist(), matrix.sum(axis=0).tolist(), strict=True)
    labels = (-1, *cell[1], -2)
    colours = [md5(f"({out}, {into}, {labels[i]})") for i, (out, into) in enumerate(degrees)]
    for _ in labels:
        table = np.array(colours)
        colours = [
            md5("|".join(["".join(sorted(table[c])), "".join(sorted(table[r])), colours[i]]))
            for i, (c, r) in enumerate(zip(matrix.T, matrix, strict=True))
        ]
    return md5("[" + ", ".join(f"'{colour}'" for colour in sorted(colours)) + "]")


def test_the_published_hash() -> None:
    assert SPACE.hash(SPACE.encode(MATRIX, OPS)) == HASH


def test_hash_is_the_papers() -> None:
    cells = _full_cells(4) + _full_cells(5)[::50]
    hashes = SPACE.hashes(np.array([_encode(cell).choices for cell in cells]))
    assert hashes == [_hash_by_the_paper(cell) for cell in cells]


def test_the_whole_space_has_the_published_size() -> None:
    cells = SPACE.unique()
    assert SPACE.isomorphs == "merged"
    assert SPACE.size == len(cells) == 423_624
    some = cells[:: len(cells) // 5_000]
    np.testing.assert_array_equal(SPACE.canonicalise(some), some)
    assert len(set(SPACE.hashes(some))) == len(some)


def test_classes_of_up_to_four_nodes_are_those_of_isomorphism() -> None:
    cells = [cell for nodes in (2, 3, 4) for cell in _full_cells(nodes)]
    canonical = _canonical([_encode(cell) for cell in cells])
    first: dict[tuple[int, ...], nx.DiGraph] = {}
    for cell, form in zip(cells, canonical, strict=True):
        network = _network(cell)
        same = [
            other
            for other, known in first.items()
            if nx.is_isomorphic(network, known, node_match=lambda a, b: a["op"] == b["op"])
        ]
        assert same == ([form] if form in first else [])
        first.setdefault(form, network)


def test_classes_of_five_nodes_agree_with_brute_force_and_hash() -> None:
    cells = _full_cells(5)
    archs = [_encode(cell) for cell in cells]
    expected = [_brute_force(cell) for cell in cells]
    hashes = SPACE.hashes(np.array([arch.choices for arch in archs]))
    triples = set(zip(_canonical(archs), hashes, expected, strict=True))
    for column in zip(*triples, strict=True):
        assert len(set(column)) == len(triples)
    smaller = {_brute_force(cell) for nodes in (2, 3, 4) for cell in _full_cells(nodes)}
    nodes = np.diff(SPACE.graphs(SPACE.unique()).offsets)
    assert np.count_nonzero(nodes == 5) == len(triples)
    assert np.count_nonzero(nodes < 5) == len(smaller)


def test_any_order_of_the_nodes_is_the_same_cell() -> None:
    rng = np.random.default_rng(0)
    for row in SPACE.sample_choices(rng, 100):
        arch = SPACE.architecture(row)
        padded = np.zeros((7, 7), dtype=int)
        padded[tuple(np.array(EDGES).T)] = row[:21]
        network = nx.DiGraph(padded)
        orders = list(islice(nx.all_topological_sorts(network), 20))
        inner = [node for node in orders[rng.integers(len(orders))] if 0 < node < 6]
        place = [0, *inner, 6]
        ops = ["input", *([C3, C1, MP][row[21 + node - 1]] for node in inner), "output"]
        other = SPACE.encode(padded[np.ix_(place, place)], ops)
        assert SPACE.canonical(other) == SPACE.canonical(arch)
        assert SPACE.hash(other) == SPACE.hash(arch)


def test_validity_counts_edges_after_pruning() -> None:
    ten = np.triu(np.ones((5, 5), dtype=int), 1)
    with pytest.raises(ArchitectureError, match="more than 9 edges"):
        SPACE.encode(ten, ["input", C3, C3, C3, "output"])
    dead = np.zeros((6, 6), dtype=int)
    dead[:5, :5] = ten
    dead[:, 4], dead[:4, 5] = dead[:, 4], 0
    dead[0, 5] = 1  # node 4 leads nowhere, so nothing but this edge is left
    arch = SPACE.encode(dead, ["input", C3, C3, C3, C3, "output"])
    assert SPACE.format(SPACE.canonical(arch)) == "0100:input,output"
    with pytest.raises(ArchitectureError, match="no path"):
        SPACE.parse("000000000:input,maxpool3x3,output")


def test_validity_agrees_with_networkx() -> None:
    rng = np.random.default_rng(1)
    choices = rng.integers(SPACE.sizes, size=(500, 26))
    choices[:, :21] |= rng.integers(0, 2, size=(500, 21))  # many edges, so some have too many
    expected = []
    for row in choices:
        network = nx.DiGraph([EDGES[i] for i in np.flatnonzero(row[:21])])
        network.add_nodes_from(range(7))
        ahead = nx.descendants(network, 0) | {0}
        behind = nx.ancestors(network, 6) | {6}
        left = network.subgraph(ahead & behind)
        expected.append(6 in ahead and left.number_of_edges() <= 9)
    assert SPACE.valid(choices).tolist() == expected
    assert 50 < sum(expected) < 450


def test_unused_nodes_come_last_and_are_not_written() -> None:
    text = "0011" + "0010" + "0001" + "0000" + ":input,conv3x3-bn-relu,maxpool3x3,output"
    arch = SPACE.parse(text)  # nothing feeds the convolution
    assert SPACE.format(arch) == text
    rows, ops = SPACE.matrix(SPACE.canonical(arch))
    assert rows.tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    assert ops == ("input", MP, "output")


def test_canonical_cells_are_written_without_dead_nodes() -> None:
    rng = np.random.default_rng(2)
    cells = SPACE.canonicalise(SPACE.sample_choices(rng, 300))
    nodes = np.diff(SPACE.graphs(cells).offsets).tolist()
    for row, count in zip(cells, nodes, strict=True):
        matrix, ops = SPACE.matrix(SPACE.architecture(row))
        assert len(matrix) == len(ops) == count


def test_graph_is_the_pruned_cell() -> None:
    dead = SPACE.parse("0101" + "0010" + "0000" + "0000" + ":input,maxpool3x3,maxpool3x3,output")
    assert len(SPACE.graphs(np.array([dead.choices])).op) == 2
    graphs = SPACE.graphs(np.array([SPACE.encode(MATRIX, OPS).choices]))
    names = [OPERATIONS[i] for i in graphs.op]
    assert names == ["input", "conv", "max_pool", "conv", "conv", "conv", "output"]
    assert sorted(graphs.edges.T.tolist()) == np.argwhere(MATRIX).tolist()
    kernel = graphs.attributes[:, ATTRIBUTES.index("kernel")]
    np.testing.assert_allclose(kernel, np.log2([1, 3, 3, 3, 3, 1, 1]), rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("001001000:input,sep,output", "unknown op1 option 'sep'"),
        ("001001000:input,maxpool3x3", "digits of an adjacency matrix"),
        ("001001000", "digits of an adjacency matrix"),
        ("00100100:input,maxpool3x3,output", "digits of an adjacency matrix"),
        ("021001000:input,maxpool3x3,output", "digits of an adjacency matrix"),
        ("100001000:input,maxpool3x3,output", "above its diagonal"),
        ("001001000:output,maxpool3x3,input", "first operation is 'input'"),
        ("1:input", "2 to 7 nodes"),
        ("0" * 64 + ":" + ",".join(["input", *[C3] * 6, "output"]), "2 to 7 nodes"),
    ],
)
def test_parse_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=re.escape(message)) as error:
        SPACE.parse(text)
    assert text in str(error.value)


def test_hash_of_an_invalid_cell_is_refused() -> None:
    with pytest.raises(ArchitectureError, match="nasbench101"):
        SPACE.hash(Architecture("nasbench101", (0,) * 26))


def test_travels_to_other_processes_in_few_bytes() -> None:
    assert SPACE.size > 0
    SPACE.valid(SPACE.unique()[:1])
    other = pickle.loads(pickle.dumps(NASBench101Space()))
    assert other.parse("0100:input,output") == SPACE.parse("0100:input,output")
    assert len(pickle.dumps(NASBench101Space())) < 10_000
