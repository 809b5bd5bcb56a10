"""The tables of the patients' room."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table, Text

from store import metadata

patient = Table(
    "patient",
    metadata,
    Column("ins", String(15), primary_key=True),
    Column("oid", String(64), nullable=False),
    Column("birth_name", Text, nullable=False),
    Column("given_names", Text, nullable=False),  # separated by one blank
    Column("used_name", Text, nullable=False),
    Column("sex", String(1), nullable=False),
    Column("birth_date", String(10), nullable=False),
    Column("birth_place", String(5), nullable=False),
    Column("state", String(16), nullable=False),
    Column("box_id", BigInteger, nullable=True, unique=True),
    Column("address", String(320), nullable=True, unique=True),  # folded; kept for ever, never reused
    Column("created_at", BigInteger, nullable=False),
    Column("notified_at", BigInteger, nullable=True),
    Column("opened_at", BigInteger, nullable=True),
    Column("activated_at", BigInteger, nullable=True),
    Column("opposed_at", BigInteger, nullable=True),
    Column("closed_at", BigInteger, nullable=True),
    Column("suspended_at", BigInteger, nullable=True),
    Index("ix_patient_state_notified_at", "state", "notified_at"),
)

patient_event = Table(
    "patient_event",
    metadata,
    Column("ins", String(15), primary_key=True),
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("event", String(16), nullable=False),
    Column("from_state", String(16), nullable=False),
    Column("to_state", String(16), nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

# Ways to prove that one may enter a box, patients' and professionals' alike.
credential = Table(
    "credential",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("credential_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),  # app-password
    Column("label", Text, nullable=False),
    Column("selector", String(16), nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger, nullable=True),
    Column("revoked_at", BigInteger, nullable=True),
    Index("uq_credential_box_id_selector", "box_id", "selector", unique=True),
)
