"""Signing out: the session ends here, and the browser forgets what it kept of these pages."""

from __future__ import annotations

from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from patients.signin import revoke_session
from webmail import cookies
from webmail.guards import open_get, open_post
from webmail.turn import Turn


async def leave(turn: Turn) -> Response:
    """End the session. The device stays known: strangers' tries do not stop its owner."""
    if turn.found is not None and not turn.found.guest:
        session = turn.found.session
        await turn.kit.store.awrite(
            revoke_session, ins=session.ins, session_id=session.session_id, signed_out=True
        )
    answer = RedirectResponse("/deconnexion", 303)
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'  # W3C Clear Site Data §3.1
    cookies.drop(
        answer,
        cookies.SESSION,
        cookies.PROFILE,
        cookies.FLOW,
        cookies.VISIT,
        cookies.SAID,
        cookies.GUEST,
    )
    return answer


async def left(turn: Turn) -> Response:
    """``/deconnexion``: says that it is done; asks, where somebody is still signed in."""
    return turn.page("entering/left.html")


ROUTES: Final[list[BaseRoute]] = [open_post("/deconnexion", leave), open_get("/deconnexion", left)]
