"""The migrations make exactly the tables that the rooms declare, on both databases."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import gateway.rooms  # noqa: F401  # every table
from store.database import MIGRATIONS, migrate, sqlite_url, writing_engine
from store.schema import metadata


def test_migrations_and_tables_agree(tmp_path: Path, database_url: str) -> None:
    engine = writing_engine(database_url or sqlite_url(tmp_path))
    migrate(engine)
    with engine.connect() as connection:
        declared = {  # not so the FTS5 index of the directory, made by hand, and the GIN index in its place
            "include_name": lambda name, kind, _: (
                not str(name).startswith(("annuaire_text", "ix_annuaire_bal_search"))
            )
        }
        differences = compare_metadata(MigrationContext.configure(connection, opts=declared), metadata)
    assert differences == []
    migrate(engine)  # a second time changes nothing


def test_every_migration_has_a_number_of_its_own() -> None:
    names = sorted(path.name for path in MIGRATIONS.glob("versions/[0-9]*.py"))
    assert [name.split("_")[0] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
