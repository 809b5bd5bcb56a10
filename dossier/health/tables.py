"""The profile's table: every version of every item; what an item says is sealed."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from store import metadata

health_item: Final = Table(
    "health_item",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("item_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("section", String(16), nullable=False),
    Column("state", String(16), nullable=False),  # current, ended, removed; replaced by a later version
    Column("added_at", BigInteger, nullable=False),  # of version 1
    Column("at", BigInteger, nullable=False),  # of this version
    Column("sealed", LargeBinary, nullable=False),  # dossier.health.model.Kept
    Index("ix_health_item_box_id_state", "box_id", "state"),
)
