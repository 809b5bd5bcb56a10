"""Tables of minors: who represents them, and what is kept from those who do."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table, Text

from store import metadata

# Everything that happened between a person and those who represent him; who may act is derived from it.
guardian_event = Table(
    "guardian_event",
    metadata,
    Column("ins", String(15), primary_key=True),  # the minor
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),  # grows, whatever the clock does
    Column("at", BigInteger, nullable=False),
    Column("event", String(16), nullable=False),  # attach | remove | emancipate | hand-over
    Column("representative", String(15), nullable=False),  # "" for the last two
    Column("capacity", String(16), nullable=False),  # parent | guardian; "" unless attached
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence_seq", BigInteger, nullable=False),
    Index("ix_guardian_event_representative", "representative"),
)

# Care that a minor asked to be kept from his legal representatives (L.1111-5 CSP), item by item.
secret_event = Table(
    "secret_event",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(8), primary_key=True),  # message | document
    Column("item", LargeBinary(32), primary_key=True),  # SHA-256 of the message, or of the document's id
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("event", String(8), nullable=False),  # hide | show
    Column("by", String(16), nullable=False),  # professional | patient | operator
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence_seq", BigInteger, nullable=False),
)
