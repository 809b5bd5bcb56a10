"""« Emporter mes données »: what the archive holds, and the archive, sent while it is made."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import BinaryIO, Final

import structlog
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from gateway.portability import Manifest, PortabilityError, export_archive
from patients import calendar
from store import PasserelleError, now_ms
from webmail.account.proof import fresh, proven
from webmail.export.stream import sending
from webmail.guards import get, post
from webmail.handing import headed
from webmail.languages import N_
from webmail.turn import Turn

log = structlog.get_logger("webmail")

#: Archives that one process makes at once; one for each person.
AT_ONCE: Final = 2
_BUSY: Final = N_(
    "Votre archive est déjà en train d'être faite, ou d'autres attendent. Réessayez dans un moment."
)
_REFUSED: Final = N_("Vous n'avez pas le droit d'emporter ces données.")


class Makers:
    """Who is given an archive at this moment."""

    def __init__(self) -> None:
        self._busy: set[tuple[str, int]] = set()

    def take(self, who: tuple[str, int]) -> bool:
        """Whether one may begin for ``who`` (INS and box); give it back with :meth:`leave`."""
        if who in self._busy or len(self._busy) >= AT_ONCE:
            return False
        self._busy.add(who)
        return True

    def leave(self, who: tuple[str, int]) -> None:
        """The one for ``who`` ended."""
        self._busy.discard(who)


def _makers(turn: Turn) -> Makers:
    """Of this application."""
    state = turn.request.app.state
    if not hasattr(state, "exports"):
        state.exports = Makers()
    found: Makers = state.exports
    return found


async def export(turn: Turn) -> Response:
    """``/export``"""
    return _page(turn)


def _page(turn: Turn, status: int = 200, error: str = "") -> Response:
    return turn.page("export/export.html", status, error=error, fresh=fresh(turn))


@proven("/export")
async def make(turn: Turn) -> Response:
    """The archive as a download; refused or busy, the page says so."""
    visit, makers = turn.visit, _makers(turn)
    who = (visit.ins, visit.box_id)
    if not makers.take(who):
        return _page(turn, 503, turn.say(_BUSY))

    def archive(out: BinaryIO) -> Manifest:
        return export_archive(visit.store, visit.box_id, visit.actor, out)

    try:
        pieces = await sending(archive, done=lambda: makers.leave(who))
    except PasserelleError as error:
        known = isinstance(error, PortabilityError) or error.rule.startswith("dossier.")
        return _page(turn, 422 if known else 503, turn.say(_REFUSED) if known else turn.sentence(error))
    name = f"mon-espace-sante-{calendar.today(now_ms()).isoformat()}.zip"
    return StreamingResponse(_told(pieces), headers=headed(name), media_type="application/zip")


async def _told(pieces: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The pieces; that they broke off is in the log, and the connection ends without its end."""
    try:
        async for piece in pieces:
            yield piece
    except Exception as error:
        log.warning("archive_broken", error=type(error).__name__)
        raise
    finally:
        await pieces.aclose()


ROUTES: Final[list[BaseRoute]] = [get("/export", export), post("/export", make)]
