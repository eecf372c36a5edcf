"""What people have: other separators, headers, numbers, notations, and repeated rows."""

from __future__ import annotations

import bz2
import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas import registry
from surrogate_nas._types import IntArray
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.importers.base import Imported, Listener
from surrogate_nas.benchmarks.importers.bounded import read_size
from surrogate_nas.benchmarks.importers.csv import import_csv
from surrogate_nas.cli import main
from surrogate_nas.errors import (
    FormatError,
    InvalidArgumentError,
    SurrogateNASError,
    UnknownNameError,
)
from surrogate_nas.evaluation import Evaluation
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.chains import chain_graphs
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.operations import ATTRIBUTES


class OwnSpace(SearchSpace):
    """A chain with all kinds of decisions."""

    name = "own"
    decisions = (
        Decision.integer("layers", 2, 8, step=2),
        Decision.real("rate", 1e-4, 0.1, levels=4, log=True),
        Decision.boolean("gate"),
        Decision.categorical("norm", ["batch norm", "layer norm"], when={"gate": True}),
    )

    def graphs(self, choices: IntArray) -> ArchGraphs:
        choices = np.asarray(choices)
        return chain_graphs(
            choices, np.zeros((*choices.shape, len(ATTRIBUTES))), present=choices >= 0
        )

    def parse(self, text: str) -> Architecture:
        names = text.split("/")
        return self.check(Architecture(self.name, tuple(map(self._at, range(4), names))))

    def _at(self, i: int, name: str) -> int:
        return self._option(i, name, name)

    def format(self, arch: Architecture) -> str:
        chosen = zip(self.decisions, arch.choices, strict=True)
        return "/".join(decision.options[choice] for decision, choice in chosen)


class Ear(Listener):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of the user's tables, and the folder of the files."""
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry.SPACES, "own", OwnSpace)
    return tmp_path


def written(text: str, name: str = "runs.csv") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def imported(text: str, **changes: Any) -> Imported:
    settings: dict[str, Any] = {
        "name": "mine", "space": "nats-size", "arch": "arch", "tasks": {"toy": "v"},
    }  # fmt: skip
    return import_csv(written(text), **(settings | changes))


def answer(text: str, **place: int) -> Evaluation:
    task = open_benchmark("mine").task("toy")
    return task.evaluate(task.space.parse(text), **place)


def values() -> dict[str, float]:
    task = open_benchmark("mine").task("toy")
    texts = [task.space.format(task.space.architecture(row)) for row in task.choices]
    return dict(zip(texts, task.values.tolist(), strict=True))


# Separators and headers -----------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " ", "   "])
@pytest.mark.parametrize("quoted", [False, True])
def test_separators_are_found(separator: str, quoted: bool) -> None:
    """The same cells, whatever is between them, also where a quoted one holds it."""
    rows = [("note", "arch", "v"), ("x", "8:8:8:8:8", "1.5"), ("y", "8:8:8:8:16", "-2")]
    if quoted:
        rows[1] = (f'"a{separator}""b"""', *rows[1][1:])
    imported("\n".join(separator.join(row) for row in rows) + "\n")
    assert values() == {"8:8:8:8:8": 1.5, "8:8:8:8:16": -2}


@pytest.mark.parametrize(("word", "mark"), [("comma", ","), ("tab", "\t"), (":", ":"), ("#", "#")])
def test_a_separator_may_be_named(word: str, mark: str) -> None:
    fixed = {f"layer{i}": "8" for i in (3, 4, 5)}
    imported(f"arch{mark}v\n8-8{mark}1", separator=word, pattern=r"(\d+)-(\d+)", fixed=fixed)
    assert values() == {"8:8:8:8:8": 1}
    with pytest.raises(InvalidArgumentError, match=r"--separator must be comma, semicolon, tab"):
        imported("arch,v\n8:8:8:8:8,1", separator="::")


def test_a_file_without_a_header_gets_names() -> None:
    text = "first;8:8:8:8:8;1,5\n\nsecond;8:8:8:8:16;2\n"
    imported(text, columns=["note", "arch", "v"])
    assert values() == {"8:8:8:8:8": 1.5, "8:8:8:8:16": 2}
    with pytest.raises(FormatError, match=r"1 bad row.* line 3: v is no finite number: 'two'"):
        imported(text.replace(";2", ";two"), columns=["note", "arch", "v"])
    with pytest.raises(FormatError, match=r"--columns names 2 columns \(arch, v\).*semicolon 3"):
        imported(text, columns=["arch", "v"])
    with pytest.raises(FormatError, match="2 columns are called 'v'"):
        imported(text, columns=["arch", "v", "v"])
    with pytest.raises(InvalidArgumentError, match=r"line 1 must name the columns.*--columns"):
        imported("8:8:8:8:8,1.5\n8:8:8:8:16,2\n")
    with pytest.raises(FormatError, match="no usable row"):
        imported("", columns=["arch", "v"])


def test_a_wrong_separator_shows_in_the_columns() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown column 'v'.*arch, value"):
        imported("arch;value\n8:8:8:8:8;1\n")
    with pytest.raises(UnknownNameError, match=r"unknown column 'v'.*arch\^v"):
        imported("arch^v\n8:8:8:8:8^1\n")


# Numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:02:03", 3723),
        ("02:03.5", 123.5),
        ("90:00", 5400),
        ("0:00:00.25", 0.25),
        ("1 day, 0:00:01", 86401),
        ("2 days 00:01:00", 172860),
        ("93.4 %", 93.4),
        ("93.4%", 93.4),
        ("-1e-1 %", -0.1),
    ],
)
def test_numbers_of_people(text: str, value: float) -> None:
    imported(f'arch,v\n8:8:8:8:8,"{text}"\n8:8:8:8:16,\n')
    assert values() == {"8:8:8:8:8": value}


@pytest.mark.parametrize(
    "text", ["1:60:00", "1:02:60", "60:60", ":30", "1:2:3:4", "%", "9 %%", "1:0x", "1e999 %"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(FormatError, match=f"line 2: v is no finite number: '{text}'"):
        imported(f"arch,v\n8:8:8:8:8,{text}\n")


def test_decimal_commas_stand_between_semicolons() -> None:
    imported("arch;v\n8:8:8:8:8;1,5\n8:8:8:8:16;-,25\n8:8:8:8:24;1e3\n8:8:8:8:32;2\n")
    assert list(values().values()) == [1.5, -0.25, 1000, 2]
    imported("arch;v\n8:8:8:8:8;93,4 %\n8:8:8:8:16;7%\n")
    assert list(values().values()) == [93.4, 7]
    for text in ("arch\tv\n8:8:8:8:8\t1,5\n", 'arch,v\n8:8:8:8:8,"1,5"\n'):
        with pytest.raises(FormatError, match=r"'1,5' \(decimal commas are read where semicolons"):
            imported(text)
    with pytest.raises(FormatError, match=r"no finite number: '1\.234,5'"):
        imported("arch;v\n8:8:8:8:8;1.234,5\n")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("93.4 %", "0.934"), "line 3: v is no percentage: '0.934'.*like '93.4 %'.*alike"),
        (("1:30", "95"), "line 3: v is no clock time: '95'"),
        (("1:30", "1:31", "95 %"), "line 4: v is no clock time: '95 %'"),
        (("1,5", "1.5"), "line 3: v is no number with a decimal comma: '1.5'"),
    ],
)
def test_a_column_is_written_in_one_way(cells: tuple[str, ...], message: str) -> None:
    """Otherwise 1.234 may be more than a thousand, and 0.934 the same as 93.4 %."""
    rows = [f"8:8:8:8:{8 + 8 * i};{cell}\n" for i, cell in enumerate(cells)]
    with pytest.raises(FormatError, match=message):
        imported("arch;v\n" + "".join(rows))


# Repeated rows --------------------------------------------------------------------------------

REPEATED = "arch,v,t,size\n8:8:8:8:8,1,10,5\n8:8:8:8:16,2,20,6\n8:8:8:8:8,3,,7\n8:8:8:8:8,8,30,9\n"


def test_repeated_rows_become_seeds() -> None:
    ear = Ear()
    made = imported(REPEATED, repeats="seeds", tests={"toy": "t"}, metrics={"size": "size"},
                    listener=ear)  # fmt: skip
    assert (made.architectures, made.repeated) == (2, 0)
    assert ear.notes == ["2 rows repeat an architecture; all of one are its seeds"]
    assert [answer("8:8:8:8:8", seed=i).value for i in range(3)] == [1, 3, 8]
    assert [answer("8:8:8:8:8", seed=i).metrics["size"] for i in range(3)] == [5, 7, 9]
    mean = answer("8:8:8:8:8")
    assert (mean.value, mean.hidden, mean.metrics) == (4, {"value": 20}, {"size": 7})
    assert answer("8:8:8:8:16").value == 2


def test_seeds_may_stand_in_columns_and_in_rows() -> None:
    rows = "arch,a,b\n8:8:8:8:8,1,2\n8:8:8:8:8,3,4\n8:8:8:8:16,5,6\n"
    imported(rows, repeats="seeds", tasks={"toy#0": "a", "toy#1": "b"}, metrics={"m": "a"})
    found = [answer("8:8:8:8:8", seed=i) for i in range(4)]
    assert sorted(e.value for e in found) == [1, 2, 3, 4]
    assert answer("8:8:8:8:16").value == 5.5
    assert {e.value: e.metrics["m"] for e in found} == {1: 1, 2: 1, 3: 3, 4: 3}


def test_the_mean_of_repeated_rows() -> None:
    imported(REPEATED, repeats="mean", tests={"toy": "t"}, costs={"": "size"})
    found = answer("8:8:8:8:8")
    assert (found.value, found.hidden) == (4, {"value": 20})
    assert found.cost == 6.5  # the mean over architectures, of 7 and 6
    with pytest.raises(
        InvalidArgumentError, match="--repeats must be refuse, seeds, mean, got 'al"
    ):
        imported(REPEATED, repeats="all")
    with pytest.raises(FormatError, match=r"line 2 again, with another v.*--repeats seeds or mean"):
        imported(REPEATED)


def test_seeds_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surrogate_nas.benchmarks.importers.repeats.MOST_VALUES", 5)
    with pytest.raises(InvalidArgumentError, match=r"one architecture has 3 rows.*--repeats mean"):
        imported(REPEATED, repeats="seeds")
    imported(REPEATED, repeats="mean")


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


# Options of one's own -------------------------------------------------------------------------


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


# Bounds ---------------------------------------------------------------------------------------

BOMB = """
import re, sys, time
from surrogate_nas.cli import main
began = time.process_time()
code = main(["import", "csv", sys.argv[1], "--space", "nats-size", "--arch", "arch",
             "--name", "mine", "--task", "toy=v"])
seconds = time.process_time() - began
# Not ru_maxrss, which is inherited from the process that started this one.
peak = re.search(r"VmHWM:\\s*([0-9]+) kB", open("/proc/self/status").read())[1]
print(code, int(peak) // 1000, seconds)
"""


@pytest.mark.parametrize(("compress", "copies"), [(gzip.compress, 192), (bz2.compress, 192)])
def test_a_bomb_is_refused(compress: Any, copies: int) -> None:
    """3 GiB in a few MB."""
    start = compress(b"arch,v\n8:8:8:8:8,1\n")
    path = Path("bomb.csv.x")
    path.write_bytes(start + compress(b"\0" * (1 << 24)) * copies)
    assert path.stat().st_size < 4e6
    done = subprocess.run([sys.executable, "-c", BOMB, path], capture_output=True, text=True)
    code, megabytes, seconds = done.stdout.split()
    assert code == "2"
    assert int(megabytes) < 500
    assert float(seconds) < 5
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "holds more than 268 MB of text" in lines[0]
    assert "--max-size" in lines[0]


def test_the_limit_of_size(capsys: pytest.CaptureFixture[str]) -> None:
    text = "arch,v\n8:8:8:8:8,1\n"
    with pytest.raises(FormatError, match=r"more than 18 bytes of text.*--max-size"):
        imported(text, max_size=18)
    imported(text, max_size=19)
    command = ["import", "csv", "runs.csv", "--space", "nats-size", "--arch", "arch"]
    command += ["--name", "mine", "--task", "toy=v", "--max-size"]
    assert main([*command, "1kB"]) == 0
    assert main([*command, "10"]) == 2
    assert main([*command, "much"]) == 2
    assert "300MB or 2GB, got 'much'" in capsys.readouterr().err
    assert [read_size(text) for text in ("2GB", "1.5 mb", "7", "3k")] == [
        2 * 10**9,
        1_500_000,
        7,
        3000,
    ]
    for text in ("0", "-1", "1e9", "", "9" * 50):
        with pytest.raises(InvalidArgumentError):
            read_size(text)


def test_epochs_have_a_limit() -> None:
    text = "arch,v\n8:8:8:8:8,1\n"
    imported(text, tasks={"toy@100000000": "v"})
    for series in ("toy@1000000000", "toy@" + "9" * 5000, "toy#" + "9" * 5000):
        with pytest.raises(InvalidArgumentError, match="at most 100,000,000 epochs and a seed"):
            imported(text, tasks={series: "v"})


@pytest.mark.parametrize(
    "content",
    [b"BZh", b"BZh9garbage", bz2.compress(b"arch,v\n8:8:8:8:8,1\n" * 9)[:-9], b"\x1f\x8b"],
)
def test_damaged_compression(content: bytes) -> None:
    Path("bad.csv").write_bytes(content)
    with pytest.raises(SurrogateNASError, match="damaged or cut off"):
        import_csv("bad.csv", name="mine", space="nats-size", arch="arch", tasks={"toy": "v"})


def test_bzip2() -> None:
    Path("runs.csv.bz2").write_bytes(bz2.compress(b"arch,v\n8:8:8:8:8,1\n"))
    import_csv("runs.csv.bz2", name="mine", space="nats-size", arch="arch", tasks={"toy": "v"})
    assert values() == {"8:8:8:8:8": 1}


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    written("L4-1e-2-layer norm;1:30\nL4-1e-2-layer norm;1:40\nL8-0.1-batch norm;2:00\n")
    command = ["import", "csv", "runs.csv", "--space", "own", "--arch", "config", "--name",
               "mine", "--task", "toy=time", "--minimise", "toy", "--columns", "config,time",
               "--pattern", "L(?P<layers>[0-9]+)-(?P<lr>.+)-(?P<norm>[a-z ]+)",
               "--decision", "rate=lr", "--fixed", "gate=true", "--repeats", "mean"]  # fmt: skip
    assert main(command) == 0
    assert "1 rows repeat an architecture" in capsys.readouterr().err
    assert values() == {"4/0.01/true/layer norm": -95, "8/0.1/true/batch norm": -120}
    with pytest.raises(SystemExit):
        main(["import", "csv", "--help"])
    shown = capsys.readouterr().out
    assert "example:" in shown
    assert "93.4 % counts 93.4" in " ".join(shown.split())
