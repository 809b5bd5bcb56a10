"""The table the IMAP room owns: up to which UID the messages of a folder have been \\Recent once."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, Table

from store import metadata

imap_recent: Final = Table(
    "imap_recent",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("folder_id", Integer, primary_key=True, autoincrement=False),
    Column("first_uid", BigInteger, nullable=False),
)
"""Messages from ``first_uid`` on have been announced to no read-write session yet."""
