"""Every space of the page about spaces of one's own, from a file of results to a search."""

from __future__ import annotations

import csv
import json
import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.cli import main
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.spaces.decisions import MOST_OPTIONS
from surrogate_nas.spaces.operations import ATTRIBUTES
from surrogate_nas.spaces.toml_decisions import MOST_DECISIONS, MOST_OPTIONS_IN_ALL
from surrogate_nas.spaces.toml_nodes import OPERATION_NAMES

TEXT = (Path(__file__).parents[1] / "docs" / "spaces.md").read_text(encoding="utf-8")
DEFINITIONS = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
NAMES = [tomllib.loads(text)["name"] for text in DEFINITIONS]
ROWS = 60


@pytest.mark.parametrize(("name", "text"), list(zip(NAMES, DEFINITIONS, strict=True)), ids=NAMES)
def test_from_import_to_search(
    name: str,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SURROGATE_NAS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    space = open_space(path)
    rng = np.random.default_rng(0)
    choices = space.keys(space.sample_choices(rng, ROWS))
    worth = [rng.normal(size=(3, size)) for size in space.sizes]
    values = np.sum([w[:, choices[:, i]] for i, w in enumerate(worth)], axis=0)
    decisions = [decision.name for decision in space.decisions]
    with (tmp_path / "results.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow([*decisions, "arch", "a", "b", "c"])
        for row, active, found in zip(choices, space.active(choices), values.T, strict=True):
            options = [
                decision.options[choice] if counts else ""
                for decision, choice, counts in zip(space.decisions, row, active, strict=True)
            ]
            out.writerow([*options, space.format(space.architecture(row)), *found])

    def run(*arguments: str) -> dict[str, object]:
        code = main([*arguments, "--json"])
        shown = capsys.readouterr()
        assert code == 0, shown.err
        found: dict[str, object] = json.loads(shown.out)
        return found

    results, weights = str(tmp_path / "results.csv"), str(tmp_path / "w.safetensors")
    common = [
        "--space",
        str(path),
        "--name",
        name,
        "--task",
        "a=a",
        "--task",
        "b=b",
        "--task",
        "c=c",
    ]
    by_columns = run("import", "csv", results, *common)
    by_notation = run("import", "csv", results, *common, "--arch", "arch")
    assert (
        by_columns["architectures"]
        == by_notation["architectures"]
        == len(np.unique(choices, axis=0))
    )
    run("meta-train", "--suite", f"{name}:a,b", "--predictor", "transfer-ridge", "--out", weights)
    found = run(
        "search", "--benchmark", name, "--task", "c", "--predictor", weights, "--trials", "4"
    )
    assert found["best"]["arch"] in {space.format(space.architecture(row)) for row in choices}  # type: ignore[index]


def test_there_are_five_whole_examples() -> None:
    assert len(set(NAMES)) == 6  # the cell is there twice
    shown = re.findall(r"`(\d:[^`]*)`", TEXT)
    space = open_space_of("perceptron")
    assert [space.format(space.parse(text)) for text in shown if text.count(":") == 4] == shown[:1]


def open_space_of(name: str) -> CustomSpace:
    return CustomSpace(DEFINITIONS[NAMES.index(name)])


def test_the_page_names_all_there_is() -> None:
    words = set(re.findall(r"`([\w-]+)`", TEXT))
    assert set(OPERATION_NAMES) | set(ATTRIBUTES) <= words
    for limit in (MOST_DECISIONS, MOST_OPTIONS, MOST_OPTIONS_IN_ALL):
        assert f"{limit:,}" in TEXT


def test_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    Path("mobile.toml").write_text(DEFINITIONS[NAMES.index("mobile")], encoding="utf-8")
    space = open_space("mobile.toml")
    rows = space.sample_choices(np.random.default_rng(0), 20)
    lines = [",".join([*(decision.name for decision in space.decisions), "photo_accuracy"])]
    for row in rows:
        options = [d.options[x] for d, x in zip(space.decisions, row, strict=True)]
        lines.append(",".join([*options, str(row.sum())]))
    Path("results.csv").write_text("\n".join(lines), encoding="utf-8")
    (block,) = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines():
        code = main(shlex.split(line.replace("--trials 50", "--predictor none --trials 5"))[1:])
        assert code == 0, capsys.readouterr().err


def test_python() -> None:
    found: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(block, found)
    space = found["space"]
    assert isinstance(space, CustomSpace)
    assert f"`chosen` is `{json.dumps(found['chosen'])}`" in TEXT
    assert space.size == 7 * (2 + 2 * 2)
