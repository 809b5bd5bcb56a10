"""The tables that the store itself owns. Other rooms add theirs to the same :data:`metadata`.

Every table of per-mailbox data starts its primary key with ``box_id``, so that a scaled-out
PostgreSQL can be hash-partitioned by mailbox. Times are ms since the epoch; nothing here needs a
type that SQLite or PostgreSQL lacks.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

box = Table(
    "box",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("address", String(320), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("wrapped_key", LargeBinary, nullable=True),  # NULL once destroyed: the box is unreadable for ever
    Column("modseq", BigInteger, nullable=False),
    Column("next_folder_id", Integer, nullable=False),
    Column("next_uidvalidity", BigInteger, nullable=False),
    Column("quota", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger, nullable=True),
)

folder = Table(
    "folder",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("folder_id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uidnext", BigInteger, nullable=False),
    Column("highestmodseq", BigInteger, nullable=False),
    Column("special_use", String(16), nullable=False),
    Column("subscribed", Boolean, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Index("uq_folder_box_id_name", "box_id", "name", unique=True),
)

message = Table(
    "message",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("segment", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed_meta", LargeBinary, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Index("ix_message_segment_offset", "segment", "offset"),
)

entry = Table(
    "entry",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("folder_id", Integer, primary_key=True, autoincrement=False),
    Column("uid", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", BigInteger, nullable=False),
    Column("flags", Integer, nullable=False),
    Column("keywords", Text, nullable=False),
    Column("modseq", BigInteger, nullable=False),
    Column("internal_date", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Index("ix_entry_box_id_folder_id_modseq", "box_id", "folder_id", "modseq"),
    Index("ix_entry_box_id_message_id", "box_id", "message_id"),
)

expunged = Table(
    "expunged",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("folder_id", Integer, primary_key=True, autoincrement=False),
    Column("uid", BigInteger, primary_key=True, autoincrement=False),
    Column("modseq", BigInteger, nullable=False),
    Index("ix_expunged_box_id_folder_id_modseq", "box_id", "folder_id", "modseq"),
)

task = Table(
    "task",
    metadata,
    Column("task_id", BigInteger, primary_key=True, autoincrement=False),
    Column("queue", String(16), nullable=False),
    Column("box_id", BigInteger, nullable=False),
    Column("state", String(8), nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("lease_owner", String(64), nullable=False),
    Column("subject_key", Text, nullable=False),
    Column("trace_id", String(64), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("dedupe", String(128), nullable=True, unique=True),
    Index("ix_task_queue_state_due_at", "queue", "state", "due_at"),
    Index("ix_task_trace_id", "trace_id"),
)
