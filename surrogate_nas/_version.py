"""The version; the same as in pyproject.toml. And those of the libraries that decide results."""

from __future__ import annotations

import contextlib
from importlib.metadata import PackageNotFoundError, version

__version__ = "0.1.0"

_LIBRARIES = ("surrogate-nas", "numpy", "scipy", "scikit-learn", "xgboost", "torch")


def library_versions() -> dict[str, str]:
    """Versions of the installed libraries on which the trials of a search depend."""
    found = {}
    for name in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
