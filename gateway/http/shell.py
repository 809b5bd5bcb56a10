"""What every application is wrapped in: bodies within the bound, a head of answers that does no harm, one
line of access log without addresses of pages, and no trace of a stack in an answer."""

from __future__ import annotations

import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from pathlib import PurePath
from typing import Any, Final

import structlog

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

log = structlog.get_logger("http")

#: Given where the application says nothing else; pages bring their own policy.
_DEFAULTS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_TLS: Final = (b"strict-transport-security", b"max-age=31536000")  # RFC 6797 §6.1


class BodyTooLargeError(Exception):
    """The body goes beyond the port's bound; the shell answers 413."""


class Shell:
    """``app`` within bounds. ``body``: octets that a request may carry."""

    def __init__(self, app: ASGI, body: int) -> None:
        self._app = app
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn = _Turn(scope, receive, send, self._body)
        began = time.monotonic()
        try:
            if turn.announced > self._body:
                raise BodyTooLargeError
            await self._app(scope, turn.receive, turn.send)
        except BodyTooLargeError:
            await turn.plain(413, "Content Too Large")  # RFC 9110 §15.5.14
        except Exception as caught:  # noqa: BLE001  # whatever it was, the client learns nothing of it
            if not turn.gone:
                error = type(caught).__name__
                log.error("http_broken", endpoint=_endpoint(scope), error=error, at=_places(caught))
            await turn.plain(500, "Internal Server Error")
        finally:
            # Where from is told of what went wrong only: it may be a patient's telephone.
            where = {"peer": (scope.get("client") or ("",))[0]} if turn.status >= 400 else {}
            log.info(
                "http",
                method=scope["method"],
                endpoint=_endpoint(scope),
                status=turn.status,
                octets=turn.sent,
                ms=round((time.monotonic() - began) * 1000),
                **where,
            )


def _endpoint(scope: Scope) -> str:
    """The name of the function that answered: a path may hold what names a patient."""
    return getattr(scope.get("endpoint"), "__name__", "")


def _places(error: BaseException) -> list[str]:
    """Where it came from, without the values that a traceback may show."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return [f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in frames]


class _Turn:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        self._receive, self._send, self._limit = receive, send, limit
        self._secure = scope.get("scheme") == "https"
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        self.announced = int(length) if length.isdigit() else 0
        self._unread = self.announced > 0 or b"transfer-encoding" in headers
        self._got = 0
        self._over = False
        self._ended = False
        self.gone = False
        self.status = 0
        self.sent = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._got += len(message.get("body", b""))
            self._unread = bool(message.get("more_body"))
            if self._got > self._limit:
                self._unread = self._over = True
                raise BodyTooLargeError
        else:
            self._unread, self.gone = False, True
        return message

    async def send(self, message: Message) -> None:
        if self._over:  # whatever the application makes of it, the answer is the same
            await self.plain(413, "Content Too Large")
        elif not self._ended:
            await self._pass_on(message)

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._headed(list(message.get("headers", ())))
        else:
            self.sent += len(message.get("body", b""))
            self._ended = not message.get("more_body", False)
        await self._send(message)

    def _headed(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        there = {name.lower() for name, _ in headers}
        wanted = [*_DEFAULTS, _TLS] if self._secure else [*_DEFAULTS]
        if self._unread:  # RFC 9112 §9.3: what is left of the body is not read as the next request
            wanted.append((b"connection", b"close"))
        wanted.append((b"date", formatdate(usegmt=True).encode()))  # RFC 9110 §6.6.1
        return headers + [(name, value) for name, value in wanted if name not in there]

    async def plain(self, status: int, text: str) -> None:
        """Answer in words, unless it is answered; an answer that has begun is cut."""
        if self._ended:
            return
        if self.status:
            raise ConnectionAbortedError("an answer had begun")
        body = text.encode()
        head = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        await self._pass_on({"type": "http.response.start", "status": status, "headers": head})
        await self._pass_on({"type": "http.response.body", "body": body, "more_body": False})
