"""The tables of the journal and of the notices about it.

Who did what when is in the clear, what it tells besides is sealed. A row of ``notice`` is about one person
and one box: what he wishes, up to which record of evidence he was told, and when he is to be told again.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table

from store import metadata

activity: Final = Table(
    "activity",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("activity_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("by", String(16), nullable=False),
    Column("ident", String(320), nullable=False),
    Column("structure", String(64), nullable=False),
    Column("what", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("rule", String(64), nullable=False),  # "": allowed
    Column("purpose", String(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # Details
    Column("evidence_seq", BigInteger, nullable=False),
    Index("ix_activity_box_id_at", "box_id", "at", "activity_id"),
    Index("uq_activity_evidence_seq", "evidence_seq", unique=True),
)

notice: Final = Table(
    "notice",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("ins", String(15), primary_key=True),  # of who is told: the patient, or who represents him
    Column("wish", String(8), nullable=False),
    Column("news_seq", BigInteger, nullable=False),  # the newest record of evidence that is news to him
    Column("told_seq", BigInteger, nullable=False),  # up to which record he was told
    Column("since", BigInteger, nullable=True),  # moment of the first that he was not told
    Column("mail_since", BigInteger, nullable=True),  # the same of messages
    Column("urgent", Boolean, nullable=False),  # the glass was broken
    Column("due_at", BigInteger, nullable=True),
    Column("last_at", BigInteger, nullable=True),  # of the last notice sent
    Column("quota_level", Integer, nullable=False),  # per cent, the last that he was warned of
    Column("failures", Integer, nullable=False),  # in a row
    Column("error", String(64), nullable=False),  # rule of the last one
    Column("owner", String(64), nullable=False),  # who is sending, until leased_until
    Column("leased_until", BigInteger, nullable=False),
    Index("ix_notice_due_at", "due_at"),
)

#: How far the evidence was looked through for news ("seen"), and how many notices ended how.
notice_mark: Final = Table(
    "notice_mark",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
