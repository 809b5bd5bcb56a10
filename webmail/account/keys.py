"""Passkeys: listed, added by a ceremony (who stepped up), withdrawn."""

from __future__ import annotations

from typing import Final

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from patients import signin
from webmail.account.proof import fresh, own, proven
from webmail.entering import flow
from webmail.guards import get, post
from webmail.languages import N_
from webmail.rendering import PAGE_HEADERS
from webmail.turn import Missing, Turn

_BACK: Final = "/compte/cles"


async def keys(turn: Turn) -> Response:
    """``/compte/cles``"""
    return await _list(turn)


async def _list(turn: Turn, status: int = 200, error: str = "") -> Response:
    found = await turn.read(signin.passkeys_of, turn.visit.ins)
    held = [one for one in found if one.revoked_at is None]
    can = turn.kit.passkeys is not None
    return turn.page("account/keys.html", status, keys=held, can=can, fresh=fresh(turn), error=error)


async def challenge(turn: Turn) -> Response:
    """Options for ``navigator.credentials.create`` (WebAuthn level 2 §5.4)."""
    if turn.kit.passkeys is None:
        raise Missing
    ceremony = await turn.kit.passkeys.begin_registration(turn.visit.session)
    if ceremony.begun.answer.outcome != "ok":
        said = turn.say("Confirmez d'abord que c'est vous, ou retirez une clé : dix au plus.")
        return JSONResponse({"error": said}, 422, headers=PAGE_HEADERS)
    answer = Response(ceremony.options, headers=PAGE_HEADERS, media_type="application/json")
    return flow.begin(answer, ceremony.begun.token)


async def add(turn: Turn) -> Response:
    """What the browser answered: JSON in the field ``reponse``; ``nom`` is how the list names the key."""
    if turn.kit.passkeys is None:
        raise Missing
    name = turn.text("nom")[:80] or flow.device_label(turn)
    token, _ = flow.held(turn)
    answer = await turn.kit.passkeys.register(turn.visit.session, token, turn.text("reponse"), name)
    if answer.outcome != "ok":
        said = turn.say("La clé d'accès n'a pas pu être ajoutée. Réessayez.")
        return flow.end(await _list(turn, 422, said))
    return flow.end(turn.go(_BACK, N_("La clé d'accès est ajoutée.")))


async def remove(turn: Turn) -> Response:
    """Withdraw one; it opens nothing from now on."""
    number = turn.request.path_params["passkey_id"]
    if not await turn.store.awrite(signin.remove_passkey, ins=turn.visit.ins, passkey_id=number):
        raise Missing
    return turn.go(_BACK, N_("La clé d'accès est retirée. Supprimez-la aussi de votre appareil."))


ROUTES: Final[list[BaseRoute]] = [
    get(_BACK, own(keys)),
    post(_BACK, own(proven(_BACK)(add))),
    post("/compte/cles/defi", own(challenge)),
    post("/compte/cles/{passkey_id:int}/retirer", own(remove)),
]
