"""Drafts: real messages in the folder of drafts, so that mail clients see them; one for each letter."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection

import patients
from gateway.message import Facts, decode_meta
from gateway.routing import keep_draft, prepare
from store import NotFoundError, mail, now_ms
from store.mail import Entry
from webmail.mail.letters import Letter, letter_of
from webmail.turn import Missing, Turn
from webmail.visit import Visit
from webmail.writing.building import Writing, draft_bytes, message_id_of, token_of
from webmail.writing.stored import writing_in

DRAFTS: Final = "\\Drafts"
#: The newest drafts that are looked at.
_LOOKED_AT: Final = 300
_TRIES: Final = 8


class Draft(msgspec.Struct, frozen=True):
    """A message in the folder of drafts."""

    message_id: int
    uid: int
    at: int
    facts: Facts

    @property
    def token(self) -> str:
        return token_of(self.facts.message_id)


class Drafts(msgspec.Struct, frozen=True):
    """The newest drafts of a box, and the folder's UIDNEXT when they were looked at."""

    folder_id: int
    uidnext: int
    found: list[Draft]

    def of(self, token: str, message_id: int = 0) -> list[Draft]:
        """Those of one letter: by its token, or the one that the form was made of."""
        return [one for one in self.found if one.message_id == message_id or (token and one.token == token)]


def drafts_of(conn: Connection, visit: Visit) -> Drafts:
    """The drafts of the space. :raises NotFoundError: the box has no folder for them."""
    folder = mail.special_folder(conn, visit.box_id, DRAFTS)
    if folder is None:
        raise NotFoundError("mailbox.folder", "there is no folder for drafts")
    newest: list[Entry] = mail.entries(conn, visit.box_id, folder.folder_id)[-_LOOKED_AT:]
    ids = [one.message_id for one in newest]
    hidden = set() if visit.own else patients.hidden_messages(conn, visit.box_id, ids)
    opened = visit.store.messages(conn, visit.box_id, [one for one in ids if one not in hidden])
    found = [
        Draft(
            one.message_id, one.uid, one.internal_date, decode_meta(opened[one.message_id].meta).index.facts
        )
        for one in reversed(newest)
        if one.message_id in opened and not one.flags & mail.DELETED
    ]
    return Drafts(folder.folder_id, folder.uidnext, found)


async def draft_of(turn: Turn, message_id: int) -> tuple[Letter, Writing]:
    """A draft of this space and what it holds. :raises Missing: there is none of this number."""
    letter = await letter_of(turn, message_id)
    if letter.in_folder(DRAFTS) is None:
        raise Missing
    return letter, await turn.run(writing_in, turn.store, letter.message)


async def keep(turn: Turn, writing: Writing, replaces: int = 0) -> int:
    """Keep a letter as it stands, instead of what was kept of it before.

    :param replaces: the draft that the form was made of, 0 for none.
    :return: the draft's number; 0 when the letter was sent meanwhile: then nothing is kept.
    :raises PasserelleError: the box is closed, full, or has no folder for drafts.
    """
    visit = turn.visit
    for tries_left in reversed(range(_TRIES)):
        before = await turn.read(drafts_of, visit)
        message = await turn.run(_message, turn, writing)
        kept = await turn.store.awrite(
            keep_draft,
            box_id=visit.box_id,
            key=writing.token,
            message=message,
            replaces=[one.uid for one in before.of(writing.token, replaces)],
            uidnext=before.uidnext if tries_left else -1,  # next time, what stands twice goes
        )
        if kept.outcome == "kept":
            return message.message_id
        if kept.outcome == "sent":
            return 0
    return 0


def _message(turn: Turn, writing: Writing) -> mail.NewMessage:
    visit, hostname = turn.visit, turn.kit.wants.hostname
    raw = draft_bytes(
        writing, author=visit.address, author_name=visit.profile.name, hostname=hostname, at=now_ms()
    )
    return prepare(visit.store, visit.box_id, raw)[0]


def header_id(turn: Turn, writing: Writing) -> str:
    """The Message-ID that a letter has, or will have."""
    return message_id_of(writing.token, turn.kit.wants.hostname)
