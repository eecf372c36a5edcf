"""Suggestions, quiet and talkative commands, options from files, completion."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from surrogate_nas.cli import main, parser
from surrogate_nas.cli.config import dumped, with_config
from surrogate_nas.cli.parsing import leaves

TOY = ("search", "--benchmark", "tests.tables:ToyTable", "--task", "easy", "--predictor", "none")


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as error:
        main(words)
    assert error.value.code == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    return shown


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("serch",), "search"),
        (("evalute", "--task", "cora"), "evaluate"),
        (("import", "cvs", "x"), "csv"),
        (("import", "natstss", "x"), "nats-tss"),
        (("search", "--trial", "5"), "--trials"),
        (("search", "--serch", "5"), "--searcher"),
        (("search", "--isomorphs", "merge"), "merged"),
        (("compare", "--ot", "x", "--out", "y"), "--out"),
    ],
)
def test_what_was_meant(
    words: tuple[str, ...], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"did you mean '{meant}'?" in refused(capsys, *words)


def test_nothing_is_suggested_for_what_is_like_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean" not in refused(capsys, "xyzzy")
    assert "did you mean" not in refused(capsys, "search", "--xyzzy")


# Log --------------------------------------------------------------------------------------------


def told(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    capsys.readouterr()
    assert main([*TOY, "--trials", "12", *more]) == 0
    return capsys.readouterr().err


def test_a_list_may_be_given_in_several_options(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("compare", "--out", "o", "--searcher", "random", "--searcher", "local,genetic")
    assert parser().parse_args(words).searcher == ["random", "local", "genetic"]
    assert (
        parser().parse_args(("search", "--weights", ".5", "--weights", ".5")).weights == [0.5] * 2
    )
    assert parser().parse_args(("search", "--trials", "3", "--trials", "4")).trials == 4
    assert "not name anything twice, got 'local'" in refused(capsys, *words, "--searcher", "local")


def test_quiet_and_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "-q") == told(capsys, "--quiet") == ""
    usual, much = told(capsys), told(capsys, "-v")
    assert "12/12" in usual
    assert "trial 3" not in usual
    assert "run: trial 3: " in much
    assert set(usual.splitlines()) <= set(much.splitlines())
    assert logging.getLogger("surrogate_nas").handlers == []


def test_a_warning_is_told_in_any_case(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = str(tmp_path / "run.journal")
    told(capsys, "--store", store)
    with open(store, "a") as file:
        file.write('{"torn')
    assert "warning: " in told(capsys, "--store", store, "-q")


def test_python_programs_get_the_log(caplog: pytest.LogCaptureFixture) -> None:
    from surrogate_nas import make_searcher, search
    from tests.tables import toy_task

    task = toy_task()
    with caplog.at_level(logging.DEBUG, logger="surrogate_nas"):
        search(make_searcher("random", task.space, seed=0), task, trials=3)
    assert [r.name for r in caplog.records] == ["surrogate_nas.run"] * 3


def test_no_colours_where_none_are_wanted() -> None:
    for wanted in (True, False):
        master, terminal = pty.openpty()
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"}
        environment.pop("NO_COLOR", None)
        environment |= {} if wanted else {"NO_COLOR": "1"}
        command = [sys.executable, "-m", "surrogate_nas", *TOY, "--trials", "5"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, env=environment):
            os.close(terminal)
            shown = b""
            try:
                while part := os.read(master, 4096):
                    shown += part
            except OSError:  # the other end was closed
                pass
        os.close(master)
        assert b"5/5" in shown
        assert (b"\x1b[3" in shown or b"\x1b[38" in shown) == wanted


# Options from files -----------------------------------------------------------------------------

LINES: list[tuple[str, ...]] = [
    ("search", "--task", "cora", "--goal", "accuracy", "--goal", "latency", "--seed", "3"),
    ("search", "--dataset", "digits", "--settings", "channels=8,cells=2", "--stop-early"),
    ("search", "--proxies", "naswot,snip", "--limit", "latency<=5", "--plot", 'a "b".png'),
    ("compare", "--searcher", "random,local", "--out", "dir", "--leave-one-out"),
    ("evaluate", "--train-sizes", "5,10", "--predictor", "gp", "--workers", "2"),
    ("train", "conv3x3-skip-skip-skip", "--dataset", "digits", "--epochs", "2"),
    ("verify", "run.journal", "--top", "2"),
    ("import", "csv", "r.csv", "--space", "dense-cell", "--task", "a=b", "--name", "x"),
    ("benchmarks", "--check"),
    ("report", "run.journal", "--out", "r.html"),
]


def parsed(words: list[str]) -> argparse.Namespace:
    return parser().parse_args(words)


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_a_dumped_file_gives_the_same_options(words: tuple[str, ...], tmp_path: Path) -> None:
    top = parser()
    before = parsed([*words])
    path = tmp_path / "run.toml"
    path.write_text(dumped(top, words, before), encoding="utf-8")
    names = words[: 2 if words[0] == "import" else 1]
    after = parsed(with_config(top, [*names, "--config", str(path)]))
    assert after.config == str(path)
    after.config = before.config
    assert vars(after) == vars(before)


def test_the_command_line_wins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.toml"
    path.write_text('trials = 7\nseed = 1\n[search]\ntask = "easy"\ngoal = ["a", "b"]\n')
    words = ["search", "--config", str(path), "--trials", "3", "--goal", "c"]
    found = parsed(with_config(parser(), words))
    assert (found.trials, found.seed, found.task, found.goal) == (3, 1, ["easy"], ["c"])
    path.write_text("[search]\ntrials = 4\n[compare]\nseeds = 2\n")
    capsys.readouterr()
    assert main([*TOY, f"--config={path}", "--dump-config"]) == 0
    assert "trials = 4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trails = 4", "has no option 'trails'; did you mean 'trials'?"),
        ("stop-early = 3", "must be true or false"),
        ("trials = ", "is no TOML file"),
        ("command = 1", "has no option 'command'"),
    ],
)
def test_mistakes_in_a_file(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    assert main([*TOY, "--config", str(path)]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1


def test_a_file_that_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TOY, "--config", "nowhere.toml"]) == 2
    assert "cannot read --config nowhere.toml" in capsys.readouterr().err


def test_every_command_has_these_options() -> None:
    for leaf in leaves(parser()):
        assert {"--config", "--dump-config", "--quiet", "--verbose", "-q", "-v"} <= set(
            leaf._option_string_actions
        )


# Completion -------------------------------------------------------------------------------------


@pytest.mark.skipif(importlib.util.find_spec("shtab") is None, reason="needs shtab")
@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--print-completion", shell])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for word in ("compare", "searcher", "evaluate"):
        assert word in shown


def test_every_command_has_an_example() -> None:
    for leaf in leaves(parser()):
        assert (leaf.epilog or "").startswith("example:\n  surrogate-nas "), leaf.prog


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locale")
def test_an_encoding_without_these_characters(tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "surrogate_nas", "search", "--help"]
    done = subprocess.run(command, env=os.environ | ascii_only, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"\\u2026" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="keeps the folders that are in use")
def test_a_working_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); from surrogate_nas.cli import main; "
    code += "sys.exit(main(['search', '--trials', '1']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=gone, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "the working folder cannot be read" in done.stderr


def test_an_error_of_the_system_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compare", *TOY[1:5], "--searcher", "random,local", "--trials", "2", "--seeds", "2"]
    (tmp_path / "out").write_text("a file")
    assert main([*command, "--out", str(tmp_path / "out" / "deeper")]) == 2
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


def test_a_page_in_the_folder_that_the_comparison_makes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["compare", *TOY[1:5], "--searcher", "random,local", "--trials", "2", "--seeds", "2"]
    command += ["--workers", "1", "--out", str(out), "--report", str(out / "page.html")]
    assert main(command) == 0
    assert (out / "page.html").exists()


@pytest.mark.parametrize("command", [["search"], ["build"], ["import", "csv"]])
def test_descriptions_fit_the_terminal(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for columns in (80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        text, example = capsys.readouterr().out.split("\nexample:\n")
        assert max(map(len, text.splitlines())) <= columns
        assert example.startswith("  surrogate-nas ")
