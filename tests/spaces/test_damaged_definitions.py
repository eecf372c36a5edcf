"""Whatever stands in a definition is a space or a mistake that is named, never a traceback."""

import copy
import datetime
import random
import tomllib
from typing import Any

import numpy as np
import pytest

from surrogate_nas.errors import FormatError
from surrogate_nas.spaces.custom import CustomSpace
from tests.spaces.test_custom import CELL, CHAIN, NODES, TEMPLATE
from tests.spaces.test_definitions import LAYERS
from tests.test_spaces_page import DEFINITIONS

WHOLE = [*map(tomllib.loads, [*DEFINITIONS, CELL, CHAIN, NODES, TEMPLATE, LAYERS])]
JUNK: list[Any] = [
    0, -1, 1, 3.5, float("nan"), float("inf"), 10**30, True, "", " ", "a", "conv", "{}", "stage{}",
    ">= {}", ">= 3", "none", "depth", "x" * 5000, [], [1], [[1]], ["a"], [True], [1, "a"], [{}], {},
    {"options": [1, 2]}, {"options": ["conv", "skip"]}, {"integer": [1, 10**30]},
    {"real": [1e-300, 1e300], "log": True}, {"real": [0, 1e308], "step": 1e-308},
    {"when": {"depth": 1}, "options": [1, 2]}, {"depth": [[1]]}, {"depth": "> 1e999"},
    datetime.date(2020, 1, 1),
]  # fmt: skip
KEYS = ["name", "count", "when", "operation", "kernel", "repetitions", "each", "decisions", "nodes",
        "options", "log", "step", "levels", "real", "edges", "graph", "separator"]  # fmt: skip


def places(table: Any) -> list[tuple[Any, Any]]:
    """All tables and lists inside, each with one of its keys or positions."""
    keys = (
        table if isinstance(table, dict) else range(len(table)) if isinstance(table, list) else []
    )
    found = [(table, key) for key in keys]
    return found + [place for _, key in found for place in places(table[key])]


@pytest.mark.parametrize("seed", range(4))
def test_damage_is_named_or_harmless(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    spaces = 0
    for _ in range(400):
        table = copy.deepcopy(rng.choice(WHOLE))
        for _ in range(rng.randint(1, 2)):
            inside, key = rng.choice(places(table))
            if isinstance(inside, dict) and rng.random() < 0.3:
                inside[rng.choice(KEYS)] = copy.deepcopy(rng.choice(JUNK))
            elif rng.random() < 0.2:
                del inside[key]
            else:
                inside[key] = copy.deepcopy(rng.choice(JUNK))
            if not table:
                break
        monkeypatch.setattr(tomllib, "loads", lambda text, table=table: table)
        try:
            space = CustomSpace("")
        except FormatError:
            continue
        finally:
            monkeypatch.undo()
        spaces += 1
        arch = space.sample(np.random.default_rng(0))
        assert space.parse(space.format(arch)) == arch
        assert space.graphs(np.array([arch.choices])).pruned().count == 1
        assert space.size >= 1
    assert spaces > 10  # some damage is none
