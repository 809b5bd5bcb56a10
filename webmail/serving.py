"""Static files: style, script, icons. They hold nothing of anybody and are kept by browsers for ever."""

from __future__ import annotations

import gzip
import mimetypes
from functools import cache
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from webmail.rendering import STATIC, version

_NAMES: Final = frozenset(path.name for path in STATIC.iterdir() if path.is_file())
_PACKED: Final = (".css", ".js", ".svg", ".html", ".webmanifest", ".txt")


@cache
def _content(name: str) -> tuple[bytes, bytes | None, str]:
    """Octets, the same packed by gzip where that pays, and the media type."""
    raw = (STATIC / name).read_bytes()
    media = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if name.endswith(".webmanifest"):
        media = "application/manifest+json"
    packed = gzip.compress(raw, 9, mtime=0) if name.endswith(_PACKED) else None
    return raw, packed, media


async def static_file(request: Request) -> Response:
    """``/statique/NAME?v=VERSION``: with the right version it never changes (RFC 9111 §5.2.2.1)."""
    name = request.path_params["name"]
    if name not in _NAMES:
        return Response("Cette adresse ne mène nulle part. Nothing here.\n", 404, media_type="text/plain")
    raw, packed, media = _content(name)
    fixed = request.query_params.get("v") == version(name)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if fixed else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=media)
    return Response(raw, headers=headers, media_type=media)


ROUTES: Final[list[BaseRoute]] = [Route("/statique/{name}", static_file, methods=["GET", "HEAD"])]
