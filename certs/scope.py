"""What a revocation list covers of what a certificate asks for: RFC 5280 §6.3.3 (b), (d) and (e)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from asn1crypto import x509

from certs.names import name_id

#: A general name that can be compared: its kind, and its value.
NameKey = tuple[str, str]

#: RFC 5280 §5.3.1, but for unspecified and removeFromCRL: what lists may be divided by.
ALL_REASONS: Final = frozenset(
    {
        "key_compromise",
        "ca_compromise",
        "affiliation_changed",
        "superseded",
        "cessation_of_operation",
        "certificate_hold",
        "privilege_withdrawn",
        "aa_compromise",
    }
)


class Point(msgspec.Struct, frozen=True):
    """A distribution point of a certificate (RFC 5280 §4.2.1.13).

    :param names: where its list is found; empty when it does not say.
    :param reasons: the reasons that its list covers.
    :param issuers: the issuer of an indirect list (``Name.hashable``); empty for the certificate's own.
    """

    names: frozenset[NameKey]
    reasons: frozenset[str]
    issuers: frozenset[str]


def name_key(name: x509.GeneralName) -> NameKey:
    """A general name to compare by (directory names as RFC 5280 §7.1 says)."""
    if name.name == "directory_name":
        return "directory", name_id(name.chosen)
    if name.name == "uniform_resource_identifier":
        return "uri", str(name.native)
    return str(name.name), bytes(name.dump()).hex()


def point_names(point: x509.DistributionPointName, issuers: Iterable[x509.Name]) -> frozenset[NameKey]:
    """The names of a distribution point, in a certificate or in a list.

    :param issuers: the list's issuer, which a relative name continues.
    """
    if point.native is None:
        return frozenset()
    if point.name == "full_name":
        return frozenset(map(name_key, point.chosen))
    found = set()
    for issuer in issuers:
        name = x509.Name.load(issuer.chosen.dump())
        name.chosen.append(point.chosen.untag())
        # A fresh object: what asn1crypto remembers of the shorter name is not this one's.
        found.add(("directory", str(x509.Name.load(name.chosen.dump(force=True)).hashable)))
    return frozenset(found)


def reason_names(flags: x509.ReasonFlags) -> frozenset[str]:
    """The reasons of a BIT STRING; all when it is absent."""
    return ALL_REASONS if flags.native is None else ALL_REASONS & frozenset(flags.native)


def points(certificate: x509.Certificate) -> list[Point]:
    """The distribution points of a certificate, and last the one that RFC 5280 §6.3.3 assumes.

    The last is for lists that no distribution point names: no reasons, no issuer, and the name of the
    certificate's issuer.
    """
    found: list[Point] = []
    for point in certificate.crl_distribution_points_value or ():
        given = point["crl_issuer"]
        names = [] if given.native is None else [n.chosen for n in given if n.name == "directory_name"]
        found.append(
            Point(
                point_names(point["distribution_point"], names or [certificate.issuer]),
                reason_names(point["reasons"]),
                frozenset(name_id(name) for name in names),
            )
        )
    issuer = name_id(certificate.issuer)
    return [*found, Point(frozenset({("directory", issuer)}), ALL_REASONS, frozenset())]


class Scope(msgspec.Struct, frozen=True):
    """What a list says it covers: its issuingDistributionPoint (RFC 5280 §5.2.5), or all.

    :param kind: "all", "user" or "ca" certificates.
    :param names: its distribution point; empty for all of the issuer's certificates.
    :param der: the extension, equal for lists that replace one another.
    """

    kind: str = "all"
    names: frozenset[NameKey] = frozenset()
    reasons: frozenset[str] = ALL_REASONS
    indirect: bool = False
    der: bytes = b""

    def covers(
        self, certificate: x509.Certificate, list_issuer: str, wanted: Iterable[Point]
    ) -> frozenset[str]:
        """For which reasons a list of this scope answers for the certificate; none: it does not.

        :param list_issuer: who issued the list (``Name.hashable``).
        :param wanted: :func:`points` of the certificate.
        """
        # RFC 5280 §6.3.3 (b) (2) (ii) and (iii)
        if self.kind != "all" and (self.kind == "ca") != bool(certificate.ca):
            return frozenset()
        own = list_issuer == name_id(certificate.issuer)
        reasons: frozenset[str] = frozenset()
        for point in wanted:
            if point.issuers:
                # RFC 5280 §6.3.3 (b) (1): the list is the indirect one of the issuer named.
                if not self.indirect or list_issuer not in point.issuers:
                    continue
            elif not own:
                continue
            # RFC 5280 §6.3.3 (b) (2) (i); a point without a name is known by its issuer's.
            names = point.names or frozenset(("directory", issuer) for issuer in point.issuers)
            if self.names and not self.names & names:
                continue
            reasons |= self.reasons & point.reasons  # RFC 5280 §6.3.3 (d)
        return reasons
