"""The table of measures: values, clocks, notes and persons are sealed; kind, moment, status find the row."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table

from store import metadata

measure: Final = Table(
    "measure",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("measure_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(24), nullable=False),
    Column("taken_at", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),  # current, removed
    Column("added_at", BigInteger, nullable=False),
    Column("removed_at", BigInteger, nullable=True),
    Column("by", String(16), nullable=False),  # who added it: patient, representative, operator…
    Column("sealed", LargeBinary, nullable=False),  # what was entered
    Column("ended", LargeBinary, nullable=True),  # who removed it
    Index("ix_measure_box_id_kind_status_taken_at", "box_id", "kind", "status", "taken_at"),
)
