"""The shapes of the demo PKI's certificates: names, usages and private extensions of IGC-Santé."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from certs.identity import CATEGORY_OID, PROFESSION_OID, SPECIALITY_OID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

# The one policy every product of IGC-Santé's test authorities carries.
POLICY: Final = "1.2.250.1.213.1.7.2.1.1.1.1"
_CATEGORY_TEST: Final = b"\x04\x01\x83"  # G01: software certificate, test
_BASE_URL: Final = "http://igc-sante.test"

AUTHORITY_NAMES: Final = {
    "racine": "TEST AC RACINE IGC-SANTE ELEMENTAIRE",
    "organisations": "TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS",
    "personnes": "TEST AC IGC-SANTE ELEMENTAIRE PERSONNES",
}
CRL_FILES: Final = {
    "racine": "ACR-EL-TEST.crl",
    "organisations": "ACI-EL-ORG-TEST.crl",
    "personnes": "ACI-EL-PP-TEST.crl",
}


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's server certificate: TLS server and client, and the whitelist's DN."""

    name: str
    cn: str
    ou: str
    o: str
    st: str = "Paris (75)"
    hosts: tuple[str, ...] = ()


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A professional's certificate, as on a CPS card. ``profession`` in G15, ``speciality`` in R01."""

    name: str
    id_nat: str
    sn: str
    gn: str
    profession: int = 10
    title: str = "Médecin"
    speciality: str = ""


class Organisation(msgspec.Struct, frozen=True, kw_only=True):
    """A structure's certificate: ``use`` is "auth" (AUTH_CLI) or "sign" (ORG SIGN)."""

    name: str
    cn: str
    struct_id: str
    o: str
    st: str = "Paris (75)"
    use: str = "auth"
    email: str = ""


DEMO_SERVERS: Final = (
    Server(
        name="gateway",
        cn="smtps.passerelle.test",
        ou="390000000000015",
        o="PASSERELLE DEMONSTRATION",
        hosts=("smtps.passerelle.test", "localhost", "127.0.0.1"),
    ),
    Server(
        name="hospital",
        cn="mss.hopital-exemple.test",
        ou="1690000007",
        o="HOPITAL EXEMPLE",
        st="Rhône (69)",
        hosts=("mss.hopital-exemple.test", "localhost", "127.0.0.1"),
    ),
    Server(
        name="clinic",
        cn="mss.clinique-exemple.test",
        ou="1130000003",
        o="CLINIQUE EXEMPLE",
        st="Bouches-du-Rhône (13)",
        hosts=("mss.clinique-exemple.test", "localhost", "127.0.0.1"),
    ),
)
DEMO_PERSONS: Final = (
    Person(name="doctor", id_nat="899900000101", sn="EXEMPLE", gn="Camille", speciality="SM54"),
    Person(name="colleague", id_nat="899900000127", sn="COLLEGUE", gn="Jean", speciality="SM54"),
    Person(
        name="pharmacist",
        id_nat="899900000119",
        sn="MODELE",
        gn="Dominique",
        profession=21,
        title="Pharmacien",
    ),
)
DEMO_ORGANISATIONS: Final = (
    Organisation(
        name="hospital-auth",
        cn="Dossier patient hopital",
        struct_id="1690000007",
        o="HOPITAL EXEMPLE",
        st="Rhône (69)",
    ),
    Organisation(
        name="whitelist-signer",
        cn="alb.mssante.test",
        struct_id="390000000000023",
        o="LISTE BLANCHE DEMONSTRATION",
        use="sign",
        email="alb@mssante.test",
    ),
)


def authority_name(which: str) -> x509.Name:
    """``CN=TEST AC …,OU=IGC-SANTE TEST,OU=0002 187512751,O=ASIP-SANTE,C=FR``."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ASIP-SANTE"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "0002 187512751"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "IGC-SANTE TEST"),
            x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY_NAMES[which]),
        ]
    )


def organisation_name(*, cn: str, ou: str, o: str, st: str) -> x509.Name:
    """The order of the real DER: C, ST, O, OU, CN."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, st),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, o),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, ou),
            x509.NameAttribute(NameOID.COMMON_NAME, cn),
        ]
    )


def person_name(person: Person) -> x509.Name:
    """C, title, then one RDN holding IdNat_PS, family name and given name together."""
    return x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COUNTRY_NAME, "FR")]),
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.TITLE, person.title)]),
            x509.RelativeDistinguishedName(
                [
                    x509.NameAttribute(NameOID.COMMON_NAME, person.id_nat),
                    x509.NameAttribute(NameOID.SURNAME, person.sn),
                    x509.NameAttribute(NameOID.GIVEN_NAME, person.gn),
                ]
            ),
        ]
    )


def key_usage(
    *, signature: bool = False, repudiation: bool = False, authority: bool = False
) -> tuple[x509.ExtensionType, bool]:
    """keyUsage, critical as IGC-Santé issues it."""
    usage = x509.KeyUsage(
        digital_signature=signature,
        content_commitment=repudiation,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
    return usage, True


def extended(*purposes: ObjectIdentifier) -> tuple[x509.ExtensionType, bool]:
    """extendedKeyUsage, not critical."""
    return x509.ExtendedKeyUsage(purposes), False


CLIENT: Final = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER: Final = ExtendedKeyUsageOID.SERVER_AUTH
MAIL: Final = ExtendedKeyUsageOID.EMAIL_PROTECTION


def category() -> tuple[x509.ExtensionType, bool]:
    """The product's category (G01): test software certificate."""
    return x509.UnrecognizedExtension(ObjectIdentifier(CATEGORY_OID), _CATEGORY_TEST), False


def profession(person: Person) -> list[tuple[x509.ExtensionType, bool]]:
    """Profession (INTEGER) and, where there is one, speciality (SEQUENCE OF UTF8String)."""
    code = person.profession.to_bytes(person.profession.bit_length() // 8 + 1, "big")
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.UnrecognizedExtension(ObjectIdentifier(PROFESSION_OID), b"\x02" + _lv(code)), False)
    ]
    if person.speciality:
        inner = b"\x0c" + _lv(person.speciality.encode())
        extension = x509.UnrecognizedExtension(ObjectIdentifier(SPECIALITY_OID), b"\x30" + _lv(inner))
        found.append((extension, False))
    return found


def _lv(content: bytes) -> bytes:
    """Length and value, short form (X.690 §8.1.3.4)."""
    if len(content) > 127:
        raise ValueError("too long for this demonstration PKI")
    return bytes([len(content)]) + content


def alternative_names(hosts: tuple[str, ...] = (), email: str = "") -> list[tuple[x509.ExtensionType, bool]]:
    """subjectAltName: DNS names, IP addresses, one mail address; none when there is nothing."""
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    if email:
        names.append(x509.RFC822Name(email))
    return [(x509.SubjectAlternativeName(names), False)] if names else []


def policy(oid: str = POLICY) -> tuple[x509.ExtensionType, bool]:
    """certificatePolicies with one policy and its practice statement."""
    statement = f"{_BASE_URL}/PC%20TEST"
    return x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier(oid), [statement])]), False


def distribution(which: str) -> tuple[x509.ExtensionType, bool]:
    """Where the authority ``which`` publishes its revocation list."""
    uri = x509.UniformResourceIdentifier(f"{_BASE_URL}/CRL/{CRL_FILES[which]}")
    return x509.CRLDistributionPoints([x509.DistributionPoint([uri], None, None, None)]), False


def private_key_usage(begin: datetime, end: datetime) -> tuple[x509.ExtensionType, bool]:
    """privateKeyUsagePeriod, on signing certificates only."""
    return x509.PrivateKeyUsagePeriod(begin, end), False


YEAR: Final = timedelta(days=365)
