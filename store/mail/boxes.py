"""Making, closing and emptying boxes; the counter that every change takes a number from."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec
from sqlalchemy import select, update

from store.clock import new_id
from store.errors import NotFoundError, StoreError
from store.mail.model import INBOX_ID, OUTBOX_ID, STANDARD_FOLDERS, Box
from store.mail.reads import box_by_address
from store.operations import Tx, operation
from store.prepared import Bulk
from store.schema import box, folder


class NewBox(msgspec.Struct, array_like=True, frozen=True):
    """A box to make: an id from ``new_id``, an address that was never given, a key from ``new_box_key``."""

    box_id: int
    address: str
    owner: str
    wrapped_key: bytes


class _Standard(NamedTuple):
    folder_id: int
    name: str
    special_use: str


_FOLDERS: Final = [_Standard(OUTBOX_ID, "", "")] + [
    _Standard(number, name, use) for number, (name, use) in enumerate(STANDARD_FOLDERS, INBOX_ID)
]
_boxes: Final = Bulk(
    box,
    [
        box.c[name]
        for name in (
            "box_id",
            "address",
            "kind",
            "state",
            "owner",
            "wrapped_key",
            "modseq",
            "next_folder_id",
            "next_uidvalidity",
            "quota",
            "used",
            "created_at",
        )
    ],
)
_folders: Final = Bulk(
    folder,
    [
        folder.c[name]
        for name in (
            "box_id",
            "folder_id",
            "name",
            "uidvalidity",
            "uidnext",
            "highestmodseq",
            "special_use",
            "subscribed",
            "hidden",
        )
    ],
)
QuotaLevel = Literal[0, 80, 95, 100]


@operation("mail.create_box")
def create_box(tx: Tx, *, address: str, kind: str, owner: str, wrapped_key: bytes, quota: int = 0) -> int:
    """Make a box with its standard folders; returns its box_id.

    :param quota: octets, 0 for none. :raises StoreError: the address is taken or was once.
    """
    address = address.casefold()
    if box_by_address(tx.conn, address) is not None:
        raise StoreError("mailbox.exists", "this address has a box already", code=550, fault="config")
    box_id = new_id()
    _insert(tx, [NewBox(box_id, address, owner, wrapped_key)], kind, quota, _FOLDERS)
    tx.notify(box_id, 0)
    return box_id


def create_boxes(tx: Tx, boxes: list[NewBox], *, kind: str, quota: int = 0) -> None:
    """Make many boxes within a transaction, each with its INBOX only; see :func:`complete_folders`.

    For profiles that nobody may have seen yet: seven folders for each of them would be most of the store.
    The caller has made sure that no address was ever given (:func:`store.mail.addresses_taken`).
    """
    _insert(tx, boxes, kind, quota, [one for one in _FOLDERS if one.folder_id == INBOX_ID])


def complete_folders(tx: Tx, box_id: int) -> None:
    """Give a box the standard folders that it lacks; part of the caller's operation."""
    there = set(tx.conn.execute(select(folder.c.folder_id).where(folder.c.box_id == box_id)).scalars())
    missing = [one for one in _FOLDERS if one.folder_id not in there]
    if not missing or there - {INBOX_ID}:  # never made whole, or made whole and changed by its user since
        return
    _folders.run(tx.conn, [_folder_row(box_id, one, tx.now // 1000) for one in missing])
    tx.notify(box_id, 0)


def _insert(tx: Tx, boxes: list[NewBox], kind: str, quota: int, folders: list[_Standard]) -> None:
    uidvalidity = tx.now // 1000
    _boxes.run(
        tx.conn,
        [
            (
                one.box_id,
                one.address.casefold(),
                kind,
                "open",
                one.owner,
                one.wrapped_key,
                1,
                len(STANDARD_FOLDERS) + 1,
                uidvalidity + 1,
                quota,
                0,
                tx.now,
            )
            for one in boxes
        ],
    )
    _folders.run(tx.conn, [_folder_row(one.box_id, kept, uidvalidity) for one in boxes for kept in folders])


def _folder_row(box_id: int, one: _Standard, uidvalidity: int) -> tuple[object, ...]:
    hidden = one.folder_id == OUTBOX_ID
    return (box_id, one.folder_id, one.name, uidvalidity, 1, 1, one.special_use, not hidden, hidden)


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


def addresses_taken(tx: Tx, addresses: list[str]) -> set[str]:
    """Those of ``addresses`` (folded) that a box has or once had; at most some hundred at a time."""
    return set(tx.conn.execute(select(box.c.address).where(box.c.address.in_(addresses))).scalars())


def quota_level(held: Box) -> QuotaLevel:
    """How full a box is against its quota, in steps of per cent: below 80 is 0, as is a box without quota."""
    for level in (100, 95, 80):
        if held.quota and held.used * 100 >= held.quota * level:
            return level
    return 0


def next_modseq(tx: Tx, box_id: int) -> int:
    """The number of a change in a box. :raises NotFoundError: no such box."""
    modseq: int | None = tx.conn.execute(
        update(box).where(box.c.box_id == box_id).values(modseq=box.c.modseq + 1).returning(box.c.modseq)
    ).scalar_one_or_none()
    if modseq is None:
        raise NotFoundError("mailbox.unknown", "no such box")
    return modseq
