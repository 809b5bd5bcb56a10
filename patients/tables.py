"""The tables of the patients' room."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from store import metadata

patient = Table(
    "patient",
    metadata,
    Column("ins", String(15), primary_key=True),
    Column("oid", String(64), nullable=False),
    Column("birth_name", Text, nullable=False),  # this and the traits below: "" once deleted
    Column("given_names", Text, nullable=False),  # separated by one blank
    Column("used_name", Text, nullable=False),
    Column("sex", String(1), nullable=False),
    Column("birth_date", String(10), nullable=False),
    Column("birth_place", String(5), nullable=False),
    Column("department", String(3), nullable=False, server_default=""),  # of residence; "" where unknown
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
    Column("erase_at", BigInteger, nullable=True),  # of a closed profile: when its content is to go
    Column("deleted_at", BigInteger, nullable=True),
    Index("ix_patient_state_notified_at", "state", "notified_at"),
    Index("ix_patient_erase_at", "erase_at"),
)

patient_event = Table(
    "patient_event",
    metadata,
    Column("ins", String(15), primary_key=True),
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),  # grows, whatever the clock does
    Column("at", BigInteger, nullable=False),
    Column("event", String(16), nullable=False),
    Column("from_state", String(16), nullable=False),
    Column("to_state", String(16), nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    # Number of the record of evidence that holds the digest of this step and of those made with it.
    Column("evidence_seq", BigInteger, nullable=False, server_default="0"),
    Index("ix_patient_event_evidence_seq", "evidence_seq"),
)

# Codes that prove to somebody's first sign-in that the notice reached him; one of each purpose a person.
provisional_code = Table(
    "provisional_code",
    metadata,
    Column("ins", String(15), primary_key=True),
    Column("purpose", String(16), primary_key=True),
    Column("hash", LargeBinary(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
)

# Campaigns of notices. The first ``size`` octets of the mailing file are committed; ``reached`` is the last
# INS, or the last line of the source, that was done.
campaign = Table(
    "campaign",
    metadata,
    Column("campaign_id", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(8), nullable=False),  # email | letter
    Column("out", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("reached", Text, nullable=False),
    Column("notified", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger, nullable=True),
    Index("ix_campaign_out", "out"),
)

# One row: the latest moment that a bulk step has seen, so that a clock that jumped is noticed.
patient_clock = Table(
    "patient_clock",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
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
