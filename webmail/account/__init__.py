"""A person's account: identity, ways in, where he is told, children's spaces, leaving."""

from __future__ import annotations

from typing import Final

from starlette.routing import BaseRoute

from webmail.account import applications, closing, keys, overview, password, profiles, proof, reach, sessions

ROUTES: Final[list[BaseRoute]] = [
    *overview.ROUTES,
    *sessions.ROUTES,
    *keys.ROUTES,
    *proof.ROUTES,
    *password.ROUTES,
    *reach.ROUTES,
    *applications.ROUTES,
    *closing.ROUTES,
    *profiles.ROUTES,
]
