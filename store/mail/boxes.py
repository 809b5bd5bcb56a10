"""Making, closing and emptying boxes; the counter that every change takes a number from."""

from __future__ import annotations

from sqlalchemy import insert, update

from store.clock import new_id
from store.errors import NotFoundError, StoreError
from store.mail.model import INBOX_ID, OUTBOX_ID, STANDARD_FOLDERS
from store.mail.reads import box_by_address
from store.operations import Tx, operation
from store.schema import box, folder


@operation("mail.create_box")
def create_box(tx: Tx, *, address: str, kind: str, owner: str, wrapped_key: bytes, quota: int = 0) -> int:
    """Make a box with its standard folders; returns its box_id.

    :param quota: octets, 0 for none. :raises StoreError: the address is taken or was once.
    """
    address = address.casefold()
    if box_by_address(tx.conn, address) is not None:
        raise StoreError("mailbox.exists", "this address has a box already", code=550, fault="config")
    box_id = new_id()
    uidvalidity = tx.now // 1000
    tx.conn.execute(
        insert(box).values(
            box_id=box_id,
            address=address,
            kind=kind,
            state="open",
            owner=owner,
            wrapped_key=wrapped_key,
            modseq=1,
            next_folder_id=len(STANDARD_FOLDERS) + 1,
            next_uidvalidity=uidvalidity + 1,
            quota=quota,
            used=0,
            created_at=tx.now,
        )
    )
    rows = [("", "", OUTBOX_ID, True)] + [
        (name, use, number, False) for number, (name, use) in enumerate(STANDARD_FOLDERS, INBOX_ID)
    ]
    tx.conn.execute(
        insert(folder),
        [
            {
                "box_id": box_id,
                "folder_id": number,
                "name": name,
                "uidvalidity": uidvalidity,
                "uidnext": 1,
                "highestmodseq": 1,
                "special_use": use,
                "subscribed": not hidden,
                "hidden": hidden,
            }
            for name, use, number, hidden in rows
        ],
    )
    tx.notify(box_id, 0)
    return box_id


@operation("mail.set_box_state")
def set_box_state(tx: Tx, *, box_id: int, state: str) -> None:
    """Open or close a box. A closed box takes no mail and lets nobody in; its content stays."""
    closed_at = tx.now if state == "closed" else None
    tx.conn.execute(update(box).where(box.c.box_id == box_id).values(state=state, closed_at=closed_at))
    tx.notify(box_id, 0)


@operation("mail.destroy_box_key")
def destroy_box_key(tx: Tx, *, box_id: int) -> None:
    """Make a box's content unreadable for ever."""
    tx.conn.execute(update(box).where(box.c.box_id == box_id).values(wrapped_key=None, state="closed"))
    tx.notify(box_id, 0)


def next_modseq(tx: Tx, box_id: int) -> int:
    """The number of a change in a box. :raises NotFoundError: no such box."""
    modseq: int | None = tx.conn.execute(
        update(box).where(box.c.box_id == box_id).values(modseq=box.c.modseq + 1).returning(box.c.modseq)
    ).scalar_one_or_none()
    if modseq is None:
        raise NotFoundError("mailbox.unknown", "no such box")
    return modseq
