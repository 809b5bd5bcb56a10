"""Revocation lists, each verified once when it is loaded, then asked by serial number.

The frame of a list is read by asn1crypto and its signature checked by ``cryptography``; its entries are
only walked over (:mod:`certs.crl_entries`), so a question costs nothing whatever the list's size. What a list
says of a certificate, with delta lists, partial lists and lists of other issuers: :mod:`certs.revocation`.
RFC 5280 §5.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from asn1crypto import core
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from pyhanko_certvalidator.errors import AlgorithmNotSupported, DSAParametersUnavailable, PSSParameterMismatch
from pyhanko_certvalidator.sig_validate import DEFAULT_SIGNATURE_VALIDATOR

from certs.algorithms import Algorithms
from certs.crl_entries import Entries, Revocation
from certs.errors import CrlRefused
from certs.identity import DECODE_ERRORS, milliseconds, octets
from certs.names import authority_label, name_id
from certs.scope import NameKey, Scope, point_names, reason_names
from certs.settings import AlgorithmsSection

__all__ = [
    "Authority",
    "AuthorityKey",
    "Crl",
    "CrlIndex",
    "Revocation",
    "authority_key",
    "iso",
]

_UNDERSTOOD: Final = frozenset(
    {
        "authority_information_access",
        "authority_key_identifier",
        "crl_number",
        "delta_crl_indicator",
        "freshest_crl",
        "issuer_alt_name",
        "issuing_distribution_point",
    }
)
_NOT_A_SIGNATURE: Final = (
    *DECODE_ERRORS,
    AssertionError,
    InvalidSignature,
    UnsupportedAlgorithm,
    AlgorithmNotSupported,
    DSAParametersUnavailable,
    PSSParameterMismatch,
)

AuthorityKey = tuple[str, bytes]
#: What lists that replace one another have in common: authority, scope, delta or not.
Shelf = tuple[AuthorityKey, bytes, bool]


class Authority:
    """A certificate that may sign revocation lists: one of the trust folder."""

    def __init__(self, certificate: asn1_x509.Certificate) -> None:
        self.certificate: Final = certificate
        self.label: Final = authority_label(certificate.subject)
        self.key: Final = authority_key(certificate)
        self.key_identifier: Final[bytes | None] = certificate.key_identifier
        usage = certificate.key_usage_value
        # RFC 5280 §4.2.1.3: where keyUsage stands, only cRLSign lets the key sign a list.
        self.signs_crls: Final = usage is None or "crl_sign" in usage.native


def authority_key(certificate: asn1_x509.Certificate) -> AuthorityKey:
    """What a list is filed under: its issuer's name and the digest of the issuer's key."""
    return name_id(certificate.subject), hashlib.sha256(certificate.public_key.dump()).digest()


class Crl:
    """One verified list. Times in ms.

    ``scope`` is "all", "user" or "ca" certificates, ``points`` the URIs of its distribution point; ``covers``
    holds the whole scope. ``base`` is the BaseCRLNumber of a delta list, -1 for a complete one; ``freshest``
    says that delta lists are published for it.
    """

    __slots__ = (
        "aki", "authority", "base", "covers", "fingerprint", "freshest", "freshest_at", "issuer", "label",
        "next_update", "number", "points", "revoked", "scope", "source", "this_update",
    )  # fmt: skip

    def __init__(
        self,
        der: bytes,
        authorities: Iterable[Authority],
        source: str = "",
        *,
        algorithms: Algorithms | None = None,
    ) -> None:
        """Parse and verify.

        :param authorities: who may have issued it; the one whose name, key identifier and
            signature fit is taken.
        :param algorithms: the signatures accepted; production's by default.
        :raises CrlRefused: naming the check that failed.
        """
        self.source = source
        self.fingerprint = hashlib.sha256(der).hexdigest()
        try:
            crl = asn1_crl.CertificateList.load(der, strict=True)
            frame = crl["tbs_cert_list"]
            name = asn1_x509.Name.load(frame["issuer"].dump(), strict=True)
            self.issuer: str = name.hashable
            self.label = authority_label(name)
            self._read_extensions(frame, name)
            self._read_times(frame)
            self.authority = self._verify(crl, authorities, algorithms or Algorithms(AlgorithmsSection()))
            revoked = frame["revoked_certificates"]
            entries = b"" if isinstance(revoked, core.Void) else revoked.contents
        except (*DECODE_ERRORS, UnsupportedAlgorithm) as error:
            raise CrlRefused(f"it cannot be read ({type(error).__name__})") from error
        self.revoked = Entries(bytes(entries), self.issuer, indirect=self.covers.indirect)

    def _read_extensions(self, frame: asn1_crl.TbsCertList, issuer: asn1_x509.Name) -> None:
        self.number = self.base = -1
        self.aki: bytes | None = None
        self.freshest = False
        self.freshest_at: frozenset[str] = frozenset()
        self.covers = Scope()
        seen: set[str] = set()
        given = frame["crl_extensions"]
        for extension in () if given.native is None else given:
            name, value = extension["extn_id"].native, extension["extn_value"].parsed
            if name in seen:
                raise CrlRefused(f"it has two extensions {extension['extn_id'].dotted}")
            seen.add(name)
            # RFC 5280 §5.2: a list with an unrecognised critical extension must not be used.
            if extension["critical"].native and name not in _UNDERSTOOD:
                raise CrlRefused(f"unsupported: critical extension {extension['extn_id'].dotted}")
            if name == "crl_number":
                self.number = value.native
            elif name == "delta_crl_indicator":
                self.base = value.native
            elif name == "authority_key_identifier":
                self.aki = value["key_identifier"].native
            elif name == "freshest_crl":
                self.freshest = True
                self.freshest_at = _uris(value)  # RFC 5280 §5.2.6
            elif name == "issuing_distribution_point":
                self.covers = _scope(value, issuer)
        # RFC 5280 §5.2.3 and §5.2.4: a delta list has a number, and is told by its indicator.
        if self.base >= 0 and self.number < 0:
            raise CrlRefused("it is a delta list without a number")
        if "delta_crl_indicator" in seen and self.base < 0:
            raise CrlRefused("it is a delta list with a negative base")
        self.scope = self.covers.kind
        self.points = frozenset(value for kind, value in self.covers.names if kind == "uri")

    def _read_times(self, frame: asn1_crl.TbsCertList) -> None:
        # RFC 5280 §5.1.2.5: conforming lists carry nextUpdate; without it none could be called fresh.
        following = frame["next_update"].native
        if following is None:
            raise CrlRefused("it has no nextUpdate")
        self.this_update = milliseconds(frame["this_update"].native)
        self.next_update = milliseconds(following)
        if self.next_update < self.this_update:
            raise CrlRefused("its nextUpdate is before its thisUpdate")

    def _verify(
        self, crl: asn1_crl.CertificateList, authorities: Iterable[Authority], algorithms: Algorithms
    ) -> AuthorityKey:
        named = [authority for authority in authorities if authority.key[0] == self.issuer]
        if not named:
            raise CrlRefused(f"its issuer {self.label} is not a trusted authority")
        algorithm = crl["signature_algorithm"]
        # RFC 5280 §5.1.1.2: the algorithm outside is the one that was signed.
        if algorithm.dump() != crl["tbs_cert_list"]["signature"].dump():
            raise CrlRefused("it names two signature algorithms")
        if weak := algorithms.weak_signature(algorithm):
            raise CrlRefused(weak)
        why = f"its authority key identifier is none of {self.label}'s"
        for authority in named:
            # RFC 5280 §6.3.3 (f): the key that signs is the one the identifier names.
            if self.aki and authority.key_identifier and self.aki != authority.key_identifier:
                continue
            if not authority.signs_crls:
                why = f"{self.label} may not sign revocation lists"
                continue
            public = authority.certificate.public_key
            if weak := algorithms.weak_key(public):
                why = weak
                continue
            why = f"its signature is not {self.label}'s"
            try:
                DEFAULT_SIGNATURE_VALIDATOR.validate_signature(
                    crl["signature"].native, octets(crl["tbs_cert_list"]), public, algorithm
                )
            except _NOT_A_SIGNATURE:
                continue
            return authority.key
        raise CrlRefused(why)

    @property
    def delta(self) -> bool:
        """Does it only tell what changed since a complete list (RFC 5280 §5.2.4)?"""
        return self.base >= 0

    @property
    def age_key(self) -> tuple[int, int]:
        """Orders lists of one authority and scope, older first (RFC 5280 §5.2.3)."""
        return self.number, self.this_update

    @property
    def shelf(self) -> Shelf:
        """Lists with equal shelves replace one another."""
        return self.authority, self.covers.der, self.delta


def _scope(point: asn1_crl.IssuingDistributionPoint, issuer: asn1_x509.Name) -> Scope:
    # RFC 5280 §5.2.5: what the list covers.
    if point["only_contains_attribute_certs"].native:
        raise CrlRefused("it covers only attribute certificates")
    user, ca = point["only_contains_user_certs"].native, point["only_contains_ca_certs"].native
    if user and ca:
        raise CrlRefused("it covers neither holders' nor authorities' certificates")
    names: frozenset[NameKey] = point_names(point["distribution_point"], [issuer])
    if point["distribution_point"].native is not None and not names:
        raise CrlRefused("its distribution point has no name")
    reasons = reason_names(point["only_some_reasons"])
    kind = "user" if user else "ca" if ca else "all"
    return Scope(kind, names, reasons, bool(point["indirect_crl"].native), bytes(point.dump()))


def distribution_points(certificate: asn1_x509.Certificate) -> frozenset[str]:
    """The URIs a certificate says its revocation lists are at, delta lists included."""
    # RFC 5280 §4.2.1.13 and §4.2.1.15
    return _uris(certificate.crl_distribution_points_value or ()) | _uris(
        certificate.freshest_crl_value or ()
    )


def _uris(points: Iterable[asn1_x509.DistributionPoint]) -> frozenset[str]:
    found: set[str] = set()
    for point in points:
        where = point["distribution_point"]
        if where.native is None or where.name != "full_name":
            continue
        found.update(n.chosen.native for n in where.chosen if n.name == "uniform_resource_identifier")
    return frozenset(found)


class CrlIndex:
    """The newest verified list of each authority and scope; immutable once built.

    Of delta lists every one is kept: which of them continues a complete list is a matter of their numbers.
    """

    def __init__(self, crls: Iterable[Crl]) -> None:
        self.newest: dict[Shelf, Crl] = {}
        self._deltas: defaultdict[Shelf, list[Crl]] = defaultdict(list)
        for crl in crls:
            if crl.delta:
                self._deltas[crl.shelf].append(crl)
            held = self.newest.get(crl.shelf)
            if held is None or crl.age_key > held.age_key:
                self.newest[crl.shelf] = crl
        self._by_issuer: defaultdict[str, list[Crl]] = defaultdict(list)
        for crl in self.newest.values():
            self._by_issuer[crl.issuer].append(crl)

    def issued_by(self, issuer: str) -> list[Crl]:
        """The newest lists of everybody who bears the name (``Name.hashable``), delta lists among them."""
        return self._by_issuer.get(issuer, [])

    def delta_for(self, crl: Crl) -> Crl | None:
        """The newest delta list that continues a complete one; None when none does."""
        deltas = self._deltas.get((crl.authority, crl.covers.der, True), ())
        fitting = [delta for delta in deltas if _continues(delta, crl)]
        return max(fitting, key=lambda delta: delta.age_key, default=None)

    def loses(self, crl: Crl) -> bool:
        """Would a delta list take the place of one that continues the complete list, and not continue it?"""
        complete = self.newest.get((crl.authority, crl.covers.der, False)) if crl.delta else None
        return complete is not None and not _continues(crl, complete) and self.delta_for(complete) is not None

    def all(self) -> list[Crl]:
        """Every list held, older delta lists included."""
        older = [
            crl for deltas in self._deltas.values() for crl in deltas if crl is not self.newest[crl.shelf]
        ]
        return [*self.newest.values(), *older]

    def lists(self) -> list[Crl]:
        """The newest list of each authority and scope, by authority."""
        return sorted(self.newest.values(), key=lambda crl: (crl.label, crl.scope, crl.delta))


def _continues(delta: Crl, complete: Crl) -> bool:
    # RFC 5280 §5.2.4 and §6.3.3 (c): same issuer, scope and key (which the shelf says), a base that is not
    # newer than the complete list, and a number that is.
    return delta.aki == complete.aki and delta.base <= complete.number < delta.number


def iso(ms: int) -> str:
    """A time as people read it: ``2026-11-21T10:00:00Z``."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "beyond the calendar"
