"""The folders of a user's tables, weights and caches."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_APP = "surrogate-nas"


def tables_folder() -> Path:
    """Folder of the user's own tables; the variable ``SURROGATE_NAS_HOME`` moves it.

    It may not exist yet.
    """
    return _home() / "tables"


def weights_folder() -> Path:
    """Folder of the user's own meta-trained weights, beside that of the tables.

    It may not exist yet.
    """
    return _home() / "weights"


def _home() -> Path:
    home = os.environ.get("SURROGATE_NAS_HOME")
    return Path(home).expanduser() if home else platformdirs.user_data_path(_APP)


def cache_folder() -> Path:
    """Folder of caches, which can be made again; the variable ``SURROGATE_NAS_CACHE`` moves it.

    It may not exist yet.
    """
    cache = os.environ.get("SURROGATE_NAS_CACHE")
    return Path(cache).expanduser() if cache else platformdirs.user_cache_path(_APP)
