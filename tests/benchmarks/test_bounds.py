"""No file decides how much memory or time is taken: each is refused in one line, soon."""

from __future__ import annotations

import bz2
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from surrogate_nas.benchmarks.importers.bounded import number_array
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces import open_space

RUN = """
import re, sys, time
from surrogate_nas.cli import main
began = time.process_time()
code = main(sys.argv[1:])
seconds = time.process_time() - began
# Not ru_maxrss, which is inherited from the process that started this one.
peak = re.search(r"VmHWM:\\s*([0-9]+) kB", open("/proc/self/status").read())[1]
print(code, int(peak) // 1000, seconds)
"""


def endless() -> list[Any]:
    """A short list of lists that is 2**60 long where it is written out."""
    made: list[Any] = [1.0]
    for _ in range(60):
        made = [made, made]
    return made


def trained(**changes: Any) -> dict[str, Any]:
    """What NATS-Bench has of one training."""
    return {
        "epochs": 12, "params": 1.0, "flop": 1.0, "latency": [1.0], "train_times": {0: 1.0},
        "eval_acc1es": {f"x-valid@{i}": 1.0 for i in range(12)},
    } | changes  # fmt: skip


def nats(path: Path, state: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    folder = path / "folder"
    folder.mkdir()
    run = {
        "arch_str": "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        "dataset_seed": {"cifar10-valid": [777]},
        "all_results": {("cifar10-valid", 777): trained(**changes)},
    } | (state or {})
    content = pickle.dumps({"12": run})
    (folder / "000000.pickle.pbz2").write_bytes(bz2.compress(content))
    return ["import", "nats-tss", str(folder)]


def bzip2_bomb(path: Path) -> list[str]:
    file = path / "small.pickle.pbz2"
    file.write_bytes(bz2.compress(bytes(1 << 24)) * 64)
    return ["import", "nats-tss", str(file)]


def bomb_of_lists(path: Path) -> list[str]:
    file = path / "small.pickle.pbz2"
    file.write_bytes(bz2.compress(b"\x80\x04" + b"]" * (1 << 26)))
    return ["import", "nats-tss", str(file)]


def transnas(path: Path, epochs: Any, curve: Any = (1.0, 2.0)) -> list[str]:
    metrics = {name: list(curve) for name in ("valid_top1", "test_top1", "time_elapsed")}
    record = {"total_epochs": epochs, "metrics": metrics, "model_info": {}}
    data = {
        "task_list": ["class_scene"],
        "data": {"micro": {"64-41414-1_02_333": {"class_scene": record}}},
    }
    import torch

    torch.save(data, path / "transnas.pth")
    return ["import", "transnas", str(path / "transnas.pth")]


def macro(path: Path, text: str) -> list[str]:
    file = path / "macro.json"
    file.write_text(text)
    return ["import", "nasbench-macro", str(file)]


def record(accuracies: str, params: str = "1") -> str:
    sizes = f'"mean_acc": 1, "params": {params}, "flops": 1'
    return f'{{"00000000": {{"test_acc": {accuracies}, {sizes}}}}}'


def rows(path: Path) -> list[str]:
    """A table whose encodings claim to be 10**11."""
    space = open_space("nats-size")
    file = path / "claims.h5"
    choices = space.sample_choices(np.random.default_rng(0), 1)
    task = TaskSpec("toy", Goal("value"), np.ones(1))
    write_table(file, TableSpec("claims", space, choices, [task]))
    with h5py.File(file, "a") as opened:
        attributes = dict(opened["encodings"].attrs)
        del opened["encodings"]
        opened.create_dataset("encodings", (10**11, 5), "int16", chunks=(1000, 5))
        opened["encodings"].attrs.update(attributes)
        opened.attrs["architectures"] = 10**11
    return ["search", "--benchmark", str(file), "--task", "toy", "--trials", "1",
            "--searcher", "random", "--predictor", "none"]  # fmt: skip


def hardware(path: Path) -> list[str]:
    """What is no number in HW-NAS-Bench, added to a table of NAS-Bench-201."""
    from surrogate_nas.benchmarks.importers.hw_nas_bench import METRICS

    space = open_space("nasbench201")
    task = TaskSpec("cifar10", Goal("value"), np.ones(1))
    write_table(path / "cells.h5", TableSpec("cells", space, np.zeros((1, 6), dtype=int), [task]))
    part = {goal.metric: [endless()] for goal in METRICS} | {
        "config": [{"arch_str": "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"}]
    }
    data = {"nasbench201": dict.fromkeys(("cifar10", "cifar100", "ImageNet16-120"), part)}
    (path / "hw.pickle").write_bytes(pickle.dumps(data))
    return ["import", "hw-nas-bench", str(path / "hw.pickle"), "--into", str(path / "cells.h5")]


def tuples(path: Path) -> list[str]:
    """A dictionary with a key whose hash takes 2**60 steps, in less than 300 bytes."""
    command = hardware(path)
    content = b"\x80\x04})" + b"".join(b"\x94h%b\x86" % bytes([i]) for i in range(60)) + b"K\x01s."
    assert len(content) < 300
    (path / "hw.pickle").write_bytes(content)
    return command


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (bzip2_bomb, "more than 4 MB"),
        (bomb_of_lists, "more than 4 MB"),
        (lambda path: nats(path, epochs=10**9), "no run has more than 1000"),
        (lambda path: nats(path, eval_acc1es={"x-valid@0": endless()}), "expected layout"),
        (lambda path: nats(path, {"arch_str": endless()}), "not list"),
        (lambda path: transnas(path, 10**8), "has a value after 100000000 epochs, but 2 at most"),
        (lambda path: transnas(path, 10**12), "has a value after 1000000000000 epochs"),
        (lambda path: transnas(path, 2, [endless(), 1.0]), "damaged"),
        (lambda path: transnas(path, endless()), "must be a whole number"),
        (lambda path: macro(path, record(str([1] * 1_000_000))), "at most 100 numbers"),
        (lambda path: macro(path, record("[1]", "1" + "0" * 400)), "must have test_acc"),
        (lambda path: macro(path, record("[" + "1" + "0" * 400 + "]")), "must have test_acc"),
        (lambda path: macro(path, record("[1]", "1" + "0" * 5000)), "no JSON"),
        (lambda path: macro(path, "[" * 100_000), "no JSON"),
        (lambda path: macro(path, record("[1" + " " * 31_000_000 + "]")), "has more than 30 MB"),
        (rows, "claims to have the shape (100000000000, 5)"),
        (hardware, "damaged"),
        (tuples, "again and again"),
    ],
)
def test_refused_soon(make: Callable[[Path], list[str]], told: str, tmp_path: Path) -> None:
    command = make(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", RUN, *command],
        capture_output=True,
        text=True,
        env=os.environ | {"SURROGATE_NAS_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 0, done.stderr
    code, megabytes, seconds = done.stdout.split()
    assert (code, told in done.stderr) == ("2", True), done.stderr
    assert len([line for line in done.stderr.splitlines() if "error" in line]) == 1
    assert "Traceback" not in done.stderr
    assert int(megabytes) < 500
    assert float(seconds) < 5


def test_number_arrays_are_those_of_numpy() -> None:
    for numbers in ([1, 2.5, np.float32(0.1), True, "1.5"], (), np.arange(3)):
        np.testing.assert_array_equal(number_array(numbers), np.array(numbers, dtype=np.float64))
    np.testing.assert_array_equal(number_array([1, None]), [1, np.nan])
    for wrong in ([[1.0]], [endless()], ["x"], [10**400]):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            number_array(wrong)
