"""The notebooks run from the first cell to the last, one after another in one kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"
NAMES = [
    "1-compare-methods",
    "2-own-space-and-tasks",
    "3-optuna-study-with-limits",
    "4-train-verify-export",
]
RESULTS = {"1-compare-methods", "4-train-verify-export"}  # where a search displays itself


def outputs(cells: list[Any]) -> list[Any]:
    return [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]


def test_these_are_all() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES


def test_they_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one kernel, which imports the libraries once; its variables are deleted in between."""
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    whole = nbformat.v4.new_notebook()
    cells = {name: nbformat.read(FOLDER / f"{name}.ipynb", as_version=4).cells for name in NAMES}
    for name, own in cells.items():
        assert not outputs(own)  # kept without
        folder = tmp_path / name
        folder.mkdir()
        whole.cells += [nbformat.v4.new_code_cell(f"%reset -f\n%cd -q {folder}"), *own]
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(whole, timeout=300, resources=resources).execute()
    for name, own in cells.items():
        made = outputs(own)
        assert not [output for output in made if output.output_type == "error"]
        warned = [o.text for o in made if o.output_type == "stream" and o.name == "stderr"]
        assert not [text for text in warned if "TqdmWarning" not in text]  # of optuna's own bar
        shown = [output.data for output in made if "data" in output]
        assert sum("image/png" in data for data in shown) == 1
        tables = sum("<table" in data.get("text/html", "") for data in shown)
        assert tables == (name in RESULTS)
    assert (tmp_path / NAMES[-1] / "best.pt").is_file()
