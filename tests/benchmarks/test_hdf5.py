import os
import pickle
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.errors import (
    FormatError,
    InvalidArgumentError,
    SurrogateNASError,
    UnknownNameError,
)
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces.nasbench201 import NASBench201Space

SPACE = NASBench201Space()
RNG = np.random.default_rng(0)
CHOICES = RNG.permutation(SPACE.all_choices())[:50]
CUBE = RNG.normal(size=(50, 3, 2))
CUBE[0] = CUBE[1, 1, 0] = np.nan
TEST = RNG.normal(size=(50, 3, 2))
LATENCY = RNG.random(50)
DIGITS = TaskSpec(
    "digits",
    Goal("error", maximise=False, unit="%"),
    CUBE,
    TEST,
    ((Goal("latency", maximise=False, unit="s"), LATENCY),),
    budgets=(12, 200),
    costs=(6.0, 100.0),
)
LETTERS = TaskSpec("letters", Goal("accuracy"), RNG.random(50))
SPEC = TableSpec("tiny", SPACE, CHOICES, (DIGITS, LETTERS), source="Müller, 2026", licence="")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A table of two tasks."""
    path = tmp_path / "tiny.h5"
    write_table(path, SPEC)
    return path


def everything(path: Path) -> list[Any]:
    """All that can be read of a table."""
    table = HDF5Benchmark(path)
    found: list[Any] = [table.name, table.space.name, table.tasks, table.source, table.licence]
    for name in table.tasks:
        task = table.task(name)
        found += [task.goals, task.budgets, task.choices.tolist()]
        for arch in map(task.space.architecture, task.choices):
            for budget in task.budgets:
                try:
                    found.append(task.evaluate(arch, budget=budget))
                except LookupError:
                    found.append(None)
    return found


def test_what_was_written_is_read(path: Path) -> None:
    table = HDF5Benchmark(path)
    assert (table.name, table.tasks, table.architectures) == ("tiny", ("digits", "letters"), 50)
    assert (table.source, table.licence) == ("Müller, 2026", "")
    table.check()
    digits = table.task("digits")
    assert digits.goals == (DIGITS.goal,)
    assert digits.budgets == (12, 200)
    assert len(digits) == 49
    for row in (1, 7, 49):
        arch = SPACE.architecture(CHOICES[row])
        answer = digits.evaluate(arch, budget=200, seed=1)
        assert answer.values == (-CUBE[row, 1, 1],)
        assert answer.hidden == {"error": TEST[row, 1, 1]}
        assert answer.metrics == {"latency": LATENCY[row]}
        assert answer.cost == 100.0
        mean = -np.nanmean(CUBE[row, :, 0])
        assert digits.evaluate(arch, budget=12).value == pytest.approx(mean)
    letters = table.task("letters")
    assert len(letters) == 50
    assert letters.budgets == (1,)
    np.testing.assert_array_equal(letters.lookup(CHOICES), LETTERS.values)
    assert letters.test_values is None


def test_other_programs_find_a_described_table(path: Path) -> None:
    with h5py.File(path) as file:
        assert file.attrs["space"] == b"nasbench201"
        assert file.attrs["tasks"].tolist() == [b"digits", b"letters"]
        numbers = SPACE.index(file["encodings"][()])
        np.testing.assert_array_equal(numbers, np.sort(SPACE.index(CHOICES)))
        validation = file["tasks/digits/validation"]
        order = np.argsort(SPACE.index(CHOICES))
        np.testing.assert_array_equal(validation[1], CUBE[order, :, 1])
        assert validation.chunks is None  # a plane is one contiguous piece of the file
        described = {key: validation.attrs[key] for key in ("metric", "maximise", "unit", "role")}
        assert described == {"metric": b"error", "maximise": False, "unit": b"%", "role": b"goal"}
        assert file["tasks/digits/test"].attrs["role"] == b"test"
        assert file["tasks/digits/metrics/latency"].attrs["unit"] == b"s"
        assert file["tasks/digits"].attrs["costs"].tolist() == [6.0, 100.0]


def test_a_table_of_version_1_stays_readable() -> None:
    table = HDF5Benchmark(Path(__file__).parent.parent / "data" / "table_v1.h5")
    table.check()
    assert (table.name, table.source, table.licence) == ("tiny", "made up", "CC0")
    task = table.task("digits")
    assert task.goal == Goal("error", maximise=False, unit="%")
    arch = task.space.parse(
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
    )
    answer = task.evaluate(arch, budget=200, seed=1)
    assert answer.values == (-6.25,)
    assert answer.hidden == {"error": 7.5}
    assert answer.metrics == {"latency": 0.125}
    assert answer.cost == 100.0


def test_a_cut_off_file_is_refused(path: Path) -> None:
    content = path.read_bytes()
    for length in {0, 1, 8, 100, *range(512, len(content), 509), len(content) - 1}:
        path.write_bytes(content[:length])
        with pytest.raises(FormatError, match="import the table again"):
            HDF5Benchmark(path)


def test_a_flipped_bit_is_noticed_or_harmless(path: Path) -> None:
    rng = random.Random(1)
    content = path.read_bytes()
    expected, refused = everything(path), 0
    for _ in range(150):
        damaged = bytearray(content)
        damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            assert everything(path) == expected
        except FormatError:
            refused += 1
    assert refused > 20


def test_damage_in_one_task_does_not_concern_the_other(path: Path) -> None:
    with h5py.File(path) as file:
        place = file["tasks/letters/validation"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[place + 3] ^= 1
    path.write_bytes(content)
    table = HDF5Benchmark(path)
    assert len(table.task("digits")) == 49
    letters = table.task("letters")
    for use in (lambda: letters.values, lambda: table.verify("letters"), table.check):
        with pytest.raises(FormatError, match=r"tasks/letters/validation does not have its check"):
            use()


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("format_version", 3, "version 3 of the table format.* reads versions 1 to 2"),
        ("format", np.bytes_("another"), "no table of surrogate-nas"),
        ("checksum", None, "no checksum"),
        ("tasks", None, "damaged"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(
    attribute: str, value: object, message: str, path: Path
) -> None:
    with h5py.File(path, "r+") as file:
        if value is None:
            del file.attrs[attribute]
        else:
            file.attrs[attribute] = value
    with pytest.raises(FormatError, match=message):
        HDF5Benchmark(path)


def test_a_changed_attribute_breaks_the_checksum(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["tasks/digits/validation"].attrs["maximise"] = True
    with pytest.raises(FormatError, match="attributes"):
        HDF5Benchmark(path).check()


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("a,b\n1,2\n" * 1000)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.arange(3)
    for name in ("text.h5", "other.h5"):
        with pytest.raises(FormatError, match=name):
            HDF5Benchmark(tmp_path / name)
    with pytest.raises(InvalidArgumentError, match="there is no table file"):
        HDF5Benchmark(tmp_path / "absent.h5")


def test_a_file_that_is_replaced_meanwhile_is_noticed(path: Path) -> None:
    task = HDF5Benchmark(path).task("letters")
    sent = pickle.dumps(task)
    write_table(
        path,
        TableSpec("tiny", SPACE, CHOICES[:20], (TaskSpec("letters", Goal("a"), RNG.random(20)),)),
    )
    with pytest.raises(FormatError, match="replaced since it was opened"):
        len(task)
    with pytest.raises(FormatError, match="replaced since it was opened"):
        pickle.loads(sent)


def test_a_task_goes_to_another_process_by_path_and_name(path: Path) -> None:
    task = HDF5Benchmark(path).task("digits", isomorphs="merged")
    arch = task.space.architecture(task.choices[3])
    sent = pickle.dumps((task, arch))
    assert len(sent) < 1000
    script = (
        "import pickle, sys\n"
        "task, arch = pickle.load(sys.stdin.buffer)\n"
        "print(repr((task.evaluate(arch, seed=2).value, len(task), task.space.isomorphs)))\n"
    )
    answer = subprocess.check_output([sys.executable, "-c", script], input=sent, text=False)
    assert answer.decode().strip() == repr((task.evaluate(arch, seed=2).value, len(task), "merged"))


def test_opening_reads_no_arrays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = h5py.Dataset.__getitem__

    def spy(self: Any, key: Any, **rest: Any) -> Any:
        read.append(self.name)
        return original(self, key, **rest)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", spy)
    task = HDF5Benchmark(path).task("digits")
    assert read == []
    len(task)
    assert set(read) == {"/encodings", "/tasks/digits/validation"}


def test_an_unknown_task_lists_the_choices(path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'letters'.*digits, letters"):
        HDF5Benchmark(path).task("leters")


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ((), "needs tasks"),
        ((LETTERS, LETTERS), "different names"),
        ((TaskSpec("a/b", Goal("x"), np.ones(50)),), "'a/b'"),
        ((TaskSpec("a", Goal("x"), np.ones(49)),), "shape"),
        ((TaskSpec("a", Goal("x"), np.full(50, np.nan)),), "finite"),
        ((TaskSpec("a", Goal("x"), np.ones(50), costs=(1.0, 2.0)),), "costs"),
    ],
)
def test_a_table_that_makes_no_sense_is_not_written(
    tasks: tuple[TaskSpec, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        write_table(tmp_path / "t.h5", TableSpec("t", SPACE, CHOICES, tasks))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_an_interrupted_write_leaves_the_old_table(
    error: Any, function: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(os, function, fail)
    with pytest.raises((KeyboardInterrupt, SurrogateNASError)) as caught:
        write_table(path, TableSpec("other", SPACE, CHOICES, (LETTERS,)))
    if error is not KeyboardInterrupt:
        assert "free some space" in str(caught.value)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of files")
def test_a_disk_that_is_full_is_a_clear_error(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys\n"
        "from tests.benchmarks.test_hdf5 import SPEC, write_table\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "try:\n"
        "    write_table(sys.argv[1], SPEC)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    answer = subprocess.check_output(
        [sys.executable, "-c", script, str(tmp_path / "t.h5")],
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert "SurrogateNASError cannot write the table" in answer
    assert "free some space" in answer
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SurrogateNASError, match="choose a folder that can be written"):
        write_table(tmp_path / "file" / "t.h5", SPEC)


def test_a_table_that_is_being_written_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "locked.h5"
    shutil.copy(Path(__file__).parent.parent / "data" / "table_v1.h5", path)
    task = HDF5Benchmark(path).tasks[0]
    code = f"import h5py; file = h5py.File({os.fspath(path)!r}, 'a'); print('open'); input()"
    with subprocess.Popen(
        [sys.executable, "-uc", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(FormatError, match="is locked: another process holds it open"):
            HDF5Benchmark(path)
        child.communicate(b"\n")
    HDF5Benchmark(path).task(task)
