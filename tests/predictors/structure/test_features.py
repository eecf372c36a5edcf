"""Features against paths listed by networkx, one graph at a time."""

from __future__ import annotations

from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import pytest

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.predictors.structure import features as structural
from surrogate_nas.predictors.structure.columns import common_strings, feature_columns
from surrogate_nas.predictors.structure.features import FAMILIES, TREE_FAMILIES, StructuralFeatures
from surrogate_nas.predictors.structure.paths import PATHS_PER_GRAPH, Catalogue, Paths
from surrogate_nas.registry import SPACES, load
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.spaces.graphs import ArchGraphs, from_template
from surrogate_nas.spaces.nas_bench_graph import NASBenchGraphSpace
from surrogate_nas.spaces.nasbench201 import NASBench201Space
from surrogate_nas.spaces.operations import OPERATION_IDS, STRUCTURAL_OPERATIONS, attributes

INNER = 6
KINDS = ("skip", "conv", "conv", "max_pool", "sum")
KERNELS = (None, 1, 3, 3, None)
NAMES = ("skip", "conv", "conv(kernel=3)", "max_pool(kernel=3)")
WEIGHTED = {"conv", "conv(kernel=3)"}


def random_graphs(count: int, seed: int = 0) -> ArchGraphs:
    """Random graphs of six nodes between input and output, some without any path."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(len(KINDS), size=(count, INNER))
    ids = np.array([OPERATION_IDS[name] for name in KINDS])
    op = np.full((count, INNER + 2), OPERATION_IDS["input"])
    op[:, 1:-1] = ids[kind]
    op[:, -1] = OPERATION_IDS["output"]
    rows = np.stack([attributes(kernel=k) if k else attributes() for k in KERNELS])
    described = np.zeros((*op.shape, rows.shape[1]), dtype=np.float32)
    described[:, 1:-1] = rows[kind]
    edges = np.array(list(combinations(range(INNER + 2), 2))).T
    there = rng.random((count, edges.shape[1])) < rng.uniform(0.1, 0.6, size=(count, 1))
    return from_template(op, described, edges, edge_mask=there)


def networks(graphs: ArchGraphs) -> list[nx.DiGraph]:
    """The graphs one by one, with the name of each computing node's operation."""
    made = []
    for number, (first, end) in enumerate(zip(graphs.offsets, graphs.offsets[1:], strict=False)):
        net = nx.DiGraph(first=int(first), last=int(end) - 1)
        for node in range(int(first), int(end)):
            op = int(graphs.op[node])
            kernel = graphs.attributes[node, 0]
            name = next(n for n, i in OPERATION_IDS.items() if i == op)
            if kernel:
                name += f"(kernel={2**kernel:g})"
            net.add_node(node, name=None if op in STRUCTURAL_OPERATIONS else name)
        for source, target in graphs.edges.T.tolist():
            if graphs.graph[source] == number:
                net.add_edge(source, target)
        made.append(net)
    return made


def listed_paths(net: nx.DiGraph) -> list[list[tuple[int, str]]]:
    """Computing nodes and their operations along each path."""
    first, last = net.graph["first"], net.graph["last"]
    if first == last:
        return []
    name = nx.get_node_attributes(net, "name")
    return [
        [(node, name[node]) for node in path if name[node] is not None]
        for path in nx.all_simple_paths(net, first, last)
    ]


def expected(net: nx.DiGraph) -> dict[str, float]:
    """Some features of every family, the slow way; a graph without paths has zeros."""
    paths = listed_paths(net)
    strings = [[op for _, op in path] for path in paths]
    found: dict[str, float] = {"paths": len(paths)}

    def statistics(label: str, numbers: list[int]) -> None:
        found[f"{label}.min"] = min(numbers, default=0)
        found[f"{label}.max"] = max(numbers, default=0)
        found[f"{label}.mean"] = float(np.mean(numbers)) if numbers else 0

    statistics("length", [len(s) for s in strings])
    weighted = [sum(op in WEIGHTED for op in s) for s in strings]
    statistics("weighted", weighted)
    skips = [all(op == "skip" for op in s) for s in strings]
    found["paths_of_skips"] = sum(skips)
    found["has_path_of_skips"] = any(skips)
    found["paths_without_weights"] = weighted.count(0)
    for name in NAMES:
        of_name = [op for _, op in net.nodes(data="name") if op == name]
        found[f"count[{name}]"] = len(of_name)
        for place in (1, 2):
            found[f"at+{place}[{name}]"] = sum(s[place - 1 : place] == [name] for s in strings)
            found[f"at-{place}[{name}]"] = sum(
                s[::-1][place - 1 : place] == [name] for s in strings
            )
        found[f"first[{name}]"] = len({p[0] for p in paths if p and p[0][1] == name})
        found[f"last[{name}]"] = len({p[-1] for p in paths if p and p[-1][1] == name})
        places = [i + 1 for s in strings for i, op in enumerate(s) if op == name]
        found[f"depth[{name}]"] = float(np.mean(places)) if places else 0
        for number in (0, 1, 2):
            found[f"{number}_before[{name}]"] = any(
                op == name and sum(o in WEIGHTED for o in s[:i]) == number
                for s in strings
                for i, op in enumerate(s)
            )
            found[f"{number}_after[{name}]"] = any(
                op == name and sum(o in WEIGHTED for o in s[i + 1 :]) == number
                for s in strings
                for i, op in enumerate(s)
            )
    for size in (1, 2, 3):
        for chosen in combinations(NAMES, size):
            label = "+".join(chosen)
            free = [s for s in strings if not set(s) & set(chosen)]
            through = [sum(op in chosen for op in s) for s in strings]
            found[f"without[{label}]"] = float(np.log2(1 + len(free)))
            found[f"without.max[{label}]"] = max((len(s) for s in free), default=0)
            found[f"through.max[{label}]"] = max(through, default=0)
            found[f"through.min[{label}]"] = min(through, default=0)
            if size == 1:
                found[f"through.mean[{label}]"] = float(np.mean(through)) if through else 0
    return found


@pytest.fixture(scope="module")
def graphs() -> ArchGraphs:
    return random_graphs(60).pruned()


@pytest.fixture(scope="module")
def columns(graphs: ArchGraphs) -> dict[str, FloatArray]:
    catalogue = Catalogue(graphs)
    assert catalogue.names == NAMES
    strings = common_strings(Paths(graphs, catalogue), len(catalogue))
    return {
        name: column
        for _, names, block in feature_columns(graphs, catalogue, strings)
        for name, column in zip(names, block.T, strict=True)
    }


def test_columns_are_those_of_listed_paths(
    graphs: ArchGraphs, columns: dict[str, FloatArray]
) -> None:
    slow = [expected(net) for net in networks(graphs)]
    assert {0} < {row["paths"] for row in slow}
    for name in slow[0]:
        reference = [float(row[name]) for row in slow]
        np.testing.assert_allclose(columns[name], reference, rtol=1e-5, err_msg=name)


def test_path_strings_are_counted(graphs: ArchGraphs, columns: dict[str, FloatArray]) -> None:
    listed = [
        ["-".join(op for _, op in path) for path in listed_paths(net)] for net in networks(graphs)
    ]
    labels = [name for name in columns if name.startswith("path[")]
    assert len(labels) > 20
    for label in labels:
        reference = [strings.count(label[5:-1]) for strings in listed]
        np.testing.assert_array_equal(columns[label], reference, err_msg=label)


def test_a_graph_does_not_depend_on_the_batch() -> None:
    graphs = random_graphs(40, seed=1).pruned()
    catalogue = Catalogue(graphs)
    strings = common_strings(Paths(graphs, catalogue), len(catalogue))
    for count in (1, 17):
        part = random_graphs(40, seed=1).head(count).pruned()
        for (_, _, whole), (_, _, alone) in zip(
            feature_columns(graphs, catalogue, strings),
            feature_columns(part, catalogue, strings),
            strict=True,
        ):
            np.testing.assert_array_equal(whole[:count], alone)


def test_of_very_many_paths_some_that_reach_every_node_are_listed() -> None:
    space: SearchSpace = load("space", "hierarchical")()
    choices = space.canonicalise(space.sample_choices(np.random.default_rng(0), 40))
    graphs = space.graphs(choices)
    paths = Paths(graphs, Catalogue(graphs))
    for number, net in enumerate(networks(graphs)):
        rows = paths.node[paths.graph == number]
        listed = {tuple(row[row >= 0].tolist()) for row in rows}
        assert len(listed) == len(rows)
        if choices[number, 0] == 0:  # one stage has 15 paths
            assert len(rows) == 15
        else:
            assert PATHS_PER_GRAPH <= len(rows) <= 4 * PATHS_PER_GRAPH
        computing = {node for node, name in net.nodes(data="name") if name is not None}
        assert {node for path in listed for node in path} == computing
        joined = nx.transitive_closure_dag(net).edges
        assert all(pair in joined for path in listed for pair in pairwise(path))


@pytest.mark.parametrize("name", list(SPACES))
def test_every_space_has_features(name: str) -> None:
    space: SearchSpace = load("space", name)()
    features = StructuralFeatures.of(space)
    choices = space.sample_choices(np.random.default_rng(0), 200)
    x = features.transform(choices)
    assert x.shape == (200, len(features.names)) == (200, len(features.families))
    assert len(set(features.names)) == len(features.names)
    assert np.isfinite(x).all()
    assert (features.scale > 0).all()
    assert features is StructuralFeatures.of(load("space", name)())
    np.testing.assert_array_equal(x[7:9], features.transform(choices[7:9]))


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "layerwise", "hierarchical"])
def test_some_columns_are_those_of_all(name: str) -> None:
    space: SearchSpace = load("space", name)()
    features = StructuralFeatures.of(space)
    choices = space.sample_choices(np.random.default_rng(0), 30)
    x = features.transform(choices)
    for families in (FAMILIES, TREE_FAMILIES, ("sets", "place"), ("depth",), ()):
        columns = features.columns(families)
        np.testing.assert_array_equal(features.transform(choices, columns), x[:, columns])


def test_what_is_remembered_is_what_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structural, "_REMEMBERED", 40)
    monkeypatch.setattr(structural, "_AT_ONCE", 7)
    space = load("space", "layerwise")()
    features = StructuralFeatures(space)
    choices = space.sample_choices(np.random.default_rng(0), 60)
    expected = StructuralFeatures.of(space).transform(choices)
    rng = np.random.default_rng(1)
    for size in (1, 20, 0, 15, 20, 20, 3, 60, 9):  # new ones, known ones, full, too many
        rows = rng.integers(60, size=size)
        np.testing.assert_array_equal(features.transform(choices[rows]), expected[rows])


def test_isomorphs_that_are_merged_share_their_features() -> None:
    space = NASBench201Space()
    merged = space.with_isomorphs("merged")
    choices = space.sample_choices(np.random.default_rng(1), 500)
    np.testing.assert_array_equal(
        StructuralFeatures.of(merged).transform(choices),
        StructuralFeatures.of(merged).transform(space.canonicalise(choices)),
    )


def test_a_restriction_keeps_the_columns_that_vary_in_it() -> None:
    space = NASBenchGraphSpace()
    members = space.unique()
    part = space.restricted(members[(members[:, 1:] > 6).all(axis=1)])
    features, whole = StructuralFeatures.of(part), StructuralFeatures.of(space)
    x = features.transform(part.unique())
    assert (x.max(axis=0) > x.min(axis=0)).all()
    assert "count[gat]" in whole.names
    assert "count[gat]" not in features.names
    same = [whole.names.index(name) for name in features.names]
    np.testing.assert_array_equal(x, whole.transform(part.unique())[:, same])
    with pytest.raises(ArchitectureError, match="not an architecture"):
        features.transform(members[:1])


@pytest.mark.parametrize(
    ("node", "operations"),
    [
        ("heads = [1, 2, 4]\nwidth = [16, 32, 64]", 9),  # few: all attributes count
        ("heads = [1, 2, 4]\nwidth = {integer = [1, 9]}", 1),  # later attributes do not
        ("kernel = [1, 3, 5]\nwidth = {integer = [1, 9]}", 3),
        ("kernel = [1, 3, 5, 7]\nstride = [1, 2, 4]\nexpansion = [1, 2, 3, 4]", 48),
        ("kernel = {integer = [1, 20]}\nexpansion = {integer = [1, 20]}", 1),
    ],
)
def test_attributes_of_many_values_make_no_operations(node: str, operations: int) -> None:
    text = 'name = "many"\ngraph = "chain"\n[[nodes]]\ncount = 2\nname = "n"\noperation = "conv"\n'
    space = CustomSpace(text + node)
    found = StructuralFeatures.of(space)
    assert len(found.operations) == operations
    rows = space.sample_choices(np.random.default_rng(0), 50)
    assert np.isfinite(found.transform(rows)).all()
