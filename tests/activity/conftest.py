"""A store, on SQLite and on PostgreSQL, with all rooms' tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway.rooms
from store import Store
from tests.conftest import find_program
from tests.store.postgres import new_database, postgres_server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def activity_postgres() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    assert gateway.rooms.__all__
    with Store.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The store on both databases."""
    url = ""
    if request.param == "postgres":
        if find_program("postgres") is None:
            pytest.skip("postgres is missing (Debian package postgresql-15)")
        url = new_database(request.getfixturevalue("activity_postgres"), f"activity{next(_numbers)}")
    with Store.open(tmp_path / "home", url=url) as opened:
        yield opened
