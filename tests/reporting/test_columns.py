"""Tables in a terminal: they fit, and no word is broken."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from surrogate_nas.reporting.columns import FittedTable

ARCH = "0123-cheb-arma-cheb-cheb"


def table() -> FittedTable:
    made = FittedTable("", "architecture", ">validation (fraction)", "?>test", ">rank", "?>trial")
    made.add_row("1", ARCH, "0.73667", "0.71954", "1", "37")
    made.add_section()
    made.add_row("2", "short", "0.5", "–", "26,206", "4")
    return made


def printed(made: FittedTable, width: int) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, highlight=False, markup=False).print(made, crop=False)
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("width", range(30, 120, 3))
def test_nothing_is_broken(width: int) -> None:
    lines = printed(table(), width)
    assert max(map(len, lines)) <= width
    words = {word.strip(",") for word in " ".join(lines).split()}
    assert {ARCH, "short", "0.73667", "26,206", "rank", "(fraction)"} <= words


def test_columns_are_left_out_before_rows_are_stacked() -> None:
    wide, narrow, tiny = (printed(table(), width) for width in (100, 58, 30))
    assert "validation (fraction)" in wide[1]
    assert not [line for line in wide if "left out" in line]
    assert "left out for want of width: test, trial" in narrow
    assert [line for line in narrow if ARCH in line and "0.73667" in line]
    assert f"1  {ARCH}" in tiny
    assert not [line for line in tiny if ARCH in line and "0.73667" in line]
    assert [line for line in tiny if "trial 37" in line]  # nothing is lost


def test_letters_that_are_as_wide_as_two() -> None:
    made = FittedTable("task", ">value")
    made.add_row("日本語 one", "0.5")
    for width in range(24, 40):
        assert [line for line in printed(made, width) if "日本語 one" in line and "0.5" in line]


def test_sentences_wrap_at_spaces() -> None:
    made = FittedTable("name", "how")
    made.add_row("table", "get the folder from its publishers, then import it")
    for width in (40, 22):
        lines = printed(made, width)
        assert max(map(len, lines)) <= width
        assert "publishers," in " ".join(lines).split()


def test_a_word_longer_than_the_line_stays_whole() -> None:
    made = FittedTable("architecture", ">value")
    made.add_row("a" * 50, "1")
    assert [line for line in printed(made, 30) if "a" * 50 in line]
