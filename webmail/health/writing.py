"""Changing the medical profile: add, correct, end, take up again, take out, hide."""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec
from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

from dossier import health, measures
from dossier.health import HealthError, Illness, NoneKnown, PartialDate, ProfileItem, Treatment, parse_date
from patients import calendar
from store import now_ms
from webmail.guards import get, post
from webmail.health import telling
from webmail.health.forms import FORMS, Typed, blank, item_from, values_of
from webmail.health.labels import SECTION_WORDS
from webmail.health.pages import item_of, may_write, section_named
from webmail.languages import N_
from webmail.refusals import told
from webmail.turn import Refused, Turn
from webmail.visit import Visit, may_hide

_CLOSED: Final = N_("Vous ne pouvez pas modifier ce profil médical.")


async def _writes(turn: Turn) -> None:
    if not await turn.read(may_write, turn.visit):
        raise Refused(_CLOSED)


def _bounds(conn: Connection, visit: Visit) -> tuple[str, date]:
    """The birth date and today."""
    return measures.birth_date_of(conn, visit.box_id), calendar.today(now_ms())


async def _form(
    turn: Turn, section: health.Section, typed: Typed, status: int = 200, error: str = "",
    one: ProfileItem | None = None,
) -> Response:  # fmt: skip
    hides = one is None and await turn.read(may_hide, turn.visit)
    return turn.page(
        "health/form.html",
        status,
        section=section,
        words=SECTION_WORDS[section],
        form=FORMS[section],
        typed=typed,
        error=error,
        one=one,
        hides=hides,
        version=turn.text("version") or (one.version if one is not None else 0),
    )


async def add_form(turn: Turn) -> Response:
    """``/sante/ajouter/{section}``"""
    section = section_named(turn)
    await _writes(turn)
    return await _form(turn, section, Typed(blank(section), None, {}))


async def add(turn: Turn) -> Response:
    """Keep a new item; what cannot be is told at its field, and nothing typed is lost."""
    section, visit = section_named(turn), turn.visit
    typed = await _typed(turn, section)
    if typed.item is None:
        return await _form(turn, section, typed, 422)
    hidden = bool(turn.text("cache")) and await turn.read(may_hide, visit)
    try:
        made = await turn.run(health.put, visit.store, visit.box_id, visit.actor, typed.item, hidden=hidden)
    except HealthError as error:
        return await _form(turn, section, typed, 422, told(turn, error))
    return turn.go(f"/sante/{made}", N_("C'est ajouté à votre profil médical."))


async def _typed(turn: Turn, section: health.Section, before: health.Item | None = None) -> Typed:
    born, today = await turn.read(_bounds, turn.visit)
    given = {one.name: turn.text(one.name) for one in FORMS[section].fields}
    typed = item_from(section, given, born=born, today=today, language=turn.language, before=before)
    typed.faults = {name: turn.say(fault) for name, fault in typed.faults.items()}
    return typed


async def none_known(turn: Turn) -> Response:
    """Say that there is nothing in a section: not the same as an empty one."""
    section, visit = section_named(turn), turn.visit
    item = NoneKnown(of=section)
    try:
        made = await turn.run(health.put, visit.store, visit.box_id, visit.actor, item)
    except HealthError as error:
        raise Refused(N_("Cette rubrique contient déjà une réponse : regardez-la d'abord."), 409) from error
    return turn.go(f"/sante#{section}", N_("C'est noté."), undo=f"/sante/{made}/retirer")


async def change_form(turn: Turn) -> Response:
    """``/sante/{item_id}/modifier``"""
    await _writes(turn)
    last = (await item_of(turn))[-1]
    if isinstance(last.item, NoneKnown):
        return turn.go("/sante")
    return await _form(turn, last.section, Typed(values_of(last.item, turn.language), None, {}), one=last)


async def change(turn: Turn) -> Response:
    """Keep a corrected item, unless somebody else changed it since the form was made."""
    visit, last = turn.visit, (await item_of(turn))[-1]
    typed = await _typed(turn, last.section, last.item)
    if typed.item is None:
        return await _form(turn, last.section, typed, 422, one=last)
    version = turn.text("version")
    try:
        await turn.run(
            health.put, visit.store, visit.box_id, visit.actor, typed.item,
            item_id=last.item_id, version=int(version) if version.isdecimal() and len(version) < 10 else -1,
        )  # fmt: skip
    except HealthError as error:
        return await _form(turn, last.section, typed, 422, told(turn, error), last)
    return turn.go(f"/sante/{last.item_id}", N_("La modification est enregistrée."))


async def end_form(turn: Turn) -> Response:
    """``/sante/{item_id}/terminer``"""
    await _writes(turn)
    last = (await item_of(turn))[-1]
    return _end_page(turn, last)


def _end_page(turn: Turn, one: ProfileItem, status: int = 200, error: str = "") -> Response:
    return turn.page(
        "health/end.html", status, one=one, shown=telling.shown(turn, one), words=SECTION_WORDS[one.section],
        error=error, on=turn.text("on"),
    )  # fmt: skip


async def end(turn: Turn) -> Response:
    """An item holds no more, since a date or since nobody knows when."""
    visit, last = turn.visit, (await item_of(turn))[-1]
    try:
        on: PartialDate | None = parse_date(turn.text("on")) if turn.text("on") else None
        await turn.run(health.end, visit.store, visit.box_id, visit.actor, last.item_id, on=on)
    except HealthError as error:
        return _end_page(turn, last, 422, told(turn, error))
    return turn.go(f"/sante/{last.item_id}", N_("C'est noté."), undo=f"/sante/{last.item_id}/reprendre")


async def resume(turn: Turn) -> Response:
    """What was ended stands again."""
    visit, last = turn.visit, (await item_of(turn))[-1]
    item = last.item
    if isinstance(item, Illness | Treatment):
        item = msgspec.structs.replace(item, end=None)
    try:
        await turn.run(
            health.put,
            visit.store,
            visit.box_id,
            visit.actor,
            item,
            item_id=last.item_id,
            version=last.version,
        )
    except HealthError as error:
        raise Refused(N_("Cet élément a changé entre-temps : relisez-le."), 409) from error
    return turn.go(f"/sante/{last.item_id}", N_("C'est de nouveau en cours."))


async def remove_form(turn: Turn) -> Response:
    """``/sante/{item_id}/retirer``: asked first, since it cannot be undone."""
    await _writes(turn)
    last = (await item_of(turn))[-1]
    return turn.page(
        "health/remove.html", one=last, shown=telling.shown(turn, last), words=SECTION_WORDS[last.section],
        error="", reason="",
    )  # fmt: skip


async def remove(turn: Turn) -> Response:
    """Take an item out; it stays in its history with who took it out, when and why."""
    visit, last = turn.visit, (await item_of(turn))[-1]
    try:
        await turn.run(
            health.remove, visit.store, visit.box_id, visit.actor, last.item_id, reason=turn.text("reason")
        )
    except HealthError as error:
        return turn.page(
            "health/remove.html", 422, one=last, shown=telling.shown(turn, last),
            words=SECTION_WORDS[last.section], error=told(turn, error), reason=turn.text("reason"),
        )  # fmt: skip
    return turn.go("/sante", N_("L'élément est retiré de votre profil médical."))


async def hide(turn: Turn) -> Response:
    """Keep an item from legal representatives."""
    visit, last = turn.visit, (await item_of(turn))[-1]
    if not await turn.read(may_hide, visit):
        raise Refused(_CLOSED)
    await turn.run(health.hide, visit.store, visit.box_id, visit.actor, last.item_id)
    return turn.go("/sante", N_("C'est noté : vos représentants légaux ne le voient plus."))


ROUTES: Final[list[BaseRoute]] = [
    get("/sante/ajouter/{section}", add_form),
    post("/sante/ajouter/{section}", add),
    post("/sante/aucun/{section}", none_known),
    get("/sante/{item_id:int}/modifier", change_form),
    post("/sante/{item_id:int}/modifier", change),
    get("/sante/{item_id:int}/terminer", end_form),
    post("/sante/{item_id:int}/terminer", end),
    post("/sante/{item_id:int}/reprendre", resume),
    get("/sante/{item_id:int}/retirer", remove_form),
    post("/sante/{item_id:int}/retirer", remove),
    post("/sante/{item_id:int}/masquer", hide),
]
