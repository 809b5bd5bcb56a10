"""What a responder says of one certificate (RFC 6960 §2.2), and the door through which it is asked.

The revocation lists on disk are asked first (:mod:`certs.crl`); a responder is asked for what they cannot
tell. :mod:`certs.trust` knows only this door, :mod:`certs.ocsp` stands behind it.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec
from asn1crypto import x509


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A verified answer. Times in ms.

    :param revoked_at: when it was revoked, 0 unless ``state`` is "revoked".
    :param reason: RFC 5280 §5.3.1 reason of a revocation, "unspecified" when absent.
    :param this_update: since when the answer is known to be right.
    :param valid_until: until when it may be believed (``nextUpdate``, or a short time when absent).
    :param responder: the responder's name, for people.
    :param delegate: the certificate (DER) that signed the answer; empty when the authority itself did.
    """

    state: Literal["good", "revoked", "unknown"]
    this_update: int
    valid_until: int
    revoked_at: int = 0
    reason: str = "unspecified"
    responder: str = ""
    delegate: bytes = b""


class Responders(Protocol):
    """Where the status of a certificate can be asked beyond the lists on disk."""

    def known(self, certificate: x509.Certificate, issuer: x509.Certificate, at: int) -> Status | None:
        """The answer held for this certificate that may be believed at ``at`` (ms); never waits."""
        ...

    async def ask(self, certificate: x509.Certificate, issuer: x509.Certificate) -> str:
        """Ask the responder that the certificate names, and hold its answer.

        :returns: "" when an answer is now held, else one ASCII sentence saying why not (late, unreachable,
            wrong key…). Never raises for what a responder does.
        """
        ...

    def offer(self, response: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> str:
        """Take a response that the peer stapled (RFC 6066 §8); returns as :meth:`ask`."""
        ...
