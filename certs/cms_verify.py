"""Do a CMS signature and a content belong together (RFC 5652 §5.4 to §5.6)? No question of trust here.

The signature primitives are those of pyhanko-certvalidator, which judges the paths too. The rest is own
code on asn1crypto: pyHanko's own CMS validation wants the whole object in memory and brings an HTTP client.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from asn1crypto import cms, tsp, x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from pyhanko_certvalidator.errors import AlgorithmNotSupported, PSSParameterMismatch
from pyhanko_certvalidator.sig_validate import DEFAULT_SIGNATURE_VALIDATOR, SignatureValidationContext

from certs.cms_reader import (
    DIGESTS,
    CmsMalformed,
    CmsRefused,
    ContentDigest,
    SignedContent,
    digest_name,
    read_signed,
)
from certs.errors import CertificateUnreadable
from certs.identity import DECODE_ERRORS, load_certificate, milliseconds
from certs.path import MAX_PRESENTED

Outcome = Literal["intact", "broken", "unsupported", "untrusted"]

assert tsp.SigningCertificateV2  # importing it teaches asn1crypto the ESS attributes (RFC 5035)
_LEAST_RSA_BITS: Final = 2048
_MOST_RSA_BITS: Final = 8192
_CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_SIGNATURES: Final = frozenset({"rsassa_pkcs1v15", "rsassa_pss", "ecdsa"})


class SignerResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one signature of a message is worth by itself.

    :param outcome: "intact"; "broken" (it is not of this content); "unsupported" (an algorithm);
        "untrusted" (no certificate to check it with).
    :param reason: one ASCII sentence for all but "intact".
    :param chain: DER, the signer's certificate first, then those carried that may lead to a root.
    :param signed_at: the signer's claim (ms), 0 when absent.
    """

    outcome: Outcome
    reason: str = ""
    chain: list[bytes] = []
    signed_at: int = 0


class _Fails(Exception):  # noqa: N818
    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome: Final = outcome
        self.reason: Final = reason


def verify_signed(
    signature: Iterable[bytes], content: Iterable[bytes] | None = None
) -> tuple[list[SignerResult], str]:
    """Every signature of a SignedData, and the kind of the object (``signed-data``…). Blocking.

    :param signature: the CMS object in pieces, transfer encoding undone.
    :param content: the signed octets in pieces when they are apart; None: they are in the object.
    :returns: never an empty list; an object that is none or is refused gives one result.
    """
    try:
        read = read_signed(signature)
        if content is None and read.detached:
            raise CmsMalformed("the signature holds no content")
        if content is not None and not read.detached:
            raise CmsMalformed("the signature holds a content of its own beside the signed part")
        if not read.signers:
            raise CmsMalformed("there is no signature in the object")  # certificates only: RFC 8551 §3.8
        if read.version not in (1, 3, 4, 5):
            raise CmsMalformed("the signature has an unknown version")
    except CmsRefused as refused:
        return [SignerResult(outcome="unsupported", reason=_sentence(str(refused)))], refused.kind
    except CmsMalformed as malformed:
        return [SignerResult(outcome="broken", reason=_sentence(str(malformed)))], "signed-data"
    digests, first = read.digests, read.first
    if content is not None:
        running = ContentDigest(read.algorithms)
        for piece in content:
            running.update(piece)
        digests, first = running.finish(), running.first
    carried = [found for der in read.certificates if (found := _certificate(der)) is not None]
    return [_signer(der, read, digests, first, carried) for der in read.signers], "signed-data"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


class _Carried(msgspec.Struct, frozen=True):
    der: bytes
    certificate: Any  # asn1crypto's, untyped
    issuer: bytes
    subject: bytes


def _certificate(der: bytes) -> _Carried | None:
    """A certificate that a message carries; None when it is none, or an attribute certificate."""
    try:
        found = load_certificate(der)
        return _Carried(der, found, found.issuer.dump(), found.subject.dump())
    except (CertificateUnreadable, *DECODE_ERRORS):
        return None


def _signer(
    der: bytes,
    read: SignedContent,
    digests: dict[str, bytes],
    first: bytes,
    carried: Sequence[_Carried],
) -> SignerResult:
    signed_at = 0
    try:
        info = cms.SignerInfo.load(der, strict=True)
        algorithm = _algorithm(info, read)
        attributes = _attributes(info)
        signed_at = _signing_time(attributes)
        found = [one for one in carried if _is_meant(one.certificate, one.issuer, info)]
        if not found:
            raise _Fails("untrusted", "the signer's certificate is not in the message")
        failure: _Fails | None = None
        for one in found[:2]:
            try:
                _check(one, info, algorithm, attributes, read.content_type, digests, first)
            except _Fails as fails:
                failure = failure or fails
            else:
                return SignerResult(outcome="intact", chain=_chain(one, carried), signed_at=signed_at)
        assert failure is not None
        return SignerResult(
            outcome=failure.outcome,
            reason=_sentence(failure.reason),
            chain=[found[0].der],
            signed_at=signed_at,
        )
    except _Fails as fails:
        return SignerResult(outcome=fails.outcome, reason=_sentence(fails.reason), signed_at=signed_at)
    except (*DECODE_ERRORS, AssertionError) as error:
        reason = f"The signature cannot be decoded ({type(error).__name__})"
        return SignerResult(outcome="broken", reason=reason, signed_at=signed_at)


def _algorithm(info: cms.SignerInfo, read: SignedContent) -> str:
    """The digest of the content; every algorithm is one that still proves something."""
    digest = digest_name(info["digest_algorithm"])
    if digest not in DIGESTS:
        raise _Fails("unsupported", f"the signature uses {_shown(digest)}, which proves nothing any more")
    if digest not in read.algorithms:
        raise _Fails("broken", "the signature names a digest that the object does not")  # RFC 5652 §5.1
    scheme = info["signature_algorithm"]
    try:
        name = scheme.signature_algo
    except ValueError:
        name = scheme["algorithm"].native
    if name not in _SIGNATURES:
        raise _Fails("unsupported", f"the signature algorithm {_shown(name)} is not accepted")
    try:
        hashed = scheme.hash_algo
    except ValueError:
        hashed = digest  # rsaEncryption: the digest is the one named beside it (RFC 3370 §3.2)
    if hashed not in DIGESTS:
        raise _Fails("unsupported", f"the signature uses {_shown(hashed)}, which proves nothing any more")
    if name != "rsassa_pss" and hashed != digest:
        raise _Fails("broken", "the signature names two different digests")
    if name == "rsassa_pss":
        mask = scheme["parameters"]["mask_gen_algorithm"]
        if mask["algorithm"].native != "mgf1" or mask["parameters"]["algorithm"].native not in DIGESTS:
            raise _Fails("unsupported", "the mask of the RSA-PSS signature is not accepted")
    elif scheme["parameters"].dump() not in (b"", b"\x05\x00"):
        raise _Fails("broken", "the signature algorithm has parameters that do not belong there")
    return digest


def _shown(name: str) -> str:
    return "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "?" for char in name)[
        :60
    ]


def _attributes(info: cms.SignerInfo) -> dict[str, Any]:
    """Signed attributes by type: the one value of each (RFC 5652 §11); empty when there are none."""
    if not info["signed_attrs"]:
        return {}
    found: dict[str, Any] = {}
    for attribute in info["signed_attrs"]:
        name = attribute["type"].native
        if name in found:
            raise _Fails("broken", "a signed attribute stands twice")
        values = attribute["values"]
        found[name] = values[0] if len(values) == 1 else None
    return found


def _signing_time(attributes: dict[str, Any]) -> int:
    moment = attributes.get("signing_time")
    native = None if moment is None else moment.native
    return milliseconds(native) if isinstance(native, datetime) else 0


def _is_meant(certificate: x509.Certificate, issuer: bytes, info: cms.SignerInfo) -> bool:
    """Whether the signature says that this certificate made it (RFC 5652 §5.3: version 1 or 3)."""
    sid, version = info["sid"], info["version"].native
    if sid.name == "issuer_and_serial_number":
        named = sid.chosen
        same = named["serial_number"].native == certificate.serial_number
        return version == "v1" and same and bool(named["issuer"].dump() == issuer)
    identifier = certificate.key_identifier
    return version == "v3" and identifier is not None and bool(sid.chosen.native == identifier)


def _check(
    one: _Carried,
    info: cms.SignerInfo,
    algorithm: str,
    attributes: dict[str, Any],
    content_type: str,
    digests: dict[str, bytes],
    first: bytes,
) -> None:
    """Raises :class:`_Fails` with the first thing that does not hold."""
    actual = digests[algorithm]
    if attributes:
        _check_attributes(one, info, attributes, content_type)
        digest = attributes.get("message_digest")
        if digest is None:
            raise _Fails("broken", "the signature does not say what it signs")
        if digest.native != actual:
            raise _Fails("broken", "the message was changed after it was signed")
        # RFC 5652 §5.4: signed is the SET OF, not the [0] that is sent
        signed = info["signed_attrs"].untag().dump()
    else:
        if content_type != "data":  # RFC 5652 §5.3
            raise _Fails("broken", "the signature does not say what it signs")
        if first == b"\x31":
            # Attributes of another signature shown as a content would be signed by that signature.
            raise _Fails("broken", "the signed content is not a message")
        signed = actual
    _check_key(one.certificate)
    try:
        DEFAULT_SIGNATURE_VALIDATOR.validate_signature(
            info["signature"].native,
            signed,
            one.certificate.public_key,
            info["signature_algorithm"],
            SignatureValidationContext(contextual_md_algorithm=algorithm, prehashed=not attributes),
        )
    except InvalidSignature:
        what = "the signature was not made with the key of its certificate"
        raise _Fails(
            "broken", what if attributes else "the message was changed after it was signed"
        ) from None
    except (AlgorithmNotSupported, PSSParameterMismatch, UnsupportedAlgorithm) as error:
        raise _Fails("unsupported", "the parameters of the signature are not accepted") from error


def _check_attributes(
    one: _Carried, info: cms.SignerInfo, attributes: dict[str, Any], content_type: str
) -> None:
    kind = attributes.get("content_type")
    if kind is None or kind.native.replace("_", "-") != content_type:  # RFC 5652 §11.1
        raise _Fails("broken", "the signature is for another type of content")
    protected = attributes.get("cms_algorithm_protection")
    if protected is not None and (
        protected["digest_algorithm"].native != info["digest_algorithm"].native
        or protected["signature_algorithm"].native != info["signature_algorithm"].native
    ):
        raise _Fails("broken", "the algorithms were changed after the signature")  # RFC 6211 §2
    if "signing_certificate_v2" in attributes:  # RFC 5035 §3
        named = attributes["signing_certificate_v2"]["certs"][0]
        digest = named["hash_algorithm"]["algorithm"].native
        if digest not in DIGESTS:
            raise _Fails("unsupported", f"the signature names its certificate by {_shown(digest)}")
        if named["cert_hash"].native != DIGESTS[digest](one.der).digest():
            raise _Fails("broken", "the signature names another certificate")
    elif "signing_certificate" in attributes:  # RFC 2634 §5.4: SHA-1, beside a signature that is not
        named = attributes["signing_certificate"]["certs"][0]
        if named["cert_hash"].native != hashlib.sha1(one.der, usedforsecurity=False).digest():
            raise _Fails("broken", "the signature names another certificate")


def _check_key(certificate: x509.Certificate) -> None:
    key = certificate.public_key
    if key.algorithm in ("rsa", "rsassa_pss"):
        if key.bit_size < _LEAST_RSA_BITS:
            raise _Fails("unsupported", f"the signer's RSA key has {key.bit_size} bits only")
        if key.bit_size > _MOST_RSA_BITS:
            raise _Fails("unsupported", f"the signer's RSA key has {key.bit_size} bits")
    elif key.algorithm != "ec" or key.curve[0] != "named" or key.curve[1] not in _CURVES:
        raise _Fails("unsupported", "the kind of the signer's key is not accepted")


def _chain(one: _Carried, carried: Sequence[_Carried]) -> list[bytes]:
    """The signer's certificate and, of those carried, the ones that may stand above it."""
    chain, wanted = [one.der], {one.issuer}
    left = [other for other in carried if other.der != one.der]
    while len(chain) <= MAX_PRESENTED:
        above = next((other for other in left if other.subject in wanted), None)
        if above is None:
            break
        left.remove(above)
        chain.append(above.der)
        wanted.add(above.issuer)
    return chain
