"""The medical profile: what it holds by section, one item with its versions, the carnet of vaccination."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

from dossier import health, rights
from dossier.health import (
    CAN_BE_NONE,
    Filled,
    HealthError,
    HealthProfile,
    NoneKnown,
    ProfileItem,
    Section,
    Vaccination,
)
from webmail.guards import get
from webmail.health import telling
from webmail.health.labels import SECTION_OF, SECTION_WORDS, SectionWords
from webmail.refusals import told
from webmail.turn import Missing, Turn
from webmail.visit import Visit, may_hide


class Card(msgspec.Struct, frozen=True):
    """A section of the page. ``none``: the statement that there is nothing; ``can_say_none``: it may be
    made."""

    section: Section
    words: SectionWords
    filled: Filled
    items: list[telling.Shown]
    none: ProfileItem | None
    can_say_none: bool


def may_write(conn: Connection, visit: Visit) -> bool:
    """Whether the profile may be changed from this visit."""
    return rights.may(conn, visit.store, visit.box_id, visit.actor, "write_profile").allowed


async def profile_of(turn: Turn) -> HealthProfile:
    """The profile for who is signed in; who reads a child's leaves a trace."""
    visit = turn.visit
    return await turn.run(health.read_profile, visit.store, visit.box_id, visit.actor)


async def item_of(turn: Turn, *, removed: bool = False) -> list[ProfileItem]:
    """Every version of the item that the address names, oldest first. Raises :class:`Missing`."""
    visit, item_id = turn.visit, int(turn.request.path_params["item_id"])
    if not item_id:
        raise Missing
    try:
        found = await turn.read(health.versions, visit.store, visit.box_id, visit.actor, item_id)
    except HealthError as error:
        told(turn, error)
        raise
    if found[-1].state == "removed" and not removed:
        raise Missing
    return found


def section_named(turn: Turn) -> Section:
    """The section that the address names. Raises :class:`Missing`."""
    section = SECTION_OF.get(turn.request.path_params["section"])
    if section is None:
        raise Missing
    return section


async def profile(turn: Turn) -> Response:
    """``/sante``"""
    found = await profile_of(turn)
    writes = await turn.read(may_write, turn.visit)
    cards = []
    for section, filled in found.filled.items():
        of = found.of(section)
        none = next((one for one in of if isinstance(one.item, NoneKnown) and one.state == "current"), None)
        listed = [telling.shown(turn, one) for one in of if not isinstance(one.item, NoneKnown)]
        words = SECTION_WORDS[section]
        can = writes and section in CAN_BE_NONE and filled == "not_filled"
        cards.append(Card(section, words, filled, listed, none if not listed else None, can))
    filled_count = sum(one.filled != "not_filled" for one in cards)
    return turn.page("health/profile.html", cards=cards, writes=writes, filled_count=filled_count)


async def item(turn: Turn) -> Response:
    """``/sante/{item_id}``: what it says, who wrote it, what it said before."""
    found = await item_of(turn)
    last = found[-1]
    writes = await turn.read(may_write, turn.visit)
    hides = await turn.read(may_hide, turn.visit)
    before = [
        {
            "at": one.at,
            "by": telling.writer(turn, one.by),
            "facts": telling.facts(turn, one.item),
            "state": one.state,
            "number": one.version,
        }
        for one in reversed(found)
    ]
    return turn.page(
        "health/item.html",
        one=last,
        shown=telling.shown(turn, last),
        facts=telling.facts(turn, last.item),
        words=SECTION_WORDS[last.section],
        added=telling.writer(turn, last.added_by),
        changed=telling.writer(turn, last.by),
        before=before,
        writes=writes,
        hides=hides,
    )


async def carnet(turn: Turn) -> Response:
    """``/sante/vaccinations``: by disease."""
    found = await profile_of(turn)
    lines = [
        {
            "disease": one.disease,
            "due": one.next_due.words(turn.language) if one.next_due is not None else "",
            "given": [_dose(turn, each) for each in one.given],
        }
        for one in health.carnet(found.items)
    ]
    writes = await turn.read(may_write, turn.visit)
    none = found.filled.get("vaccination") == "none_known"
    return turn.page("health/carnet.html", lines=lines, writes=writes, none=none)


def _dose(turn: Turn, one: ProfileItem) -> dict[str, object]:
    item = one.item
    assert isinstance(item, Vaccination)
    return {
        "item_id": one.item_id,
        "date": item.date.words(turn.language),
        "vaccine": item.vaccine,
        "number": item.number,
        "booster": item.booster,
        "lot": item.lot,
        "proven": one.proven,
    }


ROUTES: Final[list[BaseRoute]] = [
    get("/sante", profile),
    get("/sante/vaccinations", carnet),
    get("/sante/{item_id:int}", item),
]
