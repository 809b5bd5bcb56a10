"""Files of our own making that a page hands out: kept by no cache, never shown inside the site."""

from __future__ import annotations

from starlette.responses import Response

from webmail.content import disposition
from webmail.rendering import PAGE_HEADERS


def headed(name: str) -> dict[str, str]:
    """The head of a download called ``name``."""
    return {
        **PAGE_HEADERS,
        "Content-Disposition": disposition(name, shown=False),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }


def handed(content: bytes, media: str, name: str) -> Response:
    """A whole file."""
    return Response(content, headers=headed(name), media_type=media)
