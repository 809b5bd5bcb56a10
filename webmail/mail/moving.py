"""What is done to letters from lists: marked read, put elsewhere, thrown away; each with its undoing.

Every change is an operation of :mod:`store.mail`, so that mail programs see the same. What undoes a change
names folders and modification sequences, no letters: it puts back what nobody touched since.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

import patients
from store import mail
from store.mail import DRAFT, SEEN, Shift
from webmail.guards import get, post
from webmail.languages import N_
from webmail.mail.rooms import room_named, rooms_of
from webmail.mail.shelf import view_for
from webmail.mail.views import APART, ARCHIVE, BIN, DRAFTS, SENT, Item, View
from webmail.turn import Missing, Refused, Turn, local
from webmail.visit import Visit

Act = Callable[[Turn, View, list[Item]], Awaitable[Response]]
#: Letters of one form at most, and parts of an undoing.
_MOST: Final = 20_000
_PARTS: Final = 40
_NOTHING: Final = N_("Choisissez d'abord au moins un message.")


async def _chosen(turn: Turn) -> tuple[View, list[Item]]:
    """The letters that a form names, one by one or by conversations; all there, or none is touched.

    :raises Missing: one is not there, or is kept from who asks.
    """
    view = await view_for(turn)
    found: dict[int, Item] = {}
    named = turn.request.path_params.get("message_id")
    for given in [str(named)] if named is not None else turn.texts("message"):
        item = view.by_id.get(int(given)) if given.isascii() and given.isdigit() and len(given) < 20 else None
        if item is None:
            raise Missing
        found[item.message_id] = item
    for given in turn.texts("conversation") if named is None else ():
        conversation = view.paths.get(given)
        if conversation is None:
            raise Missing
        found |= {one.message_id: one for one in conversation.items}
    if len(found) > _MOST:
        raise Refused(N_("C'est trop à la fois : choisissez moins de messages."), 422)
    return view, list(found.values())


def _back(turn: Turn) -> str:
    path = turn.text("retour")
    return path if local(path) and path.startswith("/messages") else "/messages"


def _acting(act: Act) -> Callable[[Turn], Awaitable[Response]]:
    async def page(turn: Turn) -> Response:
        view, items = await _chosen(turn)
        if not items:
            return turn.go(_back(turn), _NOTHING, kind="info")
        return await act(turn, view, items)

    page.__name__ = act.__name__
    return page


async def read(turn: Turn, view: View, items: list[Item]) -> Response:
    """Mark as read."""
    done = await _mark(turn, items, "add")
    said = turn.count("%(num)s message marqué comme lu.", "%(num)s messages marqués comme lus.", len(items))
    return turn.go(_back(turn), said, undo=_undo("lu", [(done, 0)]))


async def not_read(turn: Turn, view: View, items: list[Item]) -> Response:
    """Mark as not read; what the person wrote himself is read by nature."""
    done = await _mark(turn, [one for one in items if not one.sent], "remove")
    said = turn.count(
        "%(num)s message marqué comme non lu.", "%(num)s messages marqués comme non lus.", len(items)
    )
    return turn.go(_back(turn), said, undo=_undo("nonlu", [(done, 0)]))


async def _mark(turn: Turn, items: list[Item], mode: str) -> list[Shift]:
    ids = [one.message_id for one in items]
    return await turn.store.awrite(
        mail.mark_messages, box_id=turn.visit.box_id, message_ids=ids, mode=mode, flags=SEEN
    )


async def throw(turn: Turn, view: View, items: list[Item]) -> Response:
    """Into the bin."""
    folder = view.folder(BIN)
    if folder is None:
        raise Missing
    said = turn.count(
        "%(num)s message mis à la corbeille.", "%(num)s messages mis à la corbeille.", len(items)
    )
    return await _move(turn, {folder.folder_id: items}, said)


async def archive(turn: Turn, view: View, items: list[Item]) -> Response:
    """Into the archives."""
    folder = view.folder(ARCHIVE)
    if folder is None:
        raise Missing
    apart = _folders(view, APART)
    items = [one for one in items if not all(place[0] in apart for place in one.places)]
    said = turn.count("%(num)s message archivé.", "%(num)s messages archivés.", len(items))
    return await _move(turn, {folder.folder_id: items}, said)


async def move(turn: Turn, view: View, items: list[Item]) -> Response:
    """Into the folder that was chosen."""
    rooms = rooms_of(turn, view)
    slug = turn.text("vers")
    if not slug:
        return turn.go(_back(turn), N_("Choisissez d'abord un dossier."), kind="info")
    room = room_named(rooms, slug)
    if room.use == DRAFTS:
        raise Refused(N_("Seuls vos propres brouillons vont dans ce dossier."), 422)
    said = turn.count("%(num)s message déplacé.", "%(num)s messages déplacés.", len(items))
    return await _move(turn, {room.folder_id: items}, said)


async def restore(turn: Turn, view: View, items: list[Item]) -> Response:
    """Out of the bin: what was received to the inbox, what was sent to the sent mail, drafts to drafts."""
    ways: dict[int, list[Item]] = {}
    for one in items:
        use = SENT if one.sent else ""
        if any(flags & DRAFT for _, _, flags in one.places):
            use = DRAFTS
        folder = view.folder(use) or view.folder("")
        if folder is None:
            raise Missing
        ways.setdefault(folder.folder_id, []).append(one)
    said = turn.count("%(num)s message remis à sa place.", "%(num)s messages remis à leur place.", len(items))
    return await _move(turn, ways, said)


async def _move(turn: Turn, ways: dict[int, list[Item]], said: str) -> Response:
    """Move by target folder, and say so."""
    done: list[tuple[list[Shift], int]] = []
    for folder_id, some in ways.items():
        shifts = await turn.store.awrite(
            mail.move_messages,
            box_id=turn.visit.box_id,
            message_ids=[one.message_id for one in some],
            target_id=folder_id,
        )
        done.append((shifts, folder_id))
    return turn.go(_back(turn), said, undo=_undo("place", done))


def _undo(what: str, done: list[tuple[list[Shift], int]]) -> str:
    """``/messages/annuler?quoi=place&ou=6-1234-1.6-1235-2``: where, at which modseq, from where.

    "" where nothing changed, or too much at once for a line.
    """
    parts = []
    for shifts, target in done:
        for one in shifts:
            where, origin = (target, one.folder_id) if what == "place" else (one.folder_id, 0)
            parts.append(f"{where}-{one.modseq}-{origin}")
    return f"/messages/annuler?quoi={what}&ou={'.'.join(parts)}" if 0 < len(parts) <= _PARTS else ""


async def undo(turn: Turn) -> Response:
    """Put back what :func:`_undo` names; what is kept from who asks is neither touched nor counted."""
    what, parts = turn.asked("quoi"), _parts(turn.asked("ou"))
    if what not in ("lu", "nonlu", "place"):
        raise Missing
    touched = 0
    for folder_id, modseq, origin in parts:
        place: dict[str, Any] = {
            "box_id": turn.visit.box_id,
            "folder_id": folder_id,
            "modseq": modseq,
            "spare": await turn.read(_hidden, turn.visit, folder_id, modseq),
        }
        if what == "place":
            touched += await turn.store.awrite(mail.move_back, **place, target_id=origin)
        else:
            mode = "remove" if what == "lu" else "add"
            touched += await turn.store.awrite(mail.mark_back, **place, mode=mode, flags=SEEN)
    if not touched:
        return turn.go(_back(turn), N_("Il n'y a plus rien à annuler."), kind="info")
    return turn.go(_back(turn), N_("C'est annulé : tout est revenu comme avant."))


def _hidden(conn: Connection, visit: Visit, folder_id: int, modseq: int) -> list[int]:
    """What of a folder was last touched at ``modseq`` and is kept from who is there."""
    if visit.own:
        return []
    since = mail.entries(conn, visit.box_id, folder_id, max(modseq - 1, 1))
    at = {one.message_id for one in since if one.modseq == modseq}
    return sorted(patients.hidden_messages(conn, visit.box_id, at)) if at else []


def _parts(text: str) -> list[tuple[int, int, int]]:
    found = [one.split("-") for one in text.split(".")]
    if not text or len(found) > _PARTS or any(len(one) != 3 for one in found):
        raise Missing
    if not all(one.isascii() and one.isdigit() and len(one) < 16 for part in found for one in part):
        raise Missing
    return [(int(one[0]), int(one[1]), int(one[2])) for one in found]


async def remove(turn: Turn, view: View, items: list[Item]) -> Response:
    """For good, out of the bin or of undesired mail; asked once more first."""
    apart = _folders(view, APART)
    if not all(place[0] in apart for one in items for place in one.places):
        raise Refused(N_("Seuls les messages de la corbeille peuvent être supprimés définitivement."), 422)
    if turn.text("oui") != "oui":
        return turn.page("mail/list_removing.html", items=items, until=0, back=_back(turn))
    by_folder: dict[int, list[int]] = {}
    for one in items:
        for folder_id in {place[0] for place in one.places}:
            by_folder.setdefault(folder_id, []).append(one.message_id)
    for folder_id, ids in by_folder.items():
        await turn.store.awrite(
            mail.remove_messages, box_id=turn.visit.box_id, folder_id=folder_id, message_ids=ids
        )
    said = turn.count(
        "%(num)s message supprimé définitivement.",
        "%(num)s messages supprimés définitivement.",
        len(items),
    )
    return turn.go(_back(turn), said)


async def ask_to_empty(turn: Turn) -> Response:
    """``/messages/corbeille/vider``: what would go."""
    view = await view_for(turn)
    folder = view.folder(BIN)
    back = "/messages?dossier=corbeille"
    if folder is None or not (items := view.inside(folder.folder_id)):
        return turn.go(back, N_("La corbeille est déjà vide."), kind="info")
    until = max(uid for one in items for place, uid, _ in one.places if place == folder.folder_id)
    return turn.page("mail/list_removing.html", items=items, until=until, back=back)


async def empty(turn: Turn) -> Response:
    """Remove what was in the bin when the question was asked; what came since stays."""
    view = await view_for(turn)
    folder = view.folder(BIN)
    if folder is None:
        raise Missing
    until = turn.text("jusqua")
    newest = int(until) if until.isascii() and until.isdigit() and len(until) < 16 else 0
    ids = [
        one.message_id
        for one in view.inside(folder.folder_id)
        if all(uid <= newest for folder_id, uid, _ in one.places if folder_id == folder.folder_id)
    ]
    for start in range(0, len(ids), 1_000):  # other writers come between
        await turn.store.awrite(
            mail.remove_messages,
            box_id=turn.visit.box_id,
            folder_id=folder.folder_id,
            message_ids=ids[start : start + 1_000],
        )
    return turn.go("/messages?dossier=corbeille", N_("La corbeille est vide."))


def _folders(view: View, uses: Sequence[str]) -> set[int]:
    return {one.folder_id for one in view.folders if one.special_use in uses}


_ACTS: Final[dict[str, Act]] = {
    "lu": read,
    "non-lu": not_read,
    "corbeille": throw,
    "archiver": archive,
    "deplacer": move,
    "restaurer": restore,
    "supprimer": remove,
}
_FORM: Final = 1024 * 1024  # a mailbox of ticked boxes

ROUTES: Final[list[BaseRoute]] = [
    get("/messages/corbeille/vider", ask_to_empty),
    post("/messages/corbeille/vider", empty),
    post("/messages/annuler", undo),
    *(post(f"/messages/{name}", _acting(act), body=_FORM) for name, act in _ACTS.items()),
    *(post(f"/messages/{{message_id:int}}/{name}", _acting(act)) for name, act in _ACTS.items()),
]
