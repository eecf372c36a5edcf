"""Databases for tests of stores."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mysql, postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server; tests that need it carry the marker `postgres`."""
    with postgres.server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of an empty PostgreSQL database."""
    return postgres.create_database(postgres_server, uuid.uuid4().hex)


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[str]:
    """The URL of a MariaDB server; tests that need it carry the marker `mysql`."""
    with mysql.server() as url:
        yield url


@pytest.fixture
def mysql_url(mysql_server: str) -> str:
    """The URL of an empty MariaDB database."""
    return mysql.create_database(mysql_server, uuid.uuid4().hex)


@pytest.fixture(
    params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("postgres", "mysql")]
)
def server_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of each kind of server."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["journal", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The name of a new store of each kind."""
    if request.param in ("mysql", "postgres"):
        return str(request.getfixturevalue(f"{request.param}_url"))
    places = {"journal": f"{tmp_path}/run.journal", "sqlite": f"sqlite:///{tmp_path}/run.db"}
    return places[request.param]
