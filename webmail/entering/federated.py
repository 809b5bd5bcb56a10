"""Sign-in by FranceConnect: away to its pages, back with its answer, then the usual code."""

from __future__ import annotations

from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from webmail.entering import flow
from webmail.entering.signing import CODE, form
from webmail.guards import open_get, open_post
from webmail.languages import N_
from webmail.sentences import tell
from webmail.turn import Missing, Turn

tell(
    {
        "signin.provider": N_(
            "FranceConnect ne répond pas pour le moment. Connectez-vous avec votre mot de passe."
        )
    }
)


async def leave(turn: Turn) -> Response:
    """To FranceConnect (OpenID Connect Core 1.0 §3.1.2.1)."""
    if turn.kit.federation is None:
        raise Missing
    begun, where = await turn.kit.federation.begin(turn.source)
    after = flow.after_of(turn.text("suite", "/"))
    if begun.answer.outcome == "wait":
        return form(turn, after, 429, error=flow.wait_sentence(turn, begun.answer.wait_ms))
    return flow.begin(RedirectResponse(where, 303), begun.token, after)


async def back(turn: Turn) -> Response:
    """``/connexion/franceconnect/retour``: its answer, used once, and away from the address that holds it."""
    if turn.kit.federation is None:
        raise Missing
    token, after = flow.held(turn)
    if turn.asked("error"):  # RFC 6749 §4.1.2.1
        said = turn.say("La connexion avec FranceConnect a été interrompue. Rien n'a été fait.")
        return flow.end(form(turn, after, 422, error=said))
    begun = await turn.kit.federation.end(
        token, state=turn.asked("state"), code=turn.asked("code"), issuer=turn.asked("iss")
    )
    if begun.answer.outcome == "wait":
        return flow.end(form(turn, after, 429, error=flow.wait_sentence(turn, begun.answer.wait_ms)))
    if not begun.token:
        said = turn.say(
            "Nous n'avons pas pu vous connecter avec FranceConnect. Si vous n'avez pas encore activé votre "
            "profil, commencez par là ; sinon, utilisez votre mot de passe."
        )
        return flow.end(form(turn, after, 422, error=said))
    return flow.begin(RedirectResponse(CODE, 303), begun.token, after)


ROUTES: Final[list[BaseRoute]] = [
    open_post("/connexion/franceconnect", leave),
    open_get("/connexion/franceconnect/retour", back),
]
