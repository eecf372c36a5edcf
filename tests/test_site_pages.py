"""Every block of the pages of the documentation site runs, in the order of its page."""

from __future__ import annotations

import importlib.util
import shlex
from pathlib import Path

import optuna
import pytest

from surrogate_nas.cli import main
from tests.scripts import load_script

DOCS = Path(__file__).resolve().parents[1] / "docs"
# The other pages have tests of their own.
PAGES = [
    "index.md",
    "callbacks.md",
    "devices.md",
    "export.md",
    "formats.md",
    "protocol.md",
    "reproducibility.md",
    "tutorials/compare.md",
    "tutorials/optuna.md",
    "tutorials/predictors.md",
]
PRINTS = {"python", "console"}
FILES = {"toml", "csv", "python"}
blocks = load_script("blocks").blocks


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_page(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found = blocks((DOCS / page).read_text(encoding="utf-8"))
    assert found
    names: dict[str, object] = {"__name__": "page"}
    for block in found:
        if block.needs is not None and importlib.util.find_spec(block.needs) is None:
            continue
        if block.file is not None and block.language in FILES:
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile(block.text, page, "exec"), names)
        elif block.language == "console":
            for command in block.commands:
                run(command, capsys)


def run(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, *arguments = shlex.split(command, comments=True)
    assert program == "surrogate-nas", command
    if arguments[0] in ("compare", "evaluate"):
        arguments += ["--workers", "1"]  # another process would import everything again
    code = main(arguments)
    shown = capsys.readouterr()
    assert code == 0, f"{command}\n{shown.err}"
    assert "Traceback" not in shown.err


def test_blocks_are_found() -> None:
    page = """\
A file `own.toml`, to begin with:

```toml
name = "own"
```

<!-- needs: wandb -->

```console
surrogate-nas search \\
    --trials 3
# a remark
surrogate-nas benchmarks
```
"""
    file, console = blocks(page)
    assert (file.language, file.file, file.text) == ("toml", "own.toml", 'name = "own"\n')
    assert console.needs == "wandb"
    assert console.commands == ["surrogate-nas search --trials 3", "surrogate-nas benchmarks"]
