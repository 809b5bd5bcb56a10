"""Drafts beside their form: documents of the dossier are put into one, one is thrown away, or taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

import dossier
from dossier import CATEGORIES, Document
from store import mail
from webmail.guards import get, post
from webmail.languages import N_
from webmail.mail.letters import letter_of
from webmail.people import contacts_at
from webmail.turn import Missing, Turn
from webmail.writing.drafts import DRAFTS, draft_of, keep
from webmail.writing.files import Fault, left, take_documents

_SHOWN: Final = 300
_FEW: Final = 12  # documents that are shown without unfolding headings
_CARE: Final = "Ordonnances et soins"


class Heading(msgspec.Struct, frozen=True):
    """Documents under one heading, newest first."""

    title: str
    documents: Sequence[Document]
    open: bool = False


async def choose(turn: Turn) -> Response:
    """``/brouillons/{id}/dossier``: the documents that may go along. The list is told to the journal."""
    return await _page(turn, [], 200)


async def take_chosen(turn: Turn) -> Response:
    """The chosen documents are read, each by its rights and told to the journal, and put into the draft."""
    number = turn.request.path_params["draft_id"]
    _, writing = await draft_of(turn, number)
    wanted = [int(one) for one in turn.texts("document") if one.isdecimal() and len(one) < 19]
    visit = turn.visit
    writing.files, faults = await turn.run(
        take_documents,
        writing.files,
        turn.store,
        visit.box_id,
        visit.actor,
        wanted,
        turn.kit.router.policy.size_limit,
    )
    kept = await keep(turn, writing, number) or number
    if faults:
        turn.request.path_params["draft_id"] = kept
        return await _page(turn, faults, 422)
    return turn.go(f"/brouillons/{kept}#pieces")


async def _page(turn: Turn, faults: list[Fault], status: int) -> Response:
    number, visit = turn.request.path_params["draft_id"], turn.visit
    _, writing = await draft_of(turn, number)
    found = await turn.run(dossier.list_documents, turn.store, visit.box_id, visit.actor)
    people = await turn.read(contacts_at, writing.to[:5])
    pharmacy = any(one.pharmacy for one in people)
    shown = dossier.ordered(found)[:_SHOWN]
    order = [_CARE, *(one for one in CATEGORIES if one != _CARE)] if pharmacy else CATEGORIES
    under = [(one, _under(shown, one)) for one in order]
    full = [(title, documents) for title, documents in under if documents]
    headings = [
        Heading(title, documents, place == 0 or len(shown) <= _FEW)
        for place, (title, documents) in enumerate(full)
    ]
    return turn.page(
        "writing/choose.html",
        status,
        draft=number,
        headings=headings,
        faults=faults,
        more=len(found) > len(shown),
        left=left(writing.files, turn.kit.router.policy.size_limit),
        pharmacy=pharmacy,
    )


def _under(documents: Sequence[Document], heading: str) -> list[Document]:
    return [one for one in documents if dossier.category(one.info.type_code, one.info.class_code) == heading]


async def throw_away(turn: Turn) -> Response:
    """A draft goes to the bin, from where it comes back."""
    number = turn.request.path_params["draft_id"]
    await _move(turn, number, DRAFTS, "\\Trash")
    return turn.go("/messages", N_("Brouillon supprimé."), undo=f"/brouillons/{number}/reprendre")


async def take_back(turn: Turn) -> Response:
    """A draft comes back from the bin."""
    number = turn.request.path_params["draft_id"]
    await _move(turn, number, "\\Trash", DRAFTS)
    return turn.go(f"/brouillons/{number}", N_("Brouillon retrouvé."))


async def _move(turn: Turn, number: int, source: str, target: str) -> None:
    letter = await letter_of(turn, number)
    place = letter.in_folder(source)
    folder = await turn.read(mail.special_folder, turn.visit.box_id, target)
    if place is None or folder is None or not place.entry.flags & mail.DRAFT:
        raise Missing
    await turn.store.awrite(
        mail.move,
        box_id=turn.visit.box_id,
        folder_id=place.folder.folder_id,
        uids=[place.entry.uid],
        target_id=folder.folder_id,
    )


ROUTES: Final[list[BaseRoute]] = [
    get("/brouillons/{draft_id:int}/dossier", choose),
    post("/brouillons/{draft_id:int}/dossier", take_chosen),
    post("/brouillons/{draft_id:int}/supprimer", throw_away),
    post("/brouillons/{draft_id:int}/reprendre", take_back),
]
