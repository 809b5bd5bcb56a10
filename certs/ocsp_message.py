"""OCSP questions and answers as bytes: written, read and verified. RFC 6960, profile RFC 5019.

Everything here is CPU work on plain bytes: no clock, no network, nothing shared. An answer is believed when
all of RFC 6960 §3.2 holds; :class:`OcspRefused` names the first thing that does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec
from asn1crypto import algos, core, ocsp, x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from pyhanko_certvalidator.errors import AlgorithmNotSupported, PSSParameterMismatch
from pyhanko_certvalidator.sig_validate import DEFAULT_SIGNATURE_VALIDATOR

from certs.algorithms import Algorithms
from certs.crl import AuthorityKey, authority_key, iso
from certs.identity import DECODE_ERRORS, milliseconds, octets
from certs.names import authority_label
from certs.settings import AlgorithmsSection
from certs.status import Status

#: What the lists on disk say of a certificate at a moment (ms): certificate, its issuer, moment.
ListStatus = Callable[[x509.Certificate, x509.Certificate, int], Literal["good", "revoked", "unknown"]]

MAX_CERTIFICATES: Final = 8
NONCE_OCTETS: Final = 32  # RFC 8954 §2.1

_HASHES: Final = ("sha1", "sha256", "sha384", "sha512")
# Not understood beside these, a critical extension of a delegate's certificate makes it unusable.
_DELEGATE_UNDERSTOOD: Final = frozenset(
    {"key_usage", "extended_key_usage", "basic_constraints", "certificate_policies", "ocsp_no_check"}
)
# asn1crypto's words for RFC 6960 §4.2.1 responseStatus, as the RFC writes them.
_STATUSES: Final = {
    "malformed_request": "malformedRequest",
    "internal_error": "internalError",
    "try_later": "tryLater",
    "sign_required": "sigRequired",
    "unauthorized": "unauthorized",
}


class OcspRefused(Exception):  # noqa: N818
    """Why an answer must not be believed: a clause in ASCII about "it", the answer.

    :param busy: the responder itself says that it cannot answer now.
    """

    def __init__(self, reason: str, *, busy: bool = False) -> None:
        super().__init__(reason)
        self.reason: Final = reason
        self.busy: Final = busy


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is demanded of answers. Times in ms.

    :param tolerance: how far clocks may be apart.
    :param short_life: how long an answer without nextUpdate is believed.
    :param algorithms: the signatures accepted.
    """

    tolerance: int = 300_000
    short_life: int = 600_000
    algorithms: Algorithms = Algorithms(AlgorithmsSection())


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate to ask for: plain values, so that no thread shares what asn1crypto decodes lazily.

    :param key: what the answer is filed under: the issuer's name and key, the serial.
    :param urls: the responders that the certificate names (RFC 5280 §4.2.2.1), http and https only.
    :param issuer_name: the issuer's name in DER, as the certificate writes it.
    :param issuer_bits: the issuer's key, the contents of its BIT STRING.
    """

    key: tuple[AuthorityKey, int]
    serial: int
    urls: tuple[str, ...]
    issuer: bytes
    issuer_name: bytes
    issuer_bits: bytes
    issuer_label: str


def question(certificate: bytes, issuer: bytes) -> Question:
    """What to ask about ``certificate`` (both DER), which ``issuer`` has signed.

    :raises ValueError: or another of ``DECODE_ERRORS``, when a field cannot be read.
    """
    leaf = x509.Certificate.load(certificate, strict=True)
    authority = x509.Certificate.load(issuer, strict=True)
    return Question(
        key=(authority_key(authority), leaf.serial_number),
        serial=leaf.serial_number,
        urls=tuple(url for url in leaf.ocsp_urls if urlsplit(url).scheme in ("http", "https")),
        issuer=issuer,
        issuer_name=leaf.issuer.dump(),
        issuer_bits=bytes(authority.public_key["public_key"].contents[1:]),
        issuer_label=authority_label(authority.subject),
    )


def _digest(name: str, data: bytes) -> bytes:
    return hashlib.new(name, data, usedforsecurity=False).digest()


def request(asked: Question, *, digest: str = "sha1", nonce: bytes = b"") -> bytes:
    """The DER of an unsigned OCSPRequest with one CertID (RFC 6960 §4.1.1).

    :param digest: "sha1", which RFC 5019 §2.1.1 makes every responder know, or "sha256".
    :param nonce: 32 octets (RFC 8954 §2.1), or none.
    """
    identifier = ocsp.CertId(
        {
            "hash_algorithm": {"algorithm": digest, "parameters": core.Null()},
            "issuer_name_hash": _digest(digest, asked.issuer_name),
            "issuer_key_hash": _digest(digest, asked.issuer_bits),
            "serial_number": asked.serial,
        }
    )
    body: dict[str, object] = {"request_list": [{"req_cert": identifier}]}
    if nonce:
        body["request_extensions"] = [{"extn_id": "nonce", "critical": False, "extn_value": nonce}]
    return bytes(ocsp.OCSPRequest({"tbs_request": ocsp.TBSRequest(body)}).dump())


def read_answer(
    response: bytes,
    asked: Question,
    *,
    now: int,
    rules: Rules,
    nonce: bytes = b"",
    nonce_required: bool = False,
    lists: ListStatus | None = None,
) -> Status:
    """Verify an OCSPResponse (DER) and say what it states.

    :param now: the present (ms). :param nonce: the one that was sent, if any.
    :param lists: asked for a delegate that may be revoked.
    :raises OcspRefused: whatever is wrong with the bytes or with what they say.
    """
    try:
        answer = _Answer(response, asked)
        single = answer.single()
        signer = answer.verify(now, rules, lists)
        answer.check_nonce(nonce, nonce_required)
        return answer.status(single, signer, now, rules)
    except (*DECODE_ERRORS, InvalidSignature, UnsupportedAlgorithm) as error:
        raise OcspRefused(f"it cannot be read ({type(error).__name__})") from error


class _Answer:
    """A basic response about to be verified, step by step."""

    def __init__(self, der: bytes, asked: Question) -> None:
        self.asked = asked
        try:
            outer = ocsp.OCSPResponse.load(der, strict=True)
            said = outer["response_status"].native
        except DECODE_ERRORS as error:
            raise OcspRefused("it is not an OCSP response") from error
        if said != "successful":
            word = _STATUSES.get(said, "an unknown status")
            busy = said in ("try_later", "internal_error")
            raise OcspRefused(f"it says {word} instead of a status", busy=busy)
        container = outer["response_bytes"]
        # RFC 6960 §4.2.1: the one type that every client knows, and the only one known here.
        if container.native is None or container["response_type"].native != "basic_ocsp_response":
            raise OcspRefused("it is not of the basic type")
        basic = container["response"].parsed
        self.data: ocsp.ResponseData = basic["tbs_response_data"]
        self.signed: bytes = octets(self.data)
        self.algorithm: algos.SignedDigestAlgorithm = basic["signature_algorithm"]
        self.signature: bytes = basic["signature"].native
        self.certificates: Sequence[x509.Certificate] = list(basic["certs"] or ())
        if len(self.certificates) > MAX_CERTIFICATES:
            raise OcspRefused(f"it carries more than {MAX_CERTIFICATES} certificates")
        if self.data["version"].native != "v1":
            raise OcspRefused("it is of another version")
        _no_critical(self.data["response_extensions"], {"nonce"})

    def single(self) -> ocsp.SingleResponse:
        # RFC 6960 §3.2 (1): the certificate it speaks of is the one that was asked for.
        mine, others = [], "it says nothing of any certificate"
        for one in self.data["responses"]:
            identifier = one["cert_id"]
            if not self._our_issuer(identifier):
                others = "it is about a certificate of another authority"
            elif identifier["serial_number"].native != self.asked.serial:
                others = "it is about another certificate"
            else:
                mine.append(one)
        if not mine:
            raise OcspRefused(others)
        if len(mine) > 1:
            raise OcspRefused("it speaks of the certificate more than once")
        _no_critical(mine[0]["single_extensions"], {"archive_cutoff", "crl", "crl_reason"})
        return mine[0]

    def _our_issuer(self, identifier: ocsp.CertId) -> bool:
        name = identifier["hash_algorithm"]["algorithm"].native
        if name not in _HASHES:
            return False
        return bool(
            identifier["issuer_name_hash"].native == _digest(name, self.asked.issuer_name)
            and identifier["issuer_key_hash"].native == _digest(name, self.asked.issuer_bits)
        )

    # -- who says so: RFC 6960 §3.2 (2) to (4), §4.2.2.2

    def verify(self, now: int, rules: Rules, lists: ListStatus | None) -> tuple[str, bytes]:
        """Check the signature and the signer's right to sign; its name, and a delegate's certificate."""
        issuer = x509.Certificate.load(self.asked.issuer, strict=True)
        candidates = [c for c in (issuer, *self.certificates) if self._is_responder(c)]
        if not candidates:
            raise OcspRefused(f"its signer is neither {self.asked.issuer_label} nor a delegate it shows")
        refused: OcspRefused | None = None
        for signer in candidates:
            try:
                own = signer.public_key.dump() == issuer.public_key.dump()
                self._signed_by(signer, own, rules)
                if not own:
                    _check_delegate(signer, issuer, now, rules, lists)
                return authority_label(signer.subject), b"" if own else octets(signer)
            except OcspRefused as error:
                refused = refused or error
        assert refused is not None
        raise refused

    def _is_responder(self, certificate: x509.Certificate) -> bool:
        # RFC 6960 §4.2.2.3: by its name, or by the SHA-1 of its key.
        responder = self.data["responder_id"]
        if responder.name == "by_name":
            return bool(responder.chosen.hashable == certificate.subject.hashable)
        bits = bytes(certificate.public_key["public_key"].contents[1:])
        return bool(responder.chosen.native == _digest("sha1", bits))

    def _signed_by(self, signer: x509.Certificate, own: bool, rules: Rules) -> None:
        weak = rules.algorithms.weak_signature(self.algorithm)
        if not own:
            weak = weak or rules.algorithms.weak_key(signer.public_key)
        if weak:
            raise OcspRefused(weak)
        if not _verifies(self.signature, self.signed, signer, self.algorithm):
            raise OcspRefused(f"its signature is not {authority_label(signer.subject)}'s")

    # -- what it says, and until when: RFC 6960 §3.2 (5) and (6), §4.2.2.1

    def check_nonce(self, sent: bytes, required: bool) -> None:
        found = [e for e in self.data["response_extensions"] if e["extn_id"].native == "nonce"]
        if sent and found:
            # RFC 8954 §2.1: an OCTET STRING within the extension's own; old responders leave the inner out.
            inner = found[0]["extn_value"].contents
            if len(found) > 1 or inner not in (sent, core.OctetString(sent).dump()):
                raise OcspRefused("its nonce is not the one that was sent")
        elif sent and required:
            raise OcspRefused("it has no nonce")

    def status(
        self, single: ocsp.SingleResponse, signed_by: tuple[str, bytes], now: int, rules: Rules
    ) -> Status:
        signer, delegate = signed_by
        produced = milliseconds(self.data["produced_at"].native)
        begin = milliseconds(single["this_update"].native)
        if produced > now + rules.tolerance:
            raise OcspRefused(f"it was produced on {iso(produced)}, in the future")
        if begin > now + rules.tolerance:
            raise OcspRefused(f"it holds only from {iso(begin)}")
        until = begin + rules.short_life
        if single["next_update"].native is not None:
            until = milliseconds(single["next_update"].native)
            if until < begin:
                raise OcspRefused("its nextUpdate is before its thisUpdate")
            if until < now:
                raise OcspRefused(f"it ended on {iso(until)}")
        elif until < now:  # newer news could be had at any time (RFC 6960 §4.2.2.1)
            raise OcspRefused(f"it dates from {iso(begin)} and has no nextUpdate")
        state = single["cert_status"]
        if state.name != "revoked":
            return Status(
                state=state.name,
                this_update=begin,
                valid_until=until,
                responder=signer,
                delegate=delegate,
            )
        return Status(
            state="revoked",
            this_update=begin,
            valid_until=until,
            revoked_at=milliseconds(state.chosen["revocation_time"].native),
            reason=_reason(state.chosen["revocation_reason"].native),
            responder=signer,
            delegate=delegate,
        )


def _no_critical(extensions: object, understood: set[str]) -> None:
    for extension in extensions or ():  # type: ignore[attr-defined]  # asn1crypto's sequences are untyped
        if extension["critical"].native and extension["extn_id"].native not in understood:
            raise OcspRefused(f"it has the critical extension {extension['extn_id'].dotted}")


def _reason(word: str | None) -> str:
    """asn1crypto's ``key_compromise`` in RFC 5280's spelling, ``keyCompromise``."""
    first, *rest = (word or "unspecified").split("_")
    spelt = first + "".join(part.capitalize() for part in rest)
    odd = {"caCompromise": "cACompromise", "aaCompromise": "aACompromise", "removeFromCrl": "removeFromCRL"}
    return odd.get(spelt, spelt)


def _verifies(
    signature: bytes, data: bytes, signer: x509.Certificate, algorithm: algos.SignedDigestAlgorithm
) -> bool:
    try:
        DEFAULT_SIGNATURE_VALIDATOR.validate_signature(signature, data, signer.public_key, algorithm)
    except (InvalidSignature, UnsupportedAlgorithm, AlgorithmNotSupported, PSSParameterMismatch):
        return False
    except (AssertionError, *DECODE_ERRORS):  # the key is of another kind than the signature
        return False
    return True


def _check_delegate(
    delegate: x509.Certificate, issuer: x509.Certificate, now: int, rules: Rules, lists: ListStatus | None
) -> None:
    """RFC 6960 §4.2.2.2: issued by the very authority asked about, for signing answers, good now."""
    name = f"its signer {authority_label(delegate.subject)}"
    extended = delegate.extended_key_usage_value
    # anyExtendedKeyUsage is not enough: the right to answer is given by its own name.
    if extended is None or "ocsp_signing" not in extended.native:
        raise OcspRefused(f"{name} may not sign answers (no OCSPSigning)")
    usage = delegate.key_usage_value
    if usage is not None and not {"digital_signature", "non_repudiation"} & set(usage.native):
        raise OcspRefused(f"{name} may not sign (key usage)")
    if delegate.critical_extensions - _DELEGATE_UNDERSTOOD:
        raise OcspRefused(f"{name} has a critical extension that is not understood")
    if delegate.issuer.hashable != issuer.subject.hashable:
        raise OcspRefused(f"{name} was not issued by {authority_label(issuer.subject)}")
    inner = delegate["signature_algorithm"]
    if inner.dump() != delegate["tbs_certificate"]["signature"].dump():
        raise OcspRefused(f"{name} names two signature algorithms")
    if weak := rules.algorithms.weak_signature(inner):
        raise OcspRefused(f"{name} is not believed: {weak}")
    tbs = octets(delegate["tbs_certificate"])
    if not _verifies(delegate["signature_value"].native, tbs, issuer, inner):
        raise OcspRefused(f"{name} was not issued by {authority_label(issuer.subject)}")
    validity = delegate["tbs_certificate"]["validity"]
    begin, end = milliseconds(validity["not_before"].native), milliseconds(validity["not_after"].native)
    if now < begin - rules.tolerance:
        raise OcspRefused(f"{name} is not valid before {iso(begin)}")
    if now > end:
        raise OcspRefused(f"{name} expired on {iso(end)}")
    listed = "unknown" if lists is None else lists(delegate, issuer, now)
    if listed == "revoked":
        raise OcspRefused(f"{name} is revoked")
    # RFC 6960 §4.2.2.2.1: with id-pkix-ocsp-nocheck nobody need ask; without, the lists must tell.
    if listed == "unknown" and delegate.ocsp_no_check_value is None:
        raise OcspRefused(f"the status of {name} is unknown")
