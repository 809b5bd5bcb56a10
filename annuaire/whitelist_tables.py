"""The tables of the list of authorised domains: its versions, and its entries over time.

An entry stands from the version that brought it until the version that took it away; a version costs
what it changed. ``annuaire_current`` names the version that look-ups read, so a version is loaded beside
the one in use and put in use in one step; past versions stay readable as long as they are kept.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, text

from store import metadata

#: ``until_version`` of an entry that no version has taken away.
OPEN: Final = (1 << 63) - 1
#: The source under which ``annuaire_current`` and ``annuaire_refresh`` speak of the list.
SOURCE: Final = "whitelist"

whitelist_version = Table(
    "whitelist_version",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("generated_at", BigInteger, nullable=False),
    Column("imported_at", BigInteger, nullable=False),  # when it was put in use
    Column("confirmed_at", BigInteger, nullable=False, server_default=text("0")),  # fetched again, the same
    Column("origin", Text, nullable=False, server_default=text("''")),  # file name or URL
    Column("sha256", String(64), nullable=False),
    Column("signer", Text, nullable=False),
    Column("signer_fingerprint", String(64), nullable=False),
    Column("entries", Integer, nullable=False),
    Column("added", Integer, nullable=False, server_default=text("0")),
    Column("changed", Integer, nullable=False, server_default=text("0")),
    Column("gone", Integer, nullable=False, server_default=text("0")),
    Column("complete", Boolean, nullable=False),
)

whitelist_listing = Table(
    "whitelist_listing",
    metadata,
    Column("domain", String(253), primary_key=True),
    Column("dn_folded", Text, primary_key=True),
    Column("from_version", BigInteger, primary_key=True, autoincrement=False),
    Column("until_version", BigInteger, nullable=False),
    Column("dn", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_whitelist_listing_dn_folded", "dn_folded", "domain"),
    Index("ix_whitelist_listing_until_version", "until_version"),
)
