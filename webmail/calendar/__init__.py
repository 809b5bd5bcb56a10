"""The agenda, as pages."""

from __future__ import annotations

from typing import Final

from starlette.routing import BaseRoute

from webmail.calendar.care import ROUTES as CARE
from webmail.calendar.pages import ROUTES as PAGES
from webmail.calendar.sharing import ROUTES as SHARING
from webmail.calendar.writing import ROUTES as WRITING

ROUTES: Final[list[BaseRoute]] = [*PAGES, *WRITING, *CARE, *SHARING]

__all__ = ["ROUTES"]
