"""What guidance gains, from the files of comparisons."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wilcoxon

from surrogate_nas.records.comparison import ComparisonRecord, Run, Summary
from tests.scripts import load_script

SEEDS = 12


def write(folder: Path, factors: dict[str, float]) -> Path:
    """A comparison whose guided runs have the ranks of the others times a factor, by task."""
    runs = []
    for task, factor in factors.items():
        for seed in range(SEEDS):
            rank = 10_000_000 + 100_000 * seed
            noisy = round(rank * factor * (1 + seed / 100))
            for predictor, found in ((None, rank), ("gp", noisy)):
                ranks = (found,) * 50
                runs.append(Run(task, "local", predictor, None, seed, 0, (), ranks, (), ()))
    return kept(folder, *runs)


def kept(folder: Path, *runs: Run) -> Path:
    path = folder / "compare.json"
    record = ComparisonRecord("table", runs, Summary((), (), (), ()))
    path.write_text(json.dumps(record.to_json()), encoding="utf-8")
    return path


def printed(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *options: str,
) -> str:
    monkeypatch.setattr("sys.argv", ["guidance", str(path), *options])
    load_script("guidance").main()
    return capsys.readouterr().out


def test_gains_and_losses_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(write(tmp_path, {"easy": 0.1, "hard": 2.0}), monkeypatch, capsys)
    lines = out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"local+gp, {trials} trials, {2 * SEEDS} pairs on 2 tasks" for trials in (20, 50)
    ]
    growth = np.log(1 + np.arange(SEEDS) / 100)
    gains = np.concatenate([np.log(0.1) + growth, np.log(2.0) + growth])
    assert f"{np.exp(gains.mean()):.2f} of what it is alone" in lines[0]
    assert f"p = {wilcoxon(gains, alternative='less').pvalue:.1g};" in lines[0]
    assert lines[0].endswith(f"significantly worse on {tmp_path / 'compare.json'}: hard")


def test_no_loss_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(write(tmp_path, {"easy": 0.1}), monkeypatch, capsys)
    assert all(line.endswith("significantly worse on no task") for line in out.splitlines())


def test_nothing_to_compare_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        printed(kept(tmp_path), monkeypatch, capsys)
    assert "no searcher that was run guided and alone" in capsys.readouterr().err


def test_another_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"runs": []}), encoding="utf-8")
    with pytest.raises(SystemExit, match="2"):
        printed(path, monkeypatch, capsys)
    assert "has no 'benchmark'" in capsys.readouterr().err


def test_guided_searches_are_tested_against_the_best_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    ranks = {
        ("a", "evolution", None): rng.integers(30, 50, (SEEDS, 100)),
        ("a", "local", None): rng.integers(10, 20, (SEEDS, 100)),
        ("a", "local", "gp"): rng.integers(20, 30, (SEEDS, 100)),
        ("b", "evolution", None): rng.integers(30, 50, (SEEDS, 100)),
        ("b", "local", None): rng.integers(50, 90, (SEEDS, 100)),
        ("b", "local", "gp"): rng.integers(20, 60, (SEEDS, 100)),
    }
    runs = [
        Run(task, searcher, predictor, None, seed, 0, (), tuple(row), (), ())
        for (task, searcher, predictor), rows in ranks.items()
        for seed, row in enumerate(rows.tolist())
    ]
    path = kept(tmp_path, *runs)
    out = printed(path, monkeypatch, capsys, "--best-of", "evolution,local").splitlines()
    assert out[0] == "local+gp: significantly worse in 2 of 4 tests of a task"
    assert [line.split(": ")[1].split(",")[0] for line in out[1:5]] == ["a", "a", "b", "b"]
    for line, trials in zip(out[5:], (50, 100), strict=True):
        means = {key: rows[:, trials - 1].mean() for key, rows in ranks.items()}
        guided = [means["a", "local", "gp"], means["b", "local", "gp"]]
        alone = [means["a", "local", None], means["b", "evolution", None]]
        ratio = np.exp(np.mean(np.log(guided) - np.log(alone)))
        assert line == f"  {path}, {trials} trials, 2 tasks: {ratio:.2f}"
    for task, trials, best in (("a", 50, "local"), ("b", 100, "evolution")):
        own, other = (ranks[task, *m][:, trials - 1] for m in (("local", "gp"), (best, None)))
        (line,) = (text for text in out if f": {task}, {trials} trials" in text)
        assert f"mean rank {own.mean():.1f}, {best} {other.mean():.1f}" in line
        assert f"p = {wilcoxon(own, other, alternative='greater').pvalue:.2g}," in line
