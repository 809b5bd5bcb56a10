"""``/documents``: what is in the record, by heading, newest first."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec
from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

import activity
import dossier
from dossier import Document, Marked, category
from webmail.content import is_look_ahead
from webmail.guards import get
from webmail.paging import page_of
from webmail.record import filters
from webmail.record.asking import asked
from webmail.record.people import Filer, filers_of
from webmail.record.wording import HEADINGS, SLUGS, SYMBOLS
from webmail.turn import Turn
from webmail.visit import Visit

#: Documents on a page.
PAGE: Final = 20


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One document of the list."""

    document: Document
    heading: str
    symbol: str
    filer: Filer
    marked: Marked
    unread: bool


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """A heading above the list: how many documents of what is wanted otherwise it has."""

    name: str
    path: str
    count: int
    chosen: bool


async def documents(turn: Turn) -> Response:
    """``/documents``. Looking at the list is in the history; asking for its head is not."""
    wanted = filters.read(turn.request.query_params)
    visit = turn.visit
    if is_look_ahead(turn.request):
        await turn.read(dossier.documents_for, visit.store, visit.box_id, visit.actor)
        return turn.page("record/soon.html")
    every = await asked(
        turn, dossier.list_documents, visit.store, visit.box_id, visit.actor, history=bool(wanted.versions)
    )
    everywhere = msgspec.structs.replace(wanted.wanted, category="")
    matching = [one for one in every if everywhere.matches(one)]
    found = dossier.ordered(
        (one for one in matching if wanted.wanted.matches(one)), filters.ORDERS[wanted.order]
    )
    shown, number, last = page_of(found, wanted.page, PAGE)
    return turn.page(
        "record/list.html",
        422 if wanted.errors else 200,
        wanted=wanted,
        errors={name: turn.say(text) for name, text in wanted.errors.items()},
        rows=await turn.read(_rows, visit, every, shown),
        headings=_headings(wanted, matching),
        found=len(found),
        total=len(every),
        number=number,
        last=last,
        slugs=SLUGS,
    )


def _headings(wanted: filters.Filters, matching: list[Document]) -> list[Heading]:
    counted = Counter(category(one.info.type_code, one.info.class_code) for one in matching)
    found = [
        Heading(
            name=one,
            path=wanted.path(rubrique=SLUGS[one]),
            count=counted[one],
            chosen=wanted.heading == SLUGS[one],
        )
        for one in HEADINGS
    ]
    return [one for one in found if one.count or one.chosen]


def _rows(conn: Connection, visit: Visit, every: list[Document], shown: list[Document]) -> list[Row]:
    filers = filers_of(conn, visit, shown)
    marks = dossier.marks_of(conn, visit.box_id, visit.actor, every)
    read = read_by(conn, visit)
    rows = []
    for one in shown:
        heading = category(one.info.type_code, one.info.class_code)
        rows.append(
            Row(
                document=one,
                heading=heading,
                symbol=SYMBOLS[heading],
                filer=filers[one.document_id],
                marked=marks[one.document_id],
                unread=is_unread(one, read),
            )
        )
    return rows


def read_by(conn: Connection, visit: Visit) -> set[str]:
    """The documents (ids) that who is signed in has opened."""
    opened = activity.Asked(by=(visit.actor.by,), ident=visit.actor.ident, what=("document_read",))
    return activity.subjects(conn, visit.box_id, opened)


def is_unread(one: Document, read: set[str]) -> bool:
    """Whether somebody else filed a document that he has not opened yet."""
    return one.status == "approved" and not one.from_patient and str(one.document_id) not in read


ROUTES: Final[list[BaseRoute]] = [get("/documents", documents)]
