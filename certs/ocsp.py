"""What responders say of certificates, asked for, verified and remembered (RFC 6960).

:class:`OcspResponders` stands behind the door :class:`certs.status.Responders`. One question is put at a time
for each certificate; who asks meanwhile waits for the same answer. Answers are held in memory until their
``nextUpdate``, failures for a minute. Nothing is kept on disk: after a restart each certificate costs one
question, and no file tells whose certificates were met here.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import structlog
from asn1crypto import x509

from certs.algorithms import Algorithms
from certs.crl import AuthorityKey
from certs.crl_entries import HOLD
from certs.download import tls_context
from certs.identity import DECODE_ERRORS
from certs.ocsp_http import FAILURES, MAX_ANSWER, NoAnswer, Patience, put_question, responder_name
from certs.ocsp_message import (
    NONCE_OCTETS,
    ListStatus,
    OcspRefused,
    Question,
    Rules,
    question,
    read_answer,
    request,
)
from certs.settings import TrustSettings
from certs.status import Status
from store import now_ms

log = structlog.get_logger("certs")

HELD_AT_MOST: Final = 4096
AT_ONCE_AT_MOST: Final = 64

_Key = tuple[AuthorityKey, int]


class _Held(msgspec.Struct, frozen=True):
    status: Status
    response: bytes
    issuer: bytes


class _Failed(msgspec.Struct, frozen=True):
    reason: str
    until: int


class OcspResponders:
    """Asks the responders that certificates name, and holds what they say.

    :param settings: of ``trust.toml``: sections ``ocsp``, ``revocation`` and ``algorithms``.
    :param roots: believed for responders with https URLs.
    :param lists: what the revocation lists say of a certificate, for delegates of a responder; see
        :meth:`consult`.
    :param clock: gives the present in ms.
    """

    def __init__(
        self,
        settings: TrustSettings,
        roots: Iterable[x509.Certificate] = (),
        *,
        lists: ListStatus | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._clock: Final = clock
        self._lists = lists
        self._patience: Final = Patience(clock)
        self.configure(settings, roots)
        self._lock: Final = threading.Lock()
        self._held: Final[OrderedDict[_Key, _Held]] = OrderedDict()
        self._failed: Final[OrderedDict[_Key, _Failed]] = OrderedDict()
        # Of one loop each: a task can only be waited for in its own.
        self._under_way: Final[dict[tuple[asyncio.AbstractEventLoop, _Key], asyncio.Task[str]]] = {}
        self._counts: Final = {"asked": 0, "answered": 0, "failed": 0, "offered": 0, "offers_refused": 0}

    def configure(self, settings: TrustSettings, roots: Iterable[x509.Certificate] = ()) -> None:
        """Go by these settings and roots from now on; what is held stays held."""
        self._settings = settings.ocsp
        self._rules = Rules(
            tolerance=settings.revocation.clock_tolerance_s * 1000,
            short_life=settings.ocsp.without_next_update_s * 1000,
            algorithms=Algorithms(settings.algorithms),
        )
        self._context: ssl.SSLContext = tls_context(list(roots))
        self._patience.pause = settings.ocsp.pause_s * 1000

    def consult(self, lists: ListStatus) -> None:
        """Take ``lists`` to ask for delegates; the trust store that has them is made after us."""
        self._lists = lists

    def review(self) -> None:
        """Forget the answers of delegates that the lists call revoked by now: to be called with new lists."""
        with self._lock:
            held = {(one.status.delegate, one.issuer) for one in self._held.values() if one.status.delegate}
        gone = {signed for signed in held if self._revoked(*signed)}
        with self._lock:
            for key, one in list(self._held.items()):
                if (one.status.delegate, one.issuer) in gone:
                    del self._held[key]

    def _revoked(self, delegate: bytes, issuer: bytes) -> bool:
        if self._lists is None:
            return False
        pair = x509.Certificate.load(delegate), x509.Certificate.load(issuer)
        return self._lists(*pair, self._clock()) == "revoked"

    # -- the door: certs.status.Responders

    def known(self, certificate: x509.Certificate, issuer: x509.Certificate, at: int) -> Status | None:
        """The answer held that may be believed at ``at`` (ms). A revocation for good never ends."""
        held = self._find(certificate, issuer)
        if held is None:
            return None
        status = held.status
        return status if _final(status) or at <= status.valid_until else None

    async def ask(self, certificate: x509.Certificate, issuer: x509.Certificate) -> str:
        """Ask the responder; "" when an answer is held then, else one clause in ASCII saying why not.

        Waits for ``ocsp.wait_s`` at most, and not at all for a responder that failed repeatedly, or a
        question that failed within the last ``ocsp.failure_s``.
        """
        try:
            asked = _question(certificate.dump(), issuer.dump())
        except DECODE_ERRORS as error:
            return f"no question can be made of it ({type(error).__name__})"
        own = self._settings.responders.get(asked.issuer_label)
        urls = (own,) if own else asked.urls
        if not self._settings.ask:
            return "responders are not asked here (ocsp.ask)"
        if not urls:
            return "the certificate names no responder"
        with self._lock:
            failed = self._failed.get(asked.key)
        if failed is not None and self._clock() < failed.until:
            return failed.reason
        place = (asyncio.get_running_loop(), asked.key)
        task = self._under_way.get(place)
        if task is None:
            if len(self._under_way) >= AT_ONCE_AT_MOST:
                return f"{AT_ONCE_AT_MOST} questions to responders are under way already"
            task = self._under_way[place] = asyncio.create_task(self._ask(asked, urls))
            task.add_done_callback(lambda _: self._under_way.pop(place, None))
        return await asyncio.shield(task)

    def offer(self, response: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> str:
        """Take a response that the peer stapled (RFC 6066 §8); "" or a clause about it. About 2 ms of CPU."""
        self._counts["offered"] += 1
        try:
            if len(response) > MAX_ANSWER:
                raise OcspRefused(f"it is larger than {MAX_ANSWER} octets")
            asked = _question(certificate.dump(), issuer.dump())
            self._hold(asked, self._read(response, asked), response)
        except OcspRefused as refused:
            self._counts["offers_refused"] += 1
            return refused.reason
        except DECODE_ERRORS as error:
            return f"no question can be made of it ({type(error).__name__})"
        return ""

    # -- for our own certificate

    def response_held(self, certificate: x509.Certificate, issuer: x509.Certificate, at: int) -> bytes:
        """The response (DER) that says "good" at ``at`` (ms), to staple; ``b""`` when there is none."""
        held = self._find(certificate, issuer)
        good = held is not None and held.status.state == "good" and at <= held.status.valid_until
        return held.response if good and held is not None else b""

    # -- for people and metrics

    def counts(self) -> dict[str, int]:
        """asked, answered, failed, offered, offers_refused since the start; held and paused now."""
        with self._lock:
            held = len(self._held)
        return {**self._counts, "held": held, "paused": len(self._patience.paused)}

    # -- inside

    def _find(self, certificate: x509.Certificate, issuer: x509.Certificate) -> _Held | None:
        try:
            key = _question(certificate.dump(), issuer.dump()).key
        except DECODE_ERRORS:
            return None
        with self._lock:
            return self._held.get(key)

    async def _ask(self, asked: Question, urls: tuple[str, ...]) -> str:
        url = next(filter(self._patience.lets_through, urls), "")
        if not url:
            where = f"the responder {responder_name(urls[0])}"
            return f"{where} is left alone for a while, it failed {FAILURES} times in a row"
        where = f"the responder {responder_name(url)}"
        self._counts["asked"] += 1
        nonce = b"" if self._settings.nonce == "none" else secrets.token_bytes(NONCE_OCTETS)
        try:
            body = await put_question(
                url,
                request(asked, digest=self._settings.hash, nonce=nonce),
                by_get=self._settings.get and not nonce,  # RFC 5019 §4: what caches may keep has no nonce
                context=self._context,
                deadline=float(self._settings.wait_s),
            )
            status = await asyncio.to_thread(self._read, body, asked, nonce)
        except NoAnswer as error:
            self._patience.failed(url)
            return self._note(asked, f"{where} {error.reason}")
        except OcspRefused as refused:
            (self._patience.failed if refused.busy else self._patience.answered)(url)
            return self._note(asked, f"the answer of {where} is refused: {refused.reason}")
        self._patience.answered(url)
        self._counts["answered"] += 1
        self._hold(asked, status, body)
        return ""

    def _read(self, response: bytes, asked: Question, nonce: bytes = b"") -> Status:
        return read_answer(
            response,
            asked,
            now=self._clock(),
            rules=self._rules,
            nonce=nonce,
            nonce_required=self._settings.nonce == "required",
            lists=self._lists,
        )

    def _note(self, asked: Question, reason: str) -> str:
        self._counts["failed"] += 1
        log.warning("ocsp_failed", authority=asked.issuer_label, reason=reason)
        with self._lock:
            until = self._clock() + self._settings.failure_s * 1000
            self._failed[asked.key] = _Failed(reason, until)
            _shorten(self._failed)
        return reason

    def _hold(self, asked: Question, status: Status, response: bytes) -> None:
        if status.state == "unknown":  # perhaps issued a moment ago: asked again soon
            soon = self._clock() + self._settings.failure_s * 1000
            status = msgspec.structs.replace(status, valid_until=min(status.valid_until, soon))
        with self._lock:
            held = self._held.get(asked.key)
            # Something older, replayed or stapled, does not undo what is known; nothing undoes a revocation
            # but that of a hold.
            if held is not None and not _replaces(status, held.status):
                return
            self._held[asked.key] = _Held(status, response, asked.issuer)
            self._held.move_to_end(asked.key)
            self._failed.pop(asked.key, None)
            _shorten(self._held)


def _final(status: Status) -> bool:
    # RFC 5280 §5.3.1: certificateHold is the one revocation that can be taken back.
    return status.state == "revoked" and status.reason != HOLD


def _replaces(status: Status, held: Status) -> bool:
    if _final(status) != _final(held):
        return _final(status)
    if status.this_update == held.this_update:
        return status.state == "revoked" or held.state != "revoked"
    return status.this_update > held.this_update


@functools.lru_cache(maxsize=1024)
def _question(certificate: bytes, issuer: bytes) -> Question:
    return question(certificate, issuer)


def _shorten(held: OrderedDict[_Key, _Held] | OrderedDict[_Key, _Failed]) -> None:
    while len(held) > HELD_AT_MOST:
        held.popitem(last=False)
