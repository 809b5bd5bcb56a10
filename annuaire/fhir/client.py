"""Asks the Annuaire Santé FHIR API: one search, page after page, by the links that the server gives.

- The key goes to the configured host and nowhere else: a link that leads elsewhere ends the search, a
  redirect is not followed. It is read from a file, sent in a header, and never part of a text or a log.
- A page is bounded in size and time. What may pass by itself (429, 5xx, a lost connection, a body that
  breaks off) is asked again, later and later, or when the server says (``Retry-After``).
- Every page carries the address of the next one, so a search can be taken up where it ended.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec
import structlog
from asn1crypto import x509

from annuaire.fhir.errors import FhirError
from annuaire.fhir.model import Bundle, BundleEntry, Outcome
from certs import http_client
from store import now_ms

#: A page of 200 resources with what they refer to is about 1 MiB.
MAX_PAGE: Final = 32 << 20
PAGE_SIZE: Final = 200
#: The API itself gives up after 30 s.
TIMEOUT_S: Final = 40.0
DEADLINE_S: Final = 120.0
ATTEMPTS: Final = 6
LONGEST_WAIT_S: Final = 300.0
_LONGEST_URL: Final = 16_384

_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_log = structlog.get_logger("annuaire")


class Page(msgspec.Struct, frozen=True):
    """One page of a search.

    :param next: the address of the next page, "" after the last.
    :param date: the server's clock when it answered (ms).
    """

    entries: list[BundleEntry]
    next: str
    date: int


class ExpiredError(FhirError):
    """A page that the server does not keep any more: the search must begin anew."""


def read_key(path: Path) -> str:
    """The API key that a file holds, alone. Raises :class:`FhirError` (``fhir.key``)."""
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FhirError(
            "fhir.key", f"the key file {path.name} cannot be read ({type(error).__name__})"
        ) from None
    if not key or len(key) > 512 or not key.isprintable() or " " in key:
        raise FhirError("fhir.key", f"the key file {path.name} does not hold one key")
    return key


class FhirClient:
    """A client of one server.

    :param url: base URL of the API.
    :param roots: who may vouch for the server.
    :param wait: called with the seconds to wait before an attempt is repeated.
    """

    def __init__(
        self,
        url: str,
        key: str,
        roots: Iterable[x509.Certificate],
        *,
        wait: Callable[[float], None] = time.sleep,
        timeout: float = TIMEOUT_S,
    ) -> None:
        self.base: Final = url.rstrip("/")
        self._origin: Final = _origin(self.base)
        self._headers: Final = {"ESANTE-API-KEY": key, "Accept": "application/fhir+json"}
        self._wait: Final = wait
        self._http: Final = http_client(roots, timeout=timeout)

    def __enter__(self) -> FhirClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def search(self, resource: str, parameters: list[tuple[str, str]]) -> str:
        """The address of the first page of a search."""
        return f"{self.base}/{resource}?{urlencode([*parameters, ('_count', str(PAGE_SIZE))])}"

    def pages(self, url: str) -> Iterator[Page]:
        """The pages of a search from ``url`` on, each when it is asked for. Blocking.

        Raises :class:`FhirError`, naming the check that failed; :class:`ExpiredError` when the server has
        forgotten the page at ``url``.
        """
        seen: set[bytes] = set()
        while url:
            self._check_address(url)
            page, content = self._page(url)
            for mark in (hashlib.sha256(url.encode()).digest(), content):
                # The same address again, or the same resources under another one: it would never end.
                if mark in seen and page.entries:
                    raise FhirError("fhir.loop", "the server gave the same page twice")
                seen.add(mark)
            yield page
            url = page.next

    def _check_address(self, url: str) -> None:
        try:
            same = _origin(url) == self._origin and len(url) <= _LONGEST_URL
        except ValueError:
            same = False
        if not same or not urlsplit(url).path.startswith(f"{urlsplit(self.base).path}/"):
            raise FhirError("fhir.link", "the link to the next page leads to another server")

    def _page(self, url: str) -> tuple[Page, bytes]:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._ask(url)
            except _Again as again:
                wait = again.seconds or min(2.0 ** (attempt - 1), 60.0) * random.uniform(0.75, 1.25)  # noqa: S311  # spreads load
                if attempt == ATTEMPTS or wait > LONGEST_WAIT_S:
                    raise FhirError("fhir.unreachable", f"{again.reason}, after {attempt} attempts") from None
                _log.info("fhir_again", reason=again.reason, attempt=attempt, seconds=round(wait, 1))
                self._wait(wait)
        raise AssertionError("the last attempt returns or raises")

    def _ask(self, url: str) -> tuple[Page, bytes]:
        body = bytearray()
        end = time.monotonic() + DEADLINE_S
        try:
            with self._http.stream("GET", url, headers=self._headers) as answer:
                if answer.status_code in _AGAIN:
                    reason = f"the server answered {answer.status_code}"
                    raise _Again(reason, _retry_after(answer.headers.get("retry-after", "")))
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > MAX_PAGE:
                        raise FhirError("fhir.size", f"a page is larger than {MAX_PAGE >> 20} MiB")
                    if time.monotonic() > end:
                        raise _Again(f"a page did not end within {DEADLINE_S:.0f} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _Again(f"the server cannot be reached ({type(error).__name__})") from error
        self._check_status(answer.status_code, bytes(body))
        return self._read(bytes(body), answer.headers.get("date", ""))

    def _check_status(self, status: int, body: bytes) -> None:
        if status == httpx.codes.OK:
            return
        if 300 <= status < 400:
            raise FhirError(
                "fhir.redirect", f"the server sends us elsewhere ({status}), which is not followed"
            )
        if status in (401, 403):
            raise FhirError("fhir.key", f"the server does not accept the API key ({status})")
        why = f"the server answered {status}{_diagnostics(body)}"
        raise ExpiredError("fhir.expired", why) if status in (404, 410) else FhirError("fhir.refused", why)

    def _read(self, body: bytes, date: str) -> tuple[Page, bytes]:
        try:
            bundle = msgspec.json.decode(body, type=Bundle)
        except msgspec.ValidationError as error:
            raise FhirError("fhir.answer", f"the answer is not a Bundle: {error}") from None
        except (msgspec.DecodeError, RecursionError):
            raise _Again("the answer is not whole JSON") from None
        if bundle.resource_type != "Bundle" or bundle.type != "searchset":
            raise FhirError("fhir.answer", "the answer is not a Bundle of search results")
        following = [link.url for link in bundle.link if link.relation == "next"]
        if len(following) > 1:
            raise FhirError("fhir.answer", "the answer has several next pages")
        content = hashlib.sha256(b"\x00".join(bytes(entry.resource) for entry in bundle.entry)).digest()
        return Page(bundle.entry, following[0] if following else "", _moment(date)), content


class _Again(Exception):  # noqa: N818
    """An attempt that may succeed when repeated; ``seconds`` as the server wishes, 0: as we like."""

    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError("a user in a URL")
    return parts.scheme, (parts.hostname or "").casefold(), parts.port or {"https": 443}.get(parts.scheme, 80)


def _retry_after(value: str) -> float:
    """Seconds that ``Retry-After`` asks for (RFC 9110 §10.2.3: a number or a date); 0: it says nothing."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(min(int(value[:9]), 86_400)) or 0.1
    moment = _moment(value, 0)
    return max((moment - now_ms()) / 1000, 0.1) if moment else 0.0


def _moment(value: str, otherwise: int | None = None) -> int:
    try:
        return round(parsedate_to_datetime(value).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return now_ms() if otherwise is None else otherwise


def _diagnostics(body: bytes) -> str:
    """What an OperationOutcome says, in ASCII, shortened; "" when it is none."""
    try:
        outcome = msgspec.json.decode(body, type=Outcome)
    except (msgspec.DecodeError, RecursionError):
        return ""
    text = next((issue.diagnostics for issue in outcome.issue if issue.diagnostics), "")
    plain = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text)
    return f": {plain[:200]}" if plain else ""
