"""The pages of writing."""

from __future__ import annotations

from typing import Final

from starlette.routing import BaseRoute

from webmail.writing.composing import ROUTES as COMPOSING
from webmail.writing.correspondents import ROUTES as CORRESPONDENTS
from webmail.writing.keeping import ROUTES as KEEPING
from webmail.writing.receipts import ROUTES as RECEIPTS

ROUTES: Final[list[BaseRoute]] = [*CORRESPONDENTS, *KEEPING, *COMPOSING, *RECEIPTS]
