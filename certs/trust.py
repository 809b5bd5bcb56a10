"""May this certificate be believed? The trust folder, and the verdicts that follow from it.

The folder holds ``roots/``, ``intermediates/`` and ``crls/``; files are PEM, DER or PKCS #7; and
``trust.toml``, what is demanded (:mod:`certs.settings`). Nothing outside it is ever trusted. The checks and
their order: :mod:`certs.judgement`. Revocation is hard-fail: a certificate whose status no fresh list and no
responder can tell is refused, with a temporary answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, Literal, ParamSpec, TypeVar

import structlog
from asn1crypto import x509

from certs.algorithms import Algorithms
from certs.crl import Authority, AuthorityKey, Crl, CrlIndex, iso
from certs.errors import CertificateUnreadable, CrlRefused, TrustError
from certs.files import certificates_in, crls_in, read_folder, write_atomically
from certs.identity import load_certificate
from certs.judgement import Judgement, Outcome, Question
from certs.path import Anchors
from certs.revocation import Moment
from certs.settings import TrustSettings, load_trust_settings
from certs.status import Responders
from certs.verdict import CertVerdict, Purpose
from store import now_ms

log = structlog.get_logger("certs")

P = ParamSpec("P")
T = TypeVar("T")

CACHE_SIZE: Final = 4096
# Responders asked at the same time for one chain, and how long they are waited for altogether.
ASKED_AT_ONCE: Final = 4
ASKED_S: Final = 20.0


class Problem(Exception):  # noqa: N818
    """A file of the trust folder that was passed over, and why."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file: Final = file
        self.reason: Final = reason


class _Snapshot:
    """The folder as read at one moment. Never changed: a reload makes another and swaps."""

    def __init__(self, folder: Path, settings: TrustSettings, previous: _Snapshot | None) -> None:
        self.settings: Final = settings
        self.algorithms: Final = Algorithms(settings.algorithms)
        self.problems: list[Problem] = []
        roots = self._certificates(folder / "roots")
        if not roots:
            raise TrustError(f"no usable root certificate in {folder / 'roots'}")
        self._pinned(roots)
        intermediates = self._certificates(folder / "intermediates")
        self.anchors: Final = Anchors(roots, intermediates)
        self.known: Final = frozenset(c.sha256 for c in (*roots, *intermediates))
        self.authorities: Final = [Authority(c) for c in (*roots, *intermediates)]
        signers: defaultdict[AuthorityKey, list[Authority]] = defaultdict(list)
        for authority in self.authorities:
            if authority.signs_crls:
                signers[authority.key].append(authority)
        self.signers: Final[Mapping[AuthorityKey, Sequence[Authority]]] = dict(signers)
        held = None if previous is None else previous.crls
        verified = [] if previous is None or previous.settings != settings else previous.crls.all()
        self.crls: Final[CrlIndex] = self._without_rollback(self._crls(folder / "crls", verified), held)
        # asn1crypto fills its caches while it is read, and races with itself. Held for whole judgements:
        # never to be waited for in an event loop.
        self.lock: Final = threading.Lock()
        self._cache: Final[OrderedDict[bytes, CertVerdict]] = OrderedDict()
        self._cache_lock: Final = threading.Lock()

    def _pinned(self, roots: list[x509.Certificate]) -> None:
        wanted = self.settings.roots.sha256
        for root in roots:
            if wanted and root.sha256.hex() not in wanted:
                raise TrustError(f"roots/ holds {root.sha256.hex()}, which roots.sha256 does not name")

    def _certificates(self, folder: Path) -> list[x509.Certificate]:
        found: list[x509.Certificate] = []
        for name, data in read_folder(folder):
            try:
                found += [load_certificate(der, whole=True) for der in certificates_in(data)]
            except CertificateUnreadable as error:
                # An authority that silently fails to load would refuse people for a wrong reason.
                raise TrustError(f"{folder.name}/{name}: {error.peer}") from error
        return found

    def _crls(self, folder: Path, held: Iterable[Crl]) -> list[Crl]:
        keys = {authority.key for authority in self.authorities}
        verified = {crl.fingerprint: crl for crl in held if crl.authority in keys}
        found: dict[str, Crl] = {}
        for name, data in read_folder(folder):
            try:
                ders = crls_in(data)
                if not ders:
                    raise CrlRefused("there is no revocation list in the file")
                for der in ders:
                    # Verified once: the same bytes under the same authority stay verified.
                    known = verified.get(hashlib.sha256(der).hexdigest())
                    crl = known or Crl(der, self.authorities, name, algorithms=self.algorithms)
                    found[crl.fingerprint] = crl
            except (CrlRefused, CertificateUnreadable) as error:
                self._pass_over(name, error.detail if isinstance(error, CrlRefused) else error.peer)
                # What the file said before still holds: half a delta list must not undo a revocation.
                found.update((crl.fingerprint, crl) for crl in verified.values() if crl.source == name)
        return list(found.values())

    def _without_rollback(self, crls: list[Crl], previous: CrlIndex | None) -> CrlIndex:
        kept: list[Crl] = []
        for shelf, newest in CrlIndex(crls).newest.items():
            held = None if previous is None else previous.newest.get(shelf)
            # RFC 5280 §5.2.3: numbers only grow. An older file does not undo a revocation we know.
            if held is not None and newest.age_key < held.age_key:
                self._pass_over(
                    newest.source,
                    f"it is older than the list in use (number {newest.number}, in use {held.number})",
                )
                kept.append(held)
        return CrlIndex([*crls, *kept])

    def _pass_over(self, file: str, reason: str) -> None:
        log.warning("crl_refused", file=file, reason=reason)
        self.problems.append(Problem(file, reason))

    def cached(self, key: bytes) -> CertVerdict | None:
        """The verdict kept under ``key``."""
        with self._cache_lock:
            return self._cache.get(key)

    def keep(self, key: bytes, verdict: CertVerdict) -> None:
        """Keep a verdict; the oldest go first."""
        with self._cache_lock:
            self._cache[key] = verdict
            self._cache.move_to_end(key)
            while len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)


class TrustStore:
    """Judges certificates against one trust folder.

    :param settings: what is demanded; by default the folder's ``trust.toml``, read again at each reload.
    :param responders: where the status of certificates is asked that the lists cannot tell.
    :param clock: gives the present in ms.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: TrustSettings | None = None,
        responders: Responders | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self.folder: Final = folder
        self.responders = responders
        self._settings: Final = settings
        self._clock: Final = clock
        # One reload or import at a time: the slower of two must not bring the older folder back.
        self._turn: Final = threading.RLock()
        # Judgements take turns at the snapshot's lock: queued here they do not fill the loop's own pool.
        self._judges: Final = ThreadPoolExecutor(1, "certs")
        self._snapshot = self._read(None)

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        settings: TrustSettings | None = None,
        responders: Responders | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> TrustStore:
        """Read ``folder``. Blocking: a tenth of a second for each 100 000 entries of lists.

        A revocation list that fails its checks is passed over and named in :attr:`problems`.

        :raises TrustError: no root, an authority's file that cannot be read, or settings that cannot be.
        """
        return cls(folder, settings=settings, responders=responders, clock=clock)

    def _read(self, previous: _Snapshot | None) -> _Snapshot:
        return _Snapshot(self.folder, self._settings or load_trust_settings(self.folder), previous)

    def reload(self) -> None:
        """Read the folder again and swap at once; checks under way end with what they began with.

        Blocking (call it in a thread). A list older than the one in use does not replace it.

        :raises TrustError: as :meth:`load`; what was in use stays.
        """
        with self._turn:
            self._snapshot = self._read(self._snapshot)
        log.info("trust_reloaded", crls=len(self.crls), refused=len(self.problems))

    @property
    def settings(self) -> TrustSettings:
        """What is demanded, as last read."""
        return self._snapshot.settings

    @property
    def problems(self) -> list[Problem]:
        """The revocation lists passed over at the last load."""
        return list(self._snapshot.problems)

    @property
    def crls(self) -> list[Crl]:
        """The revocation lists in use."""
        return self._snapshot.crls.lists()

    @property
    def roots(self) -> list[x509.Certificate]:
        """The trusted roots."""
        return list(self._snapshot.anchors.roots)

    @property
    def intermediates(self) -> list[x509.Certificate]:
        """The intermediates known beforehand; trusted only through a root."""
        return list(self._snapshot.anchors.intermediates)

    async def check(
        self, chain: Sequence[bytes], purpose: Purpose, at: int | None = None, stapled: bytes | None = None
    ) -> CertVerdict:
        """Judge what a peer presented, off the event loop unless the verdict is known.

        What neither the lists nor the answers held can tell is asked of the responders, once.

        :param chain: DER certificates, leaf first, then any intermediates in any order.
        :param purpose: "client" or "server" (TLS), "sign" (S/MIME, whitelist), "any" for the path alone.
        :param at: judge for this moment (ms), for instance when a message was received; a
            certificate revoked later was still good. None means now. For the past nobody is asked.
        :param stapled: the OCSP response that the peer sent along (RFC 6066 §8).
        :returns: never raises for what a peer sent.
        """
        snapshot, responders = self._snapshot, self.responders
        key = _key(chain, purpose)
        if at is None and (known := self._known(snapshot, key)) is not None and (known.ok or not stapled):
            return known
        outcome = await self._apart(self._judge, snapshot, chain, purpose, at)
        asked: dict[bytes, str] = {}
        if stapled is not None and responders is not None and outcome.leaf is not None:
            why = await self._apart(responders.offer, stapled, *outcome.leaf)
            asked = {outcome.leaf[0].sha256: why and f"the stapled response is refused: {why}"}
            outcome = await self._apart(self._judge, snapshot, chain, purpose, at, asked)
        if outcome.asking and responders is not None:
            for sha256, why in (await _ask(responders, outcome.asking)).items():
                asked[sha256] = "; ".join(filter(None, (asked.get(sha256), why)))
            outcome = await self._apart(self._judge, snapshot, chain, purpose, at, asked)
        return self._remember(snapshot, key, outcome.verdict, at)

    async def _apart(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work`` in the thread of judgements."""
        return await asyncio.get_running_loop().run_in_executor(self._judges, partial(work, *args, **kwargs))

    def check_sync(self, chain: Sequence[bytes], purpose: Purpose, at: int | None = None) -> CertVerdict:
        """As :meth:`check`, for callers outside a loop (CLI, worker threads): up to 10 ms of CPU.

        Asks no responder; the answers that are held count.
        """
        snapshot, key = self._snapshot, _key(chain, purpose)
        if at is None and (known := self._known(snapshot, key)) is not None:
            return known
        return self._remember(snapshot, key, self._judge(snapshot, chain, purpose, at).verdict, at)

    def listed(
        self, certificate: x509.Certificate, issuer: x509.Certificate, at: int
    ) -> Literal["good", "revoked", "unknown"]:
        """What the lists alone say of a certificate at ``at`` (ms): for delegates of responders."""
        snapshot = self._snapshot
        with snapshot.lock:
            return Judgement(snapshot, "any", Moment(at, at)).listed(certificate, issuer).state

    def _known(self, snapshot: _Snapshot, key: bytes) -> CertVerdict | None:
        verdict = snapshot.cached(key)
        return verdict if verdict is not None and self._clock() < verdict.valid_until else None

    def _judge(
        self,
        snapshot: _Snapshot,
        chain: Sequence[bytes],
        purpose: Purpose,
        at: int | None,
        asked: Mapping[bytes, str] | None = None,
    ) -> Outcome:
        now = self._clock()
        moment = Moment(now, now if at is None else at)
        with snapshot.lock:
            return Judgement(snapshot, purpose, moment, self.responders, asked).of(chain)

    def _remember(self, snapshot: _Snapshot, key: bytes, verdict: CertVerdict, at: int | None) -> CertVerdict:
        if at is None:
            snapshot.keep(key, verdict)
        return verdict

    def import_crl(self, data: bytes) -> Crl:
        """Verify a revocation list, put its file in the folder, and reload.

        :param data: PEM or DER, one list.
        :returns: the list; the one in use already when it is the same.
        :raises CrlRefused: it fails a check, is older than the one in use, begins in the future, or is a
            delta list that would leave the complete one in use without any.
        :raises TrustError: it cannot be written, what was in use stays; or the folder cannot be read again.
        """
        with self._turn:
            return self._import(data)

    def _import(self, data: bytes) -> Crl:
        ders = crls_in(data)
        if len(ders) != 1:
            raise CrlRefused("the file does not hold exactly one revocation list")
        crl = Crl(ders[0], self._snapshot.authorities, algorithms=self._snapshot.algorithms)
        held = self._snapshot.crls.newest.get(crl.shelf)
        if held is not None and held.fingerprint == crl.fingerprint:
            return held
        if held is not None and crl.age_key <= held.age_key:
            raise CrlRefused(
                f"it is not newer than the list in use (number {crl.number}, in use {held.number})"
            )
        if crl.this_update > self._clock() + self.settings.revocation.clock_tolerance_s * 1000:
            raise CrlRefused(f"it begins only on {iso(crl.this_update)}")
        if self._snapshot.crls.loses(crl):
            raise CrlRefused(f"it continues list number {crl.base}, which is not in use yet")
        try:
            write_atomically(self.folder / "crls" / _file_name(crl), ders[0])
        except OSError as error:
            raise TrustError(f"crls/ cannot be written: {error.strerror}") from error
        self.reload()
        return crl


async def _ask(responders: Responders, questions: Sequence[Question]) -> dict[bytes, str]:
    """Ask about each certificate, some at a time; why there is no answer, by the certificate's sha256."""
    turn = asyncio.Semaphore(ASKED_AT_ONCE)

    async def one(certificate: x509.Certificate, issuer: x509.Certificate) -> str:
        async with turn:
            return await responders.ask(certificate, issuer)

    tasks = {
        certificate.sha256: asyncio.create_task(one(certificate, issuer)) for certificate, issuer in questions
    }
    try:
        await asyncio.wait(tasks.values(), timeout=ASKED_S)
        return {
            sha256: task.result() if task.done() else f"no responder answered within {ASKED_S:.0f} s"
            for sha256, task in tasks.items()
        }
    finally:
        for task in tasks.values():
            task.cancel()


def _file_name(crl: Crl) -> str:
    shelf = hashlib.sha256(repr(crl.shelf).encode()).hexdigest()[:8]
    slug = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in crl.label).lower().split())
    return f"{slug[:60]}-{'delta-' if crl.delta else ''}{shelf}.crl"


def _key(chain: Sequence[bytes], purpose: Purpose) -> bytes:
    digest = hashlib.sha256(purpose.encode())
    for der in chain:
        digest.update(len(der).to_bytes(8, "big"))
        digest.update(der)
    return digest.digest()
