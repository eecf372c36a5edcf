"""What people have: other separators, headers, numbers, repeated rows and compression."""

from __future__ import annotations

import bz2
import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from surrogate_nas.benchmarks.importers.bounded import read_size
from surrogate_nas.benchmarks.importers.csv import import_csv
from surrogate_nas.cli import main
from surrogate_nas.errors import (
    FormatError,
    InvalidArgumentError,
    SurrogateNASError,
    UnknownNameError,
)
from tests.benchmarks.csv_files import Ear, answer, imported, own_home, values, written

home = pytest.fixture(autouse=True, name="home")(own_home)

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
