"""Ways in and out: activation, opposition, sign-in by code, passkey or FranceConnect, signing out."""

from __future__ import annotations

from typing import Final

from starlette.routing import BaseRoute

from webmail.entering import activation, deciding, federated, keys, leaving, signing

ROUTES: Final[list[BaseRoute]] = [
    *activation.ROUTES,
    *deciding.ROUTES,
    *signing.ROUTES,
    *keys.ROUTES,
    *federated.ROUTES,
    *leaving.ROUTES,
]
