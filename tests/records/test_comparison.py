"""Records of comparisons, and the files of version 0.1.0."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surrogate_nas._version import RESULTS
from surrogate_nas.records.base import plain
from surrogate_nas.records.comparison import ComparisonRecord, KeptRun
from surrogate_nas.reporting.statistics import summarise
from surrogate_nas.workflows.compare import RunSettings

OLD = Path(__file__).resolve().parent.parent / "data" / "0.1.0" / "comparison"
RUNS = sorted((OLD / "runs").iterdir())


def old() -> ComparisonRecord:
    return ComparisonRecord.from_json(json.loads((OLD / "compare.json").read_text()))


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_an_old_run_is_read_and_a_new_one_beside_it_is_made(path: Path) -> None:
    text = path.read_text()
    content = json.loads(text)
    settings = dict(content["settings"])
    assert settings.pop("version") == "0.1.0"  # whose searches had other digits
    assert RunSettings(**settings, results=RESULTS).file != path.name
    kept = KeptRun.from_json(content)
    assert json.dumps({"settings": content["settings"], **plain(kept, finite=False)}) == text
    assert kept.run in old().runs
    assert kept.trials[-1].best_value == kept.run.values[-1]


def test_an_old_comparison_is_the_same_again() -> None:
    assert len(RUNS) == len(old().runs) == 4
    assert json.dumps(plain(old(), finite=False)) == (OLD / "compare.json").read_text()
    assert summarise(old().runs, {"a": 64}) == old().summary


def test_a_data_frame_has_a_row_for_each_trial() -> None:
    pytest.importorskip("pandas")
    frame = old().to_dataframe()
    assert len(frame) == 4 * 8
    found = frame[(frame.searcher == "local") & (frame.seed == 1)]
    run = next(run for run in old().runs if (run.method, run.seed) == ("local+gp", 1))
    assert found["trial"].tolist() == list(range(1, 9))
    assert found["value"].tolist() == list(run.values)
    assert found["rank"].tolist() == list(run.ranks)
    assert found["cost"].tolist() == list(run.costs)
    assert found["test"].tolist() == list(run.test)


def test_its_repr_is_one_line() -> None:
    assert repr(old()) == "ComparisonRecord(cells, 4 runs of random, local+gp)"
