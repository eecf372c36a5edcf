"""Runs a method in another process."""

from __future__ import annotations

import os
import subprocess
import sys

_CODE = """
import importlib, sys
from functools import reduce
module, path, method = sys.argv[1:]
kind = reduce(getattr, path.split("."), importlib.import_module(module))
sys.stdout.write(getattr(kind(), method)())
"""


def elsewhere(kind: type, method: str, **environment: str) -> str:
    """The text that a method of a new object of a class returns in a fresh process.

    Args:
        kind: A class that can be imported there by its module and its name.
        method: Its name; without arguments.
        environment: Variables that differ there.
    """
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return subprocess.check_output(
        [sys.executable, "-c", _CODE, kind.__module__, kind.__qualname__, method],
        env=os.environ | {"PYTHONPATH": paths} | environment,
        text=True,
    )
