"""The person's own folders: made, renamed, deleted."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from store import PasserelleError, StoreError, mail
from webmail.guards import get, post
from webmail.languages import N_
from webmail.mail.rooms import own_folder, rooms_of
from webmail.mail.shelf import view_for
from webmail.mail.views import BIN
from webmail.sentences import tell
from webmail.turn import Missing, Turn

_LONGEST: Final = 60
#: Folders of a box at most; each is looked at with every list.
_MOST: Final = 100

tell(
    {
        "mailbox.exists": N_("Un dossier porte déjà ce nom."),
        "mailbox.name": N_("Ce nom ne convient pas à un dossier."),
        "mailbox.folder": N_("Ce dossier ne peut pas être supprimé : il en contient d'autres."),
    }
)


async def folders(turn: Turn) -> Response:
    """``/messages/dossiers``"""
    return await _page(turn)


async def _page(turn: Turn, status: int = 200, *, name: str = "", error: str = "", at: int = 0) -> Response:
    rooms = rooms_of(turn, await view_for(turn))
    values: dict[str, Any] = {"rooms": rooms, "name": name, "error": error, "at": at, "longest": _LONGEST}
    return turn.page("mail/folders.html", status, **values)


def _fault(turn: Turn, name: str) -> str:
    """What is wrong with a name, "" for nothing."""
    if not name:
        return turn.say("Donnez un nom au dossier.")
    if len(name) > _LONGEST:
        return turn.say("Ce nom est trop long : 60 caractères au plus.")
    if "/" in name:
        return turn.say("Un nom de dossier ne contient pas de barre oblique.")
    return ""


async def create(turn: Turn) -> Response:
    """Make a folder."""
    name = " ".join(turn.text("nom").split())
    fault = _fault(turn, name)
    if not fault and len((await view_for(turn)).folders) >= _MOST:
        fault = turn.say("Vous avez déjà cent dossiers : supprimez-en un d'abord.")
    if not fault:
        try:
            await turn.store.awrite(mail.create_folder, box_id=turn.visit.box_id, name=name)
        except PasserelleError as error:
            if isinstance(error, StoreError) and error.fault == "us":
                raise
            fault = turn.sentence(error)
    if fault:
        return await _page(turn, 422, name=name, error=fault)
    return turn.go("/messages/dossiers", N_("Le dossier est créé."))


async def rename(turn: Turn) -> Response:
    """Give an own folder another name."""
    folder = own_folder(await view_for(turn), turn.request.path_params["folder_id"])
    name = " ".join(turn.text("nom").split())
    fault = _fault(turn, name)
    parent = folder.name.rpartition("/")[0]
    full = f"{parent}/{name}" if parent else name
    if not fault and full != folder.name:
        try:
            await turn.store.awrite(
                mail.rename_folder, box_id=turn.visit.box_id, folder_id=folder.folder_id, name=full
            )
        except PasserelleError as error:
            if isinstance(error, StoreError) and error.fault == "us":
                raise
            fault = turn.sentence(error)
    if fault:
        return await _page(turn, 422, name=name, error=fault, at=folder.folder_id)
    return turn.go("/messages/dossiers", N_("Le dossier a un nouveau nom."))


async def delete(turn: Turn) -> Response:
    """Delete an own folder; what was in it goes to the bin, what is kept from representatives too."""
    view = await view_for(turn)
    folder = own_folder(view, turn.request.path_params["folder_id"])
    bin_ = view.folder(BIN)
    if bin_ is None:
        raise Missing
    await turn.store.awrite(
        mail.dissolve_folder,
        box_id=turn.visit.box_id,
        folder_id=folder.folder_id,
        target_id=bin_.folder_id,
    )
    return turn.go("/messages/dossiers", N_("Le dossier est supprimé ; ses messages sont dans la corbeille."))


ROUTES: Final[list[BaseRoute]] = [
    get("/messages/dossiers", folders),
    post("/messages/dossiers", create),
    post("/messages/dossiers/{folder_id:int}/renommer", rename),
    post("/messages/dossiers/{folder_id:int}/supprimer", delete),
]
