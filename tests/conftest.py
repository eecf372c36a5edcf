"""Skips what needs more than this machine has, and says why; folders of a test's own."""

import importlib.util
import os
from pathlib import Path

import pytest


def missing_for(marker: str) -> str | None:
    """Why tests with this marker cannot run here, or None if they can."""
    if marker == "data":
        folder = os.environ.get("SURROGATE_NAS_DATA")
        if not folder:
            return "needs the measuring data: SURROGATE_NAS_DATA names no folder"
        if not Path(folder).is_dir():
            return f"needs the measuring data: SURROGATE_NAS_DATA={folder} is no folder"
    if marker == "gpu":
        import torch

        if not torch.cuda.is_available():
            return "needs a CUDA device"
    if marker == "chromium":
        from tests.browser import CHROMIUM

        return None if CHROMIUM else "needs Chromium"
    if marker == "postgres":
        from tests import postgres

        driver = importlib.util.find_spec("psycopg")
        return postgres.why_not() if driver else "needs psycopg, the driver of PostgreSQL"
    if marker == "mysql":
        from tests import mysql

        driver = importlib.util.find_spec("pymysql")
        return mysql.why_not() if driver else "needs pymysql, the driver of MySQL"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Applies the markers that need more; tests marked `extra` import with importorskip."""
    for marker in ("chromium", "data", "gpu", "mysql", "postgres"):
        marked = [item for item in items if item.get_closest_marker(marker)]
        reason = missing_for(marker) if marked else None
        if reason:
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of this test's own, with the table ``mine`` and no weights but its own."""
    from surrogate_nas.transfer import choice
    from tests.suites import table

    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SURROGATE_NAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(choice, "SHIPPED", tmp_path / "shipped")
    table("mine")
    return tmp_path
