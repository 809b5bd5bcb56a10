"""Mailboxes (BAL) in the store: boxes, folders, entries and the messages they show.

A *box* is a BAL, a *folder* is what IMAP calls a mailbox, an *entry* shows a *message* in a folder
under a UID. Copying within a box copies the entry, not the message; a message goes with its last
entry, and with its row goes the key of its body.

Every change takes the next number of ``box.modseq`` (RFC 7162 §3.1: one counter for a box keeps it
strictly increasing in each folder).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, tuple_, update

from store.bodies import BodyRef
from store.clock import new_id
from store.errors import InvalidInputError, NotFoundError, StoreError
from store.operations import Tx, operation
from store.prepared import Prepared
from store.schema import box, entry, expunged, folder, message

SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = 1, 2, 4, 8, 16

# RFC 6154 §2; the names are what a French patient reads in a mail client.
STANDARD_FOLDERS = (
    ("INBOX", ""),
    ("Brouillons", "\\Drafts"),
    ("Envoyés", "\\Sent"),
    ("Archives", "\\Archive"),
    ("Indésirables", "\\Junk"),
    ("Corbeille", "\\Trash"),
)
INBOX_ID = 1
OUTBOX_ID = 0  # hidden: holds messages that wait for their relay, so that they outlive the Sent copy


class Box(msgspec.Struct, kw_only=True):
    """A mailbox (BAL). ``kind``: patient, pro or system. ``state``: open or closed."""

    box_id: int
    address: str
    kind: str
    state: str
    owner: str
    modseq: int
    quota: int
    used: int


class Folder(msgspec.Struct, kw_only=True):
    """What IMAP calls a mailbox; ``name`` is Unicode with "/" between levels."""

    box_id: int
    folder_id: int
    name: str
    uidvalidity: int
    uidnext: int
    highestmodseq: int
    special_use: str
    subscribed: bool
    hidden: bool


class Entry(msgspec.Struct, array_like=True):
    """A message in a folder. ``flags`` is a bitmask (SEEN…DRAFT), ``size`` the RFC822.SIZE in octets."""

    uid: int
    message_id: int
    flags: int
    keywords: str
    modseq: int
    internal_date: int
    size: int


class Counts(msgspec.Struct):
    """How many entries a folder shows; ``size`` in octets."""

    messages: int
    unseen: int
    deleted: int
    size: int


class NewMessage(msgspec.Struct, array_like=True):
    """A placed and sealed body that is ready to be named by a row: see ``Store.new_message``."""

    message_id: int
    ref: BodyRef
    wrapped_key: bytes
    sealed_meta: bytes
    size: int


class StoredMessage(msgspec.Struct, kw_only=True):
    """A message with its index opened; its body is read through ``Store.open_body``."""

    box_id: int
    message_id: int
    ref: BodyRef
    received_at: int
    key: bytes
    meta: bytes


class Appended(msgspec.Struct):
    """Where a message was put (APPENDUID, RFC 4315 §3)."""

    uidvalidity: int
    uid: int
    modseq: int


class FlagsChanged(msgspec.Struct):
    """``modified`` failed UNCHANGEDSINCE (RFC 7162 §3.1.3); ``missing`` are no longer there."""

    changed: list[Entry]
    modified: list[int]
    missing: list[int]


class Expunged(msgspec.Struct):
    """The UIDs that went, and the MODSEQ at which they did."""

    uids: list[int]
    modseq: int


class Copied(msgspec.Struct):
    """Source and target UIDs, pair by pair (COPYUID, RFC 4315 §3)."""

    uidvalidity: int
    source: list[int]
    target: list[int]


class Moved(msgspec.Struct):
    """As :class:`Copied`; ``modseq`` is that of the source folder's loss."""

    uidvalidity: int
    source: list[int]
    target: list[int]
    modseq: int


# -- reads --------------------------------------------------------------------------------------

_box_columns = [box.c[name] for name in Box.__struct_fields__]
_folder_columns = [folder.c[name] for name in Folder.__struct_fields__]
_entry_columns = [entry.c[name] for name in Entry.__struct_fields__]

_select_box = Prepared(select(*_box_columns).where(box.c.address == bindparam("address")))
_select_box_by_id = Prepared(select(*_box_columns).where(box.c.box_id == bindparam("box_id")))
_select_folders = Prepared(
    select(*_folder_columns).where(folder.c.box_id == bindparam("box_id")).order_by(folder.c.folder_id)
)
_select_folder = Prepared(
    select(*_folder_columns).where(
        and_(folder.c.box_id == bindparam("box_id"), folder.c.folder_id == bindparam("folder_id"))
    )
)
_select_folder_by_name = Prepared(
    select(*_folder_columns).where(
        and_(folder.c.box_id == bindparam("box_id"), folder.c.name == bindparam("name"))
    )
)
_entries_of_folder = (
    select(*_entry_columns)
    .where(and_(entry.c.box_id == bindparam("box_id"), entry.c.folder_id == bindparam("folder_id")))
    .order_by(entry.c.uid)
)
_select_entries = Prepared(_entries_of_folder)
_select_entries_since = Prepared(_entries_of_folder.where(entry.c.modseq > bindparam("modseq")))
_select_expunged_since = Prepared(
    select(expunged.c.uid)
    .where(
        and_(
            expunged.c.box_id == bindparam("box_id"),
            expunged.c.folder_id == bindparam("folder_id"),
            expunged.c.modseq > bindparam("modseq"),
        )
    )
    .order_by(expunged.c.uid)
)
_select_key = Prepared(select(box.c.wrapped_key).where(box.c.box_id == bindparam("box_id")))


def _box(row: Any) -> Box | None:
    return None if row is None else Box(**dict(zip(Box.__struct_fields__, row, strict=True)))


def _folder(row: Any) -> Folder | None:
    if row is None:
        return None
    found = Folder(**dict(zip(Folder.__struct_fields__, row, strict=True)))
    found.subscribed, found.hidden = bool(found.subscribed), bool(found.hidden)
    return found


def box_by_address(conn: Connection, address: str) -> Box | None:
    """The box of an address, whatever its case. Text that no database keeps is nobody's address."""
    if "\0" in address or not address.isprintable():
        return None
    return _box(_select_box.first(conn, {"address": address.casefold()}))


def box_by_id(conn: Connection, box_id: int) -> Box | None:
    return _box(_select_box_by_id.first(conn, {"box_id": box_id}))


def boxes(conn: Connection, kind: str = "", limit: int = 1000) -> list[Box]:
    """Boxes by address, of one kind when given."""
    query = select(*_box_columns).order_by(box.c.address).limit(limit)
    if kind:
        query = query.where(box.c.kind == kind)
    return [Box(**row._mapping) for row in conn.execute(query)]


def wrapped_key(conn: Connection, box_id: int) -> bytes | None:
    row = _select_key.first(conn, {"box_id": box_id})
    return None if row is None else row[0]


def folders(conn: Connection, box_id: int) -> list[Folder]:
    """The folders that a user sees, oldest first."""
    found = map(_folder, _select_folders.all(conn, {"box_id": box_id}))
    return [folder for folder in found if folder is not None and not folder.hidden]


def folder_by_name(conn: Connection, box_id: int, name: str) -> Folder | None:
    """INBOX is found in any case (RFC 3501 §5.1); hidden folders are not found."""
    if name.upper() == "INBOX":
        name = "INBOX"
    found = _folder(_select_folder_by_name.first(conn, {"box_id": box_id, "name": name}))
    return None if found is None or found.hidden else found


def folder_by_id(conn: Connection, box_id: int, folder_id: int) -> Folder | None:
    return _folder(_select_folder.first(conn, {"box_id": box_id, "folder_id": folder_id}))


def special_folder(conn: Connection, box_id: int, special_use: str) -> Folder | None:
    """The folder with a use such as ``\\Sent`` (RFC 6154)."""
    query = select(*_folder_columns).where(
        and_(folder.c.box_id == box_id, folder.c.special_use == special_use)
    )
    return _folder(conn.execute(query.limit(1)).one_or_none())


def entries(conn: Connection, box_id: int, folder_id: int, since_modseq: int = 0) -> list[Entry]:
    """Entries of a folder in UID order; with ``since_modseq`` those whose modseq is greater."""
    place = {"box_id": box_id, "folder_id": folder_id}
    if since_modseq:
        rows = _select_entries_since.all(conn, place | {"modseq": since_modseq})
    else:
        rows = _select_entries.all(conn, place)
    return [Entry(*row) for row in rows]


def expunged_since(conn: Connection, box_id: int, folder_id: int, modseq: int) -> list[int]:
    """UIDs that left the folder after ``modseq``, in order."""
    place = {"box_id": box_id, "folder_id": folder_id, "modseq": modseq}
    return [row[0] for row in _select_expunged_since.all(conn, place)]


def folder_counts(conn: Connection, box_id: int, folder_id: int) -> Counts:
    """The numbers that STATUS tells (RFC 3501 §6.3.10)."""
    where = and_(entry.c.box_id == box_id, entry.c.folder_id == folder_id)
    row = conn.execute(select(func.count(), func.coalesce(func.sum(entry.c.size), 0)).where(where)).one()
    by_flags = select(entry.c.flags, func.count()).where(where).group_by(entry.c.flags)
    flags: dict[int, int] = {bits: count for bits, count in conn.execute(by_flags)}  # noqa: C416
    return Counts(
        messages=row[0],
        unseen=sum(count for bits, count in flags.items() if not bits & SEEN),
        deleted=sum(count for bits, count in flags.items() if bits & DELETED),
        size=int(row[1]),
    )


def message_rows(conn: Connection, box_id: int, message_ids: Sequence[int]) -> Sequence[Any]:
    """Rows of the table ``message``, still sealed; see ``Store.messages``."""
    rows: list[Any] = []
    for start in range(0, len(message_ids), 500):
        part = message_ids[start : start + 500]
        rows += conn.execute(
            select(message).where(and_(message.c.box_id == box_id, message.c.message_id.in_(part)))
        ).all()
    return rows


def key_place(box_id: int, message_id: int) -> bytes:
    """What a message's wrapped key is bound to."""
    return b"%d/%d" % (box_id, message_id)


# -- boxes --------------------------------------------------------------------------------------


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


def _next_modseq(tx: Tx, box_id: int) -> int:
    modseq: int | None = tx.conn.execute(
        update(box).where(box.c.box_id == box_id).values(modseq=box.c.modseq + 1).returning(box.c.modseq)
    ).scalar_one_or_none()
    if modseq is None:
        raise NotFoundError("mailbox.unknown", "no such box")
    return modseq


# -- messages -----------------------------------------------------------------------------------

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
        _next_modseq(tx, box_id),
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
            modseq = modseq or _next_modseq(tx, box_id)
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
        query = select(*_entry_columns).where(
            and_(entry.c.box_id == box_id, entry.c.folder_id == folder_id, entry.c.uid.in_(part))
        )
        found += [Entry(*row) for row in conn.execute(query.order_by(entry.c.uid))]
    return found


@operation("mail.expunge")
def expunge(tx: Tx, *, box_id: int, folder_id: int, uids: list[int] | None = None) -> Expunged:
    """Remove entries marked ``\\Deleted``, of ``uids`` only when given (RFC 4315 §2.1)."""
    if uids is None:
        query = select(*_entry_columns).where(
            and_(
                entry.c.box_id == box_id, entry.c.folder_id == folder_id, entry.c.flags.op("&")(DELETED) != 0
            )
        )
        doomed = [Entry(*row) for row in conn_rows(tx, query)]
    else:
        doomed = [item for item in _entries_of(tx.conn, box_id, folder_id, uids) if item.flags & DELETED]
    modseq = _remove(tx, box_id, folder_id, doomed)
    return Expunged(uids=sorted(item.uid for item in doomed), modseq=modseq)


def conn_rows(tx: Tx, query: Any) -> Sequence[Any]:
    """Rows of a query on entries, in UID order."""
    return tx.conn.execute(query.order_by(entry.c.uid)).all()


def _remove(tx: Tx, box_id: int, folder_id: int, doomed: list[Entry]) -> int:
    """Take entries out of a folder, leave their tombstones, drop messages that no entry shows any more."""
    if not doomed:
        return 0
    modseq = _next_modseq(tx, box_id)
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
    query = select(*_entry_columns).where(
        and_(entry.c.box_id == box_id, entry.c.folder_id == OUTBOX_ID, entry.c.message_id == message_id)
    )
    _remove(tx, box_id, OUTBOX_ID, [Entry(*row) for row in conn_rows(tx, query)])


@operation("mail.copy")
def copy(tx: Tx, *, box_id: int, folder_id: int, uids: list[int], target_id: int) -> Copied:
    """COPY (RFC 3501 §6.4.7, RFC 4315 §3): flags, keywords and internal date go along."""
    found = _entries_of(tx.conn, box_id, folder_id, uids)
    target = folder_by_id(tx.conn, box_id, target_id)
    if target is None:
        raise NotFoundError("mailbox.folder", "no such folder")
    if not found:
        return Copied(uidvalidity=target.uidvalidity, source=[], target=[])
    modseq = _next_modseq(tx, box_id)
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
    modseq = _remove(tx, box_id, folder_id, _entries_of(tx.conn, box_id, folder_id, copied.source))
    return Moved(uidvalidity=copied.uidvalidity, source=copied.source, target=copied.target, modseq=modseq)


# -- folders ------------------------------------------------------------------------------------


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
    _remove(tx, box_id, folder_id, entries(tx.conn, box_id, folder_id))
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
