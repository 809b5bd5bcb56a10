"""The first page: what the service is, for who is not signed in; what is new, for who is."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from webmail.guards import open_get
from webmail.turn import Turn


async def home(turn: Turn) -> Response:
    """``/``"""
    return turn.page("welcome.html" if turn.found is None else "home.html")


ROUTES: Final[list[BaseRoute]] = [open_get("/", home)]
