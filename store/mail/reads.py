"""Reading mailboxes. Every function takes a read connection first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, select

from store.mail.model import DELETED, SEEN, Box, Counts, Entry, Folder
from store.prepared import Prepared
from store.schema import box, entry, expunged, folder, message

_box_columns = [box.c[name] for name in Box.__struct_fields__]
_folder_columns = [folder.c[name] for name in Folder.__struct_fields__]
entry_columns = [entry.c[name] for name in Entry.__struct_fields__]

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
    select(*entry_columns)
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
_select_unseen = Prepared(
    select(entry.c.message_id)
    .where(
        and_(
            entry.c.box_id == bindparam("box_id"),
            entry.c.folder_id == bindparam("folder_id"),
            entry.c.flags.op("&")(SEEN) == 0,
        )
    )
    .order_by(entry.c.uid)
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
    """The box, open or closed; None when there is none."""
    return _box(_select_box_by_id.first(conn, {"box_id": box_id}))


def boxes(conn: Connection, kind: str = "", limit: int = 1000) -> list[Box]:
    """Boxes by address, of one kind when given."""
    query = select(*_box_columns).order_by(box.c.address).limit(limit)
    if kind:
        query = query.where(box.c.kind == kind)
    return [Box(**row._mapping) for row in conn.execute(query)]


def wrapped_key(conn: Connection, box_id: int) -> bytes | None:
    """The key under the master key; None when the box is gone or its key destroyed."""
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
    """The folder, hidden or not; None when there is none."""
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


def unseen(conn: Connection, box_id: int, folder_id: int) -> list[int]:
    """The messages of a folder's entries without ``\\Seen``, in UID order."""
    place = {"box_id": box_id, "folder_id": folder_id}
    return [row[0] for row in _select_unseen.all(conn, place)]


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


class MessageRow(NamedTuple):
    """A row of the table ``message``: body reference, keys and index, still sealed."""

    box_id: int
    message_id: int
    segment: int
    offset: int
    length: int
    size: int
    sha256: bytes
    wrapped_key: bytes
    sealed_meta: bytes
    received_at: int


_message_columns = [message.c[name] for name in MessageRow._fields]
_select_message = Prepared(
    select(*_message_columns).where(
        and_(message.c.box_id == bindparam("box_id"), message.c.message_id == bindparam("message_id"))
    )
)
_select_messages = select(*_message_columns).where(
    and_(
        message.c.box_id == bindparam("box_id"),
        message.c.message_id.in_(bindparam("message_ids", expanding=True)),
    )
)


def message_rows(conn: Connection, box_id: int, message_ids: Sequence[int]) -> list[MessageRow]:
    """The rows of some messages, in no order; see ``Store.messages``."""
    if len(message_ids) == 1:
        row = _select_message.first(conn, {"box_id": box_id, "message_id": message_ids[0]})
        return [] if row is None else [MessageRow(*row)]
    rows: list[MessageRow] = []
    for start in range(0, len(message_ids), 500):
        place = {"box_id": box_id, "message_ids": list(message_ids[start : start + 500])}
        rows += [MessageRow(*row) for row in conn.execute(_select_messages, place)]
    return rows


def key_place(box_id: int, message_id: int) -> bytes:
    """What a message's wrapped key is bound to."""
    return b"%d/%d" % (box_id, message_id)
