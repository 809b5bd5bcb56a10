"""Changing the agenda: add, change, cancel, take up again, remove; repeated ones whole, or one time only."""

from __future__ import annotations

from datetime import date
from typing import Final

from msgspec.structs import replace
from starlette.responses import Response
from starlette.routing import BaseRoute

import agenda
from agenda import AgendaError, Appointment, Change, Occurrence
from store import PasserelleError
from webmail.calendar import grid
from webmail.calendar.clocks import Fault
from webmail.calendar.forms import (
    FIELDS,
    REMINDERS,
    ZONES,
    Typed,
    blank,
    change_from,
    details_from,
    typed_of,
)
from webmail.calendar.pages import appointment_of, occurrence_of, path_of, today
from webmail.calendar.repeats import DAYS, EVERY, repeat_of, words_of
from webmail.formats import weekday
from webmail.guards import get, post
from webmail.languages import N_
from webmail.refusals import told
from webmail.turn import Missing, Refused, Turn
from webmail.visit import may_hide

_FIELD_OF: Final = {
    "agenda.title": "titre",
    "agenda.date": "jour",
    "agenda.end": "jour_fin",
    "agenda.zone": "zone",
    "agenda.rule": "repete",
    "agenda.reminder": "rappels",
}


async def _form(
    turn: Turn, typed: Typed, status: int = 200, *, error: str = "", one: Appointment | None = None,
    at: str = "",
) -> Response:  # fmt: skip
    monday = date(2026, 3, 2)
    every = [(key, turn.say(text)) for key, text in EVERY.items()]
    if one is not None and repeat_of(one.details.rule).every == "autre":
        every.append(("autre", turn.say(N_("La répétition actuelle, telle quelle"))))
    zones = dict(ZONES)
    if one is not None and one.details.zone:
        zones.setdefault(one.details.zone, one.details.zone)
    kept = {str(each) for each in one.details.reminders} if one is not None else set()
    reminders = [(str(minutes), turn.say(text)) for minutes, text in REMINDERS.items()]
    reminders += [
        (each, turn.count("%(num)s minute avant", "%(num)s minutes avant", int(each)))
        for each in sorted(kept - {value for value, _ in reminders}, key=int)
    ]
    return turn.page(
        "calendar/form.html",
        status,
        one=one,
        at=at,
        typed=typed,
        faults={field: turn.say(text) for field, text in typed.faults.items()},
        error=error,
        every=every,
        weekdays=[
            (str(number), weekday(monday.replace(day=2 + number), language=turn.language))
            for number in range(len(DAYS))
        ],
        zones=[(zone, turn.say(text)) for zone, text in zones.items()],
        reminders=reminders,
        hides=one is None and await turn.read(may_hide, turn.visit),
        version=turn.text("version") or (one.version if one is not None else 0),
    )


def _given(turn: Turn) -> dict[str, str]:
    return {name: turn.text(name) for name in FIELDS}


def _version(turn: Turn) -> int:
    text = turn.text("version")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


async def add_form(turn: Turn) -> Response:
    """``/agenda/ajouter?jour=YYYY-MM-DD``"""
    return await _form(turn, blank(grid.day_of(turn.asked("jour"), today())))


async def add(turn: Turn) -> Response:
    """Keep a new appointment; what cannot be is told at its field."""
    visit = turn.visit
    typed = details_from(_given(turn), turn.texts("semaine"), turn.texts("rappels"))
    if typed.details is None:
        return await _form(turn, typed, 422)
    hidden = bool(turn.text("cache")) and await turn.read(may_hide, visit)
    try:
        made = await turn.run(
            agenda.add, visit.store, visit.box_id, visit.actor, typed.details, hidden=hidden
        )
    except AgendaError as error:
        return await _refused(turn, typed, error)
    if hidden:
        return turn.go("/agenda", N_("Le rendez-vous est ajouté, caché à vos représentants légaux."))
    return turn.go(path_of(made.appointment_id), N_("Le rendez-vous est ajouté."))


async def _refused(
    turn: Turn, typed: Typed, error: AgendaError, one: Appointment | None = None, at: str = ""
) -> Response:
    text, field = told(turn, error), _FIELD_OF.get(error.rule, "")
    if field:
        typed.faults[field] = text
    return await _form(turn, typed, 422, error="" if field else text, one=one, at=at)


async def change_form(turn: Turn) -> Response:
    """``/agenda/rendez-vous/{id}/modifier``, of one time of it with ``?a=WALL``."""
    one = await appointment_of(turn)
    single = await _single(turn, one, turn.asked("a"))
    if single is None:
        return await _form(turn, typed_of(one.details), one=one)
    shown = replace(
        one.details, title=single.title, place=single.place, notes=single.notes, begin=single.begin,
        end=single.end, rule="",
    )  # fmt: skip
    return await _form(turn, typed_of(shown), one=one, at=single.at)


async def _single(turn: Turn, one: Appointment, at: str) -> Occurrence | None:
    """The time that is named. Raises :class:`Missing` where nothing begins then."""
    if not at:
        return None
    found = await turn.run(occurrence_of, one, at)
    if found is None:
        raise Missing
    return found


async def change(turn: Turn) -> Response:
    """Keep what was changed, of all of it or of one time."""
    visit, one = turn.visit, await appointment_of(turn)
    single = await _single(turn, one, turn.text("a"))
    if single is not None:
        return await _change_single(turn, one, single)
    typed = details_from(_given(turn), turn.texts("semaine"), turn.texts("rappels"), before=one.details)
    if typed.details is None:
        return await _form(turn, typed, 422, one=one)
    try:
        await turn.run(
            agenda.change, visit.store, visit.box_id, visit.actor, one.appointment_id, typed.details,
            version=_version(turn),
        )  # fmt: skip
    except AgendaError as error:
        return await _refused(turn, typed, error, one)
    return turn.go(path_of(one.appointment_id), N_("La modification est enregistrée."))


async def _change_single(turn: Turn, one: Appointment, single: Occurrence) -> Response:
    visit, given = turn.visit, _given(turn)
    typed = Typed(given, [], [], {})
    try:
        change = change_from(given, single.at, all_day=one.details.all_day)
        await turn.run(
            agenda.change_occurrence, visit.store, visit.box_id, visit.actor, one.appointment_id, change,
            version=_version(turn),
        )  # fmt: skip
    except Fault as fault:
        typed.faults[fault.field] = fault.text
        return await _form(turn, typed, 422, one=one, at=single.at)
    except AgendaError as error:
        return await _refused(turn, typed, error, one, single.at)
    path = path_of(one.appointment_id, single.at)
    return turn.go(path, N_("La modification est enregistrée, pour cette fois seulement."))


async def cancel(turn: Turn) -> Response:
    """It does not take place: it stays to be seen, and can be taken up again."""
    visit, one = turn.visit, await appointment_of(turn)
    single = await _single(turn, one, turn.text("a"))
    undo = f"/agenda/rendez-vous/{one.appointment_id}/retablir"
    if single is None:
        await _done(turn, agenda.cancel, visit.store, visit.box_id, visit.actor, one.appointment_id)
        return turn.go(path_of(one.appointment_id), N_("Le rendez-vous est annulé."), undo=undo)
    gone = Change(at=single.at, cancelled=True)
    await _done(
        turn, agenda.change_occurrence, visit.store, visit.box_id, visit.actor, one.appointment_id, gone
    )
    path = path_of(one.appointment_id, single.at)
    return turn.go(
        path, N_("Ce rendez-vous est annulé, pour cette fois seulement."), undo=f"{undo}?a={single.at}"
    )


async def resume(turn: Turn) -> Response:
    """It takes place after all: all of it, or one time as its rule has it."""
    visit, one = turn.visit, await appointment_of(turn)
    single = await _single(turn, one, turn.asked("a") or turn.text("a"))
    details = one.details
    if single is not None:
        details = replace(details, changes=[each for each in details.changes if each.at != single.at])
    await _done(turn, agenda.change, visit.store, visit.box_id, visit.actor, one.appointment_id, details)
    at = single.at if single is not None else ""
    return turn.go(path_of(one.appointment_id, at), N_("Le rendez-vous a de nouveau lieu."))


async def remove_form(turn: Turn) -> Response:
    """``/agenda/rendez-vous/{id}/retirer``: asked first, since it cannot be undone."""
    one = await appointment_of(turn)
    return turn.page("calendar/remove.html", one=one, repeats=words_of(turn, one.details.rule))


async def remove(turn: Turn) -> Response:
    """Take it out of the agenda; the history keeps that it was there."""
    visit, one = turn.visit, await appointment_of(turn)
    await _done(turn, agenda.remove, visit.store, visit.box_id, visit.actor, one.appointment_id)
    return turn.go("/agenda", N_("Le rendez-vous est supprimé de l'agenda."))


async def hide(turn: Turn) -> Response:
    """Keep an appointment from legal representatives: a minor in his own space."""
    visit, one = turn.visit, await appointment_of(turn)
    if not await turn.read(may_hide, visit):
        raise Refused(N_("Vous ne pouvez pas cacher ce rendez-vous."))
    await turn.run(
        agenda.change, visit.store, visit.box_id, visit.actor, one.appointment_id, one.details, hidden=True
    )
    return turn.go("/agenda", N_("C'est noté : vos représentants légaux ne le voient plus."))


async def _done(turn: Turn, function: object, *given: object) -> None:
    """Do it; a refusal is a page of its own."""
    assert callable(function)
    try:
        await turn.run(function, *given)
    except PasserelleError as error:
        raise Refused(told(turn, error), 422) from error


ROUTES: Final[list[BaseRoute]] = [
    get("/agenda/ajouter", add_form),
    post("/agenda/ajouter", add),
    get("/agenda/rendez-vous/{appointment_id:int}/modifier", change_form),
    post("/agenda/rendez-vous/{appointment_id:int}/modifier", change),
    post("/agenda/rendez-vous/{appointment_id:int}/annuler", cancel),
    post("/agenda/rendez-vous/{appointment_id:int}/retablir", resume),
    get("/agenda/rendez-vous/{appointment_id:int}/retirer", remove_form),
    post("/agenda/rendez-vous/{appointment_id:int}/retirer", remove),
    post("/agenda/rendez-vous/{appointment_id:int}/masquer", hide),
]
