from __future__ import annotations

import csv
import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nats_bench.genotype_utils import topology_str2structure

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.folders import tables_folder
from surrogate_nas.benchmarks.importers.base import Imported, Listener
from surrogate_nas.benchmarks.importers.csv import import_csv
from surrogate_nas.cli import main
from surrogate_nas.errors import (
    FormatError,
    InvalidArgumentError,
    MissingDependencyError,
    SurrogateNASError,
    UnknownNameError,
)
from surrogate_nas.evaluation import Evaluation
from surrogate_nas.spaces import open_space

HEADER = "note,arch,v1,v3,test,size"
ROWS = (
    'first,8:8:8:8:8,10,30.5,29,"1.25"',
    '"a, b",8:16:8:8:8,11,31.5,,2.5',
    "third,64:64:64:64:64,12,,28,3",
    "last,16:8:8:8:8,-1e-3,5,6,",
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of the user's tables."""
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    return tmp_path


def written(home: Path, *rows: str, header: str = HEADER, name: str = "results.csv") -> Path:
    path = home / name
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def imported(path: Path, **changes: Any) -> Imported:
    """Import with two budgets, a test and a further metric."""
    settings: dict[str, Any] = {
        "name": "mine",
        "space": "nats-size",
        "arch": "arch",
        "tasks": {"toy@1": "v1", "toy@3": "v3"},
        "tests": {"toy@3": "test"},
        "metrics": {"size": "size"},
    }
    return import_csv(path, **(settings | changes))


def answer(text: str, task: str = "toy", **place: int) -> Evaluation:
    opened = open_benchmark("mine").task(task)
    return opened.evaluate(opened.space.parse(text), **place)


def tables() -> list[str]:
    folder = tables_folder()
    return sorted(os.listdir(folder)) if folder.exists() else []


def test_values_arrive_in_their_places(home: Path) -> None:
    made = imported(written(home, *ROWS))
    assert made == Imported("mine", tables_folder() / "mine.h5", 4, ("toy",))
    task = open_benchmark("mine").task("toy")
    assert (task.budgets, task.goal.maximise, len(task)) == ((1, 3), True, 3)
    assert task.values.tolist() == [30.5, 31.5, 5]  # by ascending number of the encoding
    found = answer("8:8:8:8:8")
    assert (found.value, found.budget, found.cost) == (30.5, 3, 3)
    assert (found.metrics, found.hidden) == ({"size": 1.25}, {"value": 29})
    found = answer("16:8:8:8:8", budget=1)
    assert (found.value, found.cost) == (-0.001, 1)
    assert np.isnan([found.metrics["size"], found.hidden["value"]]).all()
    assert task.rows(np.array([[7] * 5])) == [-1]  # it has no value at the largest budget


def test_compressed_text_with_a_mark_and_dos_lines(home: Path) -> None:
    plain = imported(written(home, *ROWS), name="plain")
    path = home / "results.csv.gz"
    path.write_bytes(gzip.compress("\r\n".join((HEADER, "", *ROWS)).encode("utf-8-sig")))
    imported(path)
    for column in ("values", "test_values"):
        a, b = (getattr(open_benchmark(n).task("toy"), column) for n in (plain.name, "mine"))
        np.testing.assert_array_equal(a, b)


def test_seeds_tasks_costs_and_directions(home: Path) -> None:
    path = written(
        home,
        "8:8:8:8:8,1,3,7,0.5,10,100",
        "8:8:8:8:16,2,,8,0.25,30,200",
        header="arch,a,b,c,loss,seconds,lat",
    )
    imported(
        path,
        tasks={"seeded#777": "a", "seeded#888": "b", "other": "loss"},
        tests={"seeded#888": "c"},
        metrics={"latency": "seconds", "other:latency": "lat"},
        costs={"": "seconds", "other": "lat"},
        minimise=["other", "latency"],
    )
    assert open_benchmark("mine").tasks == ("seeded", "other")
    mean = answer("8:8:8:8:8", "seeded")
    assert (mean.value, mean.cost, mean.hidden) == (2, 20, {"value": 7})
    assert answer("8:8:8:8:8", "seeded", seed=1).value == 3
    assert answer("8:8:8:8:16", "seeded").value == 2
    other = answer("8:8:8:8:16", "other")
    assert (other.value, other.cost, other.metrics) == (-0.25, 150, {"latency": 200})
    assert open_benchmark("mine").task("other").optimum == -0.25


def test_a_smaller_budget_costs_in_proportion(home: Path) -> None:
    imported(written(home, *ROWS), costs={"": "v3"})
    assert answer("8:8:8:8:8", budget=1).cost == pytest.approx((30.5 + 31.5 + 5) / 3 / 3)


def test_leading_zeros_stay(home: Path) -> None:
    imported(written(home, "00000012,1", header="arch,v"), space="nasbench-macro",
             tasks={"toy": "v"}, tests={}, metrics={})  # fmt: skip
    assert open_benchmark("mine").task("toy").choices.tolist() == [[0, 0, 0, 0, 0, 0, 1, 2]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("x,8:9:8:8:8,1,2,3,4", r"line 6: .*'9'"),
        ("x,,1,2,3,4", "line 6: architecture ''"),
        ("x,8:8:8:64:8,1,two,3,4", "line 6: v3 is no finite number: 'two'"),
        ("x,8:8:8:64:8,1,inf,3,4", "line 6: v3 is no finite number: 'inf'"),
        ("x,8:8:8:64:8,1,1_0,3,4", "line 6: v3 is no finite number: '1_0'"),
        ("x,8:8:8:64:8,1,2", "line 6: the row is cut off: 4 cells, not 6"),
        ("x,8:8:8:64:8,1,2,3,4,5", "line 6: the row is too long: 7 cells, not 6"),
        ("x,8:8:8:8:8,10,30.25,29,1.25", r"line 6: .* line 2 again, .* v3: 30.25, not 30.5"),
        ("x,8:8:8:8:8,10,,29,1.25", r"line 6: .* line 2 again, .* v3: nan, not 30.5"),
    ],
)
def test_a_bad_row_is_named_and_nothing_written(home: Path, row: str, message: str) -> None:
    path = written(home, *ROWS, row)
    with pytest.raises(FormatError, match=f"1 bad row, nothing was written: {message}"):
        imported(path)
    assert tables() == []
    made = imported(path, skip_bad=True)
    assert made.architectures == 4
    assert len(made.skipped) == 1
    assert made.skipped[0].startswith("line 6: ")
    assert answer("8:8:8:8:8").value == 30.5


def test_lines_are_those_of_the_file(home: Path) -> None:
    path = written(home, '"two\nlines",8:8:8:8:8,1,2,3,4', "", "x,y,1,2,3,4", *["cut"] * 9)
    with pytest.raises(FormatError, match=r"10 bad rows.* line 5: .* line 6: .*; and 5 more; rep"):
        imported(path)


def test_a_table_stays_when_its_successor_is_bad(home: Path) -> None:
    imported(written(home, *ROWS))
    with pytest.raises(FormatError):
        imported(written(home, "cut"))
    with pytest.raises(FormatError, match="no usable row"):
        imported(written(home, "cut"), skip_bad=True)
    assert tables() == ["mine.h5"]
    assert answer("8:8:8:8:8").value == 30.5
    imported(written(home, "x,8:8:8:8:8,1,44,3,4"))
    assert answer("8:8:8:8:8").value == 44


def test_repeated_rows_and_isomorphs_are_counted(home: Path) -> None:
    """Cells without a path to the output are one network; the values of the first two differ."""
    cells = [
        f"|{op}~0|+|none~0|none~1|+|none~0|none~1|none~2|"
        for op in ("nor_conv_3x3", "nor_conv_1x1", "none")
    ]
    rows = [f"{cell},{value}" for cell, value in zip(cells, (1, 2, 1), strict=True)]
    path = written(home, *rows, rows[0], rows[1], header="arch,v")
    made = imported(path, space="nasbench201", tasks={"toy": "v"}, tests={}, metrics={})
    assert (made.architectures, made.repeated, made.isomorphic) == (3, 2, 1)
    assert [answer(cell).value for cell in cells] == [1, 2, 1]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"tasks": {"toy@3": "v4"}}, UnknownNameError, "column 'v4'; did you mean"),
        ({"arch": "arhc"}, UnknownNameError, "did you mean 'arch'"),
        ({"space": "nats-sise"}, UnknownNameError, "did you mean 'nats-size'"),
        ({"tests": {"toi@3": "test"}}, UnknownNameError, "did you mean 'toy'"),
        ({"metrics": {"toi:size": "size"}}, UnknownNameError, "did you mean 'toy'"),
        ({"costs": {"toi": "size"}}, UnknownNameError, "did you mean 'toy'"),
        ({"minimise": ["sice"]}, UnknownNameError, "did you mean 'size'"),
        ({"tasks": {}}, InvalidArgumentError, "at least one task"),
        ({"tasks": {"toy@0": "v1"}}, InvalidArgumentError, "at least 1 epoch"),
        ({"tasks": {"toy#1@3": "v1"}}, InvalidArgumentError, r"NAME\[@EPOCHS\]\[#SEED\]"),
        ({"tasks": {"toy": "v1", "toy@3": "v3"}}, InvalidArgumentError, "@EPOCHS in all"),
        ({"tasks": {"toy@3": "v1", "toy@3#1": "v3"}}, InvalidArgumentError, "#SEED in all"),
        ({"tasks": {"toy@3": "v1", "toy@03": "v3"}}, InvalidArgumentError, "given twice"),
        ({"tests": {"toy@5": "test"}}, InvalidArgumentError, "@EPOCHS of --task toy"),
        ({"tests": {"toy@3#0": "test"}}, InvalidArgumentError, "#SEED of --task toy"),
        ({"metrics": {"a/b": "size"}}, InvalidArgumentError, "contains '/'"),
        ({"costs": {"": "zero"}}, InvalidArgumentError, "must be positive"),
        ({"tasks": {"toy@3": "v3", "toy@9": "void"}}, InvalidArgumentError, "no value at its lar"),
        ({"tasks": {"toy@3": "twice"}}, FormatError, "2 columns are called 'twice'"),
        ({"name": "a/b"}, InvalidArgumentError, "letters"),
        ({"name": "mine.h5"}, InvalidArgumentError, "suffix"),
        ({"name": "nas-bench-graph"}, InvalidArgumentError, "registered benchmark"),
    ],
)
def test_wrong_arguments(
    home: Path, changes: dict[str, Any], error: type[SurrogateNASError], message: str
) -> None:
    path = written(
        home, *(f"{row},0,,1,2" for row in ROWS), header=f"{HEADER},zero,void,twice,twice"
    )
    with pytest.raises(error, match=message):
        imported(path, **changes)
    assert tables() == []


def test_decisions_may_stand_in_a_column_each(home: Path) -> None:
    header = "layer1,second,layer3,layer4,layer5,v"
    rows = ("8,16,24,64,8,1.5", " 64 ,8,8,8,8,2", "8,16,24,64,16,2.5")
    changes: dict[str, Any] = {"arch": None, "tasks": {"toy": "v"}, "tests": {}, "metrics": {}}
    path = written(home, *rows, header=header)
    imported(path, decisions={"layer2": "second"}, **changes)
    assert answer("8:16:24:64:8").value == 1.5
    assert answer("64:8:8:8:8").value == 2
    with pytest.raises(InvalidArgumentError, match=r"--arch COLUMN.*and layer2 are missing"):
        imported(path, **changes)
    with pytest.raises(UnknownNameError, match="decision 'layr2'; did you mean 'layer2'"):
        imported(path, decisions={"layr2": "second"}, **changes)
    with pytest.raises(UnknownNameError, match="column 'secnd'; did you mean 'second'"):
        imported(path, decisions={"layer2": "secnd"}, **changes)
    with pytest.raises(InvalidArgumentError, match="either --arch or --decision"):
        imported(path, decisions={"layer2": "second"}, **(changes | {"arch": "v"}))
    path = written(
        home, *rows, "8,9,8,8,8,1", "8,,8,8,8,1", header=header.replace("second", "layer2")
    )
    with pytest.raises(FormatError, match=r"line 5: layer2: .*'9' \(choose.*line 6: layer2: .*''"):
        imported(path, **changes)
    made = imported(path, **changes, skip_bad=True)
    assert (made.architectures, len(made.skipped)) == (3, 2)


def test_options_that_make_no_architecture_together_are_named(home: Path) -> None:
    header = ",".join(f"module{i + 1}" for i in range(6))
    path = written(home, "2,3,1,1,none,none,1", "1,1,1,1,1,1,1", header=f"{header},v")
    with pytest.raises(
        FormatError, match=r"1 bad row.*line 3: no architecture of 'transnas-macro'"
    ):
        imported(path, space="transnas-macro", arch=None, tasks={"toy": "v"}, tests={}, metrics={})


@pytest.mark.parametrize("space", ["nats-size", "nas-bench-graph", "nasbench201", "nasbench101"])
def test_quotes_make_no_difference(home: Path, space: str) -> None:
    """Quoted cells and plain ones are read by different code."""
    opened = open_space(space)
    rng = np.random.default_rng(0)
    texts = sorted({opened.format(opened.sample(rng)) for _ in range(200)})
    numbers = [f"{x:.{i % 17}g}" for i, x in enumerate(rng.normal(size=len(texts)))]
    settings: dict[str, Any] = {
        "space": space, "tasks": {"toy": "v"}, "tests": {}, "metrics": {},
    }  # fmt: skip
    for name, mark in (("plain", ""), ("quoted", '"')):
        comma = "," in texts[0]
        rows = [
            f'"{t}",{mark}{v}{mark}' if comma or mark else f"{t},{v}"
            for t, v in zip(texts, numbers, strict=True)
        ]
        imported(written(home, *rows, header="arch,v"), name=name, **settings)
    plain, quoted = (open_benchmark(name).task("toy") for name in ("plain", "quoted"))
    np.testing.assert_array_equal(plain.choices, quoted.choices)
    np.testing.assert_array_equal(plain.values, quoted.values)
    expected = {opened.parse(t).choices: float(v) for t, v in zip(texts, numbers, strict=True)}
    assert dict(zip(map(tuple, plain.choices.tolist()), plain.values.tolist(), strict=True)) == (
        expected
    )


def test_progress_is_told(home: Path) -> None:
    heard: list[str] = []

    class Ear(Listener):
        @contextmanager
        def progress(self, label: str, total: int) -> Iterator[Callable[[str], None]]:
            heard.append(f"{label} {total}")
            yield heard.append

    imported(written(home, *ROWS), listener=Ear())
    assert heard == ["results.csv 7", "rows", "architectures", "v1", "v3", "test", "size", "table"]


@pytest.mark.extra
def test_parquet(home: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.read_csv(written(home, *ROWS))
    imported(home / "results.csv", name="csv")
    path = home / "results.parquet"
    frame.to_parquet(path)
    made = imported(path)
    assert (made.architectures, made.skipped) == (4, ())
    for column in ("values", "test_values"):
        a, b = (getattr(open_benchmark(n).task("toy"), column) for n in ("csv", "mine"))
        np.testing.assert_array_equal(a, b)
    assert answer("8:8:8:8:8").metrics == {"size": 1.25}

    frame["v3"] = ["1", "", "x", None]
    frame.to_parquet(path)
    with pytest.raises(FormatError, match=r"1 bad row.*row 3: v3 is no finite number: 'x'"):
        imported(path)
    with pytest.raises(UnknownNameError, match="did you mean 'arch'"):
        imported(path, arch="arhc")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FormatError, match="damaged or cut off"):
        imported(path)

    widths = pandas.DataFrame({f"layer{i + 1}": [8, 16] for i in range(5)} | {"v": [1, 2]})
    widths.to_parquet(path)
    imported(path, arch=None, tasks={"toy": "v"}, tests={}, metrics={})
    assert answer("16:16:16:16:16").value == 2


def test_parquet_without_its_library(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "results.parquet"
    path.write_bytes(b"PAR1....PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'surrogate-nas\[parquet\]'"):
        imported(path)


def test_files_that_are_no_csv(home: Path) -> None:
    whole = gzip.compress("\n".join((HEADER, *ROWS)).encode())
    cases = {
        whole[:-20]: "damaged or cut off",
        whole[:-8] + b"\0" * 8: "damaged or cut off",
        b"\xff\xfe\0a": "UTF-8",
        HEADER.encode() + b'\n"open': "line 2",
        b"": "is empty",
        HEADER.encode(): "no usable row",
    }
    for content, message in cases.items():
        path = home / "bad.csv"
        path.write_bytes(content)
        with pytest.raises(SurrogateNASError, match=message):
            imported(path)
    for missing in (home / "absent.csv", home):
        with pytest.raises(InvalidArgumentError, match="cannot read"):
            imported(missing)
    assert tables() == []


def test_the_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(home, *ROWS, "cut")
    command = [
        "import", "csv", str(path), "--space", "nats-size", "--arch", "arch", "--name", "mine",
        "--task", "toy@1=v1", "--task", "toy@3=v3", "--test", "toy@3=test",
        "--metric", "toy:size=size", "--cost", "toy:v3", "--minimise", "size",
    ]  # fmt: skip
    assert main(command) == 2
    assert "line 6" in capsys.readouterr().err
    assert main([*command, "--skip-bad", "--json"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert found.pop("seconds") > 0
    assert found == {
        "name": "mine",
        "path": str(tables_folder() / "mine.h5"),
        "architectures": 4,
        "tasks": ["toy"],
    }
    assert "skipped line 6" in shown.err
    assert main(["search", "--benchmark", "mine", "--task", "toy", "--predictor", "none",
                 "--searcher", "random", "--trials", "3", "--json"]) == 0  # fmt: skip
    best = json.loads(capsys.readouterr().out)["best"]
    assert (best["arch"], best["value"], best["metrics"]) == ("8:16:8:8:8", 31.5, {"size": 2.5})
    assert main([*command, "--metric", "toy:size=v1", "--skip-bad"]) == 2
    assert "'size' and 'v1'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, "--metric", "size"])
    assert "must be NAME=COLUMN" in capsys.readouterr().err


TASKS = ("cifar10", "cifar100", "ImageNet16-120")


@pytest.mark.data
def test_nasbench201_by_the_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(os.environ["SURROGATE_NAS_DATA"], "nasbench201.csv.gz")
    command = ["import", "csv", str(path), "--space", "nasbench201", "--arch", "arch_str"]
    command += ["--name", "mine", "--metric", "latency=gpu_latency_s"]
    for name in TASKS:
        for epochs in (12, 200):
            command += ["--task", f"{name}@{epochs}={name}_val{epochs}"]
            command += ["--test", f"{name}@{epochs}={name}_test{epochs}"]
        command += ["--metric", f"{name}:params={name}_params_M"]
    assert main([*command, "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["architectures"] == 15_625

    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    networks: dict[str, set[tuple[str, ...]]] = {}
    for row in rows:
        unique = topology_str2structure(row["arch_str"]).to_unique_str(True)
        values = tuple(row[f"{name}_val{epochs}"] for name in TASKS for epochs in (12, 200))
        networks.setdefault(unique, set()).add(values)
    several = sum(len(values) > 1 for values in networks.values())
    assert f"{several:,} networks have several encodings" in shown.err
    taken = np.random.default_rng(0).choice(len(rows), 200, replace=False)
    for name in TASKS:
        task = open_benchmark("mine").task(name)
        assert len(task) == 15_625
        for row in (rows[i] for i in taken):
            arch = task.space.parse(row["arch_str"])
            for epochs in (12, 200):
                found = task.evaluate(arch, budget=epochs)
                assert found.value == float(row[f"{name}_val{epochs}"])
                assert found.hidden == {"value": float(row[f"{name}_test{epochs}"])}
                assert found.metrics == {
                    "latency": float(row["gpu_latency_s"]),
                    "params": float(row[f"{name}_params_M"]),
                }
    # The best test accuracies that publications give.
    for name, best in zip(TASKS, (94.37, 73.51, 47.31), strict=True):
        tested = open_benchmark("mine").task(name).test_values
        assert tested is not None
        assert round(float(tested.max()), 2) == best
    merged = open_benchmark("mine").task("cifar10", isomorphs="merged")
    assert len(merged) == len(networks) == 6_466


@pytest.mark.data
def test_transnas_micro(home: Path) -> None:
    path = Path(os.environ["SURROGATE_NAS_DATA"], "transnas_micro.csv.gz")
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in ("arch_str", "index")]
    assert len(names) == 7
    made = import_csv(
        path,
        name="mine",
        space="transnas-micro",
        arch="arch_str",
        tasks={name: name for name in names},
    )
    assert (made.architectures, made.tasks) == (4_096, tuple(names))
    for name in names:
        task = open_benchmark("mine").task(name)
        texts = [task.space.format(task.space.architecture(choices)) for choices in task.choices]
        expected = {row["arch_str"]: float(row[name]) for row in rows if row[name]}
        assert dict(zip(texts, task.values.tolist(), strict=True)) == expected
