"""Tables of the habilitation matrix: each import whole, by version."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table

from store import metadata

habilitation_version: Final = Table(
    "habilitation_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(320), nullable=False),
    Column("source", String(255), nullable=False),  # the file's name
    Column("sha256", LargeBinary(32), nullable=False),  # of its rows in their order
    Column("row_count", Integer, nullable=False),
)

habilitation: Final = Table(
    "habilitation",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("profession", String(16), primary_key=True),
    Column("item", String(64), primary_key=True),
    Column("rights", String(16), nullable=False),
)
