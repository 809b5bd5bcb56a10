"""Where one is signed in, and ending that: one by one, or everywhere else."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from patients import signin
from store import now_ms
from webmail.account.overview import METHODS
from webmail.account.proof import own
from webmail.guards import get, post
from webmail.languages import N_
from webmail.turn import Missing, Turn


async def sessions(turn: Turn) -> Response:
    """``/compte/sessions``"""
    found = await turn.read(signin.sessions_of, turn.visit.ins)
    now = now_ms()
    shown = [one for one in found if signin.alive(one, turn.kit.lifetimes, now)]
    this = turn.visit.session.session_id
    shown.sort(key=lambda one: one.session_id != this)
    return turn.page("account/sessions.html", sessions=shown, this=this, methods=METHODS)


async def revoke(turn: Turn) -> Response:
    """End one of them; another person's is not there."""
    number = turn.request.path_params["session_id"]
    ended = await turn.store.awrite(signin.revoke_session, ins=turn.visit.ins, session_id=number)
    if not ended:
        raise Missing
    return turn.go("/compte/sessions", N_("Cette session est fermée."))


async def revoke_others(turn: Turn) -> Response:
    """End all but this one."""
    await turn.store.awrite(signin.revoke_sessions, ins=turn.visit.ins, but=turn.visit.session.session_id)
    return turn.go("/compte/sessions", N_("Toutes les autres sessions sont fermées."))


ROUTES: Final[list[BaseRoute]] = [
    get("/compte/sessions", own(sessions)),
    post("/compte/sessions/{session_id:int}/fermer", own(revoke)),
    post("/compte/sessions/fermer-autres", own(revoke_others)),
]
