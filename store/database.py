"""Engines and connections: one writing connection, any number of reading ones.

SQLite before 3.51.3 can corrupt a WAL database when several connections commit and checkpoint at
once (sqlite.org/wal.html, "WAL-reset bug"). Passerelle avoids it by design, whatever the version:
exactly one connection in one process (the holder of ``writer.lock``) ever writes or checkpoints; all
others are opened ``mode=ro`` and cannot.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import NullPool

from store.schema import metadata

MIGRATIONS = Path(__file__).parent / "migrations"


def sqlite_url(home: Path) -> str:
    """The SQLAlchemy URL of the database in a home."""
    return f"sqlite:///{home / 'store.db'}"


def writing_engine(url: str) -> Engine:
    """The engine of the one writer: every commit is on the disk when it returns."""
    if not url.startswith("sqlite:"):
        return create_engine(url, poolclass=NullPool)
    engine = create_engine(url, poolclass=NullPool, connect_args={"check_same_thread": False, "timeout": 30})

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # the WAL is synced at each commit: 250 means durable
        cursor.execute("PRAGMA wal_autocheckpoint=4000")
        cursor.execute("PRAGMA cache_size=-65536")
        cursor.execute("PRAGMA temp_store=MEMORY")
        level = cursor.execute("PRAGMA synchronous").fetchone()[0]
        cursor.close()
        if level != 2:
            raise RuntimeError("SQLite did not take synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def reading_engine(url: str) -> Engine:
    """An engine whose connections can only read; each transaction is one snapshot."""
    if not url.startswith("sqlite:"):
        return create_engine(
            url,
            poolclass=NullPool,
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
        )
    path = url.removeprefix("sqlite:///")
    engine = create_engine(
        f"sqlite:///file:{path}?mode=ro&uri=true",
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",  # snapshot() begins and ends transactions, ten times faster
        connect_args={"check_same_thread": False, "timeout": 30},
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA query_only=1")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("PRAGMA cache_size=-16384")

    return engine


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """One read transaction on a connection of :func:`reading_engine`."""
    if connection.dialect.name != "sqlite":
        with connection.begin():
            yield
        return
    raw: Any = connection.connection.dbapi_connection
    raw.execute("BEGIN")
    try:
        yield
    finally:
        raw.execute("COMMIT")


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision (alembic); does nothing when it is there already."""
    revisions = sorted(path.stem.split("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py"))
    if not revisions:
        with engine.begin() as connection:
            metadata.create_all(connection)
        return
    with engine.connect() as connection:
        current = ""
        if inspect(connection).has_table("alembic_version"):
            current = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    if current == revisions[-1]:
        return
    from alembic import command  # heavy, needed once in the life of a schema
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def upsert(
    table: Table,
    rows: Mapping[str, Any] | Iterable[Mapping[str, Any]],
    keys: list[str],
    *,
    update: bool = True,
) -> postgresql.Insert:
    """INSERT that on a conflict of ``keys`` updates the other columns, or (``update=False``) does nothing.

    PostgreSQL's construct renders ``INSERT … ON CONFLICT`` for SQLite too; the reverse does not hold.
    """
    values = dict(rows) if isinstance(rows, Mapping) else [dict(row) for row in rows]
    names = values if isinstance(values, dict) else (values[0] if values else {})
    insert = postgresql.insert(table).values(values)
    changed = {name: insert.excluded[name] for name in names if name not in keys}
    if update and changed:
        return insert.on_conflict_do_update(index_elements=keys, set_=changed)
    return insert.on_conflict_do_nothing(index_elements=keys)
