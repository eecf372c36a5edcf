"""Files and functions that a reader can take in at once."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = [ROOT / name for name in ("surrogate_nas", "benchmarks", "predictors", "tests", "scripts")]
SHORT = [ROOT / "surrogate_nas" / name for name in ("cli", "workflows")]


def python_files(folders: list[Path]) -> list[Path]:
    found = (
        Path(parent, name)
        for folder in folders
        for parent, _, names in os.walk(folder)  # which does not follow links
        for name in names
    )
    return sorted(path for path in found if path.suffix == ".py")


def lengths(source: str) -> Iterator[tuple[str, int]]:
    """Name and number of lines of each function, at any depth."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def test_no_file_has_more_than_500_lines() -> None:
    files = python_files(CODE)
    assert len(files) > 200
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert [(str(path), lines) for path, lines in sizes.items() if lines > 500] == []


@pytest.mark.parametrize(
    "path", python_files(SHORT), ids=lambda path: f"{path.parent.name}.{path.stem}"
)
def test_no_function_of_a_command_has_more_than_60_lines(path: Path) -> None:
    found = lengths(path.read_text(encoding="utf-8"))
    assert [(name, lines) for name, lines in found if lines > 60] == []


def test_lengths_count_all_lines_of_nested_functions() -> None:
    source = "class A:\n    def f(self):\n        def g():\n            pass\n\n        return g\n"
    assert dict(lengths(source)) == {"f": 5, "g": 2}
