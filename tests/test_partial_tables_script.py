"""``scripts/partial-tables``: its parts of tables, and the comparison that it writes."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from surrogate_nas.benchmarks import open_benchmark
from surrogate_nas.records import ComparisonRecord
from tests.scripts import SCRIPTS, load_script


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return load_script("partial_tables")


def test_a_part_has_three_quarters_of_the_rows_and_their_values(script: ModuleType) -> None:
    task = open_benchmark("cell-bench").task("digits")
    parts = [script.part(task, repetition) for repetition in (0, 0, 1)]
    assert [len(part) for part in parts] == [len(task) * 3 // 4] * 3
    np.testing.assert_array_equal(parts[0].choices, parts[1].choices)
    assert not np.array_equal(parts[0].choices, parts[2].choices)
    for part in parts:
        np.testing.assert_array_equal(part.values, task.lookup(part.choices))
        np.testing.assert_array_equal(part.space.unique(), part.choices)


def test_the_comparison_is_one_of_all_runs(script: ModuleType, tmp_path: Path) -> None:
    arguments = ["cell-bench", "--task", "digits,watch", "--searcher", "evolution,evolution+gp"]
    arguments += ["--repetitions", "2", "--trials", "12", "--out", str(tmp_path)]
    script.main(arguments)
    text = (tmp_path / "compare.json").read_text(encoding="utf-8")
    runs = ComparisonRecord.from_json(json.loads(text)).runs
    assert [(run.task, run.method, run.seed) for run in runs] == [
        (task, method, repetition)
        for task in ("digits", "watch")
        for repetition in range(2)
        for method in ("evolution", "evolution+gp")
    ]
    for run in runs:
        ranks = np.array(run.ranks)
        assert ranks.shape == (12,)
        assert (np.diff(ranks) <= 0).all()
        assert 1 <= ranks[-1] <= 468


def test_what_is_done_is_not_repeated(script: ModuleType, tmp_path: Path) -> None:
    keys = [("a", "evolution", i) for i in range(3)]
    asked: list[tuple[str, str, int]] = []

    def run(key: tuple[str, str, int]) -> list[int]:
        if key[2] == 2 and len(asked) == 2:
            asked.append(key)
            raise KeyboardInterrupt
        asked.append(key)
        return [9, key[2]]

    with pytest.raises(KeyboardInterrupt):
        script.measured(keys, run, tmp_path / "runs.jsonl")
    found = script.measured(keys, run, tmp_path / "runs.jsonl")
    assert asked == [*keys, keys[2]]
    assert found == {key: [9, key[2]] for key in keys}
