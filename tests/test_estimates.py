"""Estimates of the time that work will still take."""

from __future__ import annotations

from surrogate_nas.estimates import TimeLeft


def test_what_was_there_at_the_start_is_no_measure() -> None:
    now = 0.0
    left = TimeLeft(10, clock=lambda: now)
    assert [left.advance() for _ in range(4)] == [""] * 4  # kept by an earlier run
    now = 120.0
    assert left.advance() == ", about 10 min left"  # five more of two minutes each
    now = 240.0
    assert left.advance() == ", about 8 min left"
    assert [left.advance() for _ in range(4)][-1] == ""  # done
