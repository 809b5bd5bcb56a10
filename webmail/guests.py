"""« Mode invité »: looking around with sample data, before one has a profile.

A guest has a store of his own (:class:`webmail.Guest`); the guard refuses what he posts.
"""

from __future__ import annotations

import secrets
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from webmail import cookies
from webmail.guards import open_get, open_post
from webmail.turn import Missing, Turn


async def invitation(turn: Turn) -> Response:
    """``/invite``: what a guest will see, and the button."""
    if turn.kit.guests is None:
        raise Missing
    return turn.page("welcome/guest.html")


async def enter(turn: Turn) -> Response:
    """``POST /invite``: look around."""
    if turn.kit.guests is None:
        raise Missing
    await turn.kit.guests.guest()
    answer = turn.go("/")
    cookies.put(answer, cookies.GUEST, secrets.token_urlsafe(24))
    cookies.drop(answer, cookies.PROFILE)
    if turn.found is None:  # a session that ended
        cookies.drop(answer, cookies.SESSION)
    return answer


async def leave(turn: Turn) -> Response:
    """``POST /invite/quitter``"""
    answer = turn.go("/")
    cookies.drop(answer, cookies.GUEST, cookies.PROFILE)
    return answer


ROUTES: Final[list[BaseRoute]] = [
    open_get("/invite", invitation),
    open_post("/invite", enter),
    open_post("/invite/quitter", leave),
]
