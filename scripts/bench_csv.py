"""Speed of ``import csv``, each number with its limit; a part of ``scripts/bench``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import alternate

_TASKS = ("cifar10", "cifar100", "ImageNet16-120")
_EPOCHS = (12, 200)


def importing() -> dict[str, float]:
    """NAS-Bench-201 with all tasks and budgets: against pandas' own reading, and as a command.

    Needs the measuring data, the folder that ``SURROGATE_NAS_DATA`` names.
    """
    folder = os.environ.get("SURROGATE_NAS_DATA")
    if not folder:
        print("no measuring data: SURROGATE_NAS_DATA names no folder", file=sys.stderr)
        return {}
    import pandas

    from surrogate_nas.benchmarks.importers.csv import import_csv

    path = Path(folder, "nasbench201.csv.gz")
    series = [(f"{task}@{epochs}", task, epochs) for task in _TASKS for epochs in _EPOCHS]
    tasks = {key: f"{task}_val{epochs}" for key, task, epochs in series}
    tests = {key: f"{task}_test{epochs}" for key, task, epochs in series}
    metrics = {f"{task}:params": f"{task}_params_M" for task in _TASKS}
    metrics["latency"] = "gpu_latency_s"
    command = [sys.executable, "-m", "surrogate_nas", "import", "csv", str(path)]
    command += ["--name", "t", "--space", "nasbench201", "--arch", "arch_str", "--json"]
    for option, columns in (("--task", tasks), ("--test", tests), ("--metric", metrics)):
        for key, column in columns.items():
            command += [option, f"{key}={column}"]

    def ours() -> object:
        return import_csv(
            path,
            name="t",
            space="nasbench201",
            arch="arch_str",
            tasks=tasks,
            tests=tests,
            metrics=metrics,
        )

    with tempfile.TemporaryDirectory() as home:
        before = os.environ.get("SURROGATE_NAS_HOME")
        os.environ["SURROGATE_NAS_HOME"] = home
        try:
            plain, real = alternate(lambda: pandas.read_csv(path), ours, repetitions=10)
            (whole,) = alternate(
                lambda: subprocess.run(
                    command,
                    check=True,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        finally:
            if before is None:
                del os.environ["SURROGATE_NAS_HOME"]
            else:
                os.environ["SURROGATE_NAS_HOME"] = before
    return {
        "pandas_seconds": plain,
        "times_as_slow": real / plain,
        "times_as_slow_limit": 10,
        "command_seconds": whole,
        "command_seconds_limit": 2,
    }
