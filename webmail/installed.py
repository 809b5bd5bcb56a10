"""What makes the pages installable on a phone: manifest, service worker, and the page that is shown offline.

None of the three knows who asks: no session is looked at, so what the worker keeps is nobody's.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from webmail.rendering import STATIC, static
from webmail.turn import Page, Turn

#: What the worker keeps: the shell, and nothing else.
SHELL: Final = ("app.css", "dark.css", "app.js", "htmx.min.js", "icons.svg", "mark.svg")
OFFLINE: Final = "/hors-ligne"
_DAY: Final = "public, max-age=86400"


@cache
def _manifest() -> bytes:
    icons = [
        {"src": static("icon-192.png"), "sizes": "192x192", "type": "image/png"},
        {"src": static("icon-512.png"), "sizes": "512x512", "type": "image/png"},
        {"src": static("icon-mask.png"), "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
    ]
    return msgspec.json.encode(
        {
            "id": "/",
            "name": "Mon espace santé",
            "short_name": "Espace santé",
            "lang": "fr",
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "background_color": "#f6f4ef",
            "theme_color": "#0c464c",
            "icons": icons,
        }
    )


@cache
def _worker() -> bytes:
    shell = [static(name) for name in SHELL]
    code = (STATIC / "service.js").read_bytes()
    version = hashlib.sha256(msgspec.json.encode(shell) + code).hexdigest()[:12]
    kept = msgspec.json.encode({"version": version, "shell": shell, "offline": OFFLINE})
    return b"self.KEPT = " + kept + b";\n" + code


async def manifest(request: Request) -> Response:
    """``/manifeste.webmanifest``"""
    return Response(_manifest(), headers={"Cache-Control": _DAY}, media_type="application/manifest+json")


async def worker(request: Request) -> Response:
    """``/service.js``: at the top, so that its scope is all pages; its own policy lets it fetch from here."""
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
    }
    return Response(_worker(), headers=headers, media_type="text/javascript")


async def offline(request: Request) -> Response:
    """``/hors-ligne``: drawn for nobody, whatever cookies say."""
    answer = Turn(request, request.app.state.kit).page("errors/offline.html")
    assert isinstance(answer, Page)
    answer.draw(0)
    return answer


ROUTES: Final[list[BaseRoute]] = [
    Route("/manifeste.webmanifest", manifest, methods=["GET", "HEAD"]),
    Route("/service.js", worker, methods=["GET", "HEAD"]),
    Route(OFFLINE, offline, methods=["GET", "HEAD"]),
]
