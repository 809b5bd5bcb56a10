"""The agenda as pages: a month, a week, a day, one appointment."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

import agenda
from agenda import AgendaError, Appointment, Occurrence
from patients import calendar
from store import now_ms
from webmail import formats
from webmail.calendar import grid
from webmail.calendar.forms import REMINDERS, ZONES
from webmail.calendar.repeats import words_of
from webmail.guards import get
from webmail.languages import N_
from webmail.refusals import told
from webmail.turn import Missing, Turn
from webmail.visit import may_hide

SOURCES: Final = {
    "patient": N_("Ajouté par vous ou pour vous"),
    "professional": N_("Ajouté par un professionnel"),
    "proposal": N_("Proposition de prévention"),
    "import": N_("Venu d'un fichier"),
    "invitation": N_("Venu d'une invitation par message"),
}


class Entry(msgspec.Struct, frozen=True):
    """Something on a page: ``when`` in words, ``path`` its own page."""

    path: str
    title: str
    when: str
    iso: str
    place: str
    all_day: bool
    cancelled: bool
    hidden: bool
    professional: bool


def today() -> date:
    """The day in Paris."""
    return calendar.today(now_ms())


async def found_in(turn: Turn, first: date, last: date) -> list[Occurrence]:
    """What takes place from a day to another; who reads a child's agenda leaves a trace."""
    visit = turn.visit
    since, until = grid.span(first, last)
    if visit.own:
        return await turn.read(
            agenda.occurrences, visit.store, visit.box_id, visit.actor, since, until, cancelled=True
        )
    return await turn.run(
        agenda.read_occurrences, visit.store, visit.box_id, visit.actor, since, until, cancelled=True
    )


async def appointment_of(turn: Turn) -> Appointment:
    """The appointment that the address names. Raises :class:`Missing`."""
    visit, number = turn.visit, int(turn.request.path_params["appointment_id"])
    if not number:
        raise Missing
    try:
        found = await turn.read(agenda.appointment_for, visit.store, visit.box_id, number, visit.actor)
    except AgendaError as error:
        told(turn, error)
        raise
    if found.status == "removed":
        raise Missing
    return found


def occurrence_of(one: Appointment, at: str) -> Occurrence | None:
    """The single occurrence of a repeated appointment that begins at a wall time by its rule."""
    details = one.details
    if not (details.rule or details.extra) or not at or len(at) > 19:
        return None
    try:
        day = date.fromisoformat(at[:10])
    except ValueError:
        return None
    return next((each for each in _near(one, day) if each.at == at), None)


def _near(one: Appointment, day: date) -> list[Occurrence]:
    """Occurrences around a day, and those that were moved away from it."""
    days = [day, *(date.fromisoformat(each.begin[:10]) for each in one.details.changes if each.begin)]
    since, until = grid.span(min(days) - 3 * grid.DAY, max(days) + 3 * grid.DAY)
    try:
        return agenda.occurrences_of(one, since, until)
    except AgendaError:
        return []


def entry(turn: Turn, one: Occurrence) -> Entry:
    """An occurrence as lists show it."""
    return Entry(
        path=path_of(one.appointment_id, one.at),
        title=one.title,
        when=clock_words(turn, one),
        iso=one.begin,
        place=one.place,
        all_day=one.all_day,
        cancelled=one.cancelled,
        hidden=one.hidden,
        professional=one.source == "professional",
    )


def path_of(appointment_id: int, at: str = "") -> str:
    """The page of an appointment, at one of its times."""
    return f"/agenda/rendez-vous/{appointment_id}" + (f"?a={at}" if at else "")


def clock_words(turn: Turn, one: Occurrence) -> str:
    """``9 h 05``, in the clocks of Paris; "" of a whole day."""
    return "" if one.all_day else formats.clock(one.since, language=turn.language)


def when_words(turn: Turn, one: Occurrence) -> str:
    """Day and hours in a sentence; with the clocks of elsewhere where it takes place elsewhere."""
    first, last = grid.days_of(one)
    text = formats.day(first, language=turn.language, weekday=True)
    if last != first and one.all_day:
        end = formats.day(last, language=turn.language, weekday=True)
        return turn.say("du %(first)s au %(last)s", first=text, last=end)
    if one.all_day:
        return turn.say("%(day)s, toute la journée", day=text)
    begin, end = (formats.clock(at, language=turn.language) for at in (one.since, one.until))
    if last != first:
        end = formats.moment(one.until, language=turn.language)
        said = turn.say("%(day)s à %(begin)s, jusqu'au %(end)s", day=text, begin=begin, end=end)
    elif one.until == one.since:
        said = turn.say("%(day)s à %(begin)s", day=text, begin=begin)
    else:
        said = turn.say("%(day)s, de %(begin)s à %(end)s", day=text, begin=begin, end=end)
    if one.zone in ("", "Europe/Paris"):
        return said
    there = turn.say(ZONES.get(one.zone, one.zone))
    local = turn.say("%(clock)s là-bas : %(place)s", clock=one.begin[11:16], place=there)
    return f"{said} ({local})"


async def month(turn: Turn) -> Response:
    """``/agenda``: a month as a table, and as a list of days for narrow screens."""
    shown = grid.month_of(turn.asked("mois"), today())
    weeks = grid.weeks_of(shown)
    first, last = weeks[0][0], weeks[-1][-1]
    days = grid.by_day(await found_in(turn, first, last), first, last)
    entries = {day: [entry(turn, one) for one in found] for day, found in days.items()}
    waiting = await _waiting(turn)
    return turn.page(
        "calendar/month.html",
        month=shown,
        weeks=weeks,
        entries=entries,
        listed=[day for day in entries if day.month == shown.month and entries[day]],
        today=today(),
        before=_month_path(grid.next_month(shown, -1)),
        after=_month_path(grid.next_month(shown)),
        view="mois",
        **waiting,
    )


def _month_path(day: date) -> str:
    return f"{day:%Y-%m}" if grid.FIRST <= day <= grid.LAST else ""


async def _waiting(turn: Turn) -> dict[str, Any]:
    """What waits for an answer: how many invitations and proposals."""
    visit = turn.visit
    asked = await turn.read(agenda.invitations, visit.store, visit.box_id, visit.actor)
    proposed = await turn.read(agenda.proposals_for, visit.store, visit.box_id, visit.actor)
    return {"invited": len(asked), "proposed": len(proposed)}


async def week(turn: Turn) -> Response:
    """``/agenda/semaine``: seven days as a list."""
    day = grid.day_of(turn.asked("du"), today())
    first = day - day.weekday() * grid.DAY
    last = first + 6 * grid.DAY
    days = grid.by_day(await found_in(turn, first, last), first, last)
    return turn.page(
        "calendar/week.html",
        first=first,
        last=last,
        days=[(one, [entry(turn, each) for each in found]) for one, found in days.items()],
        today=today(),
        before=first - 7 * grid.DAY,
        after=first + 7 * grid.DAY,
        view="semaine",
        **await _waiting(turn),
    )


async def day(turn: Turn) -> Response:
    """``/agenda/jour/{day}``"""
    text = turn.request.path_params["day"]
    one = grid.day_of(text, grid.FIRST)
    if one.isoformat() != text:
        raise Missing
    found = grid.by_day(await found_in(turn, one, one), one, one)[one]
    return turn.page(
        "calendar/day.html",
        day=one,
        entries=[(entry(turn, each), when_words(turn, each)) for each in found],
        today=today(),
        before=one - timedelta(days=1),
        after=one + timedelta(days=1),
    )


async def appointment(turn: Turn) -> Response:
    """``/agenda/rendez-vous/{id}?a=WALL``: what is known of it, and what can be done with it."""
    one = await appointment_of(turn)
    at = turn.asked("a")
    single = await turn.run(occurrence_of, one, at)
    shown = single or await turn.run(_first, one)
    if not turn.visit.own and turn.request.method != "HEAD":
        await turn.run(agenda.trace, turn.visit.store, turn.visit.box_id, turn.visit.actor)
    details = one.details
    repeated = bool(details.rule or details.extra)
    return turn.page(
        "calendar/appointment.html",
        one=one,
        title=shown.title if shown is not None else details.title,
        place=shown.place if shown is not None else details.place,
        notes=shown.notes if shown is not None else details.notes,
        when=when_words(turn, shown) if shown is not None else "",
        day=(grid.days_of(shown)[0] if shown is not None else today()).isoformat(),
        cancelled=one.status == "cancelled" or (single is not None and single.cancelled),
        whole_cancelled=one.status == "cancelled",
        at=single.at if single is not None else "",
        repeated=repeated,
        repeats=words_of(turn, details.rule) or (turn.say("à des dates choisies") if repeated else ""),
        reminders=[_lead(turn, each) for each in details.reminders],
        source=SOURCES[one.source],
        hides=await turn.read(may_hide, turn.visit) and not one.hidden,
    )


def _first(one: Appointment) -> Occurrence | None:
    """The next occurrence, or the first one where all have passed."""
    begin = now_ms()
    for since, until in ((begin, begin + 400 * 86_400_000), _around(one)):
        found = agenda.occurrences_of(one, since, until)
        if found:
            return found[0]
    return None


def _around(one: Appointment) -> tuple[int, int]:
    first = date.fromisoformat(one.details.begin[:10])
    return grid.span(max(first - 2 * grid.DAY, grid.FIRST), min(first + 366 * grid.DAY, grid.LAST))


def _lead(turn: Turn, minutes: int) -> str:
    if minutes in REMINDERS:
        return turn.say(REMINDERS[minutes])
    return turn.count("%(num)s minute avant", "%(num)s minutes avant", minutes)


ROUTES: Final[list[BaseRoute]] = [
    get("/agenda", month),
    get("/agenda/semaine", week),
    get("/agenda/jour/{day}", day),
    get("/agenda/rendez-vous/{appointment_id:int}", appointment),
]
