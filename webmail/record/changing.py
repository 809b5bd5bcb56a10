"""What is changed of one document: masked, shown again, hidden from representatives, deleted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

import dossier
from activity import Actor
from dossier import DossierError, rights
from store import Store
from webmail.guards import get, post
from webmail.languages import N_
from webmail.record.asking import asked, number_of
from webmail.record.one import page_named
from webmail.record.wording import refused
from webmail.turn import Turn

_Change = Callable[[Store, int, Actor, int], bool]
_MASKED: Final = N_("Le document est masqué aux professionnels.")
_BARED: Final = N_("Les professionnels qui ont accès au dossier voient à nouveau le document.")
_HIDDEN: Final = N_("Le document est caché aux représentants légaux.")
_SHOWN: Final = N_("Les représentants légaux voient à nouveau le document.")
_DELETED: Final = N_("Le document est supprimé.")


def _change(change: _Change, said: str, undo: str = "") -> Callable[[Turn], Awaitable[Response]]:
    """A page that asks the rights to change something of the document that its address names."""

    async def changed(turn: Turn) -> Response:
        number, visit = number_of(turn), turn.visit
        await asked(turn, change, visit.store, visit.box_id, visit.actor, number)
        back = f"/documents/{number}"
        return turn.go(back, said, undo=f"{back}/{undo}" if undo else "")

    changed.__name__ = f"{change.__name__}_document"
    return changed


async def deleting(turn: Turn) -> Response:
    """``/documents/N/supprimer``: what deleting means, and the button."""
    page = await page_named(turn)
    if "delete" not in page.may:
        raise refused(DossierError("dossier.author", "not his to delete"))
    return turn.page("record/delete.html", page=page, one=page.document)


async def delete(turn: Turn) -> Response:
    """``POST /documents/N/supprimer``"""
    number, visit = number_of(turn), turn.visit
    await asked(turn, dossier.remove, visit.store, visit.box_id, visit.actor, number)
    return turn.go("/documents", _DELETED)


_PLACE: Final = "/documents/{document_id:int}"
ROUTES: Final[list[BaseRoute]] = [
    post(f"{_PLACE}/masquer", _change(rights.mask, _MASKED, "montrer-aux-professionnels")),
    post(f"{_PLACE}/montrer-aux-professionnels", _change(rights.unmask, _BARED, "masquer")),
    post(f"{_PLACE}/cacher", _change(rights.hide, _HIDDEN)),
    post(f"{_PLACE}/montrer", _change(rights.show, _SHOWN)),
    get(f"{_PLACE}/supprimer", deleting),
    post(f"{_PLACE}/supprimer", delete),
]
