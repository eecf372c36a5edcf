"""The space of NAS-Bench-Graph against the benchmark's own package."""

from functools import cache
from itertools import combinations, product

import networkx as nx
import numpy as np
import pytest
from nas_bench_graph.architecture import Arch, gnn_list, link_list

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.nas_bench_graph import LINKS, OPERATIONS, NASBenchGraphSpace
from surrogate_nas.spaces.operations import OPERATIONS as SHARED

SPACE = NASBenchGraphSpace()


def _package(choices: tuple[int, ...]) -> Arch:
    return Arch(list(link_list[choices[0]]), [gnn_list[i] for i in choices[1:]])


@cache
def _encodings() -> tuple[tuple[int, ...], ...]:
    every = product(range(9), repeat=5)
    return tuple(choices for choices in every if choices[1:] != (8, 8, 8, 8))


def test_options_are_the_packages() -> None:
    assert tuple("".join(map(str, links)) for links in link_list) == LINKS
    assert tuple(gnn_list) == OPERATIONS


def test_canonical_forms_are_the_packages_on_every_encoding() -> None:
    choices = np.array(_encodings())
    keys = np.array([_package(row).valid_hash() for row in _encodings()])
    canonical = SPACE.canonicalise(choices)
    np.testing.assert_array_equal(canonical @ 10 ** np.arange(4, -1, -1), keys)
    np.testing.assert_array_equal(SPACE.canonicalise(canonical), canonical)


def test_the_unique_encodings_are_those_the_package_calls_representatives() -> None:
    expected = [choices for choices in _encodings() if _package(choices).check_isomorph()]
    assert list(map(tuple, SPACE.unique().tolist())) == expected
    assert SPACE.size == 26_206


def test_four_skips_are_no_architecture() -> None:
    assert SPACE.encodings == 59_049
    assert list(map(tuple, SPACE.all_choices().tolist())) == list(_encodings())
    with pytest.raises(ArchitectureError, match="four skips"):
        SPACE.parse("0012-skip-skip-skip-skip")
    with pytest.raises(ArchitectureError, match="four skips"):
        SPACE.parse("38888")


def test_without_skips_equality_is_isomorphism_of_the_graphs() -> None:
    every = product(range(9), *[(1, 7)] * 4)
    archs = [SPACE.architecture(np.array(choices)) for choices in every]
    same = nx.algorithms.isomorphism.categorical_node_match("op", None)
    representatives = {
        SPACE.canonical(arch): _graph(SPACE.canonical(arch).choices) for arch in archs
    }
    for arch in archs:
        own = representatives[SPACE.canonical(arch)]
        assert nx.is_isomorphic(_graph(arch.choices), own, node_match=same)
    for a, b in combinations(representatives.values(), 2):
        assert not nx.is_isomorphic(a, b, node_match=same)


def _graph(choices: tuple[int, ...]) -> nx.DiGraph:
    """The graph that the package's link list describes, in the names of the shared vocabulary."""
    links = link_list[choices[0]]
    shared = {"graph": "graph_conv", "fc": "linear"}
    names = [shared.get(gnn_list[i], gnn_list[i]) for i in choices[1:]]
    graph = nx.DiGraph()
    for node, name in enumerate(["input", *names, "concat", "output"]):
        graph.add_node(node, op=name)
    for node, source in enumerate(links, start=1):
        graph.add_edge(source, node)
        if node not in links:
            graph.add_edge(node, 5)
    graph.add_edge(5, 6)
    return graph


def test_graphs_are_those_of_the_link_lists() -> None:
    choices = SPACE.sample_choices(np.random.default_rng(0), 200)
    assert set(choices[:, 0]) == set(range(9))
    op, _, adjacency = SPACE.graphs(choices).dense()
    for row, ops, edges in zip(choices, op, adjacency, strict=True):
        expected = _graph(tuple(row.tolist()))
        assert [SHARED[i] for i in ops] == [expected.nodes[i]["op"] for i in range(7)]
        assert set(map(tuple, np.argwhere(edges).tolist())) == set(expected.edges)


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("0012-gcn-gat-skip-fc", (3, 1, 0, 8, 7)),
        ("31087", (3, 1, 0, 8, 7)),
        ("00412", (0, 0, 4, 1, 2)),
        ("412", (0, 0, 4, 1, 2)),
        ("0", (0, 0, 0, 0, 0)),
    ],
)
def test_parse_reads_both_notations(text: str, choices: tuple[int, ...]) -> None:
    assert SPACE.parse(text).choices == choices


def test_parse_reads_the_packages_keys() -> None:
    for choices in _encodings()[::501]:
        assert SPACE.parse(str(_package(choices).hash_arch())).choices == choices


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0012-gcn-gat-skip-f", "unknown op4 option 'f'; did you mean 'fc'"),
        ("0014-gcn-gat-skip-fc", "unknown link option '0014'.*choose from: 0000, "),
        ("0012-gcn-gat-skip", "joined by '-'"),
        ("0012", "joined by '-'"),  # an unfinished pattern, not the key 12
        ("0012|gcn|gat|skip|fc", "joined by '-'"),
        ("98012", "digits"),
        ("310870", "joined by '-'"),
        ("٣١٠٨٧", "joined by '-'"),
    ],
)
def test_parse_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        SPACE.parse(text)
