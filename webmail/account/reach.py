"""Where codes go: the other way that is known, or a new one that a code proves first."""

from __future__ import annotations

from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from patients import signin
from patients.signin import FieldFault
from store import now_ms
from webmail.account.proof import fresh, own, proven
from webmail.entering import flow
from webmail.entering.deciding import contact_fault
from webmail.guards import get, post
from webmail.languages import N_
from webmail.turn import Refused, Turn

_BACK: Final = "/compte/coordonnees"
_CODE: Final = "/compte/coordonnees/code"


async def reach(turn: Turn) -> Response:
    """``/compte/coordonnees``"""
    return await _form(turn)


async def _form(turn: Turn, status: int = 200, wait: str = "", **given: dict[str, str]) -> Response:
    visit = turn.visit
    found = await turn.read(signin.reach_of, visit.store.home, visit.ins, now_ms())
    return turn.page(
        "account/reach.html",
        status,
        reach=found,
        wait=wait,
        fresh=fresh(turn),
        values=flow.Words(given.get("values", {})),
        errors=flow.Words(given.get("errors", {})),
    )


async def move(turn: Turn) -> Response:
    """Send a code to the new destination."""
    channel = "sms" if turn.text("canal") == "sms" else "email"
    values = {"canal": channel, "email": turn.text("email")[:254], "sms": turn.text("sms")[:40]}
    begun = await turn.kit.desk.move(turn.visit.session, channel, values[channel])
    if isinstance(begun, FieldFault):
        errors = {begun.field: turn.say(contact_fault(begun))}
        return await _form(turn, 422, values=values, errors=errors)
    if begun.answer.outcome == "wait":
        return await _form(turn, 429, flow.wait_sentence(turn, begun.answer.wait_ms), values=values)
    return flow.begin(RedirectResponse(_CODE, 303), begun.token, _BACK)


async def code(turn: Turn) -> Response:
    """``/compte/coordonnees/code``"""
    answer = await turn.kit.desk.move_stands(turn.visit.session, flow.held(turn)[0])
    if answer.outcome == "over":
        return _over(turn)
    return turn.page("account/reach_code.html", shown=answer.shown, error="")


def _over(turn: Turn) -> Response:
    return flow.end(turn.page("entering/over.html", 410, again=_BACK, back="/compte"))


async def confirm(turn: Turn) -> Response:
    """The code that came there: from now on codes go there."""
    token, _ = flow.held(turn)
    answer = await turn.kit.desk.end_move(turn.visit.session, token, turn.text("code"))
    if answer.outcome == "ok":
        return flow.end(turn.go(_BACK, N_("C'est fait : vos codes partiront désormais là.")))
    if answer.outcome == "over":
        return _over(turn)
    stands = await turn.kit.desk.move_stands(turn.visit.session, token)
    error = turn.say("Ce code n'est pas le bon.")
    return turn.page("account/reach_code.html", 422, shown=stands.shown, error=error)


async def channel(turn: Turn) -> Response:
    """Codes by the other way, where it is proven already."""
    wanted = turn.text("canal")
    answer = await turn.kit.desk.choose_channel(turn.visit.session, "sms" if wanted == "sms" else "email")
    if answer.outcome != "ok":
        raise Refused(N_("Ce moyen n'a pas encore été vérifié : ajoutez-le d'abord."), 422)
    return turn.go(_BACK, N_("C'est fait : vos codes partiront désormais là."))


ROUTES: Final[list[BaseRoute]] = [
    get(_BACK, own(reach)),
    post(_BACK, own(proven(_BACK)(move))),
    get(_CODE, own(code)),
    post(_CODE, own(confirm)),
    post("/compte/coordonnees/canal", own(proven(_BACK)(channel))),
]
