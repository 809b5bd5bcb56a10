"""Sign-in: identifier and password, then the code. No answer tells whether somebody has an account here."""

from __future__ import annotations

from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from patients.signin import SignedIn
from webmail import cookies
from webmail.entering import flow
from webmail.guards import open_get, open_post
from webmail.languages import N_
from webmail.turn import Turn

CODE: Final = "/connexion/code"
WRONG: Final = N_("Ce code n'est pas le bon. Vérifiez que c'est le dernier que vous avez reçu.")


async def sign_in(turn: Turn) -> Response:
    """``/connexion``; ``?suite=`` is where to go afterwards, on this site only."""
    return form(turn, turn.asked("suite", "/"))


def form(turn: Turn, after: str, status: int = 200, *, error: str = "", identifier: str = "") -> Response:
    """The page of all ways in."""
    return turn.page(
        "entering/signin.html",
        status,
        after=flow.after_of(after),
        error=error,
        identifier=identifier,
        passkeys=turn.kit.passkeys is not None,
        federated=turn.kit.federation is not None,
    )


async def password(turn: Turn) -> Response:
    """The first factor."""
    identifier = turn.text("identifiant")[:256]
    begun = await turn.kit.desk.sign_in(
        identifier=identifier,
        password=turn.secret("motdepasse"),
        source=turn.source,
        device_token=turn.request.cookies.get(cookies.DEVICE, ""),
    )
    after = flow.after_of(turn.text("suite", "/"))
    if begun.answer.outcome == "wait":
        said = flow.wait_sentence(turn, begun.answer.wait_ms)
        return form(turn, after, 429, error=said, identifier=identifier)
    if not begun.token:
        said = turn.say("L'identifiant ou le mot de passe n'est pas le bon.")
        return form(turn, after, 422, error=said, identifier=identifier)
    return flow.begin(RedirectResponse(CODE, 303), begun.token, after)


async def code(turn: Turn) -> Response:
    """``/connexion/code``: the six digits."""
    token, _ = flow.held(turn)
    if not token:
        return RedirectResponse("/connexion", 303)
    answer = await turn.kit.desk.stands(token, "sign-in")
    if answer.outcome == "over":
        return expired(turn)
    return _code(turn, answer.shown)


def _code(turn: Turn, shown: str, status: int = 200, *, error: str = "", wait: str = "") -> Response:
    return turn.page("entering/pin.html", status, shown=shown, error=error, wait=wait)


def expired(turn: Turn) -> Response:
    """The code counts no more."""
    return flow.end(turn.page("entering/over.html", 410, again="/connexion", back="/"))


async def enter(turn: Turn) -> Response:
    """The second factor: a new session, in cookies that are all new."""
    token, after = flow.held(turn)
    entered = await turn.kit.desk.enter(
        token,
        turn.text("code"),
        device_token=turn.request.cookies.get(cookies.DEVICE, ""),
        device_label=flow.device_label(turn),
    )
    if isinstance(entered, SignedIn):
        return await flow.welcome_in(turn, entered, after)
    if entered.outcome != "wrong":
        return expired(turn)
    stands = await turn.kit.desk.stands(token, "sign-in")
    return _code(turn, stands.shown, 422, error=turn.say(WRONG))


async def resend(turn: Turn) -> Response:
    """Another code in place of the one before."""
    token, _ = flow.held(turn)
    answer = await turn.kit.desk.resend(token)
    if answer.outcome == "over":
        return expired(turn)
    if answer.outcome == "wait":
        stands = await turn.kit.desk.stands(token, "sign-in")
        said = flow.wait_sentence(turn, answer.wait_ms)
        return _code(turn, stands.shown, 429, wait=said)
    return turn.go(CODE, N_("Un nouveau code vient de partir. Seul ce dernier code compte."))


ROUTES: Final[list[BaseRoute]] = [
    open_get("/connexion", sign_in),
    open_post("/connexion", password),
    open_get(CODE, code),
    open_post(CODE, enter),
    open_post("/connexion/renvoyer", resend),
]
