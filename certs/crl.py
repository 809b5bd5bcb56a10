"""Revocation lists, each verified once when it is loaded, then asked by serial number.

The list is read and its signature checked by ``cryptography`` (35 ms for 100 000 entries); its
serials go to a dict, so a question costs nothing whatever the list's size. RFC 5280 §5 and §6.3.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from certs.errors import CrlRefused
from certs.identity import DECODE_ERRORS, milliseconds
from certs.names import authority_label

# How far a clock may be behind the authority's when a list is "not yet valid".
CLOCK_SKEW_MS: Final = 5 * 60 * 1000
_UNDERSTOOD: Final = (x509.CRLNumber, x509.AuthorityKeyIdentifier, x509.IssuingDistributionPoint)
_ENTRY_UNDERSTOOD: Final = (x509.CRLReason, x509.InvalidityDate)
_WEAK: Final = frozenset({"md5", "sha1"})

AuthorityKey = tuple[str, bytes]


class Authority:
    """A certificate that may sign revocation lists: a root or an intermediate of the trust folder."""

    def __init__(self, certificate: asn1_x509.Certificate) -> None:
        self.certificate: Final = certificate
        self.label: Final = authority_label(certificate.subject)
        self.key: Final = authority_key(certificate)
        self.key_identifier: Final[bytes | None] = certificate.key_identifier
        usage = certificate.key_usage_value
        # RFC 5280 §4.2.1.3: where keyUsage stands, only cRLSign lets the key sign a list.
        self.signs_crls: Final = usage is None or "crl_sign" in usage.native

    def public_key(self) -> CertificateIssuerPublicKeyTypes:
        """The authority's key.

        :raises CrlRefused: an algorithm that cannot sign a list.
        """
        try:
            key = load_der_public_key(self.certificate.public_key.dump())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise CrlRefused(f"the key of {self.label} cannot be used") from error
        return key  # type: ignore[return-value]  # is_signature_valid refuses other key types itself


def authority_key(certificate: asn1_x509.Certificate) -> AuthorityKey:
    """What a list is filed under: its issuer's name and the digest of the issuer's key."""
    return certificate.subject.hashable, hashlib.sha256(certificate.public_key.dump()).digest()


class Revocation(msgspec.Struct, frozen=True):
    """Since when (ms) and why (RFC 5280 §5.3.1 reason, "unspecified" when absent)."""

    at: int
    reason: str


class Crl:
    """One verified list. Times in ms. ``scope`` is "all", "user" or "ca" certificates."""

    __slots__ = (
        "authority", "fingerprint", "issuer", "label", "next_update", "number", "points", "revoked",
        "scope", "source", "this_update",
    )  # fmt: skip

    def __init__(self, der: bytes, authorities: Iterable[Authority], source: str = "") -> None:
        """Parse and verify.

        :param authorities: who may have issued it; the one whose name, key identifier and
            signature fit is taken.
        :raises CrlRefused: naming the check that failed.
        """
        self.source = source
        self.fingerprint = hashlib.sha256(der).hexdigest()
        try:
            crl = x509.load_der_x509_crl(der)
            name = asn1_x509.Name.load(crl.issuer.public_bytes(), strict=True)
            self.issuer: str = name.hashable
            self.label = authority_label(name)
            extensions = crl.extensions
        except (*DECODE_ERRORS, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
            raise CrlRefused(f"it cannot be read ({type(error).__name__})") from error
        self._read_extensions(extensions)
        self._read_times(crl)
        self.authority = self._verify(crl, extensions, authorities)
        try:
            self.revoked = _entries(crl)
        except (*DECODE_ERRORS, x509.DuplicateExtension) as error:
            raise CrlRefused(f"an entry cannot be read ({type(error).__name__})") from error

    def _read_extensions(self, extensions: x509.Extensions) -> None:
        self.number = -1
        self.scope = "all"
        self.points: frozenset[str] = frozenset()
        for extension in extensions:
            value = extension.value
            # RFC 5280 §5.2: a list with an unrecognised critical extension must not be used.
            if extension.critical and not isinstance(value, _UNDERSTOOD):
                what = "it is a delta list" if isinstance(value, x509.DeltaCRLIndicator) else "unsupported"
                raise CrlRefused(f"{what}: critical extension {extension.oid.dotted_string}")
            if isinstance(value, x509.DeltaCRLIndicator):
                raise CrlRefused("it is a delta list")
            if isinstance(value, x509.CRLNumber):
                self.number = value.crl_number
            elif isinstance(value, x509.IssuingDistributionPoint):
                self._read_scope(value)

    def _read_scope(self, point: x509.IssuingDistributionPoint) -> None:
        # RFC 5280 §5.2.5: what the list covers. Parts of the reasons are not enough to accept by.
        if point.indirect_crl:
            raise CrlRefused("indirect lists are not supported")
        if point.only_some_reasons:
            raise CrlRefused("it covers only some reasons")
        if point.only_contains_attribute_certs:
            raise CrlRefused("it covers only attribute certificates")
        if point.relative_name is not None:
            raise CrlRefused("its distribution point has a relative name")
        if point.only_contains_user_certs:
            self.scope = "user"
        elif point.only_contains_ca_certs:
            self.scope = "ca"
        if point.full_name is not None:
            uris = [n.value for n in point.full_name if isinstance(n, x509.UniformResourceIdentifier)]
            if not uris:
                raise CrlRefused("its distribution point has no URI")
            self.points = frozenset(uris)

    def _read_times(self, crl: x509.CertificateRevocationList) -> None:
        # RFC 5280 §5.1.2.5: conforming lists carry nextUpdate; without it none could be called fresh.
        if crl.next_update_utc is None:
            raise CrlRefused("it has no nextUpdate")
        self.this_update = milliseconds(crl.last_update_utc)
        self.next_update = milliseconds(crl.next_update_utc)
        if self.next_update < self.this_update:
            raise CrlRefused("its nextUpdate is before its thisUpdate")

    def _verify(
        self,
        crl: x509.CertificateRevocationList,
        extensions: x509.Extensions,
        authorities: Iterable[Authority],
    ) -> AuthorityKey:
        named = [authority for authority in authorities if authority.key[0] == self.issuer]
        if not named:
            raise CrlRefused(f"its issuer {self.label} is not a trusted authority")
        digest = crl.signature_hash_algorithm
        if digest is not None and digest.name in _WEAK:
            raise CrlRefused(f"it is signed with {digest.name}")
        wanted: bytes | None = None
        for extension in extensions:
            if isinstance(extension.value, x509.AuthorityKeyIdentifier):
                wanted = extension.value.key_identifier
        why = f"its authority key identifier is none of {self.label}'s"
        for authority in named:
            # RFC 5280 §6.3.3 (f): the key that signs is the one the identifier names.
            if wanted and authority.key_identifier and wanted != authority.key_identifier:
                continue
            if not authority.signs_crls:
                why = f"{self.label} may not sign revocation lists"
                continue
            why = f"its signature is not {self.label}'s"
            try:
                if crl.is_signature_valid(authority.public_key()):
                    return authority.key
            except (TypeError, ValueError, UnsupportedAlgorithm):
                continue
        raise CrlRefused(why)

    @property
    def age_key(self) -> tuple[int, int]:
        """Orders lists of one authority and scope, older first (RFC 5280 §5.2.3)."""
        return self.number, self.this_update

    @property
    def shelf(self) -> tuple[AuthorityKey, str, frozenset[str]]:
        """Lists with equal shelves replace one another."""
        return self.authority, self.scope, self.points

    def covers(self, certificate: asn1_x509.Certificate) -> bool:
        """Is the certificate in the list's scope? RFC 5280 §6.3.3 (b)(2)."""
        if self.scope != "all" and (self.scope == "ca") != bool(certificate.ca):
            return False
        return not self.points or bool(self.points & distribution_points(certificate))


def distribution_points(certificate: asn1_x509.Certificate) -> frozenset[str]:
    """The URIs a certificate says its revocation lists are at."""
    found: set[str] = set()
    for point in certificate.crl_distribution_points_value or ():
        where = point["distribution_point"]
        if where.native is None or where.name != "full_name":
            continue
        found.update(n.chosen.native for n in where.chosen if n.name == "uniform_resource_identifier")
    return frozenset(found)


def _entries(crl: x509.CertificateRevocationList) -> dict[int, Revocation]:
    revoked: dict[int, Revocation] = {}
    for entry in crl:
        reason = "unspecified"
        for extension in entry.extensions:
            # RFC 5280 §5.3: likewise for the entries (certificateIssuer means an indirect list).
            if extension.critical and not isinstance(extension.value, _ENTRY_UNDERSTOOD):
                raise CrlRefused(f"an entry has the critical extension {extension.oid.dotted_string}")
            if isinstance(extension.value, x509.CRLReason):
                reason = extension.value.reason.value
        revoked[entry.serial_number] = Revocation(milliseconds(entry.revocation_date_utc), reason)
    return revoked


class CrlIndex:
    """The newest verified list of each authority and scope; immutable once built."""

    def __init__(self, crls: Iterable[Crl]) -> None:
        self.newest: dict[tuple[AuthorityKey, str, frozenset[str]], Crl] = {}
        for crl in crls:
            held = self.newest.get(crl.shelf)
            if held is None or crl.age_key > held.age_key:
                self.newest[crl.shelf] = crl
        self._by_authority: defaultdict[AuthorityKey, list[Crl]] = defaultdict(list)
        for crl in self.newest.values():
            self._by_authority[crl.authority].append(crl)

    def covering(self, certificate: asn1_x509.Certificate, issuer: asn1_x509.Certificate) -> list[Crl]:
        """The lists of ``issuer`` (its name and its key) whose scope holds ``certificate``."""
        held = self._by_authority.get(authority_key(issuer), ())
        return [crl for crl in held if crl.covers(certificate)]

    def lists(self) -> list[Crl]:
        """Every list held, by authority."""
        return sorted(self.newest.values(), key=lambda crl: (crl.label, crl.scope))


def iso(ms: int) -> str:
    """A time as people read it: ``2026-11-21T10:00:00Z``."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "beyond the calendar"
