"""RFC 5280 §6 path validation by pyhanko-certvalidator, its refusals put in plain words.

Revocation is not asked of pyhanko: it would verify every list again at each certificate (0.2 to
1.3 s for 100 000 entries). :mod:`certs.trust` asks our index about the path found here.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec
from asn1crypto import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from pyhanko_certvalidator import CertificateValidator, PKIXValidationParams, ValidationContext
from pyhanko_certvalidator.errors import (
    DisallowedAlgorithmError,
    ExpiredError,
    InvalidCertificateError,
    NotYetValidError,
    PathBuildingError,
    PathError,
    PathValidationError,
    ValidationError,
)
from pyhanko_certvalidator.registry import CertificateRegistry, SimpleTrustManager

from certs.crl import iso
from certs.identity import DECODE_ERRORS, milliseconds
from certs.names import authority_label
from certs.verdict import Purpose

T = TypeVar("T")

# What a peer may send beside its leaf; IGC-Santé needs one.
MAX_PRESENTED: Final = 8


class Usage(msgspec.Struct, frozen=True):
    """What a leaf must be allowed to do: one extended usage, and at least one of the key usages."""

    extended: str
    key: frozenset[str]


USAGES: Final[dict[Purpose, Usage]] = {
    "client": Usage("client_auth", frozenset({"digital_signature"})),
    "server": Usage("server_auth", frozenset({"digital_signature"})),
    # ORG SIGN carries both key usages, a person's signing certificate nonRepudiation alone.
    "sign": Usage("email_protection", frozenset({"digital_signature", "non_repudiation"})),
}


class PathRefused(Exception):  # noqa: N818
    """Why no path holds; ``check`` names the failing step ("path", "validity", "policy"…)."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(reason)
        self.check: Final = check
        self.reason: Final = reason


class Anchors:
    """The roots in the shape pyhanko wants, and the intermediates known beforehand."""

    def __init__(self, roots: Sequence[x509.Certificate], intermediates: Sequence[x509.Certificate]) -> None:
        self.roots: Final = tuple(roots)
        self.intermediates: Final = tuple(intermediates)
        # Given explicitly: None would mean the operating system's list.
        self.trust: Final = SimpleTrustManager.build(trust_roots=list(roots))
        self.labels: Final = frozenset(c.subject.hashable for c in (*roots, *intermediates))


def build_path(
    leaf: x509.Certificate,
    presented: Iterable[x509.Certificate],
    anchors: Anchors,
    *,
    at: int,
    policies: frozenset[str],
) -> list[x509.Certificate]:
    """The validated path, leaf first, root last.

    :param at: the moment to validate for (ms).
    :param policies: acceptable certificate policies (OIDs); empty accepts any.
    :raises PathRefused: no path holds.
    """
    try:
        moment = datetime.fromtimestamp(at / 1000, UTC)
        context = ValidationContext(
            moment=moment,
            revocation_mode="none",
            trust_manager=anchors.trust,
            certificate_registry=CertificateRegistry.build([*anchors.intermediates, *presented]),
        )
        parameters = PKIXValidationParams(
            user_initial_policy_set=policies or frozenset({"any_policy"}),
            initial_explicit_policy=bool(policies),
        )
        validator = CertificateValidator(leaf, validation_context=context, pkix_params=parameters)
        found = _finish(validator.async_validate_path())
        path = list(found.iter_certs(include_root=True))[::-1]
    except (ValidationError, PathError) as error:
        raise _explain(error, leaf, anchors) from error
    except (*DECODE_ERRORS, InvalidSignature, UnsupportedAlgorithm, NotImplementedError) as error:
        raise PathRefused("path", f"the certificate is malformed ({type(error).__name__})") from error
    # RFC 5280 leaves the anchor's dates to us: an expired root vouches for nobody.
    validity = path[-1]["tbs_certificate"]["validity"]
    if not milliseconds(validity["not_before"].native) <= at <= milliseconds(validity["not_after"].native):
        raise PathRefused(
            "validity", f"the root {authority_label(path[-1].subject)} is not valid at this time"
        )
    return path


def check_usage(leaf: x509.Certificate, purpose: Purpose) -> str:
    """Check what the leaf may be used for (RFC 5280 §4.2.1.3 and §4.2.1.12), both required.

    :returns: the usages found, for people.
    :raises PathRefused: the certificate was issued for something else.
    """
    usage = USAGES[purpose]
    keys = leaf.key_usage_value
    allowed: set[str] = set() if keys is None else set(keys.native)
    extended_value = leaf.extended_key_usage_value
    extended: list[str] = [] if extended_value is None else list(extended_value.native)
    found = f"key usage {', '.join(sorted(allowed)) or 'none'}; extended {', '.join(extended) or 'none'}"
    if leaf.ca:
        raise PathRefused("usage", "it is an authority's certificate, not a holder's")
    if usage.extended not in extended:
        raise PathRefused("usage", f"the certificate is not issued for {_words(usage.extended)} ({found})")
    if not allowed & usage.key:
        wanted = " or ".join(_words(key) for key in sorted(usage.key))
        raise PathRefused("usage", f"its key may not be used for {wanted} ({found})")
    return found


def _words(usage: str) -> str:
    return {
        "client_auth": "client authentication",
        "server_auth": "server authentication",
        "email_protection": "mail signature",
    }.get(usage, usage.replace("_", " "))


def _finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing: with fetching off, pyhanko only computes.

    Works in any thread, inside or outside an event loop, without the cost of making one.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # StopIteration.value is untyped
    coroutine.close()
    raise PathRefused("path", "the validation wanted to fetch something")


def _explain(error: Exception, leaf: x509.Certificate, anchors: Anchors) -> PathRefused:
    issuer = authority_label(leaf.issuer)
    which = "the certificate"
    if isinstance(error, PathValidationError) and not error.is_ee_cert:
        which = "an authority's certificate in the path"
    if isinstance(error, ExpiredError):
        return PathRefused("validity", f"{which} expired on {iso(milliseconds(error.expired_dt))}")
    if isinstance(error, NotYetValidError):
        return PathRefused("validity", f"{which} is not valid before {iso(milliseconds(error.valid_from))}")
    if isinstance(error, DisallowedAlgorithmError):
        return PathRefused("path", f"{which} is signed with an algorithm that is no longer accepted")
    if isinstance(error, PathBuildingError | InvalidCertificateError):
        if leaf.self_issued:
            return PathRefused("path", "the certificate is self-signed and is not a trusted root")
        if leaf.issuer.hashable in anchors.labels:
            return PathRefused("path", f"its issuer bears the name {issuer} but not the trusted key")
        return PathRefused(
            "path", f"no path to a trusted root: its issuer {issuer} is not a trusted authority"
        )
    text = getattr(error, "failure_msg", "") or str(error)
    text = text.removeprefix("The path could not be validated because ").rstrip(".")
    text = text.replace("the end-entity certificate", "the certificate")
    if "signature" in text:
        text = f"{which} bears the issuer name {issuer} but its signature is not that authority's"
    safe = "".join(c if " " <= c <= "~" else "?" for c in text)[:200]
    return PathRefused("policy" if "polic" in safe else "path", safe)
