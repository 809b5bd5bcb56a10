"""The agenda elsewhere: private addresses for a phone, and iCalendar files in and out."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

import agenda
from agenda import MEDIA_TYPE, AgendaError, Feed, Shows
from webmail.calendar.pages import appointment_of, today
from webmail.formats import day as written
from webmail.given import BODY, given
from webmail.guards import get, post
from webmail.handing import handed
from webmail.languages import N_
from webmail.refusals import told
from webmail.turn import Missing, Refused, Turn

_SHOWS: Final[dict[Shows, str]] = {
    "busy": N_("seulement « occupé »"),
    "full": N_("titres, lieux et notes"),
}


async def feeds(turn: Turn) -> Response:
    """``/agenda/abonnements``"""
    return await _feeds(turn)


async def _feeds(
    turn: Turn, status: int = 200, *, error: str = "", address: str = "", new: int = 0
) -> Response:
    visit = turn.visit
    found = await turn.read(agenda.feeds, visit.store, visit.box_id, visit.actor)
    return turn.page(
        "calendar/feeds.html",
        status,
        live=[_told(turn, one) for one in found if one.revoked_at is None],
        ended=[_told(turn, one) for one in found if one.revoked_at is not None],
        error=error,
        address=address,
        new=new,
        label=turn.text("nom"),
        shows=turn.text("montre", "busy"),
        view="abonnements",
    )


def _told(turn: Turn, one: Feed) -> dict[str, object]:
    used = date(1970, 1, 1) + timedelta(days=one.used_day) if one.used_day else None
    return {
        "feed_id": one.feed_id,
        "label": one.label or turn.say(N_("Sans nom")),
        "shows": turn.say(_SHOWS[one.shows]),
        "created_at": one.created_at,
        "revoked_at": one.revoked_at,
        "used": written(used, language=turn.language) if used is not None else "",
        "mine": one.ident == turn.visit.ins,
    }


async def open_feed(turn: Turn) -> Response:
    """Make an address. It is on this answer and nowhere else: no redirection could carry it unseen."""
    visit = turn.visit
    shows: Shows = "full" if turn.text("montre") == "full" else "busy"
    try:
        made, token = await turn.run(
            agenda.open_feed, visit.store, visit.box_id, visit.actor, label=turn.text("nom"), shows=shows
        )
    except AgendaError as error:
        return await _feeds(turn, 422, error=told(turn, error))
    wants = turn.kit.wants
    address = f"{wants.origin or f'https://{wants.hostname}'}/agenda/{token}.ics"
    return await _feeds(turn, address=address, new=made.feed_id)


async def revoke(turn: Turn) -> Response:
    """The address leads nowhere from now on."""
    visit, feed_id = turn.visit, int(turn.request.path_params["feed_id"])
    try:
        await turn.run(agenda.revoke_feed, visit.store, visit.box_id, visit.actor, feed_id)
    except AgendaError as error:
        if error.rule == "agenda.feed":
            raise Missing from error
        raise Refused(told(turn, error), 422) from error
    return turn.go("/agenda/abonnements", N_("L'adresse ne donne plus rien."))


# -- files ----------------------------------------------------------------------------------------


async def export(turn: Turn) -> Response:
    """The whole agenda, as far as the person sees it."""
    visit = turn.visit
    content = await turn.run(agenda.export_calendar, visit.store, visit.box_id, visit.actor)
    return handed(content, MEDIA_TYPE, f"agenda-{today().isoformat()}.ics")


async def export_one(turn: Turn) -> Response:
    """One appointment."""
    visit, one = turn.visit, await appointment_of(turn)
    content = await turn.run(
        agenda.export_calendar, visit.store, visit.box_id, visit.actor, appointment_id=one.appointment_id
    )
    return handed(content, MEDIA_TYPE, "rendez-vous.ics")


async def import_form(turn: Turn) -> Response:
    """``/agenda/import``"""
    return _import(turn)


def _import(
    turn: Turn, status: int = 200, *, report: agenda.Imported | None = None, error: str = "", waits: str = ""
) -> Response:
    return turn.page(
        "calendar/import.html", status, report=report, error=error, waits=waits, view="abonnements"
    )


async def look(turn: Turn) -> Response:
    """What is understood of a file; with ``etape=importer`` it is kept."""
    visit, file = turn.visit, await given(turn)
    if file.fault:
        return _import(turn, 422, error=turn.say(file.fault))
    keep = turn.text("etape") == "importer"
    try:
        report = await turn.run(
            agenda.import_calendar, visit.store, visit.box_id, visit.actor, file.content, dry_run=not keep
        )
    except AgendaError as error:
        return _import(turn, 422, error=told(turn, error))
    if keep:
        return turn.go("/agenda", N_("Les rendez-vous du fichier sont dans votre agenda."))
    return _import(turn, report=report, waits=file.waits)


ROUTES: Final[list[BaseRoute]] = [
    get("/agenda/abonnements", feeds),
    post("/agenda/abonnements", open_feed),
    post("/agenda/abonnements/{feed_id:int}/revoquer", revoke),
    get("/agenda/export/calendrier", export),
    get("/agenda/rendez-vous/{appointment_id:int}/exporter", export_one),
    get("/agenda/import", import_form),
    post("/agenda/import", look, body=BODY, files=1),
]
