"""Folders: create, rename, delete, subscribe (RFC 3501 §6.3)."""

from __future__ import annotations

import msgspec
from sqlalchemy import and_, delete, insert, tuple_, update

from store.errors import InvalidInputError, NotFoundError, StoreError
from store.mail.messages import move, remove
from store.mail.model import Folder
from store.mail.reads import entries, folder_by_id, folder_by_name, folders
from store.operations import Tx, operation
from store.schema import box, expunged, folder


def _new_folder_numbers(tx: Tx, box_id: int) -> tuple[int, int, int]:
    """(folder_id, uidvalidity, modseq); a UIDVALIDITY is never given twice in a box (RFC 3501 §2.3.1.1)."""
    row = tx.conn.execute(
        update(box)
        .where(box.c.box_id == box_id)
        .values(
            next_folder_id=box.c.next_folder_id + 1,
            next_uidvalidity=box.c.next_uidvalidity + 1,
            modseq=box.c.modseq + 1,
        )
        .returning(box.c.next_folder_id, box.c.next_uidvalidity, box.c.modseq)
    ).one_or_none()
    if row is None:
        raise NotFoundError("mailbox.unknown", "no such box")
    return row[0] - 1, row[1] - 1, row[2]


def _check_name(name: str) -> str:
    name = name.rstrip("/")
    parts = name.split("/")
    if not name or any(not part for part in parts) or any(ord(c) < 32 or ord(c) == 127 for c in name):
        raise InvalidInputError("mailbox.name", "a folder name has no empty level and no control character")
    if len(name) > 255:
        raise InvalidInputError("mailbox.name", "a folder name has at most 255 characters")
    if parts[0].upper() == "INBOX":
        parts[0] = "INBOX"
    return "/".join(parts)


@operation("mail.create_folder")
def create_folder(tx: Tx, *, box_id: int, name: str, special_use: str = "") -> Folder:
    """CREATE (RFC 3501 §6.3.3), with the levels above that are missing.

    :raises InvalidInputError: the name is not a folder name. :raises StoreError: the folder exists.
    """
    name = _check_name(name)
    if folder_by_name(tx.conn, box_id, name) is not None:
        raise StoreError("mailbox.exists", "a folder of this name exists", code=550, fault="peer")
    parts = name.split("/")
    for depth in range(1, len(parts)):
        parent = "/".join(parts[:depth])
        if folder_by_name(tx.conn, box_id, parent) is None:
            _insert_folder(tx, box_id, parent, "")
    return _insert_folder(tx, box_id, name, special_use)


def _insert_folder(tx: Tx, box_id: int, name: str, special_use: str) -> Folder:
    folder_id, uidvalidity, modseq = _new_folder_numbers(tx, box_id)
    made = Folder(
        box_id=box_id,
        folder_id=folder_id,
        name=name,
        uidvalidity=uidvalidity,
        uidnext=1,
        highestmodseq=modseq,
        special_use=special_use,
        subscribed=True,
        hidden=False,
    )
    tx.conn.execute(insert(folder).values(**msgspec.structs.asdict(made)))
    tx.notify(box_id, 0)
    return made


@operation("mail.delete_folder")
def delete_folder(tx: Tx, *, box_id: int, folder_id: int) -> None:
    """DELETE (RFC 3501 §6.3.4). The folder must have no level below it, and not be INBOX.

    :raises NotFoundError: no such folder. :raises InvalidInputError: INBOX, or a folder with children.
    """
    target = folder_by_id(tx.conn, box_id, folder_id)
    if target is None or target.hidden:
        raise NotFoundError("mailbox.folder", "no such folder")
    if target.name == "INBOX":
        raise InvalidInputError("mailbox.folder", "INBOX cannot be deleted")
    if any(other.name.startswith(target.name + "/") for other in folders(tx.conn, box_id)):
        raise InvalidInputError("mailbox.folder", "the folder has folders below it")
    remove(tx, box_id, folder_id, entries(tx.conn, box_id, folder_id))
    where = (folder.c.box_id == box_id, folder.c.folder_id == folder_id)
    tx.conn.execute(delete(folder).where(*where))
    tx.conn.execute(delete(expunged).where(expunged.c.box_id == box_id, expunged.c.folder_id == folder_id))
    tx.notify(box_id, folder_id, 0)
    tx.notify(box_id, 0)


@operation("mail.rename_folder")
def rename_folder(tx: Tx, *, box_id: int, folder_id: int, name: str) -> None:
    """RENAME (RFC 3501 §6.3.5) with the levels below; renaming INBOX moves its messages to a new folder.

    :raises NotFoundError: no such folder. :raises StoreError: the new name is taken.
    """
    target = folder_by_id(tx.conn, box_id, folder_id)
    if target is None or target.hidden:
        raise NotFoundError("mailbox.folder", "no such folder")
    name = _check_name(name)
    if folder_by_name(tx.conn, box_id, name) is not None:
        raise StoreError("mailbox.exists", "a folder of this name exists", code=550, fault="peer")
    if name.startswith(target.name + "/"):
        raise InvalidInputError("mailbox.name", "a folder cannot go below itself")
    if target.name == "INBOX":
        made = create_folder(tx, box_id=box_id, name=name)
        uids = [item.uid for item in entries(tx.conn, box_id, folder_id)]
        move(tx, box_id=box_id, folder_id=folder_id, uids=uids, target_id=made.folder_id)
        return
    parts = name.split("/")
    for depth in range(1, len(parts)):
        parent = "/".join(parts[:depth])
        if folder_by_name(tx.conn, box_id, parent) is None:
            _insert_folder(tx, box_id, parent, "")
    for other in folders(tx.conn, box_id):
        if other.name == target.name or other.name.startswith(target.name + "/"):
            tx.conn.execute(
                update(folder)
                .where(tuple_(folder.c.box_id, folder.c.folder_id) == (box_id, other.folder_id))
                .values(name=name + other.name[len(target.name) :])
            )
    tx.notify(box_id, 0)


@operation("mail.subscribe_folder")
def subscribe_folder(tx: Tx, *, box_id: int, name: str, on: bool) -> None:
    """SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7). :raises NotFoundError: no such folder."""
    target = folder_by_name(tx.conn, box_id, name)
    if target is None:
        raise NotFoundError("mailbox.folder", "no such folder")
    tx.conn.execute(
        update(folder)
        .where(and_(folder.c.box_id == box_id, folder.c.folder_id == target.folder_id))
        .values(subscribed=on)
    )
    tx.notify(box_id, 0)
