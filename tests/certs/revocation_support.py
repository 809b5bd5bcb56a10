"""A small authority for tests of revocation: holders, lists of every kind, keys and names of its own."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from certs_fixtures import NOW, demanding
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certs import CertVerdict, TrustSettings, TrustStore
from certs import pki_profiles as shape

HOUR, DAY = 3_600_000, 86_400_000
URI = "http://lists.test/{}.crl"
Extensions = list[tuple[x509.ExtensionType, bool]]


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC)


def named(cn: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])


def uri(name: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(URI.format(name))]


def directory(cn: str) -> list[x509.GeneralName]:
    return [x509.DirectoryName(named(cn))]


def scope(**given: object) -> tuple[x509.ExtensionType, bool]:
    """An issuingDistributionPoint."""
    fields: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**fields, **given}), True  # type: ignore[arg-type]


class Party:
    """A name, a key and a certificate."""

    def __init__(self, name: str, issuer: Party | None, *extensions: tuple[x509.ExtensionType, bool]) -> None:
        self.name = named(name)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.serial = x509.random_serial_number()
        self.certificate = self.certified(issuer or self, *extensions)

    def certified(self, issuer: Party, *extensions: tuple[x509.ExtensionType, bool]) -> x509.Certificate:
        """A certificate for this name and key by ``issuer``."""
        builder = (
            x509.CertificateBuilder(issuer.name, self.name, self.key.public_key(), self.serial)
            .not_valid_before(moment(NOW - 400 * DAY))
            .not_valid_after(moment(NOW + 400 * DAY))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
            )
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(issuer.key, hashes.SHA256())

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def crl(
        self,
        *revoked: tuple[int, str] | tuple[int, str, int],
        number: int = 1,
        base: int | None = None,
        begin: int = NOW - HOUR,
        end: int = NOW + DAY,
        more: Extensions | None = None,
        about: str = "",
        signer: Party | None = None,
    ) -> bytes:
        """A list. Each revocation is (serial, reason) or (serial, reason, since).

        :param base: makes it a delta list.
        :param about: the issuer that the entries name, in an indirect list.
        """
        by = signer or self
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(moment(begin))
            .next_update(moment(end))
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False
            )
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        if base is not None:
            builder = builder.add_extension(x509.DeltaCRLIndicator(base), critical=True)
        for extension, critical in more or []:
            builder = builder.add_extension(extension, critical)
        for serial, reason, *since in revoked:
            entry = x509.RevokedCertificateBuilder(serial, moment(since[0] if since else NOW - 2 * DAY))
            if reason != "unspecified":
                entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(reason)), critical=False)
            if about:
                entry = entry.add_extension(x509.CertificateIssuer(directory(about)), critical=True)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(by.key, hashes.SHA256()).public_bytes(Encoding.DER)


AUTHORITY: Extensions = [
    (x509.BasicConstraints(ca=True, path_length=None), True),
    shape.key_usage(authority=True),
]
SIGNS_LISTS: Extensions = [
    (
        x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=False,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        ),
        True,
    )
]
HOLDER: Extensions = [shape.key_usage(signature=True), shape.extended(shape.CLIENT)]


class World:
    """A root and an authority below it, in a trust folder. The root's own list says nothing ill."""

    def __init__(self, folder: Path) -> None:
        self.trust = folder / "trust"
        self.root = Party("Root", None, *AUTHORITY)
        self.ca = Party("Authority", self.root, *AUTHORITY)
        self.put("roots", "root", self.root.der)
        self.put("intermediates", "ca", self.ca.der)
        self.put("crls", "root", self.root.crl())

    def put(self, shelf: str, name: str, der: bytes) -> None:
        path = self.trust / shelf / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(der)

    def lists(self, **lists: bytes) -> None:
        """Replace every list but the root's."""
        shutil.rmtree(self.trust / "crls")
        self.put("crls", "root", self.root.crl())
        for name, der in lists.items():
            self.put("crls", name, der)

    def holder(self, *points: x509.DistributionPoint) -> Party:
        """A holder of the authority, with these distribution points."""
        more: Extensions = [(x509.CRLDistributionPoints(points), False)] if points else []
        return Party("Holder", self.ca, *HOLDER, *more)

    def store(self, settings: TrustSettings | None = None, at: int = NOW) -> TrustStore:
        return TrustStore.load(self.trust, settings=settings or demanding(), clock=lambda: at)

    def verdict(self, holder: Party, settings: TrustSettings | None = None, at: int = NOW) -> CertVerdict:
        return self.store(settings, at).check_sync([holder.der], "client")


def point(
    name: str = "", *, reasons: frozenset[x509.ReasonFlags] | None = None, issuer: str = ""
) -> x509.DistributionPoint:
    """A distribution point of a certificate."""
    return x509.DistributionPoint(
        uri(name) if name else None, None, reasons, directory(issuer) if issuer else None
    )
