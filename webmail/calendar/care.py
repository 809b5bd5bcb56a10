"""What waits for an answer: invitations that came by message, and proposals of preventive care."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

import agenda
from agenda import AgendaError, Details, Invitation, Length, Proposal
from webmail import formats
from webmail.calendar.clocks import Fault, clock_typed, day_typed
from webmail.calendar.forms import ZONES
from webmail.calendar.pages import path_of, today
from webmail.calendar.repeats import words_of
from webmail.guards import get, post
from webmail.languages import N_
from webmail.people import Contact, contact_of
from webmail.refusals import told
from webmail.turn import Missing, Refused, Turn
from webmail.visit import Visit

_KINDS: Final = {
    "vaccination": (N_("Vaccination"), "syringe"),
    "screening": (N_("Dépistage"), "search"),
    "visit": (N_("Examen"), "stethoscope"),
}


class Asked(msgspec.Struct, frozen=True):
    """An invitation on the page."""

    one: Invitation
    who: Contact
    when: str
    repeats: str


async def invitations(turn: Turn) -> Response:
    """``/agenda/invitations``"""
    found = await turn.read(_invitations, turn.visit)
    asked = [
        Asked(one, who, _when(turn, one.details), words_of(turn, one.details.rule)) for one, who in found
    ]
    return turn.page("calendar/invitations.html", asked=asked, view="invitations")


def _invitations(conn: Connection, visit: Visit) -> list[tuple[Invitation, Contact]]:
    found = agenda.invitations(conn, visit.store, visit.box_id, visit.actor)
    return [(one, contact_of(conn, one.sender, one.details.professional.name)) for one in found]


def _when(turn: Turn, details: Details) -> str:
    """When it begins, by its own clock."""
    day = formats.day(day_typed(details.begin[:10], "jour"), language=turn.language, weekday=True)
    if details.all_day:
        return turn.say("%(day)s, toute la journée", day=day)
    begin, end = details.begin[11:16], details.end[11:16]
    said = turn.say("%(day)s, de %(begin)s à %(end)s", day=day, begin=begin, end=end)
    if details.zone in ("", "Europe/Paris"):
        return said
    place = turn.say(ZONES.get(details.zone, details.zone))
    return turn.say("%(when)s (heure : %(place)s)", when=said, place=place)


async def accept(turn: Turn) -> Response:
    """Take an invitation into the agenda."""
    visit, number = turn.visit, int(turn.request.path_params["invitation_id"])
    try:
        made = await turn.run(agenda.accept_invitation, visit.store, visit.box_id, visit.actor, number)
    except AgendaError as error:
        raise Refused(told(turn, error), 422) from error
    return turn.go(path_of(made.appointment_id), N_("Le rendez-vous est dans votre agenda."))


async def decline(turn: Turn) -> Response:
    """Say no; nothing goes to the sender."""
    visit, number = turn.visit, int(turn.request.path_params["invitation_id"])
    try:
        await turn.run(agenda.decline_invitation, visit.store, visit.box_id, visit.actor, number)
    except AgendaError as error:
        raise Refused(told(turn, error), 422) from error
    return turn.go(
        "/agenda/invitations", N_("L'invitation est écartée. Rien n'a été répondu à l'expéditeur.")
    )


# -- preventive care ------------------------------------------------------------------------------


class Proposed(msgspec.Struct, frozen=True):
    """A proposal on the page; ``why`` says for whom it is meant."""

    code: str
    label: str
    text: str
    why: str
    again: str
    conditions: str
    source: str
    kind: str
    icon: str
    until: str


async def proposals(turn: Turn) -> Response:
    """``/agenda/prevention``"""
    return await _page(turn)


async def _page(turn: Turn, status: int = 200, error: str = "", code: str = "") -> Response:
    visit = turn.visit
    found = await turn.read(agenda.proposals_for, visit.store, visit.box_id, visit.actor)
    said = await turn.read(agenda.answers, visit.store, visit.box_id, visit.actor)
    plan = await turn.read(agenda.current_plan)
    names = {one.code: one.label_en if turn.language == "en" else one.label_fr for one in plan.items}
    answered = [
        (
            names.get(one.code, one.code),
            one.said,
            formats.day(day_typed(one.day, "jour"), language=turn.language),
        )
        for one in reversed(said)
    ]
    return turn.page(
        "calendar/care.html",
        status,
        proposals=[_proposed(turn, one) for one in found],
        answered=answered,
        today=today().isoformat(),
        error=error,
        error_code=code,
        view="prevention",
    )


def _proposed(turn: Turn, one: Proposal) -> Proposed:
    item, english = one.item, turn.language == "en"
    kind, icon = _KINDS[item.kind]
    since, until = _length(turn, item.since), _length(turn, item.until)
    if item.sex:
        who = turn.say(N_("aux femmes")) if item.sex == "F" else turn.say(N_("aux hommes"))
    else:
        who = turn.say(N_("à tout le monde"))
    return Proposed(
        code=item.code,
        label=item.label_en if english else item.label_fr,
        text=item.text_en if english else item.text_fr,
        why=turn.say("Proposé %(who)s entre %(since)s et %(until)s.", who=who, since=since, until=until),
        again=turn.say("À refaire au bout de %(length)s.", length=_length(turn, item.interval))
        if item.interval
        else "",
        conditions=item.conditions,
        source=item.source,
        kind=turn.say(kind),
        icon=icon,
        until=formats.day(one.last, language=turn.language),
    )


def _length(turn: Turn, length: Length) -> str:
    """An age, or what lies between two times."""
    number = length.number
    if length.unit == "d":
        return turn.count("%(num)s jour", "%(num)s jours", number)
    if length.unit == "w":
        return turn.count("%(num)s semaine", "%(num)s semaines", number)
    if length.unit == "m":
        return turn.count("%(num)s mois", "%(num)s mois", number)
    return turn.count("%(num)s an", "%(num)s ans", number)


async def plan(turn: Turn) -> Response:
    """Make an appointment of a proposal, on the day that was chosen."""
    visit, code = turn.visit, turn.text("code")
    try:
        day = day_typed(turn.text("jour"), "jour")
        clock = turn.text("heure")
        begin = clock_typed(day, clock, "heure") if clock else None
    except Fault as fault:
        return await _page(turn, 422, turn.say(fault.text), code)
    found = await turn.read(agenda.proposals_for, visit.store, visit.box_id, visit.actor)
    one = next((each for each in found if each.item.code == code), None)
    if one is None:
        raise Missing
    if begin is None:
        times = (day.isoformat(), (day + timedelta(days=1)).isoformat())
    else:
        times = (
            begin.isoformat(timespec="seconds"),
            (begin + timedelta(hours=1)).isoformat(timespec="seconds"),
        )
    details = Details(
        title=one.item.label_fr, begin=times[0], end=times[1], all_day=begin is None,
        zone="" if begin is None else "Europe/Paris", notes=one.item.text_fr, reminders=[1440],
    )  # fmt: skip
    try:
        made = await turn.run(agenda.accept_proposal, visit.store, visit.box_id, visit.actor, code, details)
    except AgendaError as error:
        return await _page(turn, 422, told(turn, error), code)
    return turn.go(path_of(made.appointment_id), N_("C'est prévu : le rendez-vous est dans votre agenda."))


async def refuse(turn: Turn) -> Response:
    """It is not wanted."""
    visit, code = turn.visit, turn.text("code")
    try:
        await turn.run(agenda.decline_proposal, visit.store, visit.box_id, visit.actor, code)
    except AgendaError as error:
        return await _page(turn, 422, told(turn, error), code)
    return turn.go("/agenda/prevention", N_("La proposition est écartée."))


async def done(turn: Turn) -> Response:
    """It was done already."""
    visit, code = turn.visit, turn.text("code")
    try:
        day = day_typed(turn.text("jour"), "jour")
        await turn.run(agenda.say_done, visit.store, visit.box_id, visit.actor, code, day)
    except Fault as fault:
        return await _page(turn, 422, turn.say(fault.text), code)
    except AgendaError as error:
        return await _page(turn, 422, told(turn, error), code)
    return turn.go("/agenda/prevention", N_("C'est noté comme fait."))


ROUTES: Final[list[BaseRoute]] = [
    get("/agenda/invitations", invitations),
    post("/agenda/invitations/{invitation_id:int}/accepter", accept),
    post("/agenda/invitations/{invitation_id:int}/ecarter", decline),
    get("/agenda/prevention", proposals),
    post("/agenda/prevention/prevoir", plan),
    post("/agenda/prevention/ecarter", refuse),
    post("/agenda/prevention/fait", done),
]
