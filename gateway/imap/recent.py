"""\\Recent across sessions and processes: one session alone is told (RFC 3501 §2.3.2)."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from gateway.imap.tables import imap_recent
from store import Tx, metadata, operation, upsert


def first_recent(connection: Connection, box_id: int, folder_id: int) -> int:
    """The first UID that no read-write session has been told of."""
    found: int | None = connection.execute(
        select(imap_recent.c.first_uid).where(
            imap_recent.c.box_id == box_id, imap_recent.c.folder_id == folder_id
        )
    ).scalar_one_or_none()
    return found or 1


def count_from(connection: Connection, box_id: int, folder_id: int, uid: int) -> int:
    """How many messages of a folder have ``uid`` or a greater UID."""
    entry = metadata.tables["entry"]
    count: int = connection.execute(
        select(func.count()).where(
            entry.c.box_id == box_id, entry.c.folder_id == folder_id, entry.c.uid >= uid
        )
    ).scalar_one()
    return count


@operation("imap.claim_recent")
def claim_recent(tx: Tx, *, box_id: int, folder_id: int, uidnext: int) -> int:
    """Take every message below ``uidnext``; returns the first UID that was still to be taken."""
    first = first_recent(tx.conn, box_id, folder_id)
    if uidnext > first:
        row = {"box_id": box_id, "folder_id": folder_id, "first_uid": uidnext}
        tx.conn.execute(upsert(imap_recent, [row], keys=["box_id", "folder_id"]))
    return first
