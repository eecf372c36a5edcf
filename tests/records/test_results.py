"""What a search found, as people see it."""

from __future__ import annotations

import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from surrogate_nas.errors import MissingDependencyError
from surrogate_nas.evaluation import Evaluation, FunctionObjective, Goal, Proposal, Trial
from surrogate_nas.records import SearchResult
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces.base import Architecture
from tests.searchers.toys import ToySpace
from tests.tables import toy_task

HOSTILE = "<script>alert('x')</script>&<b>"


class HostileSpace(ToySpace):
    """Writes architectures as HTML."""

    def format(self, arch: Architecture) -> str:
        return HOSTILE


class Texts(HTMLParser):
    """What a browser shows, and of which elements a page consists."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.elements: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.add(tag)

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


def found(maximise: bool = True) -> SearchResult:
    task = toy_task("loss", maximise=maximise)
    return search(make_searcher("random", task.space, seed=1), task, trials=8)


def test_a_data_frame_has_a_row_for_each_trial() -> None:
    pytest.importorskip("pandas")
    result = found(maximise=False)
    frame = result.to_dataframe()
    assert frame["number"].tolist() == list(range(8))
    assert result.space is not None
    texts = [result.space.format(trial.arch) for trial in result.trials]
    assert frame["arch"].tolist() == texts
    done = [t.evaluation for t in result.trials if t.evaluation is not None]
    assert frame["value_loss"].tolist() == [-evaluation.value for evaluation in done]
    assert frame["test_loss"].tolist() == [evaluation.hidden["loss"] for evaluation in done]
    assert frame["cost"].tolist() == [evaluation.cost for evaluation in done]
    assert frame["error"].isna().all()


def test_failures_and_several_goals_are_rows_too() -> None:
    pytest.importorskip("pandas")
    arch = Architecture("toy", (0, 1, 2, 0, 1))
    trials = (
        Trial(Proposal(0, arch), Evaluation((3.0, -2.0), metrics={"size": 7.0})),
        Trial(Proposal(1, arch), error="it failed"),
    )
    goals = (Goal("accuracy"), Goal("latency", maximise=False))
    frame = SearchResult(trials, goals).to_dataframe()
    assert list(frame) == [
        *("number", "arch", "value_accuracy", "value_latency", "metric_size"),
        *("budget", "cost", "seed", "error"),
    ]
    assert frame["arch"].tolist() == ["0-1-2-0-1"] * 2  # without a space there is no notation
    first, second = frame.to_dict("records")
    assert (first["value_accuracy"], first["value_latency"], first["metric_size"]) == (3, 2, 7)
    assert np.isnan(second["value_accuracy"])
    assert second["error"] == "it failed"


def test_an_empty_search_is_an_empty_data_frame() -> None:
    pytest.importorskip("pandas")
    assert len(SearchResult((), (Goal("value"),)).to_dataframe()) == 0


def test_without_pandas_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependencyError, match=r"surrogate-nas\[dataframe\]"):
        found().to_dataframe()


def test_its_repr_is_one_line() -> None:
    result = replace(found(), seconds=1.25)
    assert result.value is not None
    assert repr(result) == f"SearchResult(8 trials, best accuracy {result.value:.6g}, 1.2 s)"
    trial = Trial(Proposal(0, Architecture("toy", (0,) * 5)), error="a\nb")
    failed = SearchResult((trial,), (Goal("value"),), stopped="interrupted")
    reason = "every trial failed; the first reason was: a b"
    assert repr(failed) == f"SearchResult(1 trial, 1 failed, {reason}, interrupted, 0.0 s)"


@pytest.mark.parametrize("maximise", [True, False])
def test_a_notebook_shows_the_best_trials(maximise: bool) -> None:
    result = found(maximise)
    shown = Texts(result._repr_html_()).shown
    assert shown[0] == repr(result).removeprefix("SearchResult(").removesuffix(")")
    assert shown[1:5] == ["architecture", "accuracy (%)" if maximise else "loss", "cost", "trial"]
    rows = [shown[i : i + 4] for i in range(5, 25, 4)]  # before the picture
    values = [t.value for t in result.trials if t.value is not None]
    best = sorted(values, reverse=True)[:5]
    assert [row[1] for row in rows] == [f"{value if maximise else -value:.6g}" for value in best]
    assert [values[int(row[3])] for row in rows] == best


def test_hostile_names_are_shown_as_they_are() -> None:
    space = HostileSpace((3,) * 5)
    objective = FunctionObjective(space, lambda arch: 1.0, goal=Goal(HOSTILE, unit="<i>"))
    result = search(make_searcher("random", space, seed=0), objective, trials=1)
    page = Texts(result._repr_html_())
    table = {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert page.elements == table | {"svg", "g", "path", "text"}
    assert page.shown[0].startswith(f"1 trial, best {HOSTILE} 1, ")
    assert page.shown[1:6] == ["architecture", f"{HOSTILE} (<i>)", "cost", "trial", HOSTILE]
