"""Pages that explain: help, one's data, accessibility. For everybody; they say what is so, and no more."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from webmail.guards import open_get
from webmail.turn import Turn


async def help_page(turn: Turn) -> Response:
    """``/aide``"""
    return turn.page("about/help.html")


async def your_data(turn: Turn) -> Response:
    """``/vos-donnees``"""
    return turn.page("about/data.html")


async def accessibility(turn: Turn) -> Response:
    """``/accessibilite``"""
    return turn.page("about/accessibility.html")


ROUTES: Final[list[BaseRoute]] = [
    open_get("/aide", help_page),
    open_get("/vos-donnees", your_data),
    open_get("/accessibilite", accessibility),
]
