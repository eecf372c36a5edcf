"""Small tables of several tasks, and weights learnt from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas.benchmarks.folders import tables_folder
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.evaluation import Goal
from surrogate_nas.records import MetaTrainingRecord
from surrogate_nas.spaces import open_space
from surrogate_nas.transfer import meta_train, suite_tasks

TASKS = ("a", "b", "c")


def table(
    name: str,
    tasks: Sequence[str] | Mapping[str, str] = TASKS,
    space: str = "nats-size",
    offset: float = 0.0,
) -> None:
    """An installed table of 300 architectures; a task's values depend on its name alone.

    Or on another word, where ``tasks`` has one for each name.
    """
    opened = open_space(space)
    choices = opened.all_choices()[:: opened.size // 300][:300]
    specs = []
    for task in tasks:
        word = tasks[task] if isinstance(tasks, Mapping) else task
        rng = np.random.default_rng(sum(map(ord, word)))
        worth = 1 + 0.3 * rng.normal(size=choices.shape[1])
        values = offset + choices @ worth + 0.1 * rng.normal(size=len(choices))
        specs.append(TaskSpec(task, Goal("value"), values))
    write_table(tables_folder() / f"{name}.h5", TableSpec(name, opened, choices, specs))


def trained(out: Path, suite: str, **changes: Any) -> MetaTrainingRecord:
    return meta_train(suite_tasks(suite), predictor="transfer-ridge", out=out, **changes)
