"""Fetching revocation lists: where they are, when to ask, and what came of it.

The places are those that certificates name (distribution points, RFC 5280 §4.2.1.13, and freshest lists,
§4.2.1.15), those that the lists held name themselves, and those of ``trust.toml``. A list is put in use by
:meth:`certs.TrustStore.import_crl`, which verifies it and never replaces a good one by a bad or older one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

import httpx
import msgspec
import structlog

from certs.crl import distribution_points
from certs.download import DownloadError, download, http_client
from certs.errors import CertificateUnreadable, CrlRefused
from certs.identity import DECODE_ERRORS, load_certificate
from certs.trust import TrustStore
from store import PasserelleError, now_ms

log = structlog.get_logger("certs")

Outcome = Literal["new", "same", "refused", "unreachable", "unsupported"]
_MINUTE: Final = 60_000


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one place. ``next_update`` in ms, 0 where there is no list."""

    url: str
    outcome: Outcome
    detail: str
    authority: str = ""
    number: int = -1
    next_update: int = 0

    @property
    def ok(self) -> bool:
        """Is the newest list of this place in use?"""
        return self.outcome in ("new", "same")


class _Place(msgspec.Struct):
    """When a place was asked, and is asked again. Times in ms."""

    due: int = 0
    failures: int = 0


class ListFetcher:
    """Brings revocation lists into one trust folder; one for each home. Blocking: use it in a thread.

    :param holders: certificates (DER) beside those of the folder whose distribution points count: our own.
    :param client: for https places, by default one that believes the folder's roots.
    :param clock: gives the present in ms.
    """

    def __init__(
        self,
        trust: TrustStore,
        holders: Callable[[], Iterable[bytes]] = tuple,
        *,
        client: httpx.Client | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._trust: Final = trust
        self._holders: Final = holders
        self._client: Final = client
        self._clock: Final = clock
        self._places: Final[dict[str, _Place]] = {}
        self._lock: Final = threading.Lock()

    def places(self) -> list[str]:
        """Every URL where a list is said to be, in a fixed order; also those that cannot be asked."""
        found: dict[str, None] = dict.fromkeys(self._trust.settings.lists.urls)
        for der in [*(c.dump() for c in self._trust.intermediates), *self._holders()]:
            try:
                found.update(dict.fromkeys(sorted(distribution_points(load_certificate(der)))))
            except (CertificateUnreadable, *DECODE_ERRORS):
                continue
        for crl in self._trust.crls:
            found.update(dict.fromkeys(sorted(crl.points | crl.freshest_at)))
        return list(found)

    def refresh(self) -> list[Fetched]:
        """Ask every place now, whatever was asked before."""
        return self._ask(self.places())

    def refresh_due(self) -> list[Fetched]:
        """Ask the places whose time has come; to be called every few seconds or minutes.

        Each is asked every ``lists.every_minutes``, and at the latest ``lists.before_minutes`` before the
        list in use ends; one that failed after a minute, then two, four… up to that interval.
        """
        now = self._clock()
        return self._ask([url for url in self.places() if self._place(url).due <= now])

    def _place(self, url: str) -> _Place:
        return self._places.setdefault(url, _Place())

    def _ask(self, urls: Sequence[str]) -> list[Fetched]:
        if not urls:
            return []
        with self._lock:  # a verb and the task of the back do not fetch the same list side by side
            client = self._client or http_client(self._trust.roots)
            try:
                return [self._one(client, url) for url in urls]
            finally:
                if client is not self._client:
                    client.close()

    def _one(self, client: httpx.Client, url: str) -> Fetched:
        found = self._fetch(client, url)
        settings, place, now = self._trust.settings.lists, self._place(url), self._clock()
        every = settings.every_minutes * _MINUTE
        if found.ok:
            place.failures = 0
            last = found.next_update - settings.before_minutes * _MINUTE
            # A list that is about to end is asked for more often, but not without end.
            place.due = max(now + _MINUTE, min(now + every, last))
        else:
            place.failures += 1
            place.due = now + min(every, _MINUTE * 2 ** min(place.failures - 1, 16))
            if found.outcome == "unsupported":
                place.due = now + every
        level = log.info if found.ok or found.outcome == "unsupported" else log.warning
        level("list_fetched", url=url, outcome=found.outcome, reason=found.detail)
        return found

    def _fetch(self, client: httpx.Client, url: str) -> Fetched:
        scheme = url.partition(":")[0].lower()  # urlsplit raises for some addresses that are none
        if scheme not in ("http", "https"):
            return Fetched(
                url=url,
                outcome="unsupported",
                detail=f"{scheme or 'no scheme'}: lists are fetched by http and https only",
            )
        limit = self._trust.settings.lists.max_mib * 1024 * 1024
        try:
            data = download(client, url, limit=limit)
            before = {crl.fingerprint for crl in self._trust.crls}
            crl = self._trust.import_crl(data)
        except DownloadError as error:
            return Fetched(url=url, outcome="unreachable", detail=error.peer.removeprefix(f"{url}: "))
        except CrlRefused as error:
            return Fetched(url=url, outcome="refused", detail=error.detail)
        except PasserelleError as error:
            return Fetched(url=url, outcome="refused", detail=error.log)
        same = crl.fingerprint in before
        return Fetched(
            url=url,
            outcome="same" if same else "new",
            detail="in use already" if same else "put in use",
            authority=crl.label,
            number=crl.number,
            next_update=crl.next_update,
        )
