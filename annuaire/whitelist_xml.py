"""The signed list of authorised domains as a document: read, proven, written.

What the list says is taken from the bytes that the signature covers, parsed again, never from the
document as it came: a comment, a second signature or a moved element cannot change what is believed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, cast

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidCertificate, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from annuaire.errors import WhitelistError
from annuaire.names import fold_domain, valid_domain

SCHEMA: Final = "https://listeblanche.mssante.fr/schema"
_DS: Final = "http://www.w3.org/2000/09/xmldsig#"
_EXC_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
_ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

#: The real list is 3.7 MB.
MAX_BYTES: Final = 64 << 20
#: Longest certificate name and other value that are taken; the longest real ones have 300 characters.
_LONGEST_DN: Final = 1024
_LONGEST: Final = 4096
_FIELDS: Final = (
    "Nom",
    "Description",
    "DNCertificatOperateur",
    "ResponsableContact",
    "SupportContact",
    "DateMAJ",
)


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One line of the list: ``domain`` may be served by the peer whose certificate names ``dn``.

    ``updated_at`` is in ms; the contacts are only written by :func:`sign_whitelist`, never kept.
    """

    domain: str
    dn: str
    description: str = ""
    updated_at: int = 0
    responsible: str = ""
    support: str = ""


class SignedList(msgspec.Struct, frozen=True):
    """A list whose signature holds; whether its signer may sign is for the caller to judge."""

    generated_at: int
    entries: list[Entry]
    sha256: str
    signer: str  # RFC 4514
    signer_cn: str
    signer_ou: str
    signer_fingerprint: str
    chain: list[bytes]  # DER, signer first


def parse_document(data: bytes) -> etree._Element:
    """The root of the document, read without entities, DTD or network.

    Raises :class:`WhitelistError` (``whitelist.xml``) when it is no such document.
    """
    if len(data) > MAX_BYTES:
        raise WhitelistError("whitelist.xml", f"the list is larger than {MAX_BYTES >> 20} MiB")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False, dtd_validation=False
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise WhitelistError("whitelist.xml", f"the list is not well-formed XML: {error}") from None
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.externalDTD is not None or info.doctype:
        raise WhitelistError("whitelist.xml", "the list carries a DTD, which no real list does")
    if (info.encoding or "UTF-8").upper() != "UTF-8":
        raise WhitelistError("whitelist.xml", "the list is not written in UTF-8")
    if root.tag != f"{{{SCHEMA}}}ListeBlancheMSSante":
        raise WhitelistError("whitelist.xml", "the document is not a ListeBlancheMSSante")
    return root


def read_entries(root: etree._Element) -> tuple[int, list[Entry]]:
    """``(time of generation in ms, entries)`` of a parsed list. Raises :class:`WhitelistError`."""
    stated = root.find(f"{{{SCHEMA}}}DateDeGeneration")
    if stated is None:
        raise WhitelistError("whitelist.xml", "the list has no DateDeGeneration")
    entries = []
    for place, item in enumerate(root.iterfind(f"{{{SCHEMA}}}ListeDomaines/{{{SCHEMA}}}Domaine"), 1):
        values = [_field(item, name, place) for name in _FIELDS]
        domain = fold_domain(values[0])
        if not valid_domain(domain):
            raise WhitelistError("whitelist.xml", f"entry {place}: {values[0][:60]!r} is not a domain")
        if not values[2]:
            raise WhitelistError("whitelist.xml", f"entry {place}: no certificate name")
        if len(values[2]) > _LONGEST_DN:
            raise WhitelistError("whitelist.xml", f"entry {place}: a certificate name of unreasonable length")
        entries.append(Entry(domain, values[2], values[1], _time(values[5], f"entry {place}")))
    if not entries:
        raise WhitelistError("whitelist.xml", "the list holds no domain")
    return _time(_text(stated, "DateDeGeneration"), "DateDeGeneration"), entries


def read_signed_list(data: bytes, *, at: datetime | None = None) -> SignedList:
    """Verify the enveloped signature (XMLDSig Core 1.1 §3.2) and read what it covers. CPU: about 1 s.

    :param at: when the signer's certificate must be valid; the present by default.

    Raises :class:`WhitelistError`: ``whitelist.xml``, ``whitelist.signature``, or
    ``whitelist.certificate`` for a signer's certificate that cannot be read or is out of its time.
    """
    root = parse_document(data)
    chain = _judge_signature(root)
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in chain]
        signer = certificates[0]
        subject = signer.subject.rfc4514_string()
        names = [
            [str(found.value) for found in signer.subject.get_attributes_for_oid(oid)]
            for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME)
        ]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise WhitelistError(
            "whitelist.certificate", f"the signer's certificate cannot be read: {error}"
        ) from None
    config = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=frozenset({SignatureMethod.RSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        verification_time=at,
    )
    try:
        result = XMLVerifier().verify(root, x509_cert=signer, expect_config=config)
    except InvalidCertificate as error:
        raise WhitelistError("whitelist.certificate", str(error).split(";")[0]) from None
    except (SignXMLException, etree.LxmlError, ValueError, TypeError) as error:
        raise WhitelistError("whitelist.signature", f"the signature does not hold: {error}") from None
    signed = None if isinstance(result, list) else result.signed_xml
    if signed is None or signed.tag != root.tag or signed.find(f".//{{{_DS}}}Signature") is not None:
        raise WhitelistError("whitelist.signature", "the signature does not cover the whole list")
    generated_at, entries = read_entries(signed)
    return SignedList(
        generated_at=generated_at,
        entries=entries,
        sha256=hashlib.sha256(data).hexdigest(),
        signer=subject,
        signer_cn=names[0][0] if len(names[0]) == 1 else "",
        signer_ou=names[1][0] if len(names[1]) == 1 else "",
        signer_fingerprint=hashlib.sha256(chain[0]).hexdigest(),
        chain=chain,
    )


def sign_whitelist(
    entries: Sequence[Entry],
    key: RSAPrivateKey,
    cert: x509.Certificate | Sequence[x509.Certificate],
    generated_at: int,
) -> bytes:
    """A signed list in the published form: what the demo's trust space hands out.

    :param cert: the signer's certificate, with its intermediates after it where wanted.
    :param generated_at: ms since the epoch.
    """
    root = etree.Element(f"{{{SCHEMA}}}ListeBlancheMSSante", nsmap=_default(SCHEMA))
    _add(root, "DateDeGeneration", _iso(generated_at))
    domains = _add(root, "ListeDomaines", "")
    for entry in entries:
        item = _add(domains, "Domaine", "")
        values = (
            entry.domain,
            entry.description,
            entry.dn,
            entry.responsible,
            entry.support,
            _iso(entry.updated_at or generated_at),
        )
        for name, value in zip(_FIELDS, values, strict=True):
            _add(item, name, value)
    etree.indent(root, space="    ")
    signer = XMLSigner(
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signer.namespaces = _default(_DS)
    certificates = [cert] if isinstance(cert, x509.Certificate) else list(cert)
    signed = signer.sign(root, key=key, cert=certificates)
    head = b'<?xml version="1.0" encoding="UTF-8"?>'
    return head + bytes(etree.tostring(signed, encoding="UTF-8", xml_declaration=False))


def _default(namespace: str) -> dict[str, str]:
    """``namespace`` as the default one; lxml wants None where the stubs want text."""
    return cast(dict[str, str], {None: namespace})


def _judge_signature(root: etree._Element) -> list[bytes]:
    """Refuse any signature of another shape than the published one; the certificates it carries, DER."""
    signatures = list(root.iter(f"{{{_DS}}}Signature"))
    if not signatures:
        raise WhitelistError("whitelist.signature", "the list is not signed")
    if len(signatures) > 1:
        raise WhitelistError("whitelist.signature", "the list carries more than one signature")
    signature = signatures[0]
    if signature.getparent() is not root or root[-1] is not signature:
        raise WhitelistError("whitelist.signature", "the signature is not the last child of the list")
    info = _only(signature, "SignedInfo")
    reference = _only(info, "Reference")
    transforms = [one.get("Algorithm") for one in _only(reference, "Transforms")]
    shape = (
        _only(info, "CanonicalizationMethod").get("Algorithm"),
        _only(info, "SignatureMethod").get("Algorithm"),
        reference.get("URI"),
        transforms,
        _only(reference, "DigestMethod").get("Algorithm"),
    )
    # XMLDSig Core 1.1 §4.4.3.2: URI="" is the whole document that holds the signature.
    if shape != (_EXC_C14N, _RSA_SHA256, "", [_ENVELOPED, _EXC_C14N], _SHA256):
        raise WhitelistError("whitelist.signature", "the signature is not made in the published way")
    if any(len(one) for one in _only(reference, "Transforms")) or len(_only(info, "CanonicalizationMethod")):
        raise WhitelistError("whitelist.signature", "the signature's transforms carry parameters")
    data = _only(_only(signature, "KeyInfo"), "X509Data")
    try:
        chain = [
            base64.b64decode("".join((one.text or "").split()), validate=True)
            for one in data.iterfind(f"{{{_DS}}}X509Certificate")
        ]
    except ValueError:
        raise WhitelistError("whitelist.certificate", "the signer's certificate is not base64") from None
    if not chain:
        raise WhitelistError("whitelist.certificate", "the signature carries no certificate")
    return chain


def _only(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(f"{{{_DS}}}{name}")
    if len(found) != 1:
        raise WhitelistError(
            "whitelist.signature", f"the signature has {len(found)} elements {name}, not one"
        )
    return found[0]


def _field(item: etree._Element, name: str, place: int) -> str:
    found = item.findall(f"{{{SCHEMA}}}{name}")
    if len(found) != 1:
        raise WhitelistError("whitelist.xml", f"entry {place}: {len(found)} elements {name}, not one")
    return _text(found[0], f"entry {place}: {name}")


def _text(element: etree._Element, place: str) -> str:
    if len(element):
        raise WhitelistError("whitelist.xml", f"{place} holds more than text")
    text = (element.text or "").strip()
    if len(text) > _LONGEST:
        raise WhitelistError("whitelist.xml", f"{place} is longer than {_LONGEST} characters")
    return text


def _time(text: str, place: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WhitelistError("whitelist.xml", f"{place}: {text[:40]!r} is not a date") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _add(parent: etree._Element, name: str, text: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{SCHEMA}}}{name}")
    element.text = text or None
    return element


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
