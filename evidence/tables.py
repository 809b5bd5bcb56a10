"""The chain of evidence: append-only, each row bound to the one before it and signed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table, Text

from store import metadata

evidence = Table(
    "evidence",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("event", String(24), nullable=False),
    Column("trace_id", String(64), nullable=False),
    Column("message_id", Text, nullable=False),
    Column("sender", String(320), nullable=False),
    Column("recipient", String(320), nullable=False),
    Column("rule", String(48), nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("detail", Text, nullable=False),  # JSON object of strings, keys sorted
    Column("previous", LargeBinary(32), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
    Index("ix_evidence_message_id", "message_id"),
    Index("ix_evidence_trace_id", "trace_id"),
    Index("ix_evidence_sender_at", "sender", "at"),  # a professional asks what became of what he sent
)
