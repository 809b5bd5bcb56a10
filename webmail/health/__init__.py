"""The medical profile and the measures, as pages."""

from __future__ import annotations

from typing import Final

from starlette.routing import BaseRoute

from webmail.health.measure_files import ROUTES as MEASURE_FILES
from webmail.health.measures import ROUTES as MEASURES
from webmail.health.pages import ROUTES as PAGES
from webmail.health.summary import ROUTES as SUMMARY
from webmail.health.writing import ROUTES as WRITING

ROUTES: Final[list[BaseRoute]] = [*PAGES, *SUMMARY, *WRITING, *MEASURE_FILES, *MEASURES]

__all__ = ["ROUTES"]
