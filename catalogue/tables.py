"""Tables of the catalogue: the list over time (public), and each patient's consents (sealed)."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, delete

import patients
from store import Tx, metadata

#: ``until_version`` of an entry that no version has taken away.
OPEN: Final = (1 << 31) - 1

# One row for each list that was ever put in use; the greatest version of a list is the one in use.
catalogue_version: Final = Table(
    "catalogue_version",
    metadata,
    Column("list", String(16), primary_key=True),  # services | criteria
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("imported_at", BigInteger, nullable=False),
    Column("origin", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("actor", Text, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("gone", Integer, nullable=False),
)

# An entry stands from the version that brought it until the one that changed it or took it away.
catalogue_entry: Final = Table(
    "catalogue_entry",
    metadata,
    Column("list", String(16), primary_key=True),
    Column("entry_id", String(64), primary_key=True),
    Column("from_version", Integer, primary_key=True, autoincrement=False),
    Column("until_version", Integer, nullable=False),
    Column("content", Text, nullable=False),  # JSON of a Service or Criterion
    Index("ix_catalogue_entry_until_version", "list", "until_version"),
)

# What a patient uses tells of his health: which service is meant is sealed, too.
consent_event: Final = Table(
    "consent_event",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),  # grows, whatever the clock does
    Column("at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # Consented
)


@patients.erases
def drop_consents(tx: Tx, box_id: int) -> None:
    """Drop the consents of a deleted profile."""
    tx.conn.execute(delete(consent_event).where(consent_event.c.box_id == box_id))
