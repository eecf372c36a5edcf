"""Databases for tests of stores."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

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
