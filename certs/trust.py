"""May this certificate be believed? The trust folder, the checks in their order, the verdicts.

The folder holds ``roots/``, ``intermediates/`` and ``crls/``; files are PEM, DER or PKCS #7. Nothing
outside it is ever trusted, nothing is fetched while a peer waits.

Order of the checks: readable, path to a root (RFC 5280 §6: signatures, dates, constraints, policies),
usage of the leaf, then revocation of every certificate below the root. Revocation is hard-fail: a
certificate whose status no fresh list can tell is refused, with a temporary answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import structlog
from asn1crypto import x509

from certs.crl import CLOCK_SKEW_MS, Authority, Crl, CrlIndex, iso
from certs.errors import CertificateUnreadable, CrlRefused, TrustError
from certs.files import certificates_in, crls_in, read_folder, write_atomically
from certs.identity import (
    DECODE_ERRORS,
    Identity,
    identity_of,
    load_certificate,
    milliseconds,
    unreadable_identity,
)
from certs.names import authority_label, dn_string
from certs.path import MAX_PRESENTED, Anchors, PathRefused, build_path, check_usage
from certs.verdict import CertVerdict, Check, Purpose, Rule
from store import now_ms

log = structlog.get_logger("certs")

CACHE_SIZE: Final = 4096
REFUSAL_MS: Final = 60_000


class Problem(Exception):  # noqa: N818
    """A file of the trust folder that was passed over, and why."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file: Final = file
        self.reason: Final = reason


class _Snapshot:
    """The folder as read at one moment. Never changed: a reload makes another and swaps."""

    def __init__(self, folder: Path, previous: CrlIndex | None) -> None:
        self.problems: list[Problem] = []
        roots = self._certificates(folder / "roots")
        if not roots:
            raise TrustError(f"no usable root certificate in {folder / 'roots'}")
        intermediates = self._certificates(folder / "intermediates")
        self.anchors: Final = Anchors(roots, intermediates)
        self.known: Final = frozenset(c.sha256 for c in (*roots, *intermediates))
        self.authorities: Final = [Authority(c) for c in (*roots, *intermediates)]
        self.crls: Final = CrlIndex(self._without_rollback(self._crls(folder / "crls", previous), previous))
        # asn1crypto fills its caches while it is read, and races with itself.
        self.lock: Final = threading.Lock()
        self.cache: Final[OrderedDict[bytes, CertVerdict]] = OrderedDict()

    def _certificates(self, folder: Path) -> list[x509.Certificate]:
        found: list[x509.Certificate] = []
        for name, data in read_folder(folder):
            try:
                found += [load_certificate(der, whole=True) for der in certificates_in(data)]
            except CertificateUnreadable as error:
                # An authority that silently fails to load would refuse people for a wrong reason.
                raise TrustError(f"{folder.name}/{name}: {error.peer}") from error
        return found

    def _crls(self, folder: Path, previous: CrlIndex | None) -> Iterable[Crl]:
        keys = {authority.key for authority in self.authorities}
        held = [] if previous is None else previous.lists()
        verified = {crl.fingerprint: crl for crl in held if crl.authority in keys}
        for name, data in read_folder(folder):
            try:
                ders = crls_in(data)
                if not ders:
                    raise CrlRefused("there is no revocation list in the file")
                for der in ders:
                    # Verified once: the same bytes under the same authority stay verified.
                    known = verified.get(hashlib.sha256(der).hexdigest())
                    yield known or Crl(der, self.authorities, name)
            except (CrlRefused, CertificateUnreadable) as error:
                reason = error.detail if isinstance(error, CrlRefused) else error.peer
                log.warning("crl_refused", file=name, reason=reason)
                self.problems.append(Problem(name, reason))

    def _without_rollback(self, crls: Iterable[Crl], previous: CrlIndex | None) -> Iterable[Crl]:
        held = {} if previous is None else previous.newest
        for crl in crls:
            newer = held.get(crl.shelf)
            # RFC 5280 §5.2.3: numbers only grow. An older file does not undo a revocation we know.
            if newer is not None and crl.age_key < newer.age_key:
                reason = f"it is older than the list in use (number {crl.number}, in use {newer.number})"
                log.warning("crl_refused", file=crl.source, reason=reason)
                self.problems.append(Problem(crl.source, reason))
                yield newer
            else:
                yield crl


class TrustStore:
    """Judges certificates against one trust folder.

    :param policies: acceptable certificate policy OIDs; empty accepts any.
    :param staleness: how many seconds past its ``nextUpdate`` a list may still be believed.
    :param clock: gives the present in ms.
    """

    def __init__(
        self,
        folder: Path,
        *,
        policies: frozenset[str] = frozenset(),
        staleness: int = 0,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self.folder: Final = folder
        self._policies: Final = policies
        self._grace: Final = staleness * 1000
        self._clock: Final = clock
        self._snapshot = _Snapshot(folder, None)

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        policies: frozenset[str] = frozenset(),
        staleness: int = 0,
        clock: Callable[[], int] = now_ms,
    ) -> TrustStore:
        """Read ``folder``/{roots,intermediates,crls}. Blocking: tens of ms with big lists.

        A revocation list that fails its checks is passed over and named in :attr:`problems`.

        :raises TrustError: no root, or an authority's file that cannot be read.
        """
        return cls(folder, policies=policies, staleness=staleness, clock=clock)

    def reload(self) -> None:
        """Read the folder again and swap at once; checks under way end with what they began with.

        Blocking (call it in a thread). A list older than the one in use does not replace it.

        :raises TrustError: as :meth:`load`; what was in use stays.
        """
        self._snapshot = _Snapshot(self.folder, self._snapshot.crls)
        log.info("trust_reloaded", crls=len(self.crls), refused=len(self.problems))

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

    async def check(self, chain: Sequence[bytes], purpose: Purpose, at: int | None = None) -> CertVerdict:
        """Judge what a peer presented, off the event loop unless the verdict is known.

        :param chain: DER certificates, leaf first, then any intermediates in any order.
        :param purpose: "client" or "server" (TLS), "sign" (S/MIME, whitelist).
        :param at: judge for this moment (ms), for instance when a message was received; a
            certificate revoked later was still good. None means now.
        :returns: never raises for what a peer sent.
        """
        snapshot = self._snapshot
        key = _key(chain, purpose)
        if at is None and (known := self._known(snapshot, key)) is not None:
            return known
        return await asyncio.to_thread(self._judge, snapshot, key, chain, purpose, at)

    def check_sync(self, chain: Sequence[bytes], purpose: Purpose, at: int | None = None) -> CertVerdict:
        """As :meth:`check`, for callers outside a loop (CLI, worker threads): up to 10 ms of CPU."""
        return self._judge(self._snapshot, _key(chain, purpose), chain, purpose, at)

    def _known(self, snapshot: _Snapshot, key: bytes) -> CertVerdict | None:
        verdict = snapshot.cache.get(key)
        return verdict if verdict is not None and self._clock() < verdict.valid_until else None

    def _judge(
        self, snapshot: _Snapshot, key: bytes, chain: Sequence[bytes], purpose: Purpose, at: int | None
    ) -> CertVerdict:
        with snapshot.lock:
            if at is None and (known := self._known(snapshot, key)) is not None:
                return known
            now = self._clock()
            verdict = _Judgement(snapshot, purpose, self._policies, self._grace, now, at).of(chain)
            if at is None:
                snapshot.cache[key] = verdict
                snapshot.cache.move_to_end(key)
                while len(snapshot.cache) > CACHE_SIZE:
                    snapshot.cache.popitem(last=False)
            return verdict

    def import_crl(self, data: bytes) -> Crl:
        """Verify a revocation list, put its file in the folder, and reload.

        :param data: PEM or DER, one list.
        :returns: the list; the one in use already when it is the same.
        :raises CrlRefused: it fails a check, or is older than the one in use.
        """
        ders = crls_in(data)
        if len(ders) != 1:
            raise CrlRefused("the file does not hold exactly one revocation list")
        crl = Crl(ders[0], self._snapshot.authorities)
        held = self._snapshot.crls.newest.get(crl.shelf)
        if held is not None and held.fingerprint == crl.fingerprint:
            return held
        if held is not None and crl.age_key <= held.age_key:
            raise CrlRefused(
                f"it is not newer than the list in use (number {crl.number}, in use {held.number})"
            )
        write_atomically(self.folder / "crls" / _file_name(crl), ders[0])
        self.reload()
        return crl


def _file_name(crl: Crl) -> str:
    shelf = hashlib.sha256(repr((crl.authority, crl.scope, sorted(crl.points))).encode()).hexdigest()[:8]
    slug = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in crl.label).lower().split())
    return f"{slug[:60]}-{shelf}.crl"


def _key(chain: Sequence[bytes], purpose: Purpose) -> bytes:
    digest = hashlib.sha256(purpose.encode())
    for der in chain:
        digest.update(len(der).to_bytes(8, "big"))
        digest.update(der)
    return digest.digest()


class _Judgement:
    """The checks of one chain, in order; what each found is kept for `certs check`."""

    def __init__(
        self,
        snapshot: _Snapshot,
        purpose: Purpose,
        policies: frozenset[str],
        grace: int,
        now: int,
        at: int | None,
    ) -> None:
        self.snapshot, self.purpose, self.policies, self.grace = snapshot, purpose, policies, grace
        self.now, self.at = now, now if at is None else at
        self.historic = at is not None
        self.checks: list[Check] = []
        self.path: list[str] = []
        self.identity: Identity = unreadable_identity(b"")
        self.until = 0
        self.revoked_at = 0

    def of(self, chain: Sequence[bytes]) -> CertVerdict:
        if not chain:
            return self._refuse("sender.certificate", "readable", "no certificate was presented")
        self.identity = unreadable_identity(chain[0])
        try:
            leaf = load_certificate(chain[0])
            self.identity = identity_of(leaf, chain[0])
        except CertificateUnreadable as error:
            return self._refuse("sender.certificate", "readable", error.peer)
        self.path = [self.identity.subject_dn]
        self.checks.append(Check("readable", True, f"{self.identity.kind}, {self.identity.category}"))
        try:
            path = build_path(
                leaf,
                self._presented(chain[1:]),
                self.snapshot.anchors,
                at=self.at,
                policies=self.policies,
            )
            self.path = [dn_string(certificate.subject) for certificate in path]
            root = authority_label(path[-1].subject)
            self.checks.append(Check("path", True, f"{len(path)} certificates to {root}"))
            self.checks.append(Check("usage", True, check_usage(leaf, self.purpose)))
        except PathRefused as refused:
            return self._refuse("sender.certificate", refused.check, refused.reason)
        except DECODE_ERRORS as error:
            reason = f"a certificate of the path is malformed ({type(error).__name__})"
            return self._refuse("sender.certificate", "path", reason)
        ends = [milliseconds(c["tbs_certificate"]["validity"]["not_after"].native) for c in path]
        self.until = min(ends)
        self.checks.append(Check("validity", True, f"until {iso(self.until)}"))
        return self._revocation(path)

    def _presented(self, ders: Sequence[bytes]) -> list[x509.Certificate]:
        """Intermediates that came with the leaf, but for those we have; unreadable ones help nobody."""
        found: list[x509.Certificate] = []
        for der in ders[:MAX_PRESENTED]:
            if hashlib.sha256(der).digest() in self.snapshot.known:
                continue
            try:
                found.append(load_certificate(der))
            except CertificateUnreadable:
                continue
        return found

    def _revocation(self, path: list[x509.Certificate]) -> CertVerdict:
        unknown = ""
        for certificate, issuer in pairwise(path):
            leaf = certificate is path[0]
            what = "the certificate" if leaf else f"the authority {authority_label(certificate.subject)}"
            covering = self.snapshot.crls.covering(certificate, issuer)
            for crl in covering:
                entry = crl.revoked.get(certificate.serial_number)
                # A list too old to accept by is still good enough to refuse by.
                if entry is not None and not (self.historic and entry.at > self.at):
                    self.revoked_at = entry.at
                    reason = f"{what} was revoked on {iso(entry.at)} ({entry.reason})"
                    return self._refuse("sender.revoked", "revocation", reason)
            fresh = [crl for crl in covering if self._fresh(crl)]
            if fresh:
                ends = max(crl.next_update for crl in fresh) + self.grace
                self.until = min(self.until, ends)
                self.checks.append(
                    Check(
                        "revocation",
                        True,
                        f"{what} is not on the list of {fresh[0].label}, good to {iso(ends)}",
                    )
                )
                continue
            issuer_name = authority_label(issuer.subject)
            why = f"there is no revocation list of {issuer_name}"
            if covering:
                latest = max(covering, key=lambda crl: crl.next_update)
                why = f"the revocation list of {issuer_name} ended on {iso(latest.next_update)}"
                if latest.next_update + self.grace >= self.at:
                    why = f"the revocation list of {issuer_name} begins on {iso(latest.this_update)}"
            unknown = unknown or f"the status of {what} is unknown: {why}"
            self.checks.append(Check("revocation", False, f"{what}: {why}"))
        if unknown:
            return self._verdict("sender.revocation_unknown", unknown)
        return self._verdict("", "")

    def _fresh(self, crl: Crl) -> bool:
        # RFC 5280 §6.3.3 (a): the moment lies between thisUpdate and nextUpdate. For a moment past,
        # a list issued since then tells more, not less.
        begun = crl.this_update <= max(self.at, self.now) + CLOCK_SKEW_MS
        return begun and self.at <= crl.next_update + self.grace

    def _refuse(self, rule: Rule, check: str, reason: str) -> CertVerdict:
        self.checks.append(Check(check, False, reason))
        return self._verdict(rule, reason)

    def _verdict(self, rule: Rule, reason: str) -> CertVerdict:
        return CertVerdict(
            ok=not rule,
            rule=rule,
            reason=reason[:1].upper() + reason[1:],
            identity=self.identity,
            purpose=self.purpose,
            path=self.path,
            valid_until=self.now + REFUSAL_MS if rule else self.until,
            checks=self.checks,
            revoked_at=self.revoked_at,
        )
