"""Architectures as people write them: published notations, options, patterns, functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.errors import (
    FormatError,
    InvalidArgumentError,
    SurrogateNASError,
    UnknownNameError,
)
from surrogate_nas.spaces import open_space
from tests.benchmarks.csv_files import Ear, imported, own_home, values, written

home = pytest.fixture(autouse=True, name="home")(own_home)

# Notations ------------------------------------------------------------------------------------

CELL = "|skip_connect~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"
NASLIB = "[0, 1, 3, 2, 4, 1]"  # one by one in the order of our edges, as if it were ours
OPERATIONS = ("skip_connect", "none", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "none")


@pytest.mark.parametrize(
    ("text", "notation"),
    [
        # Edges 1->2, 1->3, 1->4, 2->3, 2->4, 3->4, and operations skip, none, 3x3, 1x1, pooling.
        ("(0, 1, 2, 3, 4, 1)", "naslib"),
        ("[0,1,2,3,4,1]", "naslib"),
        ("0-1-2-3-4-1", "naslib"),
        ("['Identity', 'Zero', 'ReLUConvBN3x3', 'ReLUConvBN1x1', 'AvgPool1x1', 'Zero']", "naslib"),
        (str(list(OPERATIONS)), "operations"),
        (", ".join(OPERATIONS), "operations"),
        ("[[('skip_connect', 0)], [('none', 0), ('nor_conv_1x1', 1)], [('nor_conv_3x3', 0), "
         "('avg_pool_3x3', 1), ('none', 2)]]", "operations"),
        ("(1, 0, 2, 3, 4, 0)", "indices"),
    ],
)  # fmt: skip
def test_notations_of_nasbench201(text: str, notation: str) -> None:
    ear = Ear()
    table = f'arch,v\n"{text}",1\n'
    settings: dict[str, Any] = {"space": "nasbench201", "listener": ear}
    imported(table, notation=notation, **settings)
    assert values() == {CELL: 1}
    assert ear.notes == []
    if notation != "indices":  # which nobody can tell from NASLib's
        imported(table, **settings)
        assert values() == {CELL: 1}
        assert f"read by --notation {notation}" in ear.notes[0]


def test_naslib_numbers_and_the_official_text_agree() -> None:
    """By NASLib's own rule, written out: the edge (i, j) of states from 1 goes into column j."""
    rng = np.random.default_rng(0)
    ops = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
    edges = ((1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4))
    rows, expected = [], {}
    for value, numbers in enumerate(np.unique(rng.integers(5, size=(50, 6)), axis=0).tolist()):
        by_edge = dict(zip(edges, (ops[n] for n in numbers), strict=True))
        states = ("|".join(f"{by_edge[i, j]}~{i - 1}" for i in range(1, j)) for j in (2, 3, 4))
        expected["+".join(f"|{state}|" for state in states)] = value
        rows.append(f'"{tuple(numbers)}",{value}\n')
    imported("arch,v\n" + "".join(rows), space="nasbench201")
    assert values() == expected


MATRIX = "0110100010001000000100000000010000000000100000000"[:49]
BITS = {
    "matrix": "[[0,1,1,0,1],[0,0,0,1,0],[0,0,0,0,1],[0,0,0,0,1],[0,0,0,0,0]]",
    "triangle": "1101010011",
}
CELL_101 = "0110100010000010000100000:input,conv3x3-bn-relu,maxpool3x3,conv1x1-bn-relu,output"


@pytest.mark.parametrize(
    ("text", "notation"),
    [
        (f"{BITS['matrix']} ['input', 'conv3x3-bn-relu', 'maxpool3x3', 'conv1x1-bn-relu', "
         "'output']", "bits"),
        (f"{BITS['triangle']} conv3x3-bn-relu,maxpool3x3,conv1x1-bn-relu", "bits"),
        (f"{BITS['triangle']}|conv3x3|maxpool3x3|conv1x1", "bits"),
        ("(" + ", ".join("0110100010000010000100000") + ", 0, 4, 2, 3, 1)", "naslib"),
    ],
)  # fmt: skip
def test_notations_of_nasbench101(text: str, notation: str) -> None:
    ear = Ear()
    space = open_space("nasbench101")
    for given in ({"notation": notation}, {}):
        imported(f'arch,v\n"{text}",1\n', space="nasbench101", listener=ear, **given)
        task = open_benchmark("mine").task("toy")
        assert task.choices.tolist() == [list(space.parse(CELL_101).choices)]
    assert f"--notation {notation}" in ear.notes[-1]


def test_a_matrix_and_operations_in_two_columns() -> None:
    ops = "['input', 'conv3x3-bn-relu', 'maxpool3x3', 'conv1x1-bn-relu', 'output']"
    text = f'matrix;ops;v\n"{BITS["matrix"]}";"{ops}";1\n'
    imported(text, space="nasbench101", arch=["matrix", "ops"])
    space = open_space("nasbench101")
    task = open_benchmark("mine").task("toy")
    assert task.choices.tolist() == [list(space.parse(CELL_101).choices)]


@pytest.mark.parametrize(
    ("text", "notation", "message"),
    [
        ("(0, 1, 2, 3, 4)", "naslib", "5 operations"),
        ("(0, 1, 2, 3, 4, 5)", "naslib", "above 4"),
        ("(0, 1, 2, 3, 4, x)", "naslib", "no list of operations"),
        ("__import__('os')", "naslib", "unknown NASLib operation"),
        ("none, none", "operations", "not six operations"),
        ("['none'] * 6", "operations", "no list of operations"),
        ("Identity, Zero, Zero, Zero, Zero, Zer", "naslib", "NASLib operation 'Zer'; did you"),
        ("[[('none', 1)], none, none, none, none, none]", "operations", "not six operations"),
        ("none, none, none, none, none, noone", "operations", "did you mean 'none'"),
        ("(1, 0, 2, 3, 4, 9)", "indices", "no option 9 of 2->3"),
        ("(1, 0)", "indices", "not 6 numbers"),
        ("none;none", "options", "lists 2 options, not 6"),
    ],
)
def test_a_wrong_notation_is_named_with_line_and_column(
    text: str, notation: str, message: str
) -> None:
    with pytest.raises(FormatError, match=rf"line 2: .*{message}.*(\(column arch\)|arch: )?"):
        imported(f'arch,v\n"{text}",1\n', space="nasbench201", notation=notation)
    with pytest.raises(FormatError, match=r"1 bad row.* line 2"):
        imported(f'arch,v\n"{text}",1\n{CELL},1\n', space="nasbench201")


def test_unknown_notations_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'naslib'"):
        imported(f"arch,v\n{CELL},1\n", space="nasbench201", notation="nasslib")
    with pytest.raises(UnknownNameError, match="choose from: options, indices, module:function"):
        imported("arch,v\n8:8:8:8:8,1\n", notation="naslib")
    with pytest.raises(InvalidArgumentError, match="--notation needs the column"):
        imported("arch,v\n8:8:8:8:8,1\n", notation="options", arch=None)


# Options of the user -------------------------------------------------------------------------


def test_options_are_numbers_truths_and_names_with_blanks() -> None:
    rows = (
        "4,0.001,True,layer norm,1",
        "4.0,1e-2,1,Batch Norm,2",
        "8,0.1,false,,3",
        "2,1.0e-4,0,nan,4",
        "6,0.1,no,layer norm,5",  # whatever it says, it does not count
    )
    imported("layers,rate,gate,norm,v\n" + "\n".join(rows), space="own", arch=None)
    assert list(sorted(values().items(), key=lambda item: item[1])) == [
        ("4/0.001/true/layer norm", 1),
        ("4/0.01/true/batch norm", 2),
        ("8/0.1/false/batch norm", 3),
        ("2/0.0001/false/batch norm", 4),
        ("6/0.1/false/batch norm", 5),
    ]


def test_options_may_have_decimal_commas_between_semicolons() -> None:
    text = "layers;rate;gate;norm;v\n4,0;0,001;0;;1\n8;1e-2;0;;2\n"
    imported(text, space="own", arch=None)
    assert values() == {"4/0.001/false/batch norm": 1, "8/0.01/false/batch norm": 2}
    with pytest.raises(FormatError, match="line 2: layers: unknown layers option '4,0'"):
        imported(text.replace(";", "\t"), space="own", arch=None)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("4,0.001,true,,1", "norm: is empty, and it counts here"),
        ("5,0.001,false,,1", "layers: unknown layers option '5'"),
        ("4,0.002,false,,1", "rate: unknown rate option '0.002'"),
        ("4,0.001,maybe,,1", "gate: unknown gate option 'maybe'"),
        (",0.001,false,,1", "layers: unknown layers option ''"),
    ],
)
def test_what_is_no_option(row: str, message: str) -> None:
    text = f"layers,rate,gate,norm,v\n{row}\n"
    with pytest.raises(FormatError, match=f"1 bad row, nothing was written: line 2: {message}"):
        imported(text, space="own", arch=None)


def test_the_nearest_number() -> None:
    text = "rate,v\n0.002,1\n0.004,2\n"
    fixed = {"layers": "4", "gate": "false"}
    with pytest.raises(InvalidArgumentError, match=r"--fixed NAME=OPTION.*norm are missing"):
        imported(text, space="own", arch=None, fixed=fixed, nearest=True)
    fixed["norm"] = "batch norm"
    imported(text, space="own", arch=None, fixed=fixed, nearest=True)
    assert values() == {"4/0.001/false/batch norm": 1, "4/0.01/false/batch norm": 2}
    with pytest.raises(FormatError, match=r"line 2: rate: .*'0.2'"):
        imported("rate,v\n0.2,1\n", space="own", arch=None, fixed=fixed, nearest=True)
    with pytest.raises(UnknownNameError, match="unknown layers option '5'"):
        imported(text, space="own", arch=None, fixed=fixed | {"layers": "5"})
    with pytest.raises(InvalidArgumentError, match="leave one out"):
        imported(text, space="own", arch=None, fixed=fixed, decisions={"layers": "rate"})


def test_a_pattern_with_groups() -> None:
    text = "arch,v\nL4 lr=1e-2 gate=1 [layer norm],1\nL8 lr=0.1 gate=0,2\n"
    pattern = r"L(?P<layers>\d+) lr=(?P<r>\S+) gate=(?P<gate>.)(?: \[(?P<norm>.*)\])?"
    settings: dict[str, Any] = {"space": "own", "pattern": pattern, "decisions": {"rate": "r"}}
    imported(text, **settings)
    assert values() == {"4/0.01/true/layer norm": 1, "8/0.1/false/batch norm": 2}
    with pytest.raises(FormatError, match=r"line 4: .*'M4' is not matched as a whole by --pattern"):
        imported(text + "M4,3\n", **settings)
    with pytest.raises(FormatError, match=r"line 4: arch: unknown layers option '5'"):
        imported(text + "L5 lr=0.1 gate=0,3\n", **settings)
    with pytest.raises(FormatError, match=r"line 4: arch: is empty, and it counts here"):
        imported(text + "L4 lr=0.1 gate=1,3\n", **settings)
    cases: list[tuple[dict[str, Any], type[SurrogateNASError], str]] = [
        ({"pattern": "("}, InvalidArgumentError, "regular expression"),
        ({"pattern": "(?P<layers>.*)"}, InvalidArgumentError, "missing: rate, gate, norm"),
        ({"pattern": "(.)(.)"}, InvalidArgumentError, "missing: layers, rate"),
        ({"decisions": {}}, UnknownNameError, "decision of the group 'r'"),
        ({"arch": None}, InvalidArgumentError, "--pattern reads the architectures of the column"),
        ({"notation": "options"}, InvalidArgumentError, "got --notation options"),
    ]
    for changes, error, message in cases:
        with pytest.raises(error, match=message):
            imported(text, **(settings | changes))


def test_groups_without_names_are_in_order() -> None:
    imported(
        "arch,v\n8_16,1\n", pattern=r"(\d+)_(\d+)", fixed={f"layer{i}": "8" for i in (3, 4, 5)}
    )
    assert values() == {"8:16:8:8:8": 1}


FUNCTIONS = """
from surrogate_nas import Architecture

def names(text):
    return {"layers": int(text), "rate": 0.01, "gate": True, "norm": "layer norm"}

def order(text):
    return [text, 0.01, True, "layer norm"]

def found(text):
    return Architecture("own", (int(text) // 2 - 1, 2, 1, 1))

def native(text):
    return f"{text}/0.01/true/layer norm"

def odd(text):
    return {"layer": 4}

def few(text):
    return [4]

def fails(text):
    raise RuntimeError("two\\nlines")

constant = 3
"""


def test_a_python_function(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(FUNCTIONS, "own_formats.py")
    monkeypatch.syspath_prepend(str(home))
    for name in ("names", "order", "found", "native"):
        imported("arch,v\n4,1\n8,2\n", space="own", notation=f"own_formats:{name}")
        assert values() == {"4/0.01/true/layer norm": 1, "8/0.01/true/layer norm": 2}, name
    for name, message in [
        ("odd", "unknown decision 'layer'"),
        ("few", "must be a mapping from decisions to options, 4 options"),
        ("fails", "RuntimeError: two "),
    ]:
        with pytest.raises(FormatError, match=f"line 2: architecture '4' .*{message}"):
            imported("arch,v\n4,1\n", space="own", notation=f"own_formats:{name}")
    for name in ("constant", "missing"):
        with pytest.raises(InvalidArgumentError, match=f"notation 'own_formats:{name}'"):
            imported("arch,v\n4,1\n", space="own", notation=f"own_formats:{name}")


def test_lists_of_options_are_read(home: Path) -> None:
    ear = Ear()
    for text in ("['4', 0.01, True, 'layer norm']", "4; 1e-2; true; layer norm"):
        imported(f'arch,v\n"{text}",1\n', space="own", notation="options")
        assert values() == {"4/0.01/true/layer norm": 1}
    imported('arch,v\n"[8, 8, 8, 16, 8]",1\n', listener=ear)
    assert values() == {"8:8:8:16:8": 1}
    assert "--notation options" in ear.notes[0]
