"""The tables of the directory; those of the list of authorised domains: :mod:`annuaire.whitelist_tables`.

Rows of the directory carry the generations between which they are in use: ``from_generation`` is the import
that brought them, ``until_generation`` the one that no longer had them (:data:`IN_USE` until then).
``annuaire_current`` names the generation of each source that look-ups read: an import is put in use by
changing one row, what it replaced stays readable, and a look-up is never half old, half new.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    String,
    Table,
    Text,
    literal_column,
    or_,
    text,
)

from store import metadata

#: ``until_generation`` of a row that no later import has ended.
IN_USE: Final = 2**31 - 1
OPEN: Final = IN_USE

current = Table(
    "annuaire_current",
    metadata,
    Column("source", String(16), primary_key=True),  # mailboxes, local, activities, whitelist
    Column("generation", BigInteger, nullable=False),
)

generation = Table(
    "annuaire_generation",
    metadata,
    Column("source", String(16), primary_key=True),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("state", String(8), nullable=False),  # loading, current, old, undo, dropped, pruned
    Column("file_name", Text, nullable=False),
    Column("file_date", BigInteger, nullable=True),  # what the file's name says, in ms
    Column("sha256", String(64), nullable=False),
    Column("row_count", Integer, nullable=False),
    Column("bad_rows", Integer, nullable=False),
    Column("first_entry", Integer, nullable=False, server_default=text("0")),  # of the rows it brought
    Column("started_at", BigInteger, nullable=False),
    Column("applied_at", BigInteger, nullable=True),
)


def named(struct_id: ColumnElement[str]) -> ColumnElement[bool]:
    """The sites known under ``struct_id``, by any of their identifiers."""
    return or_(site.c.finess == struct_id, site.c.siret == struct_id, site.c.technical == struct_id)


def ended(table: Table) -> ColumnElement[bool]:
    """The rows of ``table`` that an import ended; written as the partial index on them wants it."""
    return table.c.until_generation < literal_column(str(IN_USE), Integer)


def versioned(name: str, *items: Column[Any] | Index) -> Table:
    """A table of rows between generations. Few rows are ended: the index on those costs nothing."""
    made = Table(
        name,
        metadata,
        Column("entry_id", Integer, primary_key=True, autoincrement=False),  # grows: rows are appended
        Column("from_generation", Integer, nullable=False),
        Column("until_generation", Integer, nullable=False),
        *items,
    )
    few = ended(made)
    Index(f"ix_{name}_until_generation", made.c.until_generation, sqlite_where=few, postgresql_where=few)
    return made


# Published mailboxes (boîtes aux lettres) with one holder, and those of a local list.
mailbox = versioned(
    "annuaire_bal",
    Column("line", BigInteger, nullable=False),  # digest of the line of the extraction
    Column("source", String(16), nullable=False),  # mailboxes or local
    Column("address", String(320), nullable=False),
    Column("id_nat", String(64), nullable=False),
    Column("struct_id", String(64), nullable=False),
    Column("kind", String(3), nullable=False),
    Column("service", String(255), nullable=False),
    Column("name", Text, nullable=False),
    Column("profession", String(8), nullable=False),
    Column("speciality", String(16), nullable=False),
    Column("town", Text, nullable=False),
    Column("postcode", String(16), nullable=False),
    Column("department", String(8), nullable=False),
    Column("red_list", Boolean, nullable=False),
    Column("search", Text, nullable=False),  # folded words, and the marks that filters look for
    Index("ix_annuaire_bal_address", "address"),
    Index("ix_annuaire_bal_id_nat", "id_nat"),
    Index("ix_annuaire_bal_struct_id", "struct_id"),
)

# Activities of professionals (exercice), each at a site or nowhere (site_id 0).
activity = versioned(
    "annuaire_exercice",
    Column("line", BigInteger, nullable=False),
    Column("id_nat", String(64), nullable=False),
    Column("family", Text, nullable=False),
    Column("given", Text, nullable=False),
    Column("civility", String(16), nullable=False),
    Column("profession", String(8), nullable=False),
    Column("category", String(8), nullable=False),
    Column("speciality", String(16), nullable=False),
    Column("mode", String(8), nullable=False),
    Column("role", String(16), nullable=False),
    Column("genre", String(16), nullable=False),
    Column("site_id", Integer, nullable=False),
    Index("ix_annuaire_exercice_id_nat", "id_nat"),
)

# Structures as activities name them: in use while one activity in use names them.
site = versioned(
    "annuaire_site",
    Column("digest", BigInteger, nullable=False),  # of all that follows
    Column("finess", String(64), nullable=False),
    Column("siret", String(64), nullable=False),
    Column("technical", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("sector", String(8), nullable=False),
    Column("town", Text, nullable=False),
    Column("postcode", String(16), nullable=False),
    Column("department", String(8), nullable=False),
    Index("ix_annuaire_site_finess", "finess"),
    Index("ix_annuaire_site_siret", "siret"),
    Index("ix_annuaire_site_technical", "technical"),
)
