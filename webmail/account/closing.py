"""Closing one's profile: what it means, what is kept how long, and taking one's data along first."""

from __future__ import annotations

from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

import patients
from patients import signin
from store import now_ms
from webmail import cookies
from webmail.account.proof import own, proven
from webmail.guards import get, open_get, post
from webmail.languages import N_
from webmail.sentences import tell
from webmail.turn import Turn

_BACK: Final = "/compte/fermer"
tell({"patient.transition": N_("L'état de ce profil ne le permet pas. Rien n'a été modifié.")})


async def closing(turn: Turn) -> Response:
    """``/compte/fermer``: the consequences."""
    return _form(turn)


def _form(turn: Turn, status: int = 200, error: str = "") -> Response:
    until = patients.calendar.archived_until(now_ms())
    return turn.page("account/closing.html", status, until=until, error=error)


async def close(turn: Turn) -> Response:
    """Close it, and end every session."""
    if turn.text("compris") != "oui":
        return _form(turn, 422, turn.say("Cochez la case pour confirmer que vous avez lu ce qui suit."))
    ins = turn.visit.ins
    await turn.run(
        patients.close, turn.visit.store, ins, actor="patient", reason="closed by the person, signed in"
    )
    await turn.store.awrite(signin.revoke_sessions, ins=ins)
    answer = RedirectResponse("/compte/ferme", 303)
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'  # W3C Clear Site Data §3.1
    cookies.drop(answer, cookies.SESSION, cookies.PROFILE, cookies.FLOW, cookies.VISIT, cookies.SAID)
    return answer


async def closed(turn: Turn) -> Response:
    """``/compte/ferme``: it is done, and how to come back."""
    return turn.page("account/closed.html")


ROUTES: Final[list[BaseRoute]] = [
    get(_BACK, own(proven(_BACK)(closing))),
    post(_BACK, own(proven(_BACK)(close))),
    open_get("/compte/ferme", closed),
]
