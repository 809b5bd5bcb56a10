"""The record's pages: documents, who has access to them, what happened."""

from typing import Final

from starlette.routing import BaseRoute

from webmail.record import access, changing, depositing, history, listing, one, shown

ROUTES: Final[list[BaseRoute]] = [
    *listing.ROUTES,
    *depositing.ROUTES,
    *one.ROUTES,
    *shown.ROUTES,
    *changing.ROUTES,
    *access.ROUTES,
    *history.ROUTES,
]

__all__ = ["ROUTES"]
