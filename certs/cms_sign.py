"""Signs with our certificate: CMS SignedData (RFC 5652) with the attributes that S/MIME asks for.

Signed attributes: content type, message digest, signing time, ESS signing-certificate-v2 (RFC 5035 §3),
which ties the signature to this one certificate. SHA-256 throughout. The few elements are put together
here as DER: asn1crypto, which encodes the leaves, takes thirty times as long for the whole.
"""

from __future__ import annotations

import functools
import hashlib
from datetime import UTC, datetime
from typing import Final

import msgspec
from asn1crypto import algos, core, x509

from certs.cms_reader import tlv
from certs.signer import SignatureAlgorithm, Signer

_SEQUENCE, _SET, _OCTETS = 0x30, 0x31, 0x04
_VERSION_1: Final = b"\x02\x01\x01"


def _oid(dotted: str) -> bytes:
    encoded: bytes = core.ObjectIdentifier(dotted).dump()
    return encoded


_DATA: Final = _oid("1.2.840.113549.1.7.1")
_SIGNED_DATA: Final = _oid("1.2.840.113549.1.7.2")
_CONTENT_TYPE: Final = _oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST: Final = _oid("1.2.840.113549.1.9.4")
_SIGNING_TIME: Final = _oid("1.2.840.113549.1.9.5")
_SIGNING_CERTIFICATE: Final = _oid("1.2.840.113549.1.9.16.2.47")
_SHA256: Final = tlv(_SEQUENCE, _oid("2.16.840.1.101.3.4.2.1"))  # RFC 5754 §2: without parameters
_ALGORITHMS: Final[dict[SignatureAlgorithm, bytes]] = {
    "rsa-sha256": algos.SignedDigestAlgorithm(  # RFC 3370 §3.2
        {"algorithm": "rsassa_pkcs1v15", "parameters": core.Null()}
    ).dump(),
    "ecdsa-sha256": algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}).dump(),
}


def sign_cms(content: bytes, signer: Signer, at: int, *, detached: bool = True) -> bytes:
    """A SignedData in DER over ``content``. Blocking: about a millisecond, more with a hardware module.

    :param content: the exact octets; for S/MIME in canonical form, CRLF (RFC 8551 §3.1.1).
    :param at: the signing time (ms).
    :param detached: leave the content out of the object (RFC 5652 §5.2); else it is within.
    :raises PasserelleError: the key cannot be used.
    """
    ours = _named(signer.chain[0])
    members = _set_of(
        _attribute(_CONTENT_TYPE, _DATA),
        _attribute(_MESSAGE_DIGEST, tlv(_OCTETS, hashlib.sha256(content).digest())),
        _attribute(_SIGNING_TIME, _time(at)),
        _attribute(_SIGNING_CERTIFICATE, ours.reference),
    )
    info = tlv(
        _SEQUENCE,
        _VERSION_1,
        ours.issuer_and_serial,
        _SHA256,
        tlv(0xA0, members),
        _ALGORITHMS[signer.algorithm],
        # RFC 5652 §5.4: signed is the DER of the SET OF, not the [0] that is sent
        tlv(_OCTETS, signer.sign(tlv(_SET, members))),
    )
    inner = b"" if detached else tlv(0xA0, tlv(_OCTETS, content))
    signed = tlv(
        _SEQUENCE,
        _VERSION_1,
        tlv(_SET, _SHA256),
        tlv(_SEQUENCE, _DATA, inner),
        tlv(0xA0, _set_of(*signer.chain)),
        tlv(_SET, info),
    )
    return tlv(_SEQUENCE, _SIGNED_DATA, tlv(0xA0, signed))


class _Named(msgspec.Struct, frozen=True):
    """How a signature names its certificate: IssuerAndSerialNumber, and the ESS attribute's value."""

    issuer_and_serial: bytes
    reference: bytes


@functools.lru_cache(maxsize=16)
def _named(der: bytes) -> _Named:
    certificate = x509.Certificate.load(der)
    issuer = certificate["tbs_certificate"]["issuer"].dump()
    serial = core.Integer(certificate.serial_number).dump()
    general_name = tlv(0xA4, issuer)  # directoryName, RFC 5280 §4.2.1.6
    # ESSCertIDv2 with its default digest, SHA-256, left out
    named = tlv(
        _SEQUENCE,
        tlv(_OCTETS, hashlib.sha256(der).digest()),
        tlv(_SEQUENCE, tlv(_SEQUENCE, general_name), serial),
    )
    return _Named(tlv(_SEQUENCE, issuer, serial), tlv(_SEQUENCE, tlv(_SEQUENCE, named)))


def _attribute(kind: bytes, value: bytes) -> bytes:
    return tlv(_SEQUENCE, kind, tlv(_SET, value))


def _set_of(*members: bytes) -> bytes:
    return b"".join(sorted(members))  # X.690 §11.6


def _time(at: int) -> bytes:
    moment = datetime.fromtimestamp(at // 1000, UTC)
    if moment.year < 2050:  # RFC 5652 §11.3
        return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())
