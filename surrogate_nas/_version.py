"""The version, as in pyproject.toml, and what else of a program decides the results of a search."""

from __future__ import annotations

import contextlib
from importlib.metadata import PackageNotFoundError, version

__version__ = "0.1.0"

RESULTS = 10
"""Raised whenever searches, predictors or meta-training give other digits than before.

Then weights in the cache and kept runs of comparisons are made anew, whatever the version is.
"""

_LIBRARIES = ("surrogate-nas", "numpy", "scipy", "scikit-learn", "xgboost", "torch")


def library_versions() -> dict[str, str]:
    """Versions of the installed libraries on which the trials of a search depend."""
    found = {}
    for name in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
