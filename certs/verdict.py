"""What the trust store answers."""

from __future__ import annotations

from typing import Literal

import msgspec

from certs.errors import CertificateRefused
from certs.identity import Identity

Rule = Literal["", "sender.certificate", "sender.revoked", "sender.revocation_unknown"]
Purpose = Literal["client", "server", "sign", "any"]


class Check(msgspec.Struct, frozen=True):
    """One check and its result, for people: what was looked at, whether it held, what was found."""

    name: str
    ok: bool
    detail: str


class CertVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """May this certificate be believed, for this purpose, at this time?

    :param rule: "" when ok, else the check that refused.
    :param reason: one ASCII sentence for the peer and the log; no holder's name in it.
    :param path: subjects from the leaf to the root; only the leaf when no path was found.
    :param valid_until: until when the verdict may be reused (ms): the earliest of the path's
        ``notAfter`` and the revocation lists' ``nextUpdate``; for a refusal, a minute or less.
    :param revoked_at: when the certificate was revoked (ms), 0 otherwise.
    """

    ok: bool
    rule: Rule
    reason: str
    identity: Identity
    purpose: Purpose
    path: list[str]
    valid_until: int
    checks: list[Check]
    revoked_at: int = 0

    def require(self) -> Identity:
        """The identity, when the certificate is good.

        :raises CertificateRefused: with the verdict's rule and reason otherwise.
        """
        if not self.ok:
            raise CertificateRefused(self.rule, self.reason)
        return self.identity
