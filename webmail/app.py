"""The application: every page's routes, and the files that pages are made with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from webmail import about, calendar, display, export, guests, health, record, services, welcome
from webmail.account import ROUTES as ACCOUNT
from webmail.entering import ROUTES as ENTERING
from webmail.guards import astray, broken
from webmail.installed import ROUTES as INSTALLED
from webmail.kit import Kit
from webmail.mail import live, mailbox, shelf
from webmail.serving import ROUTES as FILES
from webmail.writing import routes as writing

#: The rooms of the site, in the order in which a person meets them.
AREAS: Final[Sequence[Sequence[BaseRoute]]] = (
    FILES,
    INSTALLED,
    welcome.ROUTES,
    ENTERING,
    ACCOUNT,
    about.ROUTES,
    display.ROUTES,
    record.ROUTES,
    guests.ROUTES,
    writing.ROUTES,
    health.ROUTES,
    calendar.ROUTES,
    services.ROUTES,
    export.ROUTES,
    mailbox.ROUTES,
)


def pages(kit: Kit, also: Sequence[BaseRoute] = ()) -> Starlette:
    """The application of the port ``web``; ``also``: what else is served there (calendar feeds)."""
    routes = [*also, *(route for area in AREAS for route in area)]
    lost = {404: astray, 405: astray, Exception: broken}
    app = Starlette(routes=routes, exception_handlers=lost)
    app.state.kit = kit
    app.state.unread = shelf.unread
    return app


def end(app: Starlette) -> None:
    """Before the port closes: streams that would stay open end, and no change is listened to any more."""
    live.streams_of(app).end()
    shelf.close(app)
