"""To whom one may write: the professionals who wrote, and pharmacies, which may be written to first."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

import annuaire
from gateway.routing import Contact as Standing
from gateway.routing import contacts
from store import NotFoundError
from webmail.guards import get
from webmail.mail.shelf import view_for
from webmail.people import Contact, contact_of, contacts_at
from webmail.turn import Turn
from webmail.writing.answers import AnswerBox, answer_boxes
from webmail.writing.drafts import Draft, drafts_of
from webmail.writing.references import reference_to

_MOST: Final = 200
_FOUND: Final = 40
_SEARCHED: Final = 500
_TYPED: Final = 80


class Correspondent(msgspec.Struct, frozen=True):
    """Somebody with what the rules say of writing to him; ``path``: where a letter to him begins."""

    contact: Contact
    box: AnswerBox
    path: str
    since: int = 0


async def write_to(turn: Turn) -> Response:
    """``/ecrire``: who may be written to, who may not and why, and the drafts."""
    known = await turn.read(contacts, turn.visit.box_id)
    if not turn.visit.own:  # whom only letters name that are kept from him is nobody that he knows of
        named = {address for one in (await view_for(turn)).items for address, _ in one.people}
        known = [one for one in known if one[0] in named]
    newest = sorted(known, key=lambda one: -one[1].since)[:_MOST]
    people = await _correspondents(turn, [address for address, _ in newest], dict(newest))
    try:
        drafts = [] if turn.visit.guest else (await turn.read(drafts_of, turn.visit)).found
    except NotFoundError:
        drafts = []
    return turn.page(
        "writing/people.html",
        may=[one for one in people if one.box.open],
        may_not=[one for one in people if not one.box.open],
        drafts=drafts[:20],
        to=await turn.read(_recipients, drafts[:20]),
        more=len(known) > len(newest),
    )


async def pharmacies(turn: Turn) -> Response:
    """``/pharmacies``: found by name and town in the annuaire; boxes of its liste rouge never."""
    name, town = turn.asked("nom")[:_TYPED], turn.asked("ville")[:_TYPED]
    found: list[Correspondent] = []
    more = False
    if name or town:
        addresses = await turn.read(_officines, name, town)
        more = len(addresses) > _FOUND
        found = await _correspondents(turn, addresses[:_FOUND], {})
    return turn.page(
        "writing/pharmacies.html",
        block="found" if turn.fragment else "",
        name=name,
        town=town,
        asked=bool(name or town),
        found=found,
        more=more,
    )


def _officines(conn: Connection, name: str, town: str) -> list[str]:
    """Addresses of mailboxes of pharmacies open to the public (kind ORG), by name; a town may be its code."""
    place = {"postcode": town} if town.isdecimal() and len(town) == 5 else {"town": town}
    boxes = annuaire.search(conn, name, _SEARCHED, kind="ORG", **place)
    return list(dict.fromkeys(one.address for one in boxes if one.officine and one.active))


async def _correspondents(
    turn: Turn, addresses: list[str], known: dict[str, Standing]
) -> list[Correspondent]:
    people = await turn.read(contacts_at, addresses)
    boxes = await answer_boxes(turn, [*addresses])
    return [
        Correspondent(
            contact,
            box,
            f"/ecrire/{reference_to(turn.visit, contact.address)}",
            known[contact.address].since if contact.address in known else 0,
        )
        for contact, box in zip(people, boxes, strict=True)
    ]


def _recipients(conn: Connection, drafts: list[Draft]) -> dict[int, Contact | None]:
    return {
        one.message_id: contact_of(conn, one.facts.to[0].address, one.facts.to[0].name)
        if one.facts.to
        else None
        for one in drafts
    }


ROUTES: Final[list[BaseRoute]] = [get("/ecrire", write_to), get("/pharmacies", pharmacies)]
