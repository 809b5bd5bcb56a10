"""What the revocation lists held say of one certificate: RFC 5280 §6.3.3, whole.

Complete lists, completed by delta lists; lists divided by distribution point, by kind of certificate or by
reason; indirect lists; lists signed by another key of the authority. Hard-fail: what no fresh list tells is
unknown. One deviation, to the safe side: a list too old to accept by is still good enough to refuse by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final, Literal

import msgspec
from asn1crypto import x509

from certs.crl import Authority, AuthorityKey, Crl, CrlIndex, authority_key, iso
from certs.crl_entries import HOLD, REMOVED, Revocation
from certs.identity import milliseconds
from certs.names import authority_label, name_id
from certs.scope import ALL_REASONS, points
from certs.settings import RevocationSection

Paths = Callable[[x509.Certificate], list[list[x509.Certificate]]]


class Moment(msgspec.Struct, frozen=True):
    """When one judges (ms): ``now``, for the moment ``at``; they differ for a moment past."""

    now: int
    at: int

    @property
    def historic(self) -> bool:
        """Is it about another moment than the present?"""
        return self.now != self.at


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The status of one certificate. Times in ms.

    :param detail: for people: who says so, or why nobody can.
    :param until: until when "good" may be believed.
    :param since: since when it is known (``thisUpdate``), to compare sources by.
    :param revoked_at, reason: of a revocation.
    """

    state: Literal["good", "revoked", "unknown"]
    detail: str
    until: int = 0
    since: int = 0
    revoked_at: int = 0
    reason: str = ""


class _Said(msgspec.Struct, frozen=True):
    """What one complete list, with its delta list, says."""

    entry: Revocation | None
    fresh: bool
    until: int
    why: str


class Lists:
    """The lists held, asked for one moment.

    :param signers: the authorities of the trust folder, by name and key.
    :param paths: finds the validated paths of a certificate of the trust folder.
    """

    def __init__(
        self,
        index: CrlIndex,
        signers: Mapping[AuthorityKey, Sequence[Authority]],
        paths: Paths,
        moment: Moment,
        settings: RevocationSection,
    ) -> None:
        self._index: Final = index
        self._signers: Final = signers
        self._paths: Final = paths
        self._moment: Final = moment
        self._settings: Final = settings
        self._grace: Final = settings.staleness_s * 1000
        self._skew: Final = settings.clock_tolerance_s * 1000

    def of(
        self,
        certificate: x509.Certificate,
        above: Sequence[x509.Certificate],
        asking: frozenset[AuthorityKey] = frozenset(),
    ) -> Finding:
        """The status of ``certificate``.

        :param above: the rest of its validated path, its issuer first, the root last.
        :param asking: signers whose own status is being found out.
        """
        issuer_name = authority_label(above[0].subject)
        own = name_id(certificate.issuer)
        wanted = points(certificate)
        names = dict.fromkeys([own, *(name for point in wanted for name in point.issuers)])
        held = [crl for name in names for crl in self._index.issued_by(name)]
        covering = [
            (crl, reasons)
            for crl in held
            if not crl.delta and (reasons := crl.covers.covers(certificate, crl.issuer, wanted))
        ]
        why = f"there is no revocation list of {issuer_name}"
        if covering or any(not crl.delta for crl in held):
            why = f"no revocation list of {issuer_name} covers it"
        elif held:
            why = f"there is only a delta list of {issuer_name}, without its base"
        fresh: list[tuple[_Said, Crl, frozenset[str]]] = []
        for crl, reasons in sorted(covering, key=lambda pair: pair[0].next_update):
            doubt, until = self._signer(crl, above, asking)
            if doubt:
                why = doubt
                continue
            said = self._consult(crl, own, certificate.serial_number)
            if said.entry is not None:
                return Finding(
                    state="revoked",
                    detail=f"on the list of {crl.label}, number {crl.number}",
                    since=crl.this_update,
                    revoked_at=said.entry.at,
                    reason=said.entry.reason,
                )
            if said.fresh:
                fresh.append((msgspec.structs.replace(said, until=min(said.until, until)), crl, reasons))
            else:
                why = said.why
        return self._complete(fresh) or Finding(
            state="unknown",
            detail=f"the revocation lists of {issuer_name} do not cover every reason" if fresh else why,
        )

    def _complete(self, fresh: list[tuple[_Said, Crl, frozenset[str]]]) -> Finding | None:
        """Good, when the fresh lists together cover every reason; those that last longest are taken."""
        missing = ALL_REASONS
        until, since, labels = 0, 0, []
        for said, crl, reasons in sorted(fresh, key=lambda item: -item[0].until):
            if not missing & reasons:  # RFC 5280 §6.3.3 (e)
                continue
            until = min(until or said.until, said.until)
            since = min(since or crl.this_update, crl.this_update)
            labels.append(crl.label)
            missing -= reasons  # RFC 5280 §6.3.3 (l)
            if not missing:
                listed = " and ".join(dict.fromkeys(labels))
                detail = f"not on the list of {listed}, good to {iso(until)}"
                return Finding(state="good", detail=detail, until=until, since=since)
        return None

    def _consult(self, crl: Crl, issuer: str, serial: int) -> _Said:
        delta = self._index.delta_for(crl)
        late = self._late(crl)
        until = crl.next_update
        entry = self._past(crl.revoked.find(issuer, serial))  # RFC 5280 §6.3.3 (j)
        if entry is not None and entry.reason == REMOVED:
            entry = None
        if delta is not None:
            delta_late = self._late(delta)
            newer = self._past(delta.revoked.find(issuer, serial))  # RFC 5280 §6.3.3 (i)
            if newer is not None and newer.reason != REMOVED:
                entry = newer
            elif newer is not None and entry is not None and entry.reason == HOLD and not delta_late:
                # RFC 5280 §6.3.3 (k) and §5.3.1: only a hold is lifted, and only by a list of today.
                entry = None
            until = min(until, delta.next_update) if not delta_late else until
        if not late and crl.freshest and self._settings.freshest == "require":
            if delta is None:
                late = f"no delta list completes the revocation list of {crl.label}"
            else:
                late = self._late(delta)
        return _Said(entry, not late, until + self._grace, late)

    def _past(self, entry: Revocation | None) -> Revocation | None:
        """A certificate revoked later was still good at the moment judged for."""
        later = entry is not None and self._moment.historic and entry.at > self._moment.at
        return None if later else entry

    def _late(self, crl: Crl) -> str:
        """Why a list cannot be believed at the moment; "" when it can."""
        # RFC 5280 §6.3.3 (a): the moment lies between thisUpdate and nextUpdate. For a moment past,
        # a list issued since then tells more, not less.
        what = f"the {'delta' if crl.delta else 'revocation'} list of {crl.label}"
        if crl.this_update > max(self._moment.at, self._moment.now) + self._skew:
            return f"{what} begins on {iso(crl.this_update)}"
        if self._moment.at > crl.next_update + self._grace:
            return f"{what} ended on {iso(crl.next_update)}"
        return ""

    def _signer(
        self, crl: Crl, above: Sequence[x509.Certificate], asking: frozenset[AuthorityKey]
    ) -> tuple[str, int]:
        """Why the key that signed a list is not believed, or ""; and until when it is (ms)."""
        forever = 1 << 62
        # A key of the path is validated with it; RFC 5280 allows that a list covers its own signer.
        if crl.authority in asking or any(authority_key(one) == crl.authority for one in above):
            return "", forever
        why = f"the signer of the list of {crl.label} has no path to the same root"
        for authority in self._signers.get(crl.authority, ()):
            for path in self._paths(authority.certificate):
                # RFC 5280 §6.3.3 (f): the same trust anchor as the certificate itself.
                if path[-1].sha256 != above[-1].sha256:
                    continue
                until, doubt = forever, ""
                for at, (one, _) in enumerate(pairwise(path), start=1):
                    until = min(until, milliseconds(one["tbs_certificate"]["validity"]["not_after"].native))
                    finding = self.of(one, path[at:], asking | {crl.authority})
                    if finding.state != "good":
                        doubt = f"the signer of the list of {crl.label} is {finding.state}: {finding.detail}"
                        break
                    until = min(until, finding.until)
                if not doubt:
                    return "", until
                why = doubt
        return why, 0
