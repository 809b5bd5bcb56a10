"""The first page: what the service is, for who is not signed in; what is new, for who is."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

import agenda
import dossier
from agenda import Occurrence
from dossier import Document
from store import PasserelleError, now_ms
from webmail.guards import open_get
from webmail.mail import shelf
from webmail.mail.views import Conversation
from webmail.turn import Turn
from webmail.visit import Visit

DAY_MS: Final = 24 * 3_600_000
#: What counts as new in the record, and how far the next appointments are looked for.
_NEW_MS: Final = 30 * DAY_MS
_AHEAD_MS: Final = 90 * DAY_MS
_SHOWN: Final = 3


class Glance(msgspec.Struct, frozen=True):
    """What the record and the agenda hold for who looks: counts, and the newest or next few.

    To who represents somebody only counts are told: titles are an access, which the rooms write down when
    he opens their pages.
    """

    documents: int = 0
    new: int = 0
    latest: tuple[Document, ...] = ()
    upcoming: int = 0
    next: tuple[Occurrence, ...] = ()
    proposals: int = 0
    invitations: int = 0


async def home(turn: Turn) -> Response:
    """``/``"""
    if turn.found is None:
        return turn.page("welcome.html")
    view = await shelf.view_for(turn)
    letters: list[Conversation] = [one for one in view.conversations if one.unread][:_SHOWN]
    glance = await turn.read(glance_at, turn.visit, now_ms())
    return turn.page("home.html", letters=letters, waiting=view.unread, glance=glance)


def glance_at(conn: Connection, visit: Visit, now: int) -> Glance:
    """What is new in the space that is shown; a room that lets nobody in tells nothing."""
    about = (visit.store, visit.box_id, visit.actor)
    try:
        held = dossier.documents_for(conn, *about)
        found = agenda.occurrences(conn, *about, now, now + _AHEAD_MS)
        proposed = agenda.proposals_for(conn, *about)
        invited = agenda.invitations(conn, *about)
    except PasserelleError:
        return Glance()
    return Glance(
        documents=len(held),
        new=sum(one.filed_at >= now - _NEW_MS for one in held),
        latest=tuple(held[:_SHOWN]) if visit.own else (),
        upcoming=len(found),
        next=tuple(found[:_SHOWN]) if visit.own else (),
        proposals=len(proposed),
        invitations=len(invited),
    )


ROUTES: Final[list[BaseRoute]] = [open_get("/", home)]
