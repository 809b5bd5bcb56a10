"""Sign-in by passkey: the challenge for a script of ours, the browser's answer in an ordinary form."""

from __future__ import annotations

from typing import Final

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from patients.signin import SignedIn
from webmail import cookies
from webmail.entering import flow
from webmail.entering.signing import form
from webmail.guards import open_get, open_post
from webmail.rendering import PAGE_HEADERS
from webmail.turn import Missing, Turn


async def challenge(turn: Turn) -> Response:
    """Options for ``navigator.credentials.get`` (WebAuthn level 2 §5.5): the same for everybody."""
    if turn.kit.passkeys is None:
        raise Missing
    ceremony = await turn.kit.passkeys.begin_sign_in(turn.source)
    if ceremony.begun.answer.outcome == "wait":
        said = flow.wait_sentence(turn, ceremony.begun.answer.wait_ms)
        return JSONResponse({"error": said}, 429, headers=PAGE_HEADERS)
    answer = Response(ceremony.options, headers=PAGE_HEADERS, media_type="application/json")
    return flow.begin(answer, ceremony.begun.token, flow.after_of(turn.text("suite", "/")))


async def enter(turn: Turn) -> Response:
    """What the browser answered: JSON in the field ``reponse``."""
    if turn.kit.passkeys is None:
        raise Missing
    token, after = flow.held(turn)
    entered = await turn.kit.passkeys.sign_in(
        token,
        turn.text("reponse"),
        device_token=turn.request.cookies.get(cookies.DEVICE, ""),
        device_label=flow.device_label(turn),
    )
    if isinstance(entered, SignedIn):
        return await flow.welcome_in(turn, entered, after)
    said = turn.say("Cette clé d'accès n'a pas été reconnue. Connectez-vous avec votre mot de passe.")
    return flow.end(form(turn, after, 422, error=said))


async def back(turn: Turn) -> Response:
    """``/connexion/cle``, loaded anew: the ways in."""
    return form(turn, "/")


ROUTES: Final[list[BaseRoute]] = [
    open_post("/connexion/cle/defi", challenge),
    open_post("/connexion/cle", enter),
    open_get("/connexion/cle", back),
]
