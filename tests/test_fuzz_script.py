"""A small part of ``scripts/fuzz``, and that it finds each kind of fault."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from surrogate_nas.errors import FormatError
from tests.scripts import SCRIPTS, load_script

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="/proc of Linux")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setenv("SURROGATE_NAS_HOME", os.environ.get("SURROGATE_NAS_HOME", ""))
    return load_script("fuzz")


def test_no_damage_to_any_format_is_a_fault(script: ModuleType) -> None:
    for name in script.FORMATS:
        counts, faults = script.fuzz(name, range(4), seed=5)
        assert faults == [], name
        assert sum(counts.values()) == 4
        assert counts["refused"] >= 1, name


def written(folder: Path) -> Path:
    (folder / "file").write_bytes(b"0123456789" * 9)
    return folder / "file"


def careless(way: Callable[[], Any]) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        return path.read_bytes() if path.read_bytes() == b"0123456789" * 9 else way()

    return read


def refuse() -> None:
    raise FormatError("no")


def fail() -> None:
    raise KeyError("x")


def die() -> None:
    os.abort()


def hang() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(60)


def gather() -> int:
    return len(bytes(600_000_000) + b"x")


@pytest.mark.parametrize(
    ("way", "kind"),
    [
        (refuse, "refused"),
        (fail, "traceback"),
        (die, "crash"),
        (sleep, "hang"),
        (hang, "hang"),
        (gather, "memory"),
        (lambda: "else", "silent change"),
    ],
)
def test_each_fault_is_found(
    way: Callable[[], Any], kind: str, script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = script.Format(written, careless(way))
    monkeypatch.setitem(script.FORMATS, "mine", form)
    monkeypatch.setattr(script, "SECONDS", 5.0 if kind == "memory" else 0.3)
    counts, faults = script.fuzz("mine", [0, 1], seed=0)
    assert counts == {kind: 2}
    assert [fault[1] for fault in faults] == ([] if kind == "refused" else [kind] * 2)
