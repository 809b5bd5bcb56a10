"""Changing what folders show: append, flags, expunge, copy, move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, bindparam, delete, insert, or_, select, update

from store.errors import InvalidInputError, NotFoundError, StoreError
from store.mail.boxes import next_modseq
from store.mail.model import (
    DELETED,
    OUTBOX_ID,
    Appended,
    Copied,
    Entry,
    Expunged,
    FlagsChanged,
    Moved,
    NewMessage,
)
from store.mail.reads import box_by_id, entry_columns, folder_by_id
from store.operations import Tx, operation
from store.prepared import Prepared
from store.schema import box, entry, expunged, folder, message

_take_room = Prepared(
    update(box)
    .where(
        and_(
            box.c.box_id == bindparam("b_box_id"),
            box.c.state == "open",
            or_(box.c.quota == 0, box.c.used + bindparam("b_size") <= box.c.quota),
        )
    )
    .values(modseq=box.c.modseq + 1, used=box.c.used + bindparam("b_size"))
    .returning(box.c.modseq)
)
_take_uid = Prepared(
    update(folder)
    .where(and_(folder.c.box_id == bindparam("b_box_id"), folder.c.folder_id == bindparam("b_folder_id")))
    .values(uidnext=folder.c.uidnext + 1, highestmodseq=bindparam("b_modseq"))
    .returning(folder.c.uidnext, folder.c.uidvalidity)
)
_insert_message = Prepared(insert(message))
_insert_entry = Prepared(insert(entry))


@operation("mail.append")
def append(
    tx: Tx,
    *,
    box_id: int,
    folder_id: int,
    message: NewMessage,
    flags: int = 0,
    keywords: str = "",
    internal_date: int = 0,
) -> Appended:
    """Name a placed body by a row and show it in a folder.

    :param internal_date: ms; 0 stands for now.
    :raises NotFoundError: the box is closed or gone, or the folder is gone.
    :raises StoreError: the box is over its quota (452 4.2.2; RFC 3463 §3.3).
    """
    room = _take_room.first(tx.conn, {"b_box_id": box_id, "b_size": message.size})
    if room is None:
        target = box_by_id(tx.conn, box_id)
        if target is None or target.state != "open":
            raise NotFoundError("mailbox.closed", "the mailbox is closed", enhanced="5.2.1")
        raise StoreError("mailbox.quota", "the mailbox is full", code=452, enhanced="4.2.2", fault="peer")
    ref = message.ref
    _insert_message.run(
        tx.conn,
        {
            "box_id": box_id,
            "message_id": message.message_id,
            "segment": ref.segment,
            "offset": ref.offset,
            "length": ref.length,
            "size": ref.size,
            "sha256": ref.sha256,
            "wrapped_key": message.wrapped_key,
            "sealed_meta": message.sealed_meta,
            "received_at": tx.now,
        },
    )
    tx.segments.add(ref.segment)
    return _show(
        tx,
        box_id,
        folder_id,
        room[0],
        message.message_id,
        message.size,
        flags,
        keywords,
        internal_date or tx.now,
    )


def _show(
    tx: Tx,
    box_id: int,
    folder_id: int,
    modseq: int,
    message_id: int,
    size: int,
    flags: int,
    keywords: str,
    internal_date: int,
) -> Appended:
    place = _take_uid.first(tx.conn, {"b_box_id": box_id, "b_folder_id": folder_id, "b_modseq": modseq})
    if place is None:
        raise NotFoundError("mailbox.folder", "no such folder")
    uid = place[0] - 1
    _insert_entry.run(
        tx.conn,
        {
            "box_id": box_id,
            "folder_id": folder_id,
            "uid": uid,
            "message_id": message_id,
            "flags": flags,
            "keywords": keywords,
            "modseq": modseq,
            "internal_date": internal_date,
            "size": size,
        },
    )
    tx.notify(box_id, folder_id, modseq)
    return Appended(uidvalidity=place[1], uid=uid, modseq=modseq)


def show_also(
    tx: Tx, *, box_id: int, folder_id: int, message: NewMessage, flags: int, internal_date: int
) -> Appended:
    """Show a message appended in this transaction in one more folder of the same box."""
    return _show(
        tx,
        box_id,
        folder_id,
        next_modseq(tx, box_id),
        message.message_id,
        message.size,
        flags,
        "",
        internal_date,
    )


@operation("mail.change_flags")
def change_flags(
    tx: Tx,
    *,
    box_id: int,
    folder_id: int,
    uids: list[int],
    mode: str,
    flags: int,
    keywords: str = "",
    unchanged_since: int | None = None,
) -> FlagsChanged:
    """STORE (RFC 3501 §6.4.6): ``mode`` is set, add or remove.

    Entries whose flags end as they were keep their modseq; with ``unchanged_since`` those changed later
    are left alone and reported (RFC 7162 §3.1.3).
    """
    if mode not in ("set", "add", "remove"):
        raise InvalidInputError("mailbox.flags", f"flags cannot be changed by {mode}")
    found = {item.uid: item for item in _entries_of(tx.conn, box_id, folder_id, uids)}
    named = keywords.split()
    changed, modified, updates = [], [], []
    modseq = 0
    for uid in uids:
        item = found.get(uid)
        if item is None:
            continue
        if unchanged_since is not None and item.modseq > unchanged_since:
            modified.append(uid)
            continue
        bits, words = _apply(mode, item.flags, item.keywords.split(), flags, named)
        if bits != item.flags or words != item.keywords:
            modseq = modseq or next_modseq(tx, box_id)
            item.flags, item.keywords, item.modseq = bits, words, modseq
            updates.append({"b_uid": uid, "b_flags": bits, "b_keywords": words})
        changed.append(item)
    if updates:
        statement = (
            update(entry)
            .where(
                and_(
                    entry.c.box_id == box_id,
                    entry.c.folder_id == folder_id,
                    entry.c.uid == bindparam("b_uid"),
                )
            )
            .values(flags=bindparam("b_flags"), keywords=bindparam("b_keywords"), modseq=modseq)
        )
        tx.conn.execute(statement, updates)
        _touch(tx, box_id, folder_id, modseq)
    return FlagsChanged(changed=changed, modified=modified, missing=[uid for uid in uids if uid not in found])


def _apply(mode: str, bits: int, words: list[str], flags: int, named: list[str]) -> tuple[int, str]:
    lower = {word.lower() for word in named}  # keywords are compared without case (RFC 3501 §2.3.2)
    if mode == "set":
        bits, words = flags, list(named)
    elif mode == "add":
        have = {word.lower() for word in words}
        bits, words = bits | flags, words + [word for word in named if word.lower() not in have]
    else:
        bits, words = bits & ~flags, [word for word in words if word.lower() not in lower]
    return bits, " ".join(sorted(set(words)))


def _touch(tx: Tx, box_id: int, folder_id: int, modseq: int) -> None:
    tx.conn.execute(
        update(folder)
        .where(and_(folder.c.box_id == box_id, folder.c.folder_id == folder_id))
        .values(highestmodseq=modseq)
    )
    tx.notify(box_id, folder_id, modseq)


def _entries_of(conn: Connection, box_id: int, folder_id: int, uids: Sequence[int]) -> list[Entry]:
    found: list[Entry] = []
    for start in range(0, len(uids), 500):
        part = uids[start : start + 500]
        query = select(*entry_columns).where(
            and_(entry.c.box_id == box_id, entry.c.folder_id == folder_id, entry.c.uid.in_(part))
        )
        found += [Entry(*row) for row in conn.execute(query.order_by(entry.c.uid))]
    return found


@operation("mail.expunge")
def expunge(tx: Tx, *, box_id: int, folder_id: int, uids: list[int] | None = None) -> Expunged:
    """Remove entries marked ``\\Deleted``, of ``uids`` only when given (RFC 4315 §2.1)."""
    if uids is None:
        query = select(*entry_columns).where(
            and_(
                entry.c.box_id == box_id, entry.c.folder_id == folder_id, entry.c.flags.op("&")(DELETED) != 0
            )
        )
        doomed = [Entry(*row) for row in conn_rows(tx, query)]
    else:
        doomed = [item for item in _entries_of(tx.conn, box_id, folder_id, uids) if item.flags & DELETED]
    modseq = remove(tx, box_id, folder_id, doomed)
    return Expunged(uids=sorted(item.uid for item in doomed), modseq=modseq)


def conn_rows(tx: Tx, query: Any) -> Sequence[Any]:
    """Rows of a query on entries, in UID order."""
    return tx.conn.execute(query.order_by(entry.c.uid)).all()


def remove(tx: Tx, box_id: int, folder_id: int, doomed: list[Entry]) -> int:
    """Take entries out of a folder, leave their tombstones, drop messages that no entry shows any more."""
    if not doomed:
        return 0
    modseq = next_modseq(tx, box_id)
    for start in range(0, len(doomed), 400):
        part = doomed[start : start + 400]
        uids = [item.uid for item in part]
        tx.conn.execute(
            delete(entry).where(
                and_(entry.c.box_id == box_id, entry.c.folder_id == folder_id, entry.c.uid.in_(uids))
            )
        )
        tx.conn.execute(
            insert(expunged),
            [{"box_id": box_id, "folder_id": folder_id, "uid": uid, "modseq": modseq} for uid in uids],
        )
        ids = {item.message_id for item in part}
        shown = set(
            tx.conn.execute(
                select(entry.c.message_id).where(and_(entry.c.box_id == box_id, entry.c.message_id.in_(ids)))
            ).scalars()
        )
        if gone := ids - shown:
            freed = sum(item.size for item in part if item.message_id in gone)
            tx.conn.execute(
                delete(message).where(and_(message.c.box_id == box_id, message.c.message_id.in_(gone)))
            )
            tx.conn.execute(update(box).where(box.c.box_id == box_id).values(used=box.c.used - freed))
    _touch(tx, box_id, folder_id, modseq)
    return modseq


def take_from_outbox(tx: Tx, box_id: int, message_id: int) -> None:
    """Let go of a message whose relay has ended everywhere."""
    query = select(*entry_columns).where(
        and_(entry.c.box_id == box_id, entry.c.folder_id == OUTBOX_ID, entry.c.message_id == message_id)
    )
    remove(tx, box_id, OUTBOX_ID, [Entry(*row) for row in conn_rows(tx, query)])


@operation("mail.copy")
def copy(tx: Tx, *, box_id: int, folder_id: int, uids: list[int], target_id: int) -> Copied:
    """COPY (RFC 3501 §6.4.7, RFC 4315 §3): flags, keywords and internal date go along."""
    found = _entries_of(tx.conn, box_id, folder_id, uids)
    target = folder_by_id(tx.conn, box_id, target_id)
    if target is None:
        raise NotFoundError("mailbox.folder", "no such folder")
    if not found:
        return Copied(uidvalidity=target.uidvalidity, source=[], target=[])
    modseq = next_modseq(tx, box_id)
    first = target.uidnext
    tx.conn.execute(
        update(folder)
        .where(and_(folder.c.box_id == box_id, folder.c.folder_id == target_id))
        .values(uidnext=first + len(found), highestmodseq=modseq)
    )
    rows = []
    for uid, item in enumerate(found, first):
        row = msgspec.structs.asdict(item)
        row.update(box_id=box_id, folder_id=target_id, uid=uid, modseq=modseq)
        rows.append(row)
    tx.conn.execute(insert(entry), rows)
    tx.notify(box_id, target_id, modseq)
    return Copied(
        uidvalidity=target.uidvalidity,
        source=[item.uid for item in found],
        target=list(range(first, first + len(found))),
    )


@operation("mail.move")
def move(tx: Tx, *, box_id: int, folder_id: int, uids: list[int], target_id: int) -> Moved:
    """MOVE (RFC 6851 §3.1): copy and removal in one step, so that no client sees half of it."""
    copied = copy(tx, box_id=box_id, folder_id=folder_id, uids=uids, target_id=target_id)
    modseq = remove(tx, box_id, folder_id, _entries_of(tx.conn, box_id, folder_id, copied.source))
    return Moved(uidvalidity=copied.uidvalidity, source=copied.source, target=copied.target, modseq=modseq)
