"""Spaces of one's own against the built-in spaces that the same text can declare."""

import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.errors import (
    ArchitectureError,
    FormatError,
    InvalidArgumentError,
    UnknownNameError,
)
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.custom import CustomSpace, load_space
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.nas_bench_graph import NASBenchGraphSpace
from surrogate_nas.spaces.nasbench201 import NASBench201Space
from surrogate_nas.spaces.nasbench_macro import NASBenchMacroSpace
from surrogate_nas.spaces.operations import OPERATIONS

CELL = """
name = "cells"
graph = "cell-on-edges"
decisions = 6
options = ["none", "skip", "conv1", "conv3", "pool"]
[operations]
conv1 = {operation = "conv", kernel = 1}
conv3 = {operation = "conv", kernel = 3}
pool = {operation = "avg_pool", kernel = 3}
"""
CHAIN = """
name = "chain"
graph = "chain"
decisions = 3
options = ["none", "skip", "conv3"]
operations.conv3 = {operation = "conv", kernel = 3, channels_out = 24.5}
"""
TEMPLATE = """
name = "template"
graph = "template"
separator = "/"
decisions = ["a", {name = "b", options = ["linear", "sum"]}, "c"]
options = ["none", "conv", "skip"]
edges = [["input", "a"], ["a", "b"], ["input", "c"], ["b", "c"], ["b", "output"], ["c", "output"]]
"""
NODES = """
name = "nodes"
graph = "cell-on-nodes"
decisions = 2
options = ["none", "conv"]
"""


def _same(a: ArchGraphs, b: ArchGraphs) -> None:
    for name in ("op", "attributes", "edges", "graph"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
        assert getattr(a, name).dtype == getattr(b, name).dtype
    assert a.count == b.count


def _graph(space: SearchSpace, text: str) -> tuple[list[str], list[list[int]]]:
    graphs = space.graphs(np.array([space.parse(text).choices]))
    return [OPERATIONS[i] for i in graphs.op], graphs.edges.T.tolist()


# Graphs ---------------------------------------------------------------------------------------


def test_cell_on_edges_has_the_graphs_of_nasbench201() -> None:
    known, own = NASBench201Space(), CustomSpace(CELL)
    assert own.sizes == known.sizes
    assert [d.name for d in own.decisions] == [d.name for d in known.decisions]
    _same(own.graphs(own.all_choices()), known.graphs(known.all_choices()))


def test_chain_has_the_graphs_of_nasbench_macro() -> None:
    lines = ['name = "macro"', 'graph = "chain"', "decisions = ["]
    described = []
    channels = [32, 64, 64, 128, 128, 128, 256, 256, 256]
    for i in range(8):
        into, out = channels[i : i + 2]
        shape = f"stride = {out // into}, channels_in = {into}, channels_out = {out}"
        same = "skip" if into == out else "conv"
        described += [
            f'id{i} = {{operation = "{same}", kernel = 1, {shape}}}',
            f'a{i} = {{operation = "inverted_residual", kernel = 3, expansion = 3, {shape}}}',
            f'b{i} = {{operation = "inverted_residual", kernel = 5, expansion = 6, {shape}}}',
        ]
        lines.append(f'{{name = "block{i + 1}", options = ["id{i}", "a{i}", "b{i}"]}},')
    own = CustomSpace("\n".join([*lines, "]", "[operations]", *described]))
    known = NASBenchMacroSpace()
    _same(own.graphs(own.all_choices()), known.graphs(known.all_choices()))
    assert own.parse("01201201").choices == known.parse("01201201").choices


def test_none_bridges_a_layer_of_a_chain() -> None:
    space = CustomSpace(CHAIN)
    assert _graph(space, "none:skip:conv3") == (
        ["input", "skip", "conv", "output"],
        [[0, 1], [1, 2], [2, 3]],
    )
    assert _graph(space, "none:none:none") == (["input", "output"], [[0, 1]])
    attributes = space.graphs(np.array([[2, 0, 0]])).attributes
    expected = [np.log2(3), 0, 0, np.log2(24.5), *[0] * 7]
    np.testing.assert_allclose(attributes[1], expected, rtol=1e-6)


def test_cell_on_nodes_joins_all_pairs() -> None:
    space = CustomSpace(NODES)
    names, edges = _graph(space, "conv:conv")
    assert names == ["input", "conv", "conv", "output"]
    assert sorted(edges) == [[i, j] for i in range(4) for j in range(i + 1, 4)]
    assert _graph(space, "none:conv") == (["input", "conv", "output"], [[0, 1], [0, 2], [1, 2]])


def test_template_has_the_given_edges() -> None:
    space = CustomSpace(TEMPLATE)
    assert _graph(space, "conv/linear/skip") == (
        ["input", "conv", "linear", "skip", "output"],
        [[0, 1], [1, 2], [0, 3], [2, 3], [2, 4], [3, 4]],
    )
    assert _graph(space, "none/sum/skip") == (
        ["input", "sum", "skip", "output"],
        [[0, 2], [1, 2], [1, 3], [2, 3]],
    )


# Text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("definition", [CELL, CHAIN, TEMPLATE, NODES])
def test_text_round_trip_by_names_and_by_digits(definition: str) -> None:
    space = CustomSpace(definition)
    for row in space.all_choices()[::7]:
        arch = space.architecture(row)
        assert space.parse(space.format(arch)) == arch
        assert space.parse("".join(map(str, arch.choices))) == arch


def test_digits_stand_for_at_most_ten_options() -> None:
    options = [f"o{i}" for i in range(11)]
    operations = "".join(f'operations.{name} = {{operation = "conv"}}\n' for name in options)
    text = f'name = "many"\ngraph = "chain"\ndecisions = 2\noptions = {options}\n{operations}'
    space = CustomSpace(text)
    assert space.parse("o10:o1").choices == (10, 1)
    with pytest.raises(ArchitectureError, match="at most ten"):
        space.parse("11")


def test_a_single_decision_is_read_by_name() -> None:
    text = 'name = "one"\ngraph = "chain"\ndecisions = 1\noptions = ["1", "0"]\n'
    text += 'operations.0 = {operation = "conv"}\noperations.1 = {operation = "skip"}\n'
    assert CustomSpace(text).parse("0").choices == (1,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("none:skip", "not the 3 names of options joined by ':', like none:none:none"),
        ("none:skip:conv", "unknown layer3 option 'conv'; did you mean 'conv3'"),
        ("013", "at most ten"),
        ("0123", "not the 3 names"),
        ("", "not the 3 names"),
    ],
)
def test_parse_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=re.escape(message)):
        CustomSpace(CHAIN).parse(text)


# Files ----------------------------------------------------------------------------------------


def test_is_made_again_from_its_definition_and_from_a_pickle(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TEMPLATE, encoding="utf-8")
    space = load_space(path)
    for other in (CustomSpace(space.definition), pickle.loads(pickle.dumps(space))):
        assert (other.name, other.decisions) == (space.name, space.decisions)
        _same(other.graphs(space.all_choices()), space.graphs(space.all_choices()))


def test_open_space_takes_names_paths_and_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("\ufeff" + CHAIN, encoding="utf-8")
    assert open_space(path).name == open_space(str(path)).name == "chain"
    assert isinstance(open_space("nas-bench-graph"), NASBenchGraphSpace)
    dotted = "surrogate_nas.spaces.nasbench201:NASBench201Space"
    assert isinstance(open_space(dotted), NASBench201Space)
    with pytest.raises(UnknownNameError, match="nasbench201"):
        open_space("nasbench2001")
    with pytest.raises(InvalidArgumentError, match="no SearchSpace"):
        open_space("surrogate_nas.spaces.nasbench201:OPERATIONS")
    with pytest.raises(FormatError, match=re.escape("none.toml")):
        open_space(tmp_path / "none.toml")


def test_unknown_operations_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(CHAIN + 'operations.skip = {operation = "unknown"}\n', encoding="utf-8")
    with pytest.warns(UserWarning, match="operation of skip is 'unknown'"):
        space = load_space(path)
    assert space.unknown == ("skip",)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CustomSpace(space.definition)  # out of a table: its maker was warned
        path.write_text(CHAIN, encoding="utf-8")
        load_space(path)


def test_a_registered_name_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(CHAIN.replace('"chain"', '"nasbench201"', 1), encoding="utf-8")
    with pytest.raises(FormatError, match=r"mine\.toml: name: 'nasbench201'"):
        load_space(path)


@pytest.mark.parametrize(
    ("base", "old", "new", "message"),
    [
        (CHAIN, 'graph = "chain"', "graph = ", "line 3"),
        (CHAIN, 'name = "chain"', "", "name: is missing"),
        (CHAIN, 'name = "chain"', "name = 3", "name: must be a text in quotes, got 3"),
        (CHAIN, 'name = "chain"', 'name = "a b"', "name: must be letters"),
        (CHAIN, 'graph = "chain"', 'graph = "chains"', "graph: unknown graph 'chains'; did you"),
        (CHAIN, "decisions = 3", "decision = 3", "decision: unknown key 'decision'; did you mean"),
        (CHAIN, "decisions = 3", "", "decisions: is missing"),
        (CHAIN, "decisions = 3", "decisions = 0", "decisions: must be at least 1 and at"),
        (CHAIN, "decisions = 3", "decisions = []", "decisions: needs at least one"),
        (CHAIN, "decisions = 3", "decisions = true", "decisions: must be a list, got True"),
        (CHAIN, "decisions = 3", "decisions = ['a', 'a']", "decisions[1].name: 'a' is taken twice"),
        (CHAIN, "decisions = 3", "decisions = ['input']", "decisions[0].name: 'input' is the name"),
        (CHAIN, "decisions = 3", "decisions = [3]", "decisions[0]: a decision is a name"),
        (CHAIN, "decisions = 3", "decisions = [{name = ''}]", "decisions[0].name: must be a name"),
        (CHAIN, "decisions = 3", "decisions = [{nam = 'a'}]", "decisions[0].nam: unknown key"),
        (CHAIN, "decisions = 3", "decisions = ['a', {name = 'b', options = ['conv33']}]",
         "decisions[1].options[0]: unknown option 'conv33'; did you mean 'conv3'"),
        (CHAIN, "decisions = 3", "decisions = 3\nedges = []", "edges: only a template has edges"),
        (CHAIN, '"none", "skip", "conv3"', "", "options: needs at least one option"),
        (CHAIN, '["none", "skip", "conv3"]', "3", "options: must be a list, got 3"),
        (CHAIN, '"none", "skip", "conv3"', "3", "options[0]: an option is a name in quotes, got 3"),
        (CHAIN, '"none", "skip"', '"skip", "skip"', "options[1]: 'skip' is listed twice"),
        (CHAIN, '"none"', '"input"', "options[0]: unknown option 'input'"),
        (CHAIN, 'options = ["none", "skip", "conv3"]', "", "decisions[0].options: is missing"),
        (CHAIN, "decisions = 3", 'decisions = 3\nseparator = "_"', "separator: must be punct"),
        (CHAIN, "decisions = 3", 'decisions = 3\nseparator = ""', "separator: must be punct"),
        (CHAIN, "operations.conv3", 'operations."a:b"', "unknown option 'conv3'"),
        (CHAIN, "kernel = 3", "kernel = 0", "operations.conv3.kernel: must be a positive number"),
        (CHAIN, "kernel = 3", "kernel = nan", "operations.conv3.kernel: must be a positive number"),
        (CHAIN, "kernel = 3", "kernel = true", "operations.conv3.kernel: must be a positive"),
        (CHAIN, "kernel = 3", "kernel = '3'", "operations.conv3.kernel: must be a positive"),
        (CHAIN, "kernel = 3", "kernels = 3", "operations.conv3.kernels: unknown key 'kernels'"),
        (CHAIN, '"conv", kernel', '"convolution", kernel',
         "operations.conv3.operation: unknown operation 'convolution'"),
        (CHAIN, 'operation = "conv", ', "", "operations.conv3.operation: is missing"),
        (CHAIN, "operations.conv3 =", "operations.conv3 = 3\noperations.b =", "operations.conv3: "),
        (CHAIN, "operations.conv3 =", "operations = 3 #", "operations: must be a table"),
        (CELL, "decisions = 6", "decisions = 5", "a decision for each pair of states (1, 3, 6, 10"),
        (CELL, "decisions = 6", "decisions = ['a', 'b']", "pair of states"),
        (TEMPLATE, '["a", {', '[["a"], {', "decisions[0]: a decision is a name"),
        (TEMPLATE, '["a", "b"]', '["b", "a"]', "edges[1]: 'b' -> 'a' goes backwards"),
        (TEMPLATE, '["a", "b"]', '["a", "a"]', "edges[1]: 'a' -> 'a' goes backwards"),
        (TEMPLATE, '["a", "b"]', '["a", "d"]', "edges[1]: unknown node 'd'"),
        (TEMPLATE, '["a", "b"]', '["a"]', "edges[1]: an edge is a pair of names, got ['a']"),
        (TEMPLATE, '["a", "b"]', '["input", "a"]', "edges[1]: 'input' -> 'a' is listed twice"),
        (TEMPLATE, '["a", "b"]', '["input", "b"]', "edges: 'a' is on no path"),
        (TEMPLATE, '["input", "a"], ', "", "edges: 'a' is on no path from input to output"),
        (TEMPLATE, "edges", "# edges", "edges: is missing"),
    ],
)  # fmt: skip
def test_mistakes_are_named_by_their_key(base: str, old: str, new: str, message: str) -> None:
    assert old in base
    with pytest.raises(FormatError, match=re.escape(message)) as error:
        CustomSpace(base.replace(old, new, 1), source="mine.toml")
    assert str(error.value).startswith("mine.toml: ")


@pytest.mark.parametrize("name", ["", " ", " a", "a\\n", "a\u2003b"])
def test_names_of_options_are_one_line(name: str) -> None:
    text = CHAIN.replace("operations.conv3", f'operations."{name}"').replace('"conv3"', f'"{name}"')
    with pytest.raises(FormatError, match=r"options\[2\]: (a name has no|must be a name)"):
        CustomSpace(text)


def test_a_template_needs_names() -> None:
    text = re.sub(r"decisions = .*", "decisions = 3", TEMPLATE)
    with pytest.raises(FormatError, match="a template needs a list of names"):
        CustomSpace(text)


def test_many_texts_are_read_as_one_by_one() -> None:
    for definition in (CHAIN, TEMPLATE, NODES):
        space = CustomSpace(definition)
        texts = [space.format(space.architecture(row)) for row in space.all_choices()[:40]]
        texts += [
            "",
            "nonsense",
            "0" * len(space.sizes),
            "9" * len(space.sizes),
            "none",
            texts[3][1:],
        ]
        choices, errors = space.parse_all(texts)
        for position, text in enumerate(texts):
            try:
                assert tuple(choices[position].tolist()) == space.parse(text).choices
            except ArchitectureError as error:
                assert str(errors.pop(position)) == str(error)  # noqa: PT017
        assert errors == {}
