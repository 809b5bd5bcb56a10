"""The private calendar feed over HTTPS: ``/agenda/<token>.ics``, for the phones of patients.

Unknown, revoked and ended tokens are answered alike, with 404; nothing of a token is ever logged.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

import agenda
from store import PasserelleError, Store

log = structlog.get_logger("feeds")

#: Of one token, and of one address that asks for tokens nobody has: requests in a minute.
PER_TOKEN: Final = 12
PER_PEER: Final = 60
_WINDOW_S: Final = 60.0
_REMEMBERED: Final = 20_000
_TOKEN: Final = re.compile(rf"[A-Za-z0-9_-]{{{agenda.TOKEN_LENGTH}}}", re.ASCII)
_PRIVATE: Final = {
    # RFC 9111 §5.2.2: nobody in between keeps it; the client asks again each time
    "Cache-Control": "private, no-cache",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Rate:
    """How often a key came within the last minute, more or less; the oldest keys are forgotten."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._seen: OrderedDict[bytes, tuple[float, int]] = OrderedDict()

    def full(self, key: bytes) -> bool:
        """Whether a key came too often already."""
        begun, count = self._seen.get(key, (0.0, 0))
        return count >= self._limit and self._clock() - begun < _WINDOW_S

    def count(self, key: bytes) -> None:
        """A key came once more."""
        now = self._clock()
        begun, count = self._seen.pop(key, (now, 0))
        if now - begun >= _WINDOW_S:
            begun, count = now, 0
        self._seen[key] = (begun, count + 1)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)


class Feeds:
    """The application of the port ``web``. Each process counts for itself."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._tokens = Rate(PER_TOKEN, clock)
        self._strangers = Rate(PER_PEER, clock)

    def routes(self) -> list[BaseRoute]:
        """What is served: the feeds, and what search engines may read (nothing)."""
        return [
            Route("/agenda/{name}.ics", self._feed, methods=["GET", "HEAD"]),
            Route("/robots.txt", _robots, methods=["GET", "HEAD"]),
        ]

    async def _feed(self, request: Request) -> Response:
        peer = (request.client.host if request.client is not None else "").encode()
        token = request.path_params["name"]
        key = hashlib.sha256(token.encode()).digest()
        if self._tokens.full(key) or self._strangers.full(peer):
            return _answer(429, "Trop de demandes. Too many requests.\n", {"Retry-After": "60"})
        self._tokens.count(key)
        served = None
        if _TOKEN.fullmatch(token):
            try:
                served = await self._store.in_thread(agenda.serve_feed, self._store, token)
            except PasserelleError as error:
                log.warning("feed_failed", rule=error.rule)
                return _answer(503, "Indisponible. Unavailable.\n", {"Retry-After": "300"})
        if served is None:
            self._strangers.count(peer)
            return _answer(404, "Cette adresse ne mène nulle part. Nothing here.\n")
        return _calendar(request, served)


def _calendar(request: Request, served: agenda.Served) -> Response:
    etag = f'"{hashlib.sha256(served.body).hexdigest()[:32]}"'
    # A second later than the change: another one within the same second is newer than what was told.
    changed = served.changed_at // 1000 + 1
    headers = {**_PRIVATE, "ETag": etag}
    if changed <= time.time():
        headers["Last-Modified"] = formatdate(changed, usegmt=True)
    if _known(request, etag, changed):
        return Response(status_code=304, headers=headers)
    return Response(
        served.body,
        headers={**headers, "Content-Disposition": 'inline; filename="agenda.ics"'},
        media_type=agenda.MEDIA_TYPE,
    )


def _known(request: Request, etag: str, changed: int) -> bool:
    """Whether the client has it already (RFC 9110 §13.2.2: If-None-Match decides where it is given)."""
    given = request.headers.get("if-none-match")
    if given is not None:
        return given.strip() == "*" or etag in {one.strip().removeprefix("W/") for one in given.split(",")}
    since = request.headers.get("if-modified-since")
    if since is None or changed > time.time():
        return False
    try:
        return parsedate_to_datetime(since).timestamp() >= changed
    except (TypeError, ValueError, OverflowError):
        return False


def _answer(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(text, status, headers=_PRIVATE | (headers or {}))


async def _robots(request: Request) -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /\n", headers=_PRIVATE)
