"""The application: every page's routes, and the files that pages are made with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from webmail import guests, welcome
from webmail.kit import Kit
from webmail.serving import ROUTES as FILES
from webmail.writing import routes as writing

#: The rooms of the site, in the order in which a person meets them.
AREAS: Final[Sequence[Sequence[BaseRoute]]] = (
    FILES,
    welcome.ROUTES,
    guests.ROUTES,
    writing.ROUTES,
)


def pages(kit: Kit, also: Sequence[BaseRoute] = ()) -> Starlette:
    """The application of the port ``web``; ``also``: what else is served there (calendar feeds)."""
    app = Starlette(routes=[*also, *(route for area in AREAS for route in area)])
    app.state.kit = kit
    return app
