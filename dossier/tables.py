"""The record's tables. What tells of someone's health is sealed under the box's key: only what the rules
of replacement need to compare is in the clear."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from store import holds_bodies, metadata

document: Final = holds_bodies(
    Table(
        "document",
        metadata,
        Column("box_id", BigInteger, primary_key=True, autoincrement=False),
        Column("document_id", BigInteger, primary_key=True, autoincrement=False),
        Column("unique_id", String(128), nullable=False),  # an OID, or root^extension
        Column("set_id", String(256), nullable=False),  # "" where the document has none
        Column("version", Integer, nullable=False),
        Column("status", String(16), nullable=False),  # approved, deprecated, deleted
        Column("author_id", String(64), nullable=False),
        Column("author_struct", String(64), nullable=False),
        Column("depositor", String(320), nullable=False),  # mail address, casefolded
        Column("depositor_id", String(64), nullable=False),
        Column("depositor_struct", String(64), nullable=False),
        Column("deposited_by", String(16), nullable=False, server_default="professional"),  # activity.By
        Column("content_sha256", LargeBinary(32), nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("filed_at", BigInteger, nullable=False),
        Column("ended_at", BigInteger, nullable=True),  # replaced or deleted
        Column("replaced_by", BigInteger, nullable=True),
        Column("trace_id", String(64), nullable=False),
        Column("message_id", BigInteger, nullable=False),  # the message it came with, 0 for none
        Column("segment", BigInteger, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column("length", BigInteger, nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("sha256", LargeBinary(32), nullable=False),
        Column("wrapped_key", LargeBinary, nullable=False),
        Column("sealed", LargeBinary, nullable=False),  # DocumentInfo
        Index("uq_document_box_id_unique_id", "box_id", "unique_id", unique=True),
        Index("ix_document_box_id_set_id", "box_id", "set_id"),
        Index("ix_document_box_id_content_sha256", "box_id", "content_sha256"),
        Index("ix_document_document_id", "document_id"),
        Index("ix_document_segment_offset", "segment", "offset"),
    )
)
