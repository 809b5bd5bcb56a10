"""RFC 5280 §6 path validation by pyhanko-certvalidator, its refusals put in plain words.

Revocation is not asked of pyhanko: it would verify every list again at each certificate (0.2 to
1.3 s for 100 000 entries). :mod:`certs.revocation` asks our index about the path found here.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Any, Final, TypeVar

import msgspec
from asn1crypto import algos, keys, x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from pyhanko_certvalidator import PKIXValidationParams, ValidationContext
from pyhanko_certvalidator.authority import CertTrustAnchor, TrustQualifiers
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
from pyhanko_certvalidator.name_trees import process_general_subtrees
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.registry import CertificateRegistry, TrustManager
from pyhanko_certvalidator.sig_validate import (
    DEFAULT_VALIDATION_CONTEXT,
    DefaultSignatureValidator,
    SignatureValidationContext,
)
from pyhanko_certvalidator.validate import async_validate_path

from certs.algorithms import Algorithms
from certs.crl import iso
from certs.identity import DECODE_ERRORS, milliseconds
from certs.names import authority_label, compare_quickly, name_id
from certs.verdict import Purpose

T = TypeVar("T")

# What a peer may send beside its leaf; IGC-Santé needs one.
MAX_PRESENTED: Final = 8
# Bounds on the search for a path, which a peer's certificates take part in.
MAX_DEPTH: Final = 12
MAX_PATHS: Final = 12
MAX_STEPS: Final = 200


class Usage(msgspec.Struct, frozen=True):
    """What a leaf must be allowed to do: one extended usage, and at least one of the key usages."""

    extended: str
    key: frozenset[str]


USAGES: Final[dict[Purpose, Usage]] = {  # "any" demands nothing
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
    """The roots and the intermediates known beforehand, found by name."""

    def __init__(self, roots: Sequence[x509.Certificate], intermediates: Sequence[x509.Certificate]) -> None:
        self.roots: Final = tuple(roots)
        self.intermediates: Final = tuple(intermediates)
        self.anchors: Final = {root.sha256: CertTrustAnchor(root, _own_bounds(root)) for root in roots}
        # The roots first: the shortest path is tried first.
        self.by_name: Final = by_name((*roots, *(c for c in intermediates if c.sha256 not in self.anchors)))
        self.verifier: Final = KnownSignatures((*roots, *intermediates))


def _own_bounds(root: x509.Certificate) -> TrustQualifiers:
    """What a root says of the paths below it.

    RFC 5280 §6.1 leaves it to us: it is taken at its word, its policies excepted.
    """
    names, bounds = root.name_constraints_value, None
    if names is not None:
        permitted, excluded = (
            None if names[field].native is None else process_general_subtrees(names[field])
            for field in ("permitted_subtrees", "excluded_subtrees")
        )
        bounds = PKIXValidationParams(
            initial_permitted_subtrees=permitted, initial_excluded_subtrees=excluded
        )
    length = root.max_path_length
    # Both or none: pyhanko forgets its own default of the second when the first is given.
    return TrustQualifiers(standard_parameters=bounds, max_path_length=length, max_aa_path_length=length)


class KnownSignatures(DefaultSignatureValidator):
    """Checks signatures; those over the trust folder's certificates that hold are remembered."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        self._ours: Final = {c["signature_value"].native for c in certificates}
        self._good: Final[set[tuple[bytes, bytes, bytes, bytes]]] = set()

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: keys.PublicKeyInfo,
        signature_algorithm: algos.SignedDigestAlgorithm,
        context: SignatureValidationContext = DEFAULT_VALIDATION_CONTEXT,
    ) -> None:
        """As pyhanko asks.

        :raises InvalidSignature: it is not the key's.
        """
        given = (signature, signed_data, public_key_info, signature_algorithm, context)
        if signature not in self._ours:
            super().validate_signature(*given)
            return
        key = (signature, signed_data, public_key_info.dump(), signature_algorithm.dump())
        if key not in self._good:
            super().validate_signature(*given)
            self._good.add(key)


def by_name(certificates: Iterable[x509.Certificate]) -> dict[str, list[x509.Certificate]]:
    """Certificates by their subject (``Name.hashable``)."""
    found: dict[str, list[x509.Certificate]] = {}
    for certificate in certificates:
        found.setdefault(name_id(certificate.subject), []).append(certificate)
    return found


class Path(msgspec.Struct, frozen=True):
    """A validated path, leaf first, root last, and the policies that hold through it."""

    certificates: list[x509.Certificate]
    policies: list[str]


class PathRules(msgspec.Struct, frozen=True):
    """What is demanded of a path beside its signatures and dates (RFC 5280 §6.1.1).

    :param policies: acceptable certificate policies (OIDs); empty accepts any.
    """

    algorithms: Algorithms
    policies: frozenset[str] = frozenset()
    explicit: bool = False
    inhibit_mapping: bool = False
    inhibit_any: bool = False


def candidates(
    leaf: x509.Certificate, presented: Iterable[x509.Certificate], anchors: Anchors
) -> Iterator[list[x509.Certificate]]:
    """The chains of names and key identifiers from ``leaf`` to a root; nothing is verified yet.

    Several when there are cross-certificates, renewed keys or namesakes; at most :data:`MAX_PATHS`. What the
    trust folder holds is tried before what the peer presented.
    """
    offered = by_name(presented)
    steps = 0

    def climb(chain: list[x509.Certificate]) -> Iterator[list[x509.Certificate]]:
        nonlocal steps
        head = chain[-1]
        if head.sha256 in anchors.anchors:
            yield chain
            return
        if len(chain) >= MAX_DEPTH:
            return
        name = name_id(head.issuer)
        for issuer in (*anchors.by_name.get(name, ()), *offered.get(name, ())):
            steps += 1
            if steps > MAX_STEPS:
                return
            wanted, offers = head.authority_key_identifier, issuer.key_identifier
            if wanted and offers and wanted != offers:
                continue
            # No certificate twice, nor another one of the same name and key (RFC 4158 §5.2).
            if any(
                one.sha256 == issuer.sha256
                or (one.public_key.dump() == issuer.public_key.dump() and name_id(one.subject) == name)
                for one in chain
            ):
                continue
            yield from climb([*chain, issuer])

    yield from islice(climb([leaf]), MAX_PATHS)


def valid_paths(
    leaf: x509.Certificate,
    presented: Iterable[x509.Certificate],
    anchors: Anchors,
    *,
    at: int,
    rules: PathRules,
) -> Iterator[Path]:
    """Every validated path, one after the other: a bad candidate does not hide a good one.

    :param at: the moment to validate for (ms).
    :raises PathRefused: no path holds; why the first candidate does not.
    """
    refused: PathRefused | None = None
    found = False
    for chain in candidates(leaf, presented, anchors):
        try:
            path = _validated(chain, anchors, at, rules)
        except PathRefused as error:
            refused = refused or error
            continue
        found = True
        yield path
    if not found:
        raise refused or _nowhere(leaf, anchors)


def _validated(chain: list[x509.Certificate], anchors: Anchors, at: int, rules: PathRules) -> Path:
    leaf, root = chain[0], chain[-1]
    below = chain[:-1]
    for certificate, issuer in pairwise(chain):
        compare_quickly(certificate.issuer, issuer.subject)
    path = ValidationPath(anchors.anchors[root.sha256], below[:0:-1], below[0] if below else None)
    try:
        context = ValidationContext(
            moment=datetime.fromtimestamp(at / 1000, UTC),
            revocation_mode="none",
            # Given, though unused: None would mean the operating system's list.
            trust_manager=TrustManager(),
            certificate_registry=_NO_CERTIFICATES,
            algorithm_usage_policy=rules.algorithms,
            signature_validator=anchors.verifier,
        )
        parameters = PKIXValidationParams(
            user_initial_policy_set=rules.policies or frozenset({"any_policy"}),
            initial_explicit_policy=rules.explicit or bool(rules.policies),
            initial_policy_mapping_inhibit=rules.inhibit_mapping,
            initial_any_policy_inhibit=rules.inhibit_any,
        )
        _finish(async_validate_path(context, path, parameters))
        qualified = path.qualified_policies() or ()
    except (ValidationError, PathError) as error:
        raise _explain(error, leaf, anchors) from error
    except (
        *DECODE_ERRORS,
        InvalidSignature,
        UnsupportedAlgorithm,
        AssertionError,
        NotImplementedError,
    ) as error:
        raise PathRefused("path", f"the certificate is malformed ({type(error).__name__})") from error
    # RFC 5280 leaves the anchor's dates to us: an expired root vouches for nobody.
    validity = root["tbs_certificate"]["validity"]
    if not milliseconds(validity["not_before"].native) <= at <= milliseconds(validity["not_after"].native):
        raise PathRefused("validity", f"the root {authority_label(root.subject)} is not valid at this time")
    if len(chain) > 1 and not _may_issue(root):
        raise PathRefused(
            "path", f"the root {authority_label(root.subject)} is not an authority's certificate"
        )
    for certificate in below:
        # Signatures are whole octets (RFC 5280 §4.1.1.3). Decoders drop the bits that the first octet calls
        # unused: without this, bytes that are not the certificate's would pass for it.
        if certificate["signature_value"].contents[:1] != b"\x00":
            which = "the certificate" if certificate is leaf else "an authority's certificate in the path"
            raise PathRefused("path", f"the signature of {which} is not a whole number of octets")
    for certificate in chain:
        if weak := rules.algorithms.weak_key(certificate.public_key):
            which = "the certificate" if certificate is leaf else "an authority of the path"
            raise PathRefused("path", f"{which} is not strong enough: {weak}")
    return Path(chain, sorted({str(policy.user_domain_policy_id) for policy in qualified}))


def _may_issue(root: x509.Certificate) -> bool:
    """Is it an authority's? Nothing else says so of a root; those of version 1 cannot say it."""
    if root["tbs_certificate"]["version"].native != "v3":
        return True
    usage = root.key_usage_value
    return bool(root.ca) and (usage is None or "key_cert_sign" in usage.native)


_NO_CERTIFICATES: Final = CertificateRegistry.build([])


def _nowhere(leaf: x509.Certificate, anchors: Anchors) -> PathRefused:
    issuer = authority_label(leaf.issuer)
    if leaf.self_issued:
        return PathRefused("path", "the certificate is self-signed and is not a trusted root")
    if name_id(leaf.issuer) in anchors.by_name:
        return PathRefused("path", f"its issuer bears the name {issuer} but not the trusted key")
    return PathRefused("path", f"no path to a trusted root: its issuer {issuer} is not a trusted authority")


def check_usage(leaf: x509.Certificate, purpose: Purpose) -> str:
    """Check what the leaf may be used for (RFC 5280 §4.2.1.3 and §4.2.1.12), both required.

    :returns: the usages found, for people.
    :raises PathRefused: the certificate was issued for something else.
    """
    given = leaf.key_usage_value
    allowed: set[str] = set() if given is None else set(given.native)
    extended_value = leaf.extended_key_usage_value
    extended: list[str] = [] if extended_value is None else list(extended_value.native)
    found = f"key usage {', '.join(sorted(allowed)) or 'none'}; extended {', '.join(extended) or 'none'}"
    usage = USAGES.get(purpose)
    if usage is None:
        return found
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
        return _nowhere(leaf, anchors)
    text = getattr(error, "failure_msg", "") or str(error)
    text = text.removeprefix("The path could not be validated because ").rstrip(".")
    text = text.replace("the end-entity certificate", "the certificate")
    if "signature" in text:
        text = f"{which} bears the issuer name {issuer} but its signature is not that authority's"
    safe = "".join(c if " " <= c <= "~" else "?" for c in text)[:200]
    return PathRefused("policy" if "polic" in safe else "path", safe)
