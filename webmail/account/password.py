"""A new password, for who proved himself just now."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from patients.signin import FieldFault
from webmail.account.proof import own, proven
from webmail.entering import flow
from webmail.entering.deciding import ACCOUNT_FAULTS
from webmail.guards import get, post
from webmail.languages import N_
from webmail.turn import Turn

_BACK: Final = "/compte/mot-de-passe"


async def form(turn: Turn) -> Response:
    """``/compte/mot-de-passe``"""
    return _form(turn, {})


def _form(turn: Turn, errors: dict[str, str], status: int = 200) -> Response:
    return turn.page("account/password.html", status, errors=flow.Words(errors))


async def change(turn: Turn) -> Response:
    """Keep it; sessions elsewhere end, and the person is told."""
    new = turn.secret("motdepasse")
    if new != turn.secret("encore"):
        return _form(turn, {"encore": turn.say("Les deux mots de passe ne sont pas les mêmes.")}, 422)
    answer = await turn.kit.desk.change_password(turn.visit.session, turn.secret("actuel"), new)
    if isinstance(answer, FieldFault):
        return _form(turn, {"motdepasse": turn.say(ACCOUNT_FAULTS[("password", answer.reason)])}, 422)
    if answer.outcome != "ok":
        return _form(turn, {"actuel": turn.say("Ce n'est pas votre mot de passe actuel.")}, 422)
    return turn.go("/compte", N_("Votre mot de passe est changé. Vos autres sessions sont fermées."))


ROUTES: Final[list[BaseRoute]] = [
    get(_BACK, own(proven(_BACK)(form))),
    post(_BACK, own(proven(_BACK)(change))),
]
