"""Tables of these tests lie in folders of their own, never in the user's."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the cache and of the user's tables for the whole session."""
    folder = tmp_path_factory.mktemp("surrogate-nas")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SURROGATE_NAS_CACHE", str(folder / "cache"))
        patch.setenv("SURROGATE_NAS_HOME", str(folder / "home"))
        yield folder
