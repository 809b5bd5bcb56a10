"""Measures as CSV files: what a device gave, looked at first and taken afterwards; and the way out."""

from __future__ import annotations

import io
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from dossier import measures
from dossier.measures import KINDS, MeasureError
from patients import calendar
from store import now_ms
from webmail.given import BODY, given
from webmail.guards import get, post
from webmail.handing import handed
from webmail.health.measures import may_write
from webmail.languages import N_
from webmail.refusals import told
from webmail.turn import Refused, Turn

_CLOSED: Final = N_("Vous ne pouvez pas modifier ces mesures.")


async def import_form(turn: Turn) -> Response:
    """``/mesures/fichier/importer``"""
    if not await turn.read(may_write, turn.visit):
        raise Refused(_CLOSED)
    return turn.page("health/import.html", report=None, error="", waits="")


async def look(turn: Turn) -> Response:
    """What is understood of a file; with ``etape=importer`` it is kept."""
    visit, file = turn.visit, await given(turn)
    if not await turn.read(may_write, visit):
        raise Refused(_CLOSED)
    if file.fault:
        return turn.page("health/import.html", 422, report=None, error=turn.say(file.fault), waits="")
    keep = turn.text("etape") == "importer"
    try:
        report = await turn.run(
            measures.import_measures, visit.store, visit.box_id, visit.actor, io.BytesIO(file.content),
            dry_run=not keep,
        )  # fmt: skip
    except MeasureError as error:
        return turn.page("health/import.html", 422, report=None, error=told(turn, error), waits="")
    if keep:
        return turn.go("/mesures", N_("Les mesures du fichier sont ajoutées."))
    return turn.page("health/import.html", report=report, error="", waits=file.waits)


async def export(turn: Turn) -> Response:
    """Every measure, as :func:`look` reads them back."""
    visit = turn.visit
    found = await turn.run(measures.read, visit.store, visit.box_id, visit.actor, KINDS)
    text = await turn.run(measures.to_csv, [one for kind in KINDS for one in found[kind]])
    name = f"mesures-{calendar.today(now_ms()).isoformat()}.csv"
    return handed(text.encode(), "text/csv; charset=utf-8", name)


ROUTES: Final[list[BaseRoute]] = [
    get("/mesures/fichier/importer", import_form),
    post("/mesures/fichier/importer", look, body=BODY, files=1),
    get("/mesures/fichier/exporter", export),
]
