"""How results show themselves in notebooks, and how far a search is."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas import FunctionObjective, Goal, make_searcher, search
from surrogate_nas.callbacks.progress import ProgressBar
from surrogate_nas.progress import as_progress
from surrogate_nas.records.pictures import line_picture
from surrogate_nas.spaces import open_space
from surrogate_nas.workflows.compare import compare
from surrogate_nas.workflows.evaluate import evaluate
from surrogate_nas.workflows.experiment import Experiment
from surrogate_nas.workflows.search import SearchOptions, search_task
from surrogate_nas.workflows.setups import table_setup
from tests.displays import Display
from tests.tables import TABLE, toy_task


def parsed(text: str) -> ET.Element:
    """The elements of what a notebook shows; an error if they are not balanced."""
    return ET.fromstring(f"<div>{text}</div>")


def pictures(root: ET.Element) -> list[ET.Element]:
    return list(root.iter("svg"))


def test_a_picture_has_a_step_for_each_better_value() -> None:
    root = parsed(line_picture({"a": [1.0, 1.0, 3.0]}, x_label="trial", y_label="<b>value"))
    (path,) = [p for p in root.iter("path") if p.get("stroke") == "#0072B2"]
    heights = [float(part.split("V")[1]) for part in (path.get("d") or "").split("H")[1:]]
    assert len(heights) == 2
    assert heights[1] < heights[0]  # upwards
    assert "<b>value" in [text.text for text in root.iter("text")]


def test_a_picture_of_nothing() -> None:
    assert line_picture({"a": [np.nan]}, x_label="", y_label="") == ""
    assert line_picture({"a": [0.0, -1.0]}, x_label="", y_label="", log=True) == ""
    assert parsed(line_picture({"a": [2.0]}, x_label="", y_label=""))
    gaps = parsed(line_picture({"a": [np.nan, 1.0, np.nan, 2.0]}, x_label="", y_label=""))
    assert len(pictures(gaps)) == 1


def test_a_search_shows_a_table_and_a_picture() -> None:
    space = open_space("nats-size")
    goal = Goal("<i>loss", maximise=False)
    objective = FunctionObjective(space, lambda arch: 1.0 / (1 + sum(arch.choices)), goal=goal)
    result = search(make_searcher("random", space, seed=0), objective, trials=12)
    root = parsed(result._repr_html_())
    assert len(list(root.iter("tr"))) == 1 + 5
    (picture,) = pictures(root)
    assert "<i>loss" in (picture.get("aria-label") or "")


def test_other_results_show_themselves(tmp_path: Path) -> None:
    wanted = Experiment(TABLE, ["easy"], seeds=2, workers=1)
    compared = compare(wanted, searchers=["random", "local"], trials=5, out=tmp_path)
    root = parsed(compared._repr_html_())
    assert len(pictures(root)) == 1
    assert {"random", "local"} <= {cell.text for cell in root.iter("td")}
    cells = Experiment("cell-bench", ["digits"], seeds=1, workers=1)
    root = parsed(evaluate("gp", cells, train_sizes=[10])._repr_html_())
    assert [cell.text for cell in root.iter("td")][:2] == ["digits", "10"]
    outcome = search_task(table_setup(toy_task(), "random", SearchOptions(trials=5)))
    assert outcome._repr_html_() == outcome.result._repr_html_()


def test_a_bar_shows_each_trial(capsys: pytest.CaptureFixture[str]) -> None:
    task = toy_task(maximise=False)
    searcher = make_searcher("random", task.space, seed=0)
    result = search(searcher, task, trials=7, progress=True)
    shown = capsys.readouterr().err
    assert "7/7" in shown
    assert result.value is not None
    assert f"loss {-result.value:.6g}" in shown
    search_task(table_setup(task, "random", SearchOptions(trials=4)), progress=True)
    assert "4/4" in capsys.readouterr().err
    search(make_searcher("random", task.space, seed=0), task, trials=3)
    assert capsys.readouterr().err == ""


def test_a_bar_ends_with_its_search() -> None:
    display = Display()
    shown = ProgressBar(display)
    task = toy_task()

    def broken(trial: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        search(
            make_searcher("random", task.space, seed=0), task, trials=3, callbacks=[shown, broken]
        )
    assert [one.closed for one in display.shown] == [True]
    with as_progress(False)("label", 3) as advance:
        advance("nothing is shown")
