"""The checks of one certificate, in their order; what each found is kept for `certs check`.

Readable, path to a root (RFC 5280 §6.1: signatures, dates, constraints, policies), usage and category of the
leaf, then the status of every certificate below the root, by the revocation lists and by responders. Where
there are several paths, the first that holds in everything is taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec
from asn1crypto import x509

from certs.algorithms import Algorithms
from certs.crl import Authority, AuthorityKey, CrlIndex, iso
from certs.crl_entries import HOLD
from certs.errors import CertificateUnreadable
from certs.identity import (
    DECODE_ERRORS,
    Identity,
    identity_of,
    load_certificate,
    milliseconds,
    unreadable_identity,
)
from certs.names import authority_label, dn_string
from certs.path import MAX_PRESENTED, Anchors, Path, PathRefused, PathRules, check_usage, valid_paths
from certs.revocation import Finding, Lists, Moment
from certs.settings import TrustSettings
from certs.status import Responders, Status
from certs.verdict import CertVerdict, Check, Purpose, Rule

REFUSAL_MS: Final = 60_000
#: How long a verdict is kept that another source should have told.
SECOND_BEST_MS: Final = 600_000

#: A certificate and its issuer, as a responder is asked.
Question = tuple[x509.Certificate, x509.Certificate]


class Trust(Protocol):
    """The trust folder as read at one moment."""

    @property
    def anchors(self) -> Anchors:
        """Roots and intermediates."""
        ...

    @property
    def known(self) -> frozenset[bytes]:
        """Their sha256."""
        ...

    @property
    def signers(self) -> Mapping[AuthorityKey, Sequence[Authority]]:
        """Those that may sign lists."""
        ...

    @property
    def crls(self) -> CrlIndex:
        """The lists."""
        ...

    @property
    def settings(self) -> TrustSettings:
        """What is demanded."""
        ...


class Outcome(msgspec.Struct, frozen=True):
    """A verdict; the certificates that a responder should be asked about, and the leaf with its issuer."""

    verdict: CertVerdict
    asking: list[Question] = []
    leaf: Question | None = None


class Judgement:
    """Judges one chain, once.

    :param asked: what asking a responder came to, by the certificate's sha256: "" or why there is no answer.
    """

    def __init__(
        self,
        trust: Trust,
        purpose: Purpose,
        moment: Moment,
        responders: Responders | None = None,
        asked: Mapping[bytes, str] | None = None,
    ) -> None:
        self._trust: Final = trust
        self._purpose: Final[Purpose] = purpose
        self._moment: Final = moment
        self._responders: Final = responders
        self._asked: Final = asked or {}
        policies = trust.settings.policies
        self._rules: Final = PathRules(
            algorithms=Algorithms(trust.settings.algorithms),
            policies=policies.wanted(purpose),
            explicit=policies.explicit,
            inhibit_mapping=policies.inhibit_mapping,
            inhibit_any=policies.inhibit_any,
        )
        self._lists: Final = Lists(
            trust.crls, trust.signers, self._signer_paths, moment, trust.settings.revocation
        )
        self._checks: list[Check] = []
        self._path: list[str] = []
        self._identity: Identity = unreadable_identity(b"")

    def of(self, chain: Sequence[bytes]) -> Outcome:
        """The verdict about what a peer presented: DER, leaf first."""
        if not chain:
            return self._refuse("readable", "no certificate was presented")
        self._identity = unreadable_identity(chain[0])
        try:
            leaf = load_certificate(chain[0])
            self._identity = identity_of(leaf, chain[0])
        except CertificateUnreadable as error:
            return self._refuse("readable", error.peer)
        self._path = [self._identity.subject_dn]
        self._checks.append(Check("readable", True, f"{self._identity.kind}, {self._identity.category}"))
        best: Outcome | None = None
        try:
            for path in valid_paths(
                leaf, self._presented(chain[1:]), self._trust.anchors, at=self._moment.at, rules=self._rules
            ):
                outcome = self._of_path(path)
                if outcome.verdict.ok:
                    return outcome
                # A status that can still be found out is better than a revocation.
                if best is None or best.verdict.rule == "sender.revoked" != outcome.verdict.rule:
                    best = outcome
        except PathRefused as refused:
            return self._refuse(refused.check, refused.reason)
        except DECODE_ERRORS as error:
            return self._refuse("path", f"a certificate of the path is malformed ({type(error).__name__})")
        return best or self._refuse("path", "no path holds")

    def _presented(self, ders: Sequence[bytes]) -> list[x509.Certificate]:
        """Intermediates that came with the leaf, but for those we have; unreadable ones help nobody."""
        found: list[x509.Certificate] = []
        for der in ders[:MAX_PRESENTED]:
            if hashlib.sha256(der).digest() in self._trust.known:
                continue
            try:
                found.append(load_certificate(der))
            except CertificateUnreadable:
                continue
        return found

    def _signer_paths(self, certificate: x509.Certificate) -> list[list[x509.Certificate]]:
        """The paths of who signed a list: the folder's certificates, whatever the policies."""
        rules = PathRules(algorithms=self._rules.algorithms)
        anchors = self._trust.anchors
        try:
            found = valid_paths(certificate, (), anchors, at=self._moment.at, rules=rules)
            return [path.certificates for path in found]
        except PathRefused:
            return []

    def listed(self, certificate: x509.Certificate, issuer: x509.Certificate) -> Finding:
        """What the lists alone say of a certificate that no peer presented: a responder's delegate."""
        above = self._signer_paths(issuer)
        if not above:
            return Finding(state="unknown", detail=f"{authority_label(issuer.subject)} is not trusted")
        return self._lists.of(certificate, above[0])

    def _of_path(self, path: Path) -> Outcome:
        certificates, leaf = path.certificates, path.certificates[0]
        names = [*self._path, *(dn_string(certificate.subject) for certificate in certificates[1:])]
        root = authority_label(certificates[-1].subject)
        wanted = ", ".join(sorted(self._rules.policies)) or "any"
        ends = [milliseconds(c["tbs_certificate"]["validity"]["not_after"].native) for c in certificates]
        until = min(ends)
        usage = check_usage(leaf, self._purpose)
        checks = [
            *self._checks,
            Check("path", True, f"{len(certificates)} certificates to {root}"),
            Check("policy", True, f"{', '.join(path.policies) or 'none'}; wanted {wanted}"),
            Check("usage", True, usage),
        ]
        category, accepted = self._identity.category, self._trust.settings.accepted_categories
        if category not in accepted:
            reason = (
                f"certificates of the {category} category are refused in {self._trust.settings.mode} mode"
            )
            checks.append(Check("category", False, reason))
            return self._verdict("sender.certificate", reason, names, checks)
        checks.append(Check("category", True, category))
        checks.append(Check("validity", True, f"until {iso(until)}"))
        return self._revocation(certificates, names, checks, until)

    # -- revocation -------------------------------------------------------------------------

    def _revocation(
        self, path: list[x509.Certificate], names: list[str], checks: list[Check], until: int
    ) -> Outcome:
        unknown = ""
        asking: list[Question] = []
        leaf: Question | None = (path[0], path[1]) if len(path) > 1 else None
        for at, certificate in enumerate(path[:-1]):
            what = f"the authority {authority_label(certificate.subject)}" if at else "the certificate"
            finding, ask = self._status(certificate, path[at + 1 :])
            if ask:
                asking.append((certificate, path[at + 1]))
                if finding.state == "good" and certificate.sha256 in self._asked:
                    until = min(until, self._moment.now + SECOND_BEST_MS)
            if finding.state == "revoked":
                reason = f"{what} was revoked on {iso(finding.revoked_at)} ({finding.reason})"
                checks.append(Check("revocation", False, f"{reason}, {finding.detail}"))
                return self._verdict(
                    "sender.revoked", reason, names, checks, leaf=leaf, revoked_at=finding.revoked_at
                )
            if finding.state == "unknown":
                unknown = unknown or f"the status of {what} is unknown: {finding.detail}"
                checks.append(Check("revocation", False, f"{what}: {finding.detail}"))
                continue
            until = min(until, finding.until)
            checks.append(Check("revocation", True, f"{what} is {finding.detail}"))
        rule: Rule = "sender.revocation_unknown" if unknown else ""
        return self._verdict(rule, unknown, names, checks, until=until, asking=asking, leaf=leaf)

    def _status(self, certificate: x509.Certificate, above: list[x509.Certificate]) -> tuple[Finding, bool]:
        """What lists and responders say together, and whether a responder should be asked."""
        listed = self._lists.of(certificate, above)
        if self._responders is None or listed.state == "revoked":
            return listed, False
        told = self._responders.known(certificate, above[0], self._moment.at)
        prefer = self._trust.settings.revocation.prefer
        if told is not None and (revoked := self._revoked(told)) is not None:
            # Only a hold is ever lifted (RFC 5280 §5.3.1), and only what is newer knows of it.
            lifted = told.reason == HOLD and listed.state == "good" and listed.since > told.this_update
            return (listed, False) if lifted else (revoked, False)
        if told is not None and told.state == "good" and (prefer == "ocsp" or listed.state == "unknown"):
            return _good(told), False
        ask = not self._moment.historic and told is None and (prefer == "ocsp" or listed.state == "unknown")
        why = self._asked.get(certificate.sha256) or (
            f"the responder {told.responder} does not know it" if told and told.state == "unknown" else ""
        )
        if listed.state == "unknown" and why:
            listed = msgspec.structs.replace(listed, detail=f"{listed.detail}; {why}")
        return listed, ask

    def _revoked(self, told: Status) -> Finding | None:
        if told.state != "revoked" or (self._moment.historic and told.revoked_at > self._moment.at):
            return None
        return Finding(
            state="revoked",
            detail=f"says the responder {told.responder}",
            since=told.this_update,
            revoked_at=told.revoked_at,
            reason=told.reason,
        )

    # -- the answer -------------------------------------------------------------------------

    def _refuse(self, check: str, reason: str) -> Outcome:
        return self._verdict(
            "sender.certificate", reason, self._path, [*self._checks, Check(check, False, reason)]
        )

    def _verdict(
        self,
        rule: Rule,
        reason: str,
        path: list[str],
        checks: list[Check],
        *,
        until: int = 0,
        asking: list[Question] | None = None,
        leaf: Question | None = None,
        revoked_at: int = 0,
    ) -> Outcome:
        verdict = CertVerdict(
            ok=not rule,
            rule=rule,
            reason=reason[:1].upper() + reason[1:],
            identity=self._identity,
            purpose=self._purpose,
            path=path,
            valid_until=self._moment.now + REFUSAL_MS if rule else until,
            checks=checks,
            revoked_at=revoked_at,
        )
        return Outcome(verdict, asking or [], leaf)


def _good(told: Status) -> Finding:
    return Finding(
        state="good",
        detail=f"good, says the responder {told.responder}, good to {iso(told.valid_until)}",
        until=told.valid_until,
        since=told.this_update,
    )
