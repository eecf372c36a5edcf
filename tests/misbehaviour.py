"""A function that fails in every way; it loads little, as each failure takes a new process."""

from __future__ import annotations

import ctypes
import os
import signal
import time

from surrogate_nas.spaces.base import Architecture

WAYS = ("exit", "interrupt", "segfault", "abort", "hang", "memory", "error", "kill")


def misbehave(arch: Architecture) -> float:
    """Each architecture of the first option fails in its own way, and others succeed."""
    first, second = arch.choices
    way = WAYS[second + 4 * (first - 1)] if first else ""
    if way == "exit":
        raise SystemExit(3)
    if way == "interrupt":
        raise KeyboardInterrupt
    if way == "segfault":
        ctypes.string_at(0)
    if way == "abort":
        os.abort()
    if way == "hang":
        time.sleep(600)
    if way == "memory":
        held = []
        while True:
            held.append(bytes(1 << 24) + b"x")  # a copy, which is written to
    if way == "error":
        raise ValueError("two\nlines")
    if way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return float(second)


def behave(arch: Architecture) -> float:
    """The sum of the choices."""
    return float(sum(arch.choices))
