"""``/droits``: who has access to the record, and what the patient says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

import annuaire
import patients
from activity import Actor
from annuaire import Mailbox
from dossier import rights
from dossier.rights import Standing
from patients import calendar
from store import InvalidInputError, Store, now_ms
from webmail.guards import get, post
from webmail.languages import N_
from webmail.record import filters
from webmail.record.asking import asked
from webmail.record.explaining import QUESTIONS, known_to, said_of_record
from webmail.record.people import Professional, professional_of
from webmail.record.wording import UNKNOWN
from webmail.turn import Missing, Refused, Turn
from webmail.visit import Visit

#: Professionals that a search shows.
_FOUND: Final = 30
_LONGEST: Final = 64


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A professional and how he stands. ``state``: treating, authorised, blocked, or ""."""

    who: Professional
    state: str = ""


def state_of(held: Standing, ident: str) -> str:
    """What was last said of a professional; a block goes before the rest."""
    if ident in held.blocked:
        return "blocked"
    if ident and ident == held.treating:
        return "treating"
    return "authorised" if ident in held.authorised else ""


def _all(conn: Connection, visit: Visit) -> tuple[Standing, list[Known]]:
    held = rights.rights_of(conn, visit.box_id)
    order = {"treating": 0, "authorised": 1, "blocked": 2, "": 3}
    found = [Known(who=one, state=state_of(held, one.ident)) for one in known_to(conn, visit)]
    return held, sorted(found, key=lambda one: (order[one.state], one.who.name))


async def overview(turn: Turn) -> Response:
    """``/droits``"""
    held, known = await turn.read(_all, turn.visit)
    minor = await turn.read(patients.is_minor, turn.visit.profile.ins)
    return turn.page("record/rights.html", held=held, known=known, minor=minor)


async def search(turn: Turn) -> Response:
    """``/droits/chercher``: a professional of the directory, by name and town."""
    name, town = turn.asked("nom")[:_LONGEST], turn.asked("ville")[:_LONGEST]
    error = turn.say(N_("Écrivez au moins deux lettres du nom.")) if name and len(name) < 2 else ""
    found: list[Known] = []
    if len(name) >= 2:
        found = await turn.read(_search, turn.visit, name, town)
    return turn.page(
        "record/search.html",
        422 if error else 200,
        name=name,
        town=town,
        error=error,
        found=found,
        searched=len(name) >= 2,
    )


def _search(conn: Connection, visit: Visit, name: str, town: str) -> list[Known]:
    held = rights.rights_of(conn, visit.box_id)
    boxes: list[Mailbox] = annuaire.search(conn, name, _FOUND * 3, town=town)
    idents = list(dict.fromkeys(box.id_nat for box in boxes if box.id_nat))[:_FOUND]
    return [Known(who=professional_of(conn, one), state=state_of(held, one)) for one in idents]


async def professional(turn: Turn) -> Response:
    """``/droits/professionnel?id=…&le=…&a=…``: what one may do, now or at a past moment, and why."""
    ident = turn.asked("id")[:_LONGEST]
    day, clock = turn.asked("le")[:10], turn.asked("a")[:5]
    at, error = _moment(day, clock)
    try:
        found = await turn.read(_explained, turn.visit, ident, at)
    except InvalidInputError:  # before the history that the directory keeps
        at, error = None, TOO_OLD
        found = await turn.read(_explained, turn.visit, ident, None)
    if found is None:
        raise Missing
    known, answers = found
    return turn.page(
        "record/professional.html",
        422 if error else 200,
        known=known,
        at=at,
        day=day,
        clock=clock,
        error=turn.say(error) if error else "",
        answers=[
            (turn.say(question), answers[action].allowed, said_of_record(turn, answers[action]))
            for question, action in QUESTIONS
        ],
        today=calendar.today(now_ms()).isoformat(),
    )


BAD_CLOCK: Final = N_("Cette heure n'est pas comprise : écrivez par exemple 14:30.")
FUTURE: Final = N_("Choisissez un moment passé.")
TOO_OLD: Final = N_("L'annuaire ne remonte pas jusqu'à cette date. Voici ce qu'il en est maintenant.")


def _moment(day: str, clock: str) -> tuple[int | None, str]:
    """A past moment (ms) as typed; None for now; and what is wrong with it (a msgid)."""
    if not day:
        return None, ""
    begin = filters.begin(day)
    if begin is None:
        return None, filters.BAD_DAY
    hour, _, minute = (clock or "12:00").partition(":")
    if not (hour.isascii() and hour.isdigit() and minute.isascii() and minute.isdigit()):
        return None, BAD_CLOCK
    if not (int(hour) < 24 and int(minute) < 60):
        return None, BAD_CLOCK
    at = begin + (int(hour) * 60 + int(minute)) * 60_000
    if at < 0:  # no clock of ours goes back that far
        return None, TOO_OLD
    return (at, "") if at <= now_ms() else (None, FUTURE)


def _who(conn: Connection, visit: Visit, ident: str) -> Professional | None:
    """Who is in the directory, or known to this record; None for nobody."""
    who = professional_of(conn, ident)
    return who if who.listed else next((one for one in known_to(conn, visit) if one.ident == ident), None)


def _explained(
    conn: Connection, visit: Visit, ident: str, at: int | None
) -> tuple[Known, dict[rights.Action, rights.Decision]] | None:
    """A professional as he stands now, and what he may (or might have done at ``at``); None for who is
    neither in the directory nor known to this record."""
    who = _who(conn, visit, ident)
    if who is None:
        return None
    actor = rights.professional(conn, ident, profession=who.profession if at is None else "", at=at)
    explained = rights.explain(conn, visit.store, visit.box_id, actor, None, at)
    standing = rights.rights_of(conn, visit.box_id)
    return Known(who=who, state=state_of(standing, ident)), explained.answers


# -- what is changed --------------------------------------------------------------------------------


_OfOne = Callable[[Store, int, Actor, str], bool]
_OfAll = Callable[[Store, int, Actor], bool]


def _of_one(change: _OfOne, said: str) -> Callable[[Turn], Awaitable[Response]]:
    """A page that changes what holds of one professional, who must be in the directory or known here."""

    async def changed(turn: Turn) -> Response:
        ident, visit = turn.text("professionnel")[:_LONGEST], turn.visit
        if await turn.read(_who, visit, ident) is None:
            raise Refused(UNKNOWN, 422)
        await asked(turn, change, visit.store, visit.box_id, visit.actor, ident)
        return turn.go(f"/droits/professionnel?id={ident}", said)

    changed.__name__ = f"{change.__name__}_professional"
    return changed


def _of_all(change: _OfAll, said: str, undo: str = "") -> Callable[[Turn], Awaitable[Response]]:
    async def changed(turn: Turn) -> Response:
        visit = turn.visit
        await asked(turn, change, visit.store, visit.box_id, visit.actor)
        return turn.go("/droits", said, undo=undo)

    changed.__name__ = f"{change.__name__}_record"
    return changed


async def emergencies(turn: Turn) -> Response:
    """``POST /droits/urgences``: what emergencies may do; both are said each time."""
    visit = turn.visit
    regulation, glass = turn.text("samu"), turn.text("bris")
    if regulation not in ("oui", "non") or glass not in ("oui", "non"):
        raise Refused(N_("Choisissez oui ou non pour chaque accès."), 422)
    await asked(
        turn,
        rights.set_emergency,
        visit.store,
        visit.box_id,
        visit.actor,
        regulation=regulation == "oui",
        break_glass=glass == "oui",
    )
    return turn.go("/droits#urgences", N_("Les accès en urgence sont enregistrés."))


ROUTES: Final[list[BaseRoute]] = [
    get("/droits", overview),
    get("/droits/chercher", search),
    get("/droits/professionnel", professional),
    post("/droits/bloquer", _of_one(rights.block, N_("L'accès de ce professionnel est bloqué."))),
    post(
        "/droits/debloquer",
        _of_one(rights.unblock, N_("Le blocage est levé. Pour qu'il ait accès, donnez-le-lui à nouveau.")),
    ),
    post("/droits/autoriser", _of_one(rights.authorise, N_("Ce professionnel a maintenant accès."))),
    post("/droits/medecin-traitant", _of_one(rights.appoint, N_("Le médecin traitant est désigné."))),
    post("/droits/sans-medecin-traitant", _of_all(rights.dismiss, N_("La désignation est terminée."))),
    post(
        "/droits/tout-masquer",
        _of_all(rights.mask_all, N_("Tous les documents sont masqués."), "/droits/tout-montrer"),
    ),
    post("/droits/tout-montrer", _of_all(rights.unmask_all, N_("Les documents ne sont plus tous masqués."))),
    post("/droits/urgences", emergencies),
]
