"""The store's tests run twice: on SQLite and on a real PostgreSQL 15."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from store import Store
from tests.conftest import find_program
from tests.store.postgres import new_database, postgres_server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """ "" for SQLite in the home, or the URL of a new PostgreSQL database."""
    if request.param == "sqlite":
        return ""
    if find_program("postgres") is None:
        pytest.skip("postgres is missing (Debian package postgresql-15)")
    url: str = request.getfixturevalue("postgres_url")
    return new_database(url, f"store{next(_numbers)}")


@pytest.fixture
def open_store(tmp_path: Path, database_url: str) -> Iterator[Callable[[], Store]]:
    """Opens the same home again and again; the first one is the writer."""
    opened: list[Store] = []

    def again() -> Store:
        store = Store.open(tmp_path / "home", url=database_url)
        opened.append(store)
        return store

    yield again
    for store in reversed(opened):
        store.close()


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    return open_store()
