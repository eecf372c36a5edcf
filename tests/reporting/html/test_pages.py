"""The pages of searches, comparisons and tables: complete, self-contained and safe."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas import FunctionObjective, make_searcher, open_benchmark, search, write_report
from surrogate_nas.benchmarks.base import Benchmark, TabularTask
from surrogate_nas.cli import main
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.reporting.command import repeating, without_passwords
from surrogate_nas.reporting.digits import unit_of_costs
from surrogate_nas.reporting.html.search import search_report
from surrogate_nas.reporting.html.tables import table_report
from surrogate_nas.spaces import open_space
from surrogate_nas.workflows.search import SearchOptions, search_task
from surrogate_nas.workflows.setups import table_setup
from tests.answers import answered
from tests.reporting.html.pages import HOSTILE, Page, made_search
from tests.tables import TABLE, ToyTable, toy_task

OLD = Path(__file__).parents[2] / "data" / "0.1.0"


def assert_self_contained(text: str) -> Page:
    page = Page(text)
    for name in ("src", "href", "action"):
        assert all(value.startswith("#") for value in page.values(name)), name
    assert "url(" not in text
    assert "@import" not in text
    assert page.tags.count("script") == 1
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    anchors = {value.removeprefix("#") for value in page.values("href")}
    identifiers = page.values("id")
    assert anchors <= set(identifiers)
    assert len(identifiers) == len(set(identifiers))
    # Those who hear the page tell its parts by their names.
    regions = re.findall(r'role="region" aria-label="([^"]*)"', text)
    regions += re.findall(r"<h2[^>]*>(.*?)</h2>", text)
    assert len(regions) == len(set(regions))
    return page


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of a table, kept."""
    path = tmp_path_factory.mktemp("store") / "run.journal"
    command = ["search", "--benchmark", "cell-bench", "--task", "digits", "--predictor", "gp"]
    assert main([*command, "--trials", "30", "--store", str(path)]) == 0
    return path


def test_the_page_of_a_stored_search(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    record = write_report(store, out)
    assert record.kind == "search"
    assert record.bytes == out.stat().st_size
    page = assert_self_contained(out.read_text(encoding="utf-8"))
    titles = ["Best so far", "Best architectures", "Decisions", "Predictor", "Settings"]
    assert list(record.sections) == [*titles, "All trials"]
    for text in (*record.sections, "cell-bench/digits", "evolution + gp", "best of the table"):
        assert text in page.text
    assert "over cost" in page.text
    assert "over time" in page.text
    assert "rank" in page.text
    assert "build_network(arch" in page.text
    trials = [tip for tip in page.values("data-tip") if tip.startswith("trial 7:")]
    assert trials


def test_its_command_repeats_the_search(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    write_report(store, out)
    text = next(t for t in Page(out.read_text()).texts if t.startswith("surrogate-nas search"))
    again = answered(capsys, *shlex.split(text)[1:])
    plain = ("search", "--benchmark", "cell-bench", "--task", "digits", "--predictor", "gp")
    assert again["trials"] == answered(capsys, *plain, "--trials", "30")["trials"]


def test_hostile_names_are_text() -> None:
    text, sections = search_report(made_search(60, name=HOSTILE, failures=4))
    page = assert_self_contained(text)
    assert "Failures" in sections
    assert HOSTILE in page.text
    assert "img" not in page.tags
    assert "4 of 60 trials failed" in page.text
    # The parser keeps what browsers would run: one script, the page's own.
    assert len(re.findall("<script", text)) == 1


def test_a_thousand_trials_fit_into_three_megabytes() -> None:
    text, _ = search_report(made_search(1_000))
    assert len(text.encode()) < 3_000_000
    assert len([t for t in Page(text).values("data-tip") if t.startswith("trial 999:")]) >= 3


def test_every_trial_failed() -> None:
    subject = made_search(12, failures=12)
    text, sections = search_report(subject)
    assert_self_contained(text)
    assert sections == ["Failures", "Settings", "All trials"]


def test_a_search_of_one_trial() -> None:
    assert_self_contained(search_report(made_search(1))[0])


def test_a_constant_value() -> None:
    space = open_space("nats-size")
    objective = FunctionObjective(space, lambda arch: 1.0)
    result = search(make_searcher("random", space, seed=0), objective, trials=20)
    subject = replace(made_search(1), result=result, space=space, seconds=())
    assert_self_contained(search_report(subject)[0])


@pytest.mark.parametrize("name", ["darts", "mobilenet", "nasbench101", "transformer"])
def test_other_spaces(name: str) -> None:
    space = open_space(name)
    objective = FunctionObjective(space, lambda arch: float(sum(arch.choices)))
    result = search(make_searcher("random", space, seed=0), objective, trials=12)
    subject = replace(made_search(1), result=result, space=space, seconds=())
    page = assert_self_contained(search_report(subject)[0])
    assert "Decisions" in page.text


def test_a_search_from_python_and_its_trainings(tmp_path: Path) -> None:
    setup = table_setup(toy_task(), "evolution", SearchOptions(trials=10))
    outcome = search_task(setup)
    assert len(outcome.finished) == 10
    assert list(outcome.finished) == sorted(outcome.finished)
    write_report(outcome, tmp_path / "a.html", command=["surrogate-nas", "search", "--seed", "0"])
    page = assert_self_contained((tmp_path / "a.html").read_text())
    assert "surrogate-nas search --seed 0" in page.text
    write_report(outcome.result, tmp_path / "b.html")
    assert_self_contained((tmp_path / "b.html").read_text())
    with pytest.raises(InvalidArgumentError, match="needs its space"):
        write_report(replace(outcome.result, space=None), tmp_path / "c.html")


def test_a_comparison(tmp_path: Path) -> None:
    out, page = tmp_path / "out", tmp_path / "page.html"
    command = ["compare", "--benchmark", TABLE, "--task", "easy,loss", "--seeds", "2"]
    command += ["--searcher", "random,evolution,local", "--trials", "8", "--workers", "1"]
    assert main([*command, "--out", str(out), "--report", str(page)]) == 0
    found = assert_self_contained(page.read_text())
    for text in ("random", "local", "Paired tests", "Anytime curves", "average rank"):
        assert text in found.text
    assert shlex.join(["surrogate-nas", *command][:6]) in found.text
    assert "The lines of random and evolution coincide" in found.text
    again = write_report(out, tmp_path / "again.html")
    assert again.kind == "comparison"


def test_a_comparison_of_fronts_and_of_guidance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    command = ["compare", "--benchmark", TABLE, "--task", "easy", "--goal", "accuracy"]
    command += ["--goal", "size", "--minimise", "size", "--searcher", "nsga2,random,random+forest"]
    command += ["--against-unguided", "--seeds", "2", "--trials", "8", "--workers", "1"]
    assert main([*command, "--out", str(tmp_path / "out"), "--report", str(page)]) == 0
    assert "Mean missing hypervolume (%) guided and alone" in capsys.readouterr().out
    found = assert_self_contained(page.read_text())
    assert "its mean missing hypervolume (%)" in found.text
    assert "Mean missing hypervolume (%) guided and alone" in found.text
    assert "Rank in the table" not in found.text
    values = found.text.partition("without a result")[2].partition("Settings")[0]
    assert values.count("±") == 9  # of three methods, in three columns


def test_an_old_comparison_without_its_table(tmp_path: Path) -> None:
    record = write_report(OLD / "comparison", tmp_path / "old.html")
    assert record.kind == "comparison"
    assert "is not at hand" in Page((tmp_path / "old.html").read_text()).text


def test_a_table(tmp_path: Path) -> None:
    record = write_report("cell-bench", tmp_path / "table.html")
    assert record.kind == "table"
    page = assert_self_contained((tmp_path / "table.html").read_text())
    for text in (*record.sections, "mnist5k-14", "Kendall's τ", "largest budget"):
        assert text in page.text
    assert "Noise between seeds" in record.sections
    task = open_benchmark("cell-bench").task("digits")
    best = task.space.format(task.space.architecture(task.choices[int(np.argmax(task.values))]))
    assert best in page.text


class HostileTable(ToyTable):
    """A table whose task has a name to be wary of."""

    tasks = (HOSTILE, "easy")

    def task(self, name: str, *, isomorphs: str = "separate") -> TabularTask:
        return toy_task(name)


def test_a_table_with_a_hostile_task() -> None:
    table: Benchmark = HostileTable()
    page = assert_self_contained(table_report(table)[0])
    assert HOSTILE in page.text


@pytest.mark.parametrize("what", ["no-such-thing", "nothing.journal", "nas-bench-grap"])
def test_what_is_none_of_the_three(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", what, "--out", str(tmp_path / "x.html")]) == 2
    error = capsys.readouterr().err
    assert "trial store" in error
    assert error.count("\n") == 1


def test_a_folder_without_a_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "x.html")]) == 2
    assert "holds no comparison" in capsys.readouterr().err
    (tmp_path / "compare.json").write_text("{")
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "x.html")]) == 2
    assert "is damaged" in capsys.readouterr().err
    assert main(["report", "cell-bench", "--out", str(tmp_path / "no" / "x.html")]) == 2


def test_several_goals_and_a_limit(tmp_path: Path) -> None:
    store, page = tmp_path / "run.journal", tmp_path / "page.html"
    command = ["search", "--benchmark", "cell-bench", "--task", "digits", "--predictor", "none"]
    command += ["--goal", "accuracy", "--goal", "latency", "--limit", "parameters<=5000"]
    assert main([*command, "--trials", "40", "--store", str(store), "--report", str(page)]) == 0
    shown = assert_self_contained(page.read_text())
    again = write_report(store, tmp_path / "again.html")
    assert again.sections[:2] == ("Front", "Limits")
    found = assert_self_contained((tmp_path / "again.html").read_text())
    for text in ("true front of the table", "knee", "parameters<=5000", "Hypervolume"):
        assert text in shown.text
        assert text in found.text
    assert "rank" not in found.texts  # several goals have none
    text = next(t for t in found.texts if t.startswith("surrogate-nas search"))
    assert "--goal accuracy --goal latency --limit 'parameters<=5000'" in text


def test_trials_beyond_a_limit_are_told(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    command = ["search", "--benchmark", "cell-bench", "--task", "digits", "--predictor", "none"]
    command += ["--limit", "latency<=0.5", "--trials", "12", "--report", str(page)]
    assert main(command) == 0
    shown = assert_self_contained(page.read_text()).text
    assert "beyond a limit" in shown
    assert "smaller budgets" not in shown


def test_costs_of_a_table_are_epochs_only_where_they_are() -> None:
    assert unit_of_costs(np.array([1.0, 3.0, np.nan])) == "epochs"
    assert unit_of_costs(np.array([175.5, 351.0])) == ""  # such as mean seconds


def test_passwords_are_not_shown() -> None:
    url = "postgresql://me:secret@host/db"
    assert without_passwords(url) == "postgresql://me:***@host/db"
    assert without_passwords("sqlite:///a.db") == "sqlite:///a.db"


def test_commands_of_settings() -> None:
    trained = {"task": "digits", "epochs": 2, "settings": {"channels": 8}, "searcher": "local"}
    trained |= {"recipe": "sgd", "network": None, "stop_early": True, "seed": 3, "batch": 1}
    assert repeating(trained, space="dense-cell", trials=4) == (
        "surrogate-nas search --space dense-cell --dataset digits --epochs 2 --settings channels=8 "
        "--recipe sgd --stop-early --searcher local --predictor none --trials 4 --batch 1 --seed 3"
    )
    assert repeating({"seed": 0}, space="x", trials=1) is None


def test_a_search_of_the_mean_of_several_tasks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["search", "--benchmark", "cell-bench", "--task", "digits,watch", "--trials", "12"]
    command += ["--predictor", "none"]
    kinds = {
        "equal": [],
        "other": ["--weights", ".9,.1"],
        "normal": ["--weights", "2,1", "--scale", "normal"],
    }
    for name, weights in kinds.items():
        store, page = tmp_path / f"{name}.journal", tmp_path / f"{name}.html"
        capsys.readouterr()
        assert main([*command, *weights, "--store", str(store)]) == 0
        write_report(store, page)
        found = assert_self_contained(page.read_text())
        assert "best of the table" in found.text
        text = next(t for t in found.texts if t.startswith("surrogate-nas search"))
        assert "--task digits,watch" in text
        # The command that the page tells goes on with the same study.
        assert main([*shlex.split(text)[1:], "--store", str(store)]) == 0
        assert "12 trials of this search" in capsys.readouterr().err
    store = tmp_path / "other.journal"
    assert main([*command, "--store", str(store)]) == 2
    assert "task_weights [0.9, 0.1], now [0.5, 0.5]" in capsys.readouterr().err
