"""What can go wrong with certificates, one class per cause (see :mod:`store.errors`)."""

from __future__ import annotations

from typing import Final

from store.errors import Fault, PasserelleError


class CertificateUnreadable(PasserelleError):  # noqa: N818 - the name the other rooms know
    """The bytes are not one DER certificate, or a field of it cannot be decoded."""

    def __init__(self, detail: str) -> None:
        super().__init__("sender.certificate", f"The certificate cannot be read: {detail}")


class CertificateRefused(PasserelleError):  # noqa: N818
    """A verdict turned into an error; the rule is the verdict's.

    ``sender.revocation_unknown`` is ours to repair (no fresh CRL), so the peer is told to come back:
    451 (RFC 5321 §4.2.1); the other rules are final.
    """

    def __init__(self, rule: str, reason: str) -> None:
        ours = rule == "sender.revocation_unknown"
        fault: Fault = "config" if ours else "peer"
        super().__init__(
            rule,
            reason,
            code=451 if ours else 550,
            enhanced="4.7.1" if ours else "5.7.1",
            fault=fault,
        )


class CrlRefused(PasserelleError):  # noqa: N818
    """A revocation list that must not be used; ``detail`` names the check that failed."""

    code = 451
    enhanced = "4.7.1"
    fault: Fault = "config"

    def __init__(self, detail: str) -> None:
        super().__init__("certs.crl", f"The revocation list is refused: {detail}")
        self.detail: Final = detail


class TrustError(PasserelleError):
    """The trust folder cannot be used: absent, without a root, or with an unreadable file."""

    code = 451
    enhanced = "4.3.5"
    fault: Fault = "config"

    def __init__(self, detail: str) -> None:
        super().__init__("certs.trust", detail)


class KeyRefused(PasserelleError):  # noqa: N818
    """A private key, or a certificate of ours with it, that cannot be used; nothing was changed."""

    code = 451
    enhanced = "4.3.5"
    fault: Fault = "config"

    def __init__(self, detail: str) -> None:
        super().__init__("certs.key", detail)


class TlsUnavailable(PasserelleError):  # noqa: N818
    """This Python cannot give the operators' port what it needs (see :mod:`certs.tls`)."""

    code = 451
    enhanced = "4.3.5"
    fault: Fault = "config"

    def __init__(self, detail: str) -> None:
        super().__init__("certs.tls", detail)
