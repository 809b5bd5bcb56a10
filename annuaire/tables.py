"""The tables of the directory and of the list of authorised domains.

The two extractions and the whitelist are loaded beside the data in use, under a new ``generation``;
``annuaire_current`` names the one that look-ups read. A look-up is therefore never half old, half new.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from store import metadata

current = Table(
    "annuaire_current",
    metadata,
    Column("source", String(16), primary_key=True),  # mailboxes, activities, whitelist
    Column("generation", BigInteger, nullable=False),
)

generation = Table(
    "annuaire_generation",
    metadata,
    Column("source", String(16), primary_key=True),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("state", String(8), nullable=False),  # loading, current, old, dropped
    Column("file_name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("row_count", Integer, nullable=False),
    Column("bad_rows", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("applied_at", BigInteger, nullable=True),
)

mailbox = Table(
    "annuaire_mailbox",
    metadata,
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("address", String(320), primary_key=True),
    Column("id_nat", String(64), primary_key=True),
    Column("struct_id", String(64), primary_key=True),
    Column("kind", String(3), primary_key=True),
    Column("service", String(255), primary_key=True),
    Column("name", Text, nullable=False),
    Column("profession", String(8), nullable=False),
    Column("speciality", String(16), nullable=False),
    Column("town", Text, nullable=False),
    Column("postcode", String(16), nullable=False),
    Column("department", String(8), nullable=False),
    Column("search", Text, nullable=False),
    Column("digest", BigInteger, nullable=False),
    Index("ix_annuaire_mailbox_id_nat", "id_nat", "generation"),
    Index("ix_annuaire_mailbox_struct_id", "struct_id", "generation"),
)

activity = Table(
    "annuaire_activity",
    metadata,
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("id_nat", String(64), primary_key=True),
    Column("activity_key", BigInteger, primary_key=True, autoincrement=False),
    Column("family", Text, nullable=False),
    Column("given", Text, nullable=False),
    Column("civility", String(16), nullable=False),
    Column("profession", String(8), nullable=False),
    Column("category", String(8), nullable=False),
    Column("speciality", String(16), nullable=False),
    Column("mode", String(8), nullable=False),
    Column("role", String(16), nullable=False),
    Column("genre", String(16), nullable=False),
    Column("struct_finess", String(64), nullable=False),
    Column("struct_siret", String(64), nullable=False),
    Column("struct_technical", String(64), nullable=False),
    Column("structure_name", Text, nullable=False),
    Column("sector", String(8), nullable=False),
    Column("town", Text, nullable=False),
    Column("postcode", String(16), nullable=False),
    Column("department", String(8), nullable=False),
    Column("digest", BigInteger, nullable=False),
)

# Each identifier under which an activity names its structure, with the structure's sector.
structure = Table(
    "annuaire_structure",
    metadata,
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("struct_id", String(64), primary_key=True),
    Column("sector", String(8), primary_key=True),
    Column("name", Text, nullable=False),
    Column("town", Text, nullable=False),
    Column("postcode", String(16), nullable=False),
)

whitelist_version = Table(
    "whitelist_version",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("generated_at", BigInteger, nullable=False),
    Column("imported_at", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("signer", Text, nullable=False),
    Column("signer_fingerprint", String(64), nullable=False),
    Column("entries", Integer, nullable=False),
    Column("complete", Boolean, nullable=False),
)

whitelist_entry = Table(
    "whitelist_entry",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("domain", String(253), primary_key=True),
    Column("dn_folded", Text, primary_key=True),
    Column("dn", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_whitelist_entry_dn_folded", "dn_folded", "version"),
)
