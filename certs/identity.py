"""Who a certificate says one is.

IGC-Santé and the former GIP-CPS put the holder's identity partly in the subject (IdNat_PS in CN,
the structure in OU) and partly in private extensions; every encoding read here is the one found in
real certificates of both. Reading proves nothing: only :class:`certs.TrustStore` says whether the
certificate may be believed.
"""

from __future__ import annotations

import functools
import hashlib
import re
from datetime import datetime
from typing import Final, Literal

import msgspec
from asn1crypto import core, x509

from certs.errors import CertificateUnreadable
from certs.names import dn_string, values

Kind = Literal["person", "organisation", "server", "other"]
Category = Literal["prod", "test", "unknown"]
#: What holds the private key (G01 without its test bit): a card, a server's module, a file.
Bearer = Literal["card", "module", "software", ""]
#: What a Struct_IdNat is made of; ``former`` are the internal numbers of the first structures registered.
StructureForm = Literal["finess", "siren", "siret", "rpps_rank", "former", "technical", "other", ""]

CATEGORY_OID: Final = "1.2.250.1.71.1.2.5"  # G01: OCTET STRING of one byte, high bit = test
PRODUCT_OID: Final = "1.2.250.1.71.1.2.2"  # G02: INTEGER, 0 = CPS (former cards only)
CARD_OID: Final = "1.2.250.1.71.1.2.3"  # PrintableString "issuer/number" (former cards only)
PROFESSION_OID: Final = "1.2.250.1.71.1.2.7"  # G15: INTEGER
SPECIALITY_OID: Final = "1.2.250.1.71.4.2.5"  # R01: SEQUENCE OF UTF8String

# IdNat_PS: 8 + RPPS (11 digits), or 0 + ADELI (9, where 2A and 2B are départements).
_ID_NAT: Final = re.compile(r"8[0-9]{11}|0[0-9][0-9AB][0-9]{7}")
# Struct_IdNat, in the order in which its forms are tried; a label ("CARDIOLOGIE") is none of them.
_STRUCT_FORMS: Final[tuple[tuple[StructureForm, re.Pattern[str]], ...]] = (
    ("former", re.compile(r"10B[0-9]{7}")),  # before FINESS: 0B is no département
    ("finess", re.compile(r"1[0-9][0-9AB][0-9]{7}")),
    ("siren", re.compile(r"2[0-9]{9}")),
    ("siret", re.compile(r"3[0-9]{14}")),
    ("rpps_rank", re.compile(r"4[0-9]{12,17}")),  # 4 + RPPS (11) + rank of the practice
    ("technical", re.compile(r"[CR][0-9]{8,19}")),
    ("other", re.compile(r"[1-9][0-9A-Z]{8,19}")),
)
# The card of a structure's employee names no person: structure, then the number in its register.
_REGISTER: Final = re.compile(r"[0-9A-Z]{4,20}/[0-9A-Z]{1,20}")
_BEARERS: Final[dict[int, Bearer]] = {0x00: "card", 0x02: "module", 0x03: "software"}

# asn1crypto decodes lazily: what it meets in hostile bytes surfaces as any of these.
DECODE_ERRORS: Final = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    OSError,
)


# Bounds on what anybody may present: reading takes time in proportion. Those of IGC-Santé have 2 kB and 5.
MAX_OCTETS: Final = 16 * 1024
MAX_ATTRIBUTES: Final = 32


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What the certificate states, decoded. Times are milliseconds since the epoch.

    ``id_nat`` is filled only for a person; an organisation whose free CN looks like a national
    identifier is still an organisation.
    """

    kind: Kind
    subject_dn: str
    issuer_dn: str
    serial: int
    id_nat: str = ""
    profession: str = ""
    speciality: str = ""
    struct_id: str = ""
    name: str = ""
    given: str = ""
    category: Category = "unknown"
    not_before: int = 0
    not_after: int = 0
    fingerprint: str = ""
    emails: list[str] = []
    hosts: list[str] = []
    cn: str = ""
    title: str = ""
    product: str = ""
    specialities: list[str] = []
    register: str = ""  # "structure/number" of an employee's card (CPE, CPA)
    card: str = ""  # "issuer/number" of the card, where the certificate tells it
    bearer: Bearer = ""


def unreadable_identity(der: bytes) -> Identity:
    """The identity of something that is not a certificate: nothing but its fingerprint."""
    return Identity(
        kind="other", subject_dn="", issuer_dn="", serial=0, fingerprint=hashlib.sha256(der).hexdigest()
    )


def load_certificate(der: bytes, *, whole: bool = False) -> x509.Certificate:
    """One certificate, its extensions decoded.

    :param whole: decode every field now. asn1crypto is lazy and its laziness is not thread-safe:
        certificates that threads share are loaded whole (3 ms instead of 1).
    :raises CertificateUnreadable: not DER, truncated, followed by other bytes, or beyond the bounds.
    """
    if len(der) > MAX_OCTETS:
        raise CertificateUnreadable(f"it is larger than {MAX_OCTETS} octets")
    try:
        certificate = x509.Certificate.load(der, strict=True)
        if max(_length(certificate.subject), _length(certificate.issuer)) > MAX_ATTRIBUTES:
            raise CertificateUnreadable(f"a name in it has more than {MAX_ATTRIBUTES} attributes")
        # asn1crypto would find it by dump(), which takes a length that ends with 0x80 for an indefinite one,
        # encodes anew, and loses unused bits (NIST PKITS 4.3.6: a unique identifier).
        certificate._sha256 = hashlib.sha256(der).digest()
        if whole:
            _ = certificate.native
        _ = certificate.critical_extensions
    except DECODE_ERRORS as error:
        raise CertificateUnreadable(_detail(error)) from error
    return certificate


@functools.lru_cache(maxsize=1024)
def identity(der: bytes) -> Identity:
    """Decode who the certificate says its holder is.

    :param der: one DER certificate, nothing after it.
    :raises CertificateUnreadable: whatever is wrong with the bytes.
    """
    return identity_of(load_certificate(der), der)


def identity_of(certificate: x509.Certificate, der: bytes) -> Identity:
    """As :func:`identity`, for a certificate already decoded by :func:`load_certificate`."""
    try:
        return _identity(certificate, der)
    except DECODE_ERRORS as error:
        raise CertificateUnreadable(_detail(error)) from error


def structure_form(struct_id: str) -> StructureForm:
    """Which kind of identifier a Struct_IdNat is; "" for what is none."""
    return next((form for form, shape in _STRUCT_FORMS if shape.fullmatch(struct_id)), "")


def octets(value: core.Asn1Value) -> bytes:
    """The octets that ``value`` was decoded from, as a signature covers them.

    asn1crypto's ``dump()`` encodes anew what has a length that ends with 0x80, one value in 256: seconds for
    a long revocation list, and other octets where the encoding was not quite DER.
    """
    return bytes(value._header + value.contents + value._trailer)


def milliseconds(moment: datetime) -> int:
    """A moment as the store counts time."""
    return int(moment.timestamp()) * 1000


def _length(name: x509.Name) -> int:
    """How many attributes a name has."""
    return sum(len(rdn) for rdn in name.chosen)


def _detail(error: BaseException) -> str:
    return f"{type(error).__name__} while decoding it"


def _identity(certificate: x509.Certificate, der: bytes) -> Identity:
    subject, issuer = certificate.subject, certificate.issuer
    private = _private_extensions(certificate)
    validity = certificate["tbs_certificate"]["validity"]
    commons = values(subject, "CN")
    common = _last(commons)
    surname, given = _last(values(subject, "SN")), _last(values(subject, "GN"))
    organisation = _last(values(subject, "O"))
    profession = _integer(private.get(PROFESSION_OID))
    hosts, emails = _alternative_names(certificate)
    emails += [mail for mail in values(subject, "emailAddress") if mail not in emails]
    kind = _kind(certificate, profession=profession, named=bool(surname or given), hosts=hosts)
    units = values(subject, "OU")
    struct_id = next((unit for unit in units if structure_form(unit)), "")
    title = _last(values(subject, "title"))
    category, bearer = _category(private.get(CATEGORY_OID))
    specialities = _specialities(private.get(SPECIALITY_OID))
    if kind == "person":
        # The former PKI kept the profession's label in OU.
        title = title or next((unit for unit in units if unit != struct_id), "")
        # An establishment's card has no SN and GN: O stands for the family name, CN for the given one.
        name, given = (surname, given) if surname or given else (organisation, common)
    else:
        name, given = organisation or common, ""
    return Identity(
        kind=kind,
        subject_dn=dn_string(subject),
        issuer_dn=dn_string(issuer),
        serial=certificate.serial_number,
        id_nat=common if kind == "person" and len(commons) == 1 and _ID_NAT.fullmatch(common) else "",
        profession=profession,
        speciality=specialities[0] if specialities else "",
        struct_id=struct_id,
        name=name,
        given=given,
        category=category,
        not_before=milliseconds(validity["not_before"].native),
        not_after=milliseconds(validity["not_after"].native),
        fingerprint=hashlib.sha256(der).hexdigest(),
        emails=emails,
        hosts=hosts,
        cn=common,
        title=title,
        product=_integer(private.get(PRODUCT_OID)),
        specialities=specialities,
        register=common if kind == "person" and _REGISTER.fullmatch(common) else "",
        card=_card(private.get(CARD_OID)),
        bearer=bearer,
    )


def _kind(certificate: x509.Certificate, *, profession: str, named: bool, hosts: list[str]) -> Kind:
    if certificate.ca:
        return "other"
    issuer = " ".join(values(certificate.issuer, "CN")).upper()
    # The organisations' authority lets its customers choose their CN: it never makes a person.
    if "ORGANISATIONS" not in issuer and (profession or named or "PERSONNES" in issuer):
        return "person"
    usage = certificate.extended_key_usage_value
    if hosts or (usage is not None and "server_auth" in usage.native):
        return "server"
    if values(certificate.subject, "O"):
        return "organisation"
    return "other"


def _last(found: list[str]) -> str:
    return found[-1] if found else ""


def _private_extensions(certificate: x509.Certificate) -> dict[str, bytes]:
    extensions: dict[str, bytes] = {}
    for extension in certificate["tbs_certificate"]["extensions"]:
        oid = extension["extn_id"].dotted
        if oid in extensions:
            raise ValueError("extension given twice")  # RFC 5280 §4.2
        extensions[oid] = extension["extn_value"].contents
    return extensions


def _integer(der: bytes | None) -> str:
    return "" if der is None else str(core.Integer.load(der, strict=True).native)


def _category(der: bytes | None) -> tuple[Category, Bearer]:
    if der is None:
        return "unknown", ""
    octets = core.OctetString.load(der, strict=True).native
    if len(octets) != 1:
        raise ValueError("product category is not one byte")
    return "test" if octets[0] & 0x80 else "prod", _BEARERS.get(octets[0] & 0x7F, "")


def _specialities(der: bytes | None) -> list[str]:
    if der is None:
        return []
    codes = core.SequenceOf.load(der, spec=core.UTF8String, strict=True).native
    return [str(code) for code in codes]


def _card(der: bytes | None) -> str:
    if der is None:
        return ""
    number = core.load(der, strict=True)
    if not isinstance(number, core.AbstractString):
        raise ValueError("card number is not a string")
    return str(number.native).strip()


def _alternative_names(certificate: x509.Certificate) -> tuple[list[str], list[str]]:
    hosts: list[str] = []
    emails: list[str] = []
    for name in certificate.subject_alt_name_value or ():
        if name.name in ("dns_name", "ip_address"):
            hosts.append(name.native)
        elif name.name == "rfc822_name":
            emails.append(name.native)
    return hosts, emails
