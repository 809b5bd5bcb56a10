"""Questions to OCSP responders over HTTP (RFC 6960 appendix A), bounded in time and size.

A responder that does not answer costs a peer one bounded wait; after three failures in a row it is left alone
for a while, so that a dead one does not delay every session (:class:`Patience`).
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urlsplit

import httpx

MAX_ANSWER: Final = 64 * 1024
# RFC 5019 §5: a question goes by GET when the whole URL is not longer.
MAX_GET: Final = 255
FAILURES: Final = 3
_REMEMBERED: Final = 256

_HEADERS: Final = {"accept": "application/ocsp-response", "accept-encoding": "identity"}


class NoAnswer(Exception):  # noqa: N818
    """The responder gave no OCSP answer: a clause in ASCII, whose subject is the responder."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: Final = reason


def responder_name(url: str) -> str:
    """What to call a responder in a sentence: the host of its URL, and its port where it is unusual."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "(no host)", parts.port
    except ValueError:
        host, port = "(no host)", None
    text = host if port in (None, 80, 443) else f"{host}:{port}"
    return "".join(c if " " < c <= "~" else "?" for c in text)[:80]


async def put_question(
    url: str, question: bytes, *, by_get: bool, context: ssl.SSLContext, deadline: float
) -> bytes:
    """The body that the responder answers a DER question with.

    :param by_get: GET where the URL stays short enough, else POST.
    :param context: believed for https. :param deadline: seconds for the whole exchange.
    :raises NoAnswer: not reached, not 200, too large or too slow.
    """
    # RFC 6960 appendix A.1: base64 of the DER, URL-encoded, after the responder's path.
    short = f"{url.rstrip('/')}/{quote(b64encode(question), safe='')}"
    method, target, content = (
        ("GET", short, None) if by_get and len(short) <= MAX_GET else ("POST", url, question)
    )
    headers = _HEADERS if content is None else {**_HEADERS, "content-type": "application/ocsp-request"}
    try:
        if not urlsplit(url).hostname or urlsplit(url).port == 0:  # the port: ValueError beyond 65535
            raise NoAnswer("has an address that is none")
        async with (
            asyncio.timeout(deadline),
            httpx.AsyncClient(verify=context, timeout=deadline, trust_env=False) as client,
            client.stream(method, target, content=content, headers=headers) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise NoAnswer(f"answers with HTTP status {answer.status_code}")
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > MAX_ANSWER:
                    raise NoAnswer(f"sends more than {MAX_ANSWER} octets")
            return bytes(body)
    except (TimeoutError, httpx.TimeoutException):
        raise NoAnswer(f"does not answer within {deadline:g} s") from None
    except httpx.ConnectError:
        raise NoAnswer("cannot be reached") from None
    except (
        httpx.HTTPError,
        httpx.InvalidURL,
        httpx.StreamError,
        ValueError,
        OSError,
        ExceptionGroup,
    ) as error:
        raise NoAnswer(f"gives no answer ({type(error).__name__})") from None


class Patience:
    """Which responders to leave alone for the moment. Thread-safe.

    ``pause`` (ms) is how long a responder is left alone after :data:`FAILURES` failures in a row; then one
    question is let through, and the next failure begins another pause.

    :param clock: the present in ms.
    """

    def __init__(self, clock: Callable[[], int], pause: int = 30_000) -> None:
        self.pause = pause
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._failures: Final[dict[str, int]] = {}
        self._until: Final[dict[str, int]] = {}

    def lets_through(self, url: str) -> bool:
        """May the responder be asked now?"""
        with self._lock:
            now = self._clock()
            if now < self._until.get(url, 0):
                return False
            if url in self._until:  # one tries; the others wait for what it finds
                self._until[url] = now + self.pause
            return True

    def answered(self, url: str) -> None:
        """The responder works."""
        with self._lock:
            self._failures.pop(url, None)
            self._until.pop(url, None)

    def failed(self, url: str) -> None:
        """The responder did not answer."""
        with self._lock:
            if len(self._failures) >= _REMEMBERED:
                self._failures.clear()
                self._until.clear()
            count = self._failures[url] = self._failures.get(url, 0) + 1
            if count >= FAILURES:
                self._until[url] = self._clock() + self.pause

    @property
    def paused(self) -> list[str]:
        """The responders left alone now."""
        with self._lock:
            now = self._clock()
            return sorted(url for url, until in self._until.items() if now < until)
