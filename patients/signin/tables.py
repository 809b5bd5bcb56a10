"""The tables of activation and sign-in. ``*_tag`` columns are keyed digests (:mod:`patients.signin.keys`)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from patients.tables import patient
from store import metadata

# Whose identity a third party vouches for is looked up by his birth.
birth_index = Index("ix_patient_birth_date_birth_place", patient.c.birth_date, patient.c.birth_place)

# Vitale cards: one row for each beneficiary on a card.
card = Table(
    "signin_card",
    metadata,
    Column("card_tag", LargeBinary(32), primary_key=True),  # of kind and serial
    Column("ins", String(15), primary_key=True),  # the beneficiary
    Column("holder_tag", LargeBinary(32), nullable=False),  # of the number that is printed on the card
    Index("ix_signin_card_ins", "ins"),
)

# Where codes go, sealed: {"email": …, "sms": …}.
contact = Table(
    "signin_contact",
    metadata,
    Column("ins", String(15), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

account = Table(
    "signin_account",
    metadata,
    Column("ins", String(15), primary_key=True),
    Column("identifier_tag", LargeBinary(32), nullable=False, unique=True),
    Column("sealed_identifier", LargeBinary, nullable=False),
    Column("password", LargeBinary, nullable=False),  # argon2id
    Column("password_at", BigInteger, nullable=False),
    Column("channel", String(8), nullable=False),  # of the codes: email | sms
    Column("terms", String(32), nullable=False),
    Column("terms_at", BigInteger, nullable=False),
    Column("user_handle", LargeBinary(32), nullable=False, unique=True),  # what passkeys know the person by
    Column("live_flow", LargeBinary(32), nullable=True),  # the only flow whose code counts
    Column("created_at", BigInteger, nullable=False),
)

# What somebody has begun: activation, a sign-in, a ceremony. The state is sealed.
flow = Table(
    "signin_flow",
    metadata,
    Column("flow_tag", LargeBinary(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_signin_flow_expires_at", "expires_at"),
)

# How often something was tried, by whom or against whom, since when.
throttle = Table(
    "signin_throttle",
    metadata,
    Column("bucket_tag", LargeBinary(32), primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
    Index("ix_signin_throttle_until", "until"),
)

session = Table(
    "signin_session",
    metadata,
    Column("session_tag", LargeBinary(32), primary_key=True),
    Column("session_id", BigInteger, nullable=False, unique=True),
    Column("ins", String(15), nullable=False),
    Column("method", String(16), nullable=False),  # password | passkey | federated
    Column("device", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("stepped_at", BigInteger, nullable=True),
    Column("revoked_at", BigInteger, nullable=True),
    Index("ix_signin_session_ins", "ins"),
)

# Browsers that signed in before: strangers' failures do not stop them.
device = Table(
    "signin_device",
    metadata,
    Column("device_tag", LargeBinary(32), primary_key=True),
    Column("ins", String(15), nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Index("ix_signin_device_ins", "ins"),
)

passkey = Table(
    "signin_passkey",
    metadata,
    Column("credential", LargeBinary, primary_key=True),
    Column("passkey_id", BigInteger, nullable=False, unique=True),
    Column("ins", String(15), nullable=False),
    Column("name", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),  # COSE
    Column("sign_count", BigInteger, nullable=False),
    Column("backed_up", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=True),
    Column("revoked_at", BigInteger, nullable=True),
    Column("cloned_at", BigInteger, nullable=True),  # its counter went back: it opens nothing any more
    Index("ix_signin_passkey_ins", "ins"),
)

# The history that a patient is shown.
event = Table(
    "signin_event",
    metadata,
    Column("ins", String(15), primary_key=True),
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("method", String(16), nullable=False),
    Column("device", Text, nullable=False),
    Index("ix_signin_event_at", "at"),
)
