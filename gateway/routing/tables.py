"""Who wrote to whom: events from which the right to answer is derived, and what was delivered already."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table

from store import metadata

correspondence = Table(
    "correspondence",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("address", String(320), primary_key=True),  # the contact: Reply-To where given, else From
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("effect", String(8), nullable=False),  # opens | ends | silent
    Column("author", String(320), nullable=False),
    Column("trace_id", String(64), nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("trace_id", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
)
