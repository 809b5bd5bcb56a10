"""The door to our signing key, wherever it lies: a file, a hardware module.

What is signed with it (:mod:`certs.cms_sign`: receipts, evidence) knows only this door.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_der_x509_certificate

from certs.errors import TrustError
from certs.files import certificates_in

SignatureAlgorithm = Literal["rsa-sha256", "ecdsa-sha256"]  # RSA: PKCS #1 v1.5


class Signer(Protocol):
    """A signing certificate and the use of its private key."""

    @property
    def chain(self) -> Sequence[bytes]:
        """DER certificates, leaf first, then the intermediates, without the root."""
        ...

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """How :meth:`sign` signs: the certificate's key decides."""
        ...

    def sign(self, data: bytes) -> bytes:
        """The signature of ``data`` (a few hundred octets; SHA-256 is part of the algorithm).

        RSA: PKCS #1 v1.5. ECDSA: DER ``SEQUENCE {r, s}`` (RFC 5480), not the bare pair of PKCS #11.
        Blocking: call it in a thread. Safe from several threads.

        :raises PasserelleError: the key cannot be used now (a module that does not answer).
        """
        ...


#: The signer of this moment, which a renewal replaces; None: nothing is signed.
Signing = Callable[[], Signer | None]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class KeySigner:
    """A :class:`Signer` that holds its private key in memory."""

    def __init__(self, chain: Sequence[bytes], key: PrivateKey) -> None:
        """:raises TrustError: the key is not that of the certificate."""
        self.chain: Final = tuple(chain)
        self._key: Final = key
        self.algorithm: Final[SignatureAlgorithm] = (
            "rsa-sha256" if isinstance(key, rsa.RSAPrivateKey) else "ecdsa-sha256"
        )
        if load_der_x509_certificate(chain[0]).public_key() != key.public_key():
            raise TrustError("the signing key is not that of the signing certificate")

    def sign(self, data: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


def file_signer(certificate: Path, key: Path) -> KeySigner:
    """A signer from PEM files: the certificate with its intermediates, and its key in clear. Blocking.

    :raises TrustError: a file is missing or cannot be read, or the two do not belong together.
    """
    try:
        chain = certificates_in(certificate.read_bytes())
        private = load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TrustError(
            f"{certificate.name} or {key.name} cannot be read ({type(error).__name__})"
        ) from error
    if not chain:
        raise TrustError(f"there is no certificate in {certificate.name}")
    if not isinstance(private, PrivateKey):
        raise TrustError(f"{key.name} is neither an RSA nor an elliptic-curve key")
    return KeySigner(chain, private)
