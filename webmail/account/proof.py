"""Step-up: who is signed in proves it again by a code before an act that matters, then goes back to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Final
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from patients.signin import stepped_up
from store import now_ms
from webmail.entering import flow
from webmail.entering.signing import WRONG
from webmail.guards import get, post
from webmail.languages import N_
from webmail.turn import Turn

Page = Callable[[Turn], Awaitable[Response]]
_CODE: Final = "/compte/preuve/code"


def own(page: Page) -> Page:
    """A page on the account of who signed in: not shown in a child's space, where it would mislead."""

    @wraps(page)
    async def only(turn: Turn) -> Response:
        if not turn.visit.own:
            return turn.page("account/elsewhere.html", 403)
        return await page(turn)

    return only


def proven(back: str) -> Callable[[Page], Page]:
    """A page for who proved himself in the last ten minutes; others do, and come ``back``."""

    def asks(page: Page) -> Page:
        @wraps(page)
        async def asked(turn: Turn) -> Response:
            if fresh(turn):
                return await page(turn)
            return RedirectResponse(f"/compte/preuve?suite={quote(back)}", 303)

        return asked

    return asks


def fresh(turn: Turn) -> bool:
    """Whether who is signed in proved himself just now. A guest's acts do nothing anyway."""
    return turn.visit.guest or stepped_up(turn.visit.session, now_ms())


async def why(turn: Turn) -> Response:
    """``/compte/preuve``: why a code is asked for."""
    return turn.page("account/proof.html", after=flow.after_of(turn.asked("suite", "/compte")), wait="")


async def send(turn: Turn) -> Response:
    """Send the code."""
    after = flow.after_of(turn.text("suite", "/compte"))
    begun = await turn.kit.desk.ask_step_up(turn.visit.session)
    if begun.answer.outcome == "wait":
        said = flow.wait_sentence(turn, begun.answer.wait_ms)
        return turn.page("account/proof.html", 429, after=after, wait=said)
    if begun.answer.outcome != "ok":
        return _over(turn)
    return flow.begin(RedirectResponse(_CODE, 303), begun.token, after)


async def code(turn: Turn) -> Response:
    """``/compte/preuve/code``"""
    answer = await turn.kit.desk.stands(flow.held(turn)[0], "step-up")
    return _over(turn) if answer.outcome == "over" else _code(turn, answer.shown)


def _code(turn: Turn, shown: str, status: int = 200, *, error: str = "", wait: str = "") -> Response:
    return turn.page("account/proof_code.html", status, shown=shown, error=error, wait=wait)


def _over(turn: Turn) -> Response:
    _, after = flow.held(turn)
    again = f"/compte/preuve?suite={quote(after)}"
    return flow.end(turn.page("entering/over.html", 410, again=again, back="/compte"))


async def check(turn: Turn) -> Response:
    """Take the code, and go back to what was asked for."""
    token, after = flow.held(turn)
    answer = await turn.kit.desk.step_up(turn.visit.session, token, turn.text("code"))
    if answer.outcome == "ok":
        done = turn.go(after, N_("C'est confirmé. Vous pouvez continuer pendant dix minutes."))
        return flow.end(done)
    if answer.outcome != "wrong":
        return _over(turn)
    stands = await turn.kit.desk.stands(token, "step-up")
    return _code(turn, stands.shown, 422, error=turn.say(WRONG))


async def resend(turn: Turn) -> Response:
    """Another code."""
    token, _ = flow.held(turn)
    answer = await turn.kit.desk.resend(token, "step-up")
    if answer.outcome == "over":
        return _over(turn)
    if answer.outcome == "wait":
        stands = await turn.kit.desk.stands(token, "step-up")
        return _code(turn, stands.shown, 429, wait=flow.wait_sentence(turn, answer.wait_ms))
    return turn.go(_CODE, N_("Un nouveau code vient de partir. Seul ce dernier code compte."))


ROUTES: Final[list[BaseRoute]] = [
    get("/compte/preuve", why),
    post("/compte/preuve", send),
    get(_CODE, code),
    post(_CODE, check),
    post("/compte/preuve/renvoyer", resend),
]
