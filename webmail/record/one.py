"""``/documents/…``: one document, where it comes from, its versions, who may see it."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

import dossier
import patients
from dossier import Document, Marked, category, rights
from store.mail import OUTBOX_ID
from webmail.guards import get
from webmail.mail.letters import places_of
from webmail.record.asking import number_of
from webmail.record.explaining import Sight, sights_of
from webmail.record.people import Filer, filers_of
from webmail.record.shown import framed_as_file, kind_of
from webmail.record.wording import SLUGS, SYMBOLS
from webmail.turn import Missing, Turn
from webmail.visit import Visit

_FRAMED: Final = ("text/xml", "application/pdf", "image/jpeg", "image/png", "image/tiff", "text/plain")


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What the page of a document shows. ``may``: what who looks may do with it; ``message_id``: the message
    that brought it, 0 where there is none to be shown; ``newer``: the version in force."""

    document: Document
    heading: str
    filer: Filer
    marked: Marked
    versions: list[Document]
    newer: Document | None
    message_id: int
    may: frozenset[str]
    minor: bool
    kind: str
    preview: bool
    as_file: bool

    @property
    def symbol(self) -> str:
        return SYMBOLS[self.heading]

    @property
    def slug(self) -> str:
        return SLUGS[self.heading]


def page_of(conn: Connection, visit: Visit, number: int) -> Page:
    """One document for who is signed in; no trace: its content is what leaves one.

    Raises :class:`NotFoundError`: there is none, or it is kept from him; :class:`RightsError`.
    """
    store, box_id, actor = visit.store, visit.box_id, visit.actor
    one = dossier.document_for(conn, store, box_id, number, actor)
    found = dossier.document_versions(conn, store, box_id, number, actor)
    answers = rights.explain(conn, store, box_id, actor, number).answers
    marks = dossier.marks_of(conn, box_id, actor, found)
    newer = next((other for other in found if other.status == "approved"), None)
    kind = kind_of(one)
    return Page(
        document=one,
        heading=category(one.info.type_code, one.info.class_code),
        filer=filers_of(conn, visit, [one])[number],
        marked=marks[number],
        versions=found,
        newer=newer if newer is not None and newer.document_id != number else None,
        message_id=_message(conn, visit, one),
        may=frozenset(action for action, decision in answers.items() if decision.allowed),
        minor=patients.is_minor(conn, visit.profile.ins),
        kind=kind,
        preview=one.info.mime in _FRAMED and kind in _FRAMED,
        as_file=framed_as_file(one),
    )


def _message(conn: Connection, visit: Visit, one: Document) -> int:
    """The message that a document came with, if it is still in a folder and this reader may see it."""
    if not one.message_id:
        return 0
    if not visit.own and patients.hidden_messages(conn, visit.box_id, [one.message_id]):
        return 0
    places = places_of(conn, visit.box_id, one.message_id)
    there = any(not place.folder.hidden and place.folder.folder_id != OUTBOX_ID for place in places)
    return one.message_id if there else 0


async def page_named(turn: Turn) -> Page:
    """The document that the address names. Raises :class:`Missing`, also where he may not see it."""
    try:
        return await turn.read(page_of, turn.visit, number_of(turn))
    except rights.RightsError:
        raise Missing from None


async def document(turn: Turn) -> Response:
    """``/documents/N``: what is known of a document, with its content in a frame."""
    page = await page_named(turn)
    return turn.page("record/one.html", page=page, one=page.document, info=page.document.info)


async def access(turn: Turn) -> Response:
    """``/documents/N/acces``: who may see it, in plain words."""
    page = await page_named(turn)
    sights: list[Sight] = await turn.read(sights_of, turn.visit, page.document)
    standing = await turn.read(rights.rights_of, turn.visit.box_id)
    return turn.page(
        "record/access.html",
        page=page,
        one=page.document,
        sights=[(one, one.sentence(turn)) for one in sights],
        regulation=not standing.regulation_refused,
        glass=not standing.glass_refused,
    )


ROUTES: Final[list[BaseRoute]] = [
    get("/documents/{document_id:int}", document),
    get("/documents/{document_id:int}/acces", access),
]
