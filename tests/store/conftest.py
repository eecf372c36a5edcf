"""Databases for tests of stores."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server; tests that need it carry the marker `postgres`."""
    with postgres.server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of an empty PostgreSQL database."""
    return postgres.create_database(postgres_server, uuid.uuid4().hex)


@pytest.fixture(params=["journal", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The name of a new store of each kind."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    places = {"journal": f"{tmp_path}/run.journal", "sqlite": f"sqlite:///{tmp_path}/run.db"}
    return places[request.param]
