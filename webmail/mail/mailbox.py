"""The pages of the mailbox: lists, conversations, folders, search, and news as they happen."""

from __future__ import annotations

from typing import Final

from starlette.routing import BaseRoute

from webmail.mail import (
    conversations,
    downloads,
    filing,
    folders,
    letter,
    lists,
    live,
    moving,
    preview,
    search,
)

ROUTES: Final[list[BaseRoute]] = [
    *live.ROUTES,
    *lists.ROUTES,
    *search.ROUTES,
    *folders.ROUTES,
    *moving.ROUTES,
    *conversations.ROUTES,
    *letter.ROUTES,
    *downloads.ROUTES,
    *preview.ROUTES,
    *filing.ROUTES,
]
