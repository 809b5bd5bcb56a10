"""« Ma santé en résumé »: the summary of the profile as a PDF, to keep or to file."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from dossier import DossierError
from dossier.rights import RightsError
from dossier.summary import save_summary, summary_pdf
from patients import calendar
from store import PasserelleError, now_ms
from webmail.guards import get, post
from webmail.handing import handed
from webmail.languages import N_, Language
from webmail.turn import Turn

#: So many are made at once by one process: each takes most of a second of one core.
AT_ONCE: Final = 2
#: Seconds that one waits for its turn, and for the file.
PATIENCE: Final = 30.0
_SLOW: Final = N_("Beaucoup de synthèses sont demandées en ce moment. Réessayez dans une minute.")
_REFUSED: Final = N_("Vous n'avez pas le droit de faire cette synthèse.")
_FAILED: Final = N_("La synthèse n'a pas pu être faite. Réessayez ; rien n'est perdu.")


def _gate(turn: Turn) -> asyncio.Semaphore:
    """Of this application."""
    state = turn.request.app.state
    if not hasattr(state, "summaries"):
        state.summaries = asyncio.Semaphore(AT_ONCE)
    found: asyncio.Semaphore = state.summaries
    return found


def _page(turn: Turn, status: int = 200, error: str = "") -> Response:
    language, size = turn.text("langue", turn.language), turn.text("taille", "normal")
    return turn.page("health/summary.html", status, error=error, chosen_language=language, chosen_size=size)


async def summary(turn: Turn) -> Response:
    """``/sante/synthese``"""
    return _page(turn)


def _language(turn: Turn) -> Language:
    return "en" if turn.text("langue") == "en" else "fr"


async def make(turn: Turn) -> Response:
    """The PDF; a refusal, or a wait that is too long, is said on the page."""
    visit = turn.visit
    large = turn.text("taille") == "grand"
    try:
        async with asyncio.timeout(PATIENCE), _gate(turn):
            content = await turn.run(
                summary_pdf, visit.store, visit.box_id, visit.actor, language=_language(turn), large=large
            )
    except TimeoutError:
        return _page(turn, 503, turn.say(_SLOW))
    except PasserelleError as error:
        return _page(turn, 422, turn.say(_REFUSED if isinstance(error, RightsError) else _FAILED))
    name = f"ma-sante-en-resume-{calendar.today(now_ms()).isoformat()}.pdf"
    return handed(content, "application/pdf", name)


async def file(turn: Turn) -> Response:
    """Make it, and file it among the documents."""
    visit = turn.visit
    try:
        async with asyncio.timeout(PATIENCE), _gate(turn):
            await turn.run(save_summary, visit.store, visit.box_id, visit.actor, language=_language(turn))
    except TimeoutError:
        return _page(turn, 503, turn.say(_SLOW))
    except (RightsError, DossierError) as error:
        return _page(turn, 422, turn.say(_REFUSED if isinstance(error, RightsError) else _FAILED))
    return turn.go("/documents", N_("La synthèse est rangée dans vos documents."))


ROUTES: Final[list[BaseRoute]] = [
    get("/sante/synthese", summary),
    post("/sante/synthese", make),
    post("/sante/synthese/deposer", file),
]
