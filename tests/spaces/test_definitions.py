"""Spaces of nodes with attributes, conditions and copies, as a TOML text declares them."""

import re
import time

import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError, FormatError
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.custom import CustomSpace, define_space
from surrogate_nas.spaces.decisions import Decision
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS
from tests.spaces.test_custom import CELL, CHAIN, NODES, TEMPLATE

IDENTITIES = [
    "cells#386b0a93bb13",
    "chain#1afc505c1695",
    "template#86a95a83ff21",
    "nodes#53d46ac7e18e",
]

LAYERS = """
name = "layers"
graph = "chain"
[decisions]
depth = [1, 2, 3]
rate = {real = [0.0, 0.5], step = 0.25}
[[nodes]]
name = "block"
count = 3
when = {depth = ">= {}"}
[[nodes.nodes]]
name = "mix"
operation = ["attention", "lstm", "none"]
heads = {options = [2, 4, 8], when = {operation = "attention"}}
[[nodes.nodes]]
name = "drop"
operation = "dropout"
rate = "rate"
repetitions = [0, 1]
"""


def described(graphs: ArchGraphs) -> list[str]:
    """The nodes as text, without input and output."""
    found = []
    for op, row in zip(graphs.op[1:-1], graphs.attributes[1:-1], strict=True):
        given = [f"{name}={2.0**x:g}" for name, x in zip(ATTRIBUTES, row, strict=True) if x]
        found.append(" ".join([OPERATIONS[op], *given]))
    return found


def test_definitions_of_before_keep_their_identity() -> None:
    assert [CustomSpace(text).identity for text in (CELL, CHAIN, TEMPLATE, NODES)] == IDENTITIES


# Nodes ----------------------------------------------------------------------------------------


def test_decisions_are_nodes_or_attributes_or_neither() -> None:
    space = CustomSpace(LAYERS)
    names = [decision.name for decision in space.decisions]
    assert names[:5] == [
        "depth", "rate", "block1.mix.operation", "block1.mix.heads", "block1.drop.repetitions",
    ]  # fmt: skip
    assert len(names) == 2 + 3 * 3
    assert space.decisions[3].when == (
        ("depth", ("1", "2", "3")),
        ("block1.mix.operation", ("attention",)),
    )

    def graph(text: str) -> list[str]:
        return described(space.graphs(np.array([space.parse(text).choices])))

    assert graph("1:0.25:attention:8:1:-:-:-:-:-:-") == ["attention heads=8", "dropout rate=0.25"]
    assert graph("1:0:lstm:-:1:-:-:-:-:-:-") == ["lstm", "dropout"]
    assert graph("2:0.5:none:-:0:attention:2:1:-:-:-") == ["attention heads=2", "dropout rate=0.5"]


def test_what_does_not_count_may_be_given_or_blank() -> None:
    space = CustomSpace(LAYERS)
    arch = space.parse("1:0.25:lstm:-:1:-:-:-:-:-:-")
    assert space.parse("1:0.25:lstm:8:1:attention:4:1:none::-") == arch
    assert space.parse("1:0.25:lstm::1::::::") == arch
    assert space.parse("01100100000"[: len(space.sizes)]) == space.parse(
        "1:0.25:lstm:-:0:-:-:-:-:-:-"
    )
    assert space.is_valid(arch)
    texts = [
        space.format(arch),
        "1:0.25:lstm:8:1:attention:4:1:none::-",
        "2:0.25:lstm:-:1:-:-:-:-:-:-",
    ]
    choices, errors = space.parse_all(texts)
    assert choices[:2].tolist() == [list(arch.choices)] * 2
    assert "needs an option of 'block2.mix.operation'" in str(errors[2])
    for text in ("1:0.25:lstm:7:1:-:-:-:-:-:-", "-:0.25:lstm:-:1:-:-:-:-:-:-"):
        with pytest.raises(ArchitectureError):
            space.parse(text)


def test_numbers_mean_the_same_however_they_are_written() -> None:
    space = CustomSpace(LAYERS)
    arch = space.parse("1:0.25:lstm:-:1:-:-:-:-:-:-")
    assert space.parse("1.0:2.5e-1:lstm:-:1.0:-:-:-:-:-:-") == arch


def test_what_is_chosen_is_a_number_or_a_name() -> None:
    bias = 'name = "mix"\ndecisions.bias = [true, false]'
    space = CustomSpace(LAYERS.replace('name = "mix"', bias))
    arch = space.parse("1:0.25:attention:4:true:1:-:-:-:-:-:-:-:-")
    assert space.chosen(arch) == {
        "depth": 1,
        "rate": 0.25,
        "block1.mix.operation": "attention",
        "block1.mix.heads": 4,
        "block1.mix.bias": True,
        "block1.drop.repetitions": 1,
    }
    with pytest.raises(ArchitectureError):
        space.chosen(Architecture("layers", (0,)))


def test_size_counts_what_counts() -> None:
    space = CustomSpace(LAYERS)
    block = (3 + 1 + 1) * 2
    assert space.size == 3 * sum(block**depth for depth in (1, 2, 3))
    assert space.countable
    assert space.encodings == 3 * 3 * (3 * 3 * 2) ** 3


def test_nodes_of_one_decision_are_as_in_the_short_form() -> None:
    operations = 'operations.conv3 = {operation = "conv", kernel = 3, channels_out = 24.5}'
    long = f"""
    name = "chain"
    graph = "chain"
    {operations}
    [[nodes]]
    count = 3
    name = "layer"
    operation = ["none", "skip", "conv3"]
    """
    for text, base in ((long, CHAIN), (CELL_OF_NODES, CELL)):
        one, other = CustomSpace(text), CustomSpace(base)
        rows = other.all_choices()[::7]
        for name in ("op", "attributes", "edges", "graph"):
            np.testing.assert_array_equal(
                getattr(one.graphs(rows), name), getattr(other.graphs(rows), name)
            )
        assert one.identity != other.identity
        assert [d.options for d in one.decisions] == [d.options for d in other.decisions]
    assert CustomSpace(CELL_OF_NODES).decisions[3].name == "0->3.operation"


CELL_OF_NODES = (
    'name = "cells"\ngraph = "cell-on-edges"\n'
    + '[[nodes]]\noperation = ["none", "skip", "conv1", "conv3", "pool"]\n' * 6
    + CELL[CELL.index("[operations]") :]
)


def test_a_missing_node_of_a_template_is_gone_or_a_skip() -> None:
    space = CustomSpace("""
    name = "template"
    graph = "template"
    edges = [["input", "a"], ["a", "b"], ["a", "c"], ["b", "output"], ["c", "output"]]
    decisions.with_c = [true, false]
    [[nodes]]
    name = "a"
    operation = "linear"
    width = 8
    repetitions = [0, 1, 4]
    [[nodes]]
    name = "b"
    operation = "gcn"
    [[nodes]]
    name = "c"
    operation = "skip"
    when = {with_c = true}
    """)
    without = space.graphs(np.array([space.parse("false:0").choices]))
    assert described(without) == ["skip", "gcn"]
    assert without.edges.T.tolist() == [[0, 1], [1, 2], [2, 3]]
    with_c = space.graphs(np.array([space.parse("true:4").choices]))
    assert described(with_c) == ["linear repetitions=4 width=8", "gcn", "skip"]
    assert with_c.edges.T.tolist() == [[0, 1], [1, 2], [1, 3], [2, 4], [3, 4]]


def test_copies_may_have_numbers_of_their_own_and_share_decisions() -> None:
    space = CustomSpace("""
    name = "stages"
    graph = "chain"
    decisions.kernel = [3, 5]
    decisions.act = ["relu", "gelu"]
    [[nodes]]
    name = "stage{}of2"
    count = 2
    operation = "conv"
    kernel = "kernel"
    each = {channels_out = [16, 32]}
    decisions.squeeze = [false, true]
    [[nodes]]
    operation = "act"
    """)
    assert [d.name for d in space.decisions] == [
        "kernel", "act", "stage1of2.squeeze", "stage2of2.squeeze",
    ]  # fmt: skip
    graphs = space.graphs(np.array([space.parse("5:gelu:true:false").choices]))
    assert described(graphs) == [
        "conv kernel=5 channels_out=16",
        "conv kernel=5 channels_out=32",
        "gelu",
    ]


def test_decisions_alone_are_a_space() -> None:
    space = CustomSpace(
        'name = "rates"\n[decisions]\nlr = {real = [1e-4, 1e-2], log = true}\nb = [8, 16, 32]'
    )
    assert [d.kind for d in space.decisions] == ["number", "number"]
    assert space.decisions[1].values == pytest.approx(np.log([8, 16, 32]))  # one factor
    assert described(space.graphs(np.array([[0, 0]]))) == []


@pytest.mark.parametrize(
    ("value", "kind", "options"),
    [
        ('["a", "b c"]', "categorical", "a|b c"),
        ("[2, 4, 8.5]", "number", "2|4|8.5"),
        ("[true, false]", "categorical", "true|false"),
        ('{ordinal = ["s", "m"]}', "ordinal", "s|m"),
        ("{categorical = [8, 16]}", "categorical", "8|16"),
        ("{integer = [1, 7], step = 3}", "number", "1|4|7"),
        ("{integer = [16, 64], log = true, levels = 3}", "number", "16|32|64"),
        ("{real = [0, 1], levels = 3}", "number", "0|0.5|1"),
        ("{options = [1, 3], log = true}", "number", "1|3"),
        ("{options = [1, 2, 4], log = false}", "number", "1|2|4"),
    ],
)
def test_kinds(value: str, kind: str, options: str) -> None:
    decision = CustomSpace(f'name = "one"\n[decisions]\nx = {value}').decisions[0]
    assert (decision.kind, "|".join(decision.options)) == (kind, options)


@pytest.mark.parametrize(
    ("when", "holding"),
    [
        ("{n = 2}", "2"),
        ("{n = [1, 4.0]}", "1 4"),
        ('{n = ">= 2"}', "2 3 4"),
        ('{n = "> 2"}', "3 4"),
        ('{n = "<= 2"}', "1 2"),
        ('{n = "<2"}', "1"),
        ('{n = "!= 2"}', "1 3 4"),
        ('{size = ">= m"}', "m l"),
        ('{size = "m"}', "m"),
        ('{act = "!= relu"}', "gelu >= 3"),
        ('{act = ">= 3"}', ">= 3"),  # the name of an option
        ("{flag = true}", "true"),
    ],
)
def test_conditions(when: str, holding: str) -> None:
    space = CustomSpace(f"""
    name = "conditions"
    [decisions]
    x = {{options = [1, 2], when = {when}}}
    n = {{integer = [1, 4]}}
    size = {{ordinal = ["s", "m", "l"]}}
    act = ["relu", "gelu", ">= 3"]
    flag = [true, false]
    """)
    assert space.decisions[0].when is not None
    assert " ".join(space.decisions[0].when[0][1]) == holding


def test_decisions_in_python_are_a_space() -> None:
    decisions = (
        Decision.integer('n of"x"', 1, 9, step=2),
        Decision.integer("log", 1, 8, levels=4, log=True),
        Decision.real("rate", 1e-7, 1e-1, log=True),
        Decision.numbers("factors", [2, 4, 8]),
        Decision.ordinal("size", ["s", "m: l", "é"]),
        Decision.categorical("c", ["a", "1"], when={"size": ["m: l", "é"], "log": [2, 4]}),
        Decision.boolean("flag", when={"c": "1"}),
    )
    space = define_space("mine", decisions)
    assert space.decisions == decisions
    assert CustomSpace(space.definition).decisions == decisions
    with pytest.raises(FormatError, match=r"decisions\.c\.when: unknown decision 'size'"):
        define_space("mine", decisions[5:])
    odd = Decision("odd", ("few", "many"), "number", (1.0, 2.0))
    with pytest.raises(FormatError, match="the options of a number must be numbers, got few, many"):
        define_space("mine", [odd])


# Names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [":", "-", "/-", '"', "::", "'\""])
def test_any_names_are_read_as_they_are_written(separator: str) -> None:
    rng = np.random.default_rng(0)
    alphabet = [*"ab3 -:/\"'|,.=é", separator]
    names = {"".join(rng.choice(alphabet, size=n)).strip() for n in range(1, 9) for _ in range(60)}
    pool = [name for name in sorted(names) if name]
    for round_ in range(30):
        decisions = []
        for i in range(4):
            listed = [pool[k] for k in rng.choice(len(pool), size=6, replace=False)]
            quoted = ", ".join(
                f'"{name}"' for name in (n.replace("\\", "").replace('"', '\\"') for n in listed)
            )
            when = ', when = {"d 0" = ["x", "y"]}' if i > 1 and round_ % 2 else ""
            first = '"x", "y", ' if i == 0 else ""
            decisions.append(f'"d {i}" = {{options = [{first}{quoted}]{when}}}')
        marks = separator.replace('"', '\\"')
        space = CustomSpace(
            f'name = "names"\nseparator = "{marks}"\n[decisions]\n' + "\n".join(decisions)
        )
        archs = [space.sample(rng) for _ in range(60)]
        texts = [space.format(arch) for arch in archs]
        assert [space.parse(text) for text in texts] == archs
        choices, errors = space.parse_all(texts)
        assert errors == {}
        assert choices.tolist() == [list(arch.choices) for arch in archs]
        assert len(set(texts)) == len(set(archs))


# Mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[1, 2, 3]", "3", "decisions.depth: a decision is a list of options"),
        ("[1, 2, 3]", "[]", "decisions.depth: needs at least one option"),
        ("[1, 2, 3]", '[1, "2"]', "decisions.depth: options are all numbers, all texts"),
        ("[1, 2, 3]", "[1, 1.0]", "decisions.depth: '1' is listed twice"),
        ("[1, 2, 3]", "[1, nan]", "decisions.depth: decision 'depth': its options must be"),
        ("[1, 2, 3]", "{integer = 3}", "decisions.depth.integer: must be the least and"),
        ("[1, 2, 3]", "{integer = [3, 1]}", "decisions.depth.integer: decision 'depth': the range"),
        ("[1, 2, 3]", "{integer = [1, 3], real = [1, 3]}", "got integer and real"),
        ("[1, 2, 3]", "{levels = 3}", "decisions.depth: a decision has one of options,"),
        ("[1, 2, 3]", "{integer = [1, 3], levels = 1.5}", "decisions.depth.levels: must be a"),
        ("[1, 2, 3]", '{integer = [1, 3], step = "1"}', "decisions.depth.step: must be a number"),
        ("[1, 2, 3]", "{integer = [1, 3], steps = 1}", "decisions.depth.steps: unknown key"),
        ("[1, 2, 3]", '{real = [1, 3], log = "yes"}', "decisions.depth.log: must be true or false"),
        ("[1, 2, 3]", '{options = ["a"], log = true}', "decisions.depth.log: only numbers have"),
        ("step = 0.25", "step = 1e-9", "decisions.rate.real: decision 'rate': 500000000"),
        ("step = 0.25", "step = 0.25, levels = 3", "a step goes with neither"),
        ("step = 0.25", "when = {dept = 1}", "decisions.rate.when: unknown decision 'dept';"),
        ("step = 0.25", "when = {depth = 7}", "decisions.rate.when.depth: unknown depth option"),
        ("step = 0.25", 'when = {depth = "> 3"}', "no option of 'depth' is '> 3' (choose from: 1"),
        ("step = 0.25", "when = {depth = []}", "decisions.rate.when.depth: no option of 'depth'"),
        ("step = 0.25", 'when = {depth = "> x"}', "when.depth: 'x' is no number to compare with"),
        ("step = 0.25", "when = 3", "decisions.rate.when: must be a table like"),
        ("step = 0.25", 'when = {depth = ">= {}"}', "{} is the number of a copy, and there is no"),
        ("step = 0.25", "when = {rate = 0}", "when: conditions of decisions go in a circle:"),
        ('heads = {options', 'head = {options', "nodes[0].nodes[0].head: unknown key 'head'"),
        ("[2, 4, 8]", '["few"]', "nodes[0].nodes[0].heads: an attribute's options are numbers"),
        ("[2, 4, 8]", "[-2, 4]", "nodes[0].nodes[0].heads: an attribute's options are"),
        ('operation = "attention"}', 'operation = "> lstm"}', "have no order, so > says nothing"),
        ('"lstm", "none"', '"lstn"', "nodes[0].nodes[0].operation[1]: unknown option 'lstn'"),
        ('"dropout"', '"drop"', "nodes[0].nodes[1].operation: unknown option 'drop'"),
        ('"dropout"', "3", "nodes[0].nodes[1].operation: must be a name in quotes or a list"),
        ('operation = "dropout"', "", "nodes[0].nodes[1].operation: is missing"),
        ('rate = "rate"', 'rate = "depth of"', "nodes[0].nodes[1].rate: is a number, a list of"),
        ('rate = "rate"', "rate = -1", "nodes[0].nodes[1].rate: must be a positive number, got -1"),
        ('rate = "rate"', 'each = {rate = [1]}', "each.rate: needs a number for each of"),
        ("count = 3", "count = 0", "nodes[0].count: must be a whole number from 1, got 0"),
        ("count = 3", "count = 1000000000", "nodes[0].count: 1000000000 copies are too many"),
        ('name = "drop"', 'name = "mix"', "nodes[0].nodes[1].name: 'block1.mix' is taken"),
        ('name = "drop"', "", "nodes[0].nodes[1].name: is missing"),
        ('name = "drop"', 'name = "d{}"', "nodes[0].nodes[1].name: {} is the number of a copy"),
        ('name = "block"\ncount = 3\n', 'name = "block"\n', "{} is the number of a copy"),
        ("[decisions]\n", "decisions = 3\n[d]\n", "d: unknown key 'd'"),
        ("[decisions]\n", "options = ['conv']\n[decisions]\n", "options: the options of nodes"),
        ('graph = "chain"', "", "graph: is missing"),
        ('graph = "chain"', 'graph = "template"', "edges: is missing"),
    ],
)  # fmt: skip
def test_mistakes_are_named_by_their_key(old: str, new: str, message: str) -> None:
    assert old in LAYERS
    with pytest.raises(FormatError, match=re.escape(message)) as error:
        CustomSpace(LAYERS.replace(old, new, 1), source="mine.toml")
    assert str(error.value).startswith("mine.toml: ")


HUGE = "9" * 5000
SHORT = "graph = 'chain'\noptions = ['conv']"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{SHORT}\ndecisions = 1000000000", "at most 10000, got 1000000000"),
        ("graph = 'cell-on-edges'\n[[nodes]]\ncount = 5\nname = 'a'\noperation = ['conv', 'skip']",
         "nodes: a cell with operations on all edges"),
        (f"{SHORT}\ndecisions = {HUGE}", "digits"),
        ("x = " + "[" * 100_000, "nested too deeply"),
        ("decisions.x = {integer = [1, 1000000000]}", "1000000000 options are too many"),
        (f"decisions.x = {{integer = [1, {HUGE}]}}", "digits"),
        ("decisions.x = {real = [1, 2], levels = 1000000000}", "options are too many"),
        ("decisions.x = {integer = [1, 9" + "0" * 400 + "]}", "too large"),
        ("graph = 'chain'\n[[nodes]]\nname = 'a{}'\ncount = 10000\n"
         "nodes = [{name = 'b', count = 10000, operation = 'conv', kernel = [1, 3]}]", "too many"),
        ("graph = 'chain'\n[[nodes]]\nname = 'a'\ncount = 10000\noperation = 'conv'\n"
         "width = {integer = [1, 10000]}", "200000 options in all"),
        ("graph = 'cell-on-nodes'\noptions = ['conv']\ndecisions = 10000", "10000 nodes of which"),
        ("decisions.d = {integer = [1, 10000]}\ngraph = 'chain'\n[[nodes]]\nname = 'a'\n"
         "count = 10000\noperation = 'conv'\nwhen = {d = '>= {}'}", "ask for too many options"),
    ],
)  # fmt: skip
def test_what_is_too_large_is_refused_at_once(text: str, message: str) -> None:
    start = time.perf_counter()
    with pytest.raises(FormatError, match=message):
        CustomSpace(f"name = 'large'\n{text}")
    assert time.perf_counter() - start < 20


def test_a_space_of_ten_thousand_decisions() -> None:
    space = CustomSpace(
        "name = 'long'\ngraph = 'chain'\noptions = ['conv', 'skip']\ndecisions = 10000"
    )
    assert space.graphs(np.zeros((2, 10_000), dtype=np.int16)).op.size == 2 * 10_002


@pytest.mark.parametrize("number", ["1e101", "inf", "1" + "0" * 400])
def test_attributes_are_numbers_of_this_world(number: str) -> None:
    text = LAYERS.replace('operation = "dropout"', f'operation = "dropout"\nwidth = {number}')
    with pytest.raises(FormatError, match="width: must be a positive number"):
        CustomSpace(text)
    large = Decision.integer("n", 1, 10**30, levels=3, log=True)
    assert large.options[:2] == ("1", str(10**15))
