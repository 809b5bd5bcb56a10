"""The agenda's tables. In the clear is what queries need: ids, states, months, and when a reminder is due.

The window of an appointment is kept by month, not by day: it only spares opening rows that are years away.
``remind_at`` is to the minute, as the notice that leaves then is seen outside anyhow.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, delete

import patients
from store import Tx, metadata

appointment: Final = Table(
    "appointment",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("appointment_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("current", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),  # planned, cancelled, removed
    Column("source", String(16), nullable=False),
    Column("by", String(16), nullable=False),
    Column("ident", String(320), nullable=False),
    Column("uid_digest", LargeBinary(32), nullable=False),
    Column("hidden", Boolean, nullable=False),  # from legal representatives
    Column("first_month", Integer, nullable=False),  # year * 12 + month - 1
    Column("last_month", Integer, nullable=True),  # None: without end
    Column("remind_at", BigInteger, nullable=True),  # the next reminder
    Column("sealed", LargeBinary, nullable=False),  # uid and Details
    Index("ix_appointment_remind_at", "remind_at"),
    Index("ix_appointment_box_id_uid_digest", "box_id", "uid_digest"),
)

agenda_feed: Final = Table(
    "agenda_feed",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("feed_id", BigInteger, primary_key=True, autoincrement=False),
    Column("token_hash", LargeBinary(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("by", String(16), nullable=False),
    Column("ident", String(320), nullable=False),
    Column("shows", String(8), nullable=False),
    Column("used_day", Integer, nullable=False),
    Column("revoked_at", BigInteger, nullable=True),
    Column("sealed", LargeBinary, nullable=False),  # label
    Index("uq_agenda_feed_token_hash", "token_hash", unique=True),
)

# What a patient said to a proposal of preventive care: which one is health data, so the row is sealed.
proposal_answer: Final = Table(
    "proposal_answer",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("answer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

agenda_invitation: Final = Table(
    "agenda_invitation",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("invitation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("uid_digest", LargeBinary(32), nullable=False),
    Column("sender", String(320), nullable=False),  # the trusted mailbox; only it changes or cancels
    Column("sequence", Integer, nullable=False),
    Column("stamp", BigInteger, nullable=False),  # DTSTAMP, decides between equal sequences
    Column("status", String(16), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Column("trace_id", String(64), nullable=False),
    Column("appointment_id", BigInteger, nullable=True),  # what became of it, once accepted
    Column("sealed", LargeBinary, nullable=False),
    Index("uq_agenda_invitation_box_id_uid_digest", "box_id", "uid_digest", unique=True),
)

# Every version of the table of preventive care, whole: the newest is in force.
care_plan: Final = Table(
    "care_plan",
    metadata,
    Column("plan_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(320), nullable=False),
    Column("reason", String(320), nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),  # of the file
    Column("items", LargeBinary, nullable=False),
)


@patients.erases
def forget_agenda(tx: Tx, box_id: int) -> None:
    """Drop everything of a deleted profile's agenda."""
    for table in (appointment, agenda_feed, proposal_answer, agenda_invitation):
        tx.conn.execute(delete(table).where(table.c.box_id == box_id))
