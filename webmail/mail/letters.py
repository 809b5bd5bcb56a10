"""One message of a mailbox as its reader may see it."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, select

import patients
from gateway.message import MessageMeta, decode_meta
from store import mail
from store.mail import OUTBOX_ID, Entry, Folder, StoredMessage
from store.schema import entry
from webmail.turn import Missing, Turn
from webmail.visit import Visit

#: The largest id there is: an address may name any number.
_LARGEST: Final = (1 << 63) - 1
_columns: Final = [entry.c[name] for name in Entry.__struct_fields__]


class Place(msgspec.Struct, frozen=True):
    """Where a message is shown: a folder, and its entry there."""

    folder: Folder
    entry: Entry


class Letter(msgspec.Struct, frozen=True):
    """A message with its index and its places (at least one)."""

    message: StoredMessage
    meta: MessageMeta
    places: list[Place]

    @property
    def message_id(self) -> int:
        return self.message.message_id

    @property
    def seen(self) -> bool:
        return any(one.entry.flags & mail.SEEN for one in self.places)

    def in_folder(self, special_use: str) -> Place | None:
        """Its place in the folder with that use (``\\\\Trash`` …); "" is INBOX."""
        for one in self.places:
            if one.folder.special_use == special_use and (special_use or one.folder.name == "INBOX"):
                return one
        return None


async def letter_of(turn: Turn, message_id: int) -> Letter:
    """The message, for who is signed in.

    Raises :class:`Missing`: there is none in this box, or it is kept from who represents the patient.
    """
    found = await turn.read(_read, turn.visit, message_id) if message_id <= _LARGEST else None
    if found is None:
        raise Missing
    return found


def _read(conn: Connection, visit: Visit, message_id: int) -> Letter | None:
    places = [one for one in places_of(conn, visit.box_id, message_id) if not one.folder.hidden]
    if not places:
        return None
    if not visit.own and patients.hidden_messages(conn, visit.box_id, [message_id]):
        return None
    found = visit.store.messages(conn, visit.box_id, [message_id])
    if message_id not in found:
        return None
    return Letter(found[message_id], decode_meta(found[message_id].meta), places)


def places_of(conn: Connection, box_id: int, message_id: int) -> list[Place]:
    """Where a message is shown, the outbox left out."""
    rows = conn.execute(
        select(entry.c.folder_id, *_columns).where(
            entry.c.box_id == box_id, entry.c.message_id == message_id, entry.c.folder_id != OUTBOX_ID
        )
    ).all()
    folders = {one.folder_id: one for one in mail.folders(conn, box_id)}
    return [Place(folders[row[0]], Entry(*row[1:])) for row in rows if row[0] in folders]
