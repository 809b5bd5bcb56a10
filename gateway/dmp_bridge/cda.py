"""The header of a CDA R2 document (HL7 CDA Release 2, CI-SIS volet "Structuration minimale") → facts.

Reading never repairs: what the header does not say is "" or None, and :func:`check_header` tells what
the DMP would refuse but no schema catches (plain OID, time to the second, body kinds).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

import msgspec
from lxml import etree

from gateway.dmp_bridge import hl7, media, xmlsafe
from gateway.dmp_bridge.codes import Code
from gateway.dmp_bridge.errors import CdaError
from gateway.dmp_bridge.hl7 import Identifier, Organisation, Person
from gateway.dmp_bridge.metadata import Author, Traits
from patients import INS_OIDS

NS: Final = "urn:hl7-org:v3"
_N: Final = {"c": NS}
_BASE64_NOISE: Final = str.maketrans("", "", " \t\r\n")


class Embedded(msgspec.Struct, frozen=True):
    """The body of a level 1 document: claimed media type, decoded bytes."""

    mime: str
    content: bytes


class CdaHeader(msgspec.Struct, frozen=True):
    """Header facts. ``patient`` is the INS (one of its four OIDs), empty when the header gives none.
    ``created_at`` in ms, ``effective_time`` as written. ``level`` is 1, 3 (structuredBody) or 0."""

    unique_id: str
    id_extension: str
    set_id: str
    version: int | None
    code: Code
    title: str
    effective_time: str
    created_at: int | None
    confidentiality: Code
    language: str
    patient: Identifier
    traits: Traits
    authors: list[Author]
    custodian: Organisation
    replaces: list[str]
    service_start: int | None
    facility: Code
    practice: Code
    level: int

    @property
    def author(self) -> Author:
        """The first author, empty when the header names none."""
        return self.authors[0] if self.authors else Author()


class CdaDocument(msgspec.Struct, frozen=True):
    """A header, the decoded body of a level 1 document, and SHA-256 of every file embedded in it."""

    header: CdaHeader
    body: Embedded | None
    embedded_sha256: list[bytes]


def looks_like_cda(data: bytes) -> bool:
    """True when ``data`` starts as XML and names a ClinicalDocument early on."""
    head = data[:65536].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") and b"ClinicalDocument" in head


def read_cda(data: bytes) -> CdaDocument:
    """Read a CDA R2 document. Raises :class:`XmlError` (unsafe or broken XML) or :class:`CdaError`:
    ``cda.root`` (not a ClinicalDocument), ``cda.id`` (no id), ``cda.version``, ``cda.body`` (undecodable)."""
    root = xmlsafe.parse(data, "the CDA document")
    if root.tag != f"{{{NS}}}ClinicalDocument":
        raise CdaError("cda.root", "the document is not a CDA ClinicalDocument")
    identifier = _id(root.find("c:id", _N))
    if not identifier.oid:
        raise CdaError("cda.id", "the CDA document has no id")
    effective = _attribute(root, "c:effectiveTime", "value")
    set_id = root.find("c:setId", _N)
    structured = root.find("c:component/c:structuredBody", _N) is not None
    unstructured = root.find("c:component/c:nonXMLBody/c:text", _N)
    header = CdaHeader(
        unique_id=identifier.oid,
        id_extension=identifier.value,
        set_id=_joined(set_id),
        version=_version(root),
        code=_code(root.find("c:code", _N)),
        title=_text(root.find("c:title", _N))[:256],
        effective_time=effective,
        created_at=hl7.parse_time(effective),
        confidentiality=_code(root.find("c:confidentialityCode", _N)),
        language=_attribute(root, "c:languageCode", "code"),
        patient=_patient(root),
        traits=_traits(root),
        authors=[_author(element) for element in root.findall("c:author/c:assignedAuthor", _N)],
        custodian=_organisation(
            root.find("c:custodian/c:assignedCustodian/c:representedCustodianOrganization", _N)
        ),
        replaces=[
            _joined(element)
            for relation in root.findall("c:relatedDocument", _N)
            if relation.get("typeCode") == "RPLC"
            for element in relation.findall("c:parentDocument/c:id", _N)
        ],
        service_start=hl7.parse_time(
            _attribute(root, "c:documentationOf/c:serviceEvent/c:effectiveTime/c:low", "value")
        ),
        facility=_code(
            root.find("c:componentOf/c:encompassingEncounter/c:location/c:healthCareFacility/c:code", _N)
        ),
        practice=_code(
            root.find(
                "c:documentationOf/c:serviceEvent/c:performer/c:assignedEntity/c:representedOrganization"
                "/c:standardIndustryClassCode",
                _N,
            )
        ),
        level=3 if structured else 1 if unstructured is not None else 0,
    )
    body = _embedded(unstructured) if unstructured is not None and not structured else None
    return CdaDocument(header, body, _embedded_hashes(root, body))


def check_header(document: CdaDocument) -> None:
    """What the DMP requires of a header and no schema enforces (structuration minimale §id, §effectiveTime).

    Raises :class:`CdaError`: ``cda.id``, ``cda.time``, ``cda.title``, ``cda.confidentiality``,
    ``cda.author``, ``cda.body``, ``cda.media`` (kind of body or media type that is not what it claims).
    """
    header = document.header
    if header.id_extension or not hl7.is_oid(header.unique_id):
        raise CdaError(
            "cda.id", "the document's id must be a plain OID of at most 64 characters, without extension"
        )
    if not hl7.is_precise_time(header.effective_time):
        raise CdaError("cda.time", "the document's effectiveTime must go to the second with a time zone")
    if not header.title or len(header.title) > 128:
        raise CdaError("cda.title", "the document's title is missing or longer than 128 characters")
    if header.confidentiality.code not in ("N", "R", "V"):
        raise CdaError("cda.confidentiality", "the document's confidentialityCode is not one of N, R, V")
    if header.confidentiality.code != "N":
        raise CdaError("cda.confidentiality", "a document of restricted confidentiality is not shared")
    if not header.authors:
        raise CdaError("cda.author", "the document names no author")
    if header.level == 0:
        raise CdaError("cda.body", "the document has no body")
    if document.body is not None:
        media.check(document.body.mime, document.body.content)


def _patient(root: etree._Element) -> Identifier:
    """The first recordTarget id whose authority is one of the INS's four OIDs."""
    for element in root.findall("c:recordTarget/c:patientRole/c:id", _N):
        found = _id(element)
        if found.oid in INS_OIDS and found.value:
            return found
    return Identifier()


def _traits(root: etree._Element) -> Traits:
    patient = root.find("c:recordTarget/c:patientRole/c:patient", _N)
    if patient is None:
        return Traits()
    birth_name = first = used_name = ""
    given: list[str] = []
    for name in patient.findall("c:name", _N):
        for part in name:
            text = " ".join(_text(part).split())
            qualifiers = (part.get("qualifier") or "").split()
            if part.tag == f"{{{NS}}}family" and "BR" in qualifiers:
                birth_name = birth_name or text
            elif part.tag == f"{{{NS}}}family" and not qualifiers:
                used_name = used_name or text
            elif part.tag == f"{{{NS}}}given" and "BR" in qualifiers:
                first = first or text
            elif part.tag == f"{{{NS}}}given" and not qualifiers:
                given += text.split()
    return Traits(
        birth_name=birth_name or used_name,
        first_given=first or (given[0] if given else ""),
        given_names=given or ([first] if first else []),
        sex=_attribute(patient, "c:administrativeGenderCode", "code"),
        birth_date=_attribute(patient, "c:birthTime", "value")[:8],
        birth_place=_text(patient.find("c:birthplace/c:place/c:addr/c:county", _N)),
    )


def _author(assigned: etree._Element) -> Author:
    identifiers = [_id(element) for element in assigned.findall("c:id", _N)]
    chosen = next((found for found in identifiers if found.oid == hl7.PERSON_OID), None)
    if chosen is None:
        chosen = identifiers[0] if identifiers else Identifier()
    code = _code(assigned.find("c:code", _N))
    name = assigned.find("c:assignedPerson/c:name", _N)
    device = _text(assigned.find("c:assignedAuthoringDevice/c:softwareName", _N))
    person = Person(
        chosen.value,
        chosen.oid,
        _text(name.find("c:family", _N)) if name is not None else device,
        _text(name.find("c:given", _N)) if name is not None else "",
    )
    organisation = _organisation(assigned.find("c:representedOrganization", _N))
    return Author(person, organisation, code.display or code.code)


def _organisation(element: etree._Element | None) -> Organisation:
    if element is None:
        return Organisation()
    identifiers = [_id(item) for item in element.findall("c:id", _N)]
    found = next((item for item in identifiers if item.oid == hl7.STRUCTURE_OID), None)
    if found is None:
        found = identifiers[0] if identifiers else Identifier()
    return Organisation(found.value, found.oid, _text(element.find("c:name", _N)))


def _embedded(text: etree._Element) -> Embedded:
    claimed = (text.get("mediaType") or "text/plain").strip().lower()
    content = "".join(str(piece) for piece in text.itertext())
    if text.get("representation") == "B64":
        return Embedded(claimed, _decode(content))
    return Embedded(claimed, content.strip().encode())


def _decode(content: str) -> bytes:
    try:
        return base64.b64decode(content.translate(_BASE64_NOISE), validate=True)
    except (binascii.Error, ValueError):
        raise CdaError("cda.body", "the base64 content of the CDA document cannot be decoded") from None


def _embedded_hashes(root: etree._Element, body: Embedded | None) -> list[bytes]:
    """SHA-256 of the level 1 body, or of each base64 file inside a structured body (PDF copy, images)."""
    if body is not None:
        return [hashlib.sha256(body.content).digest()]
    hashes = []
    for element in root.iter(f"{{{NS}}}value", f"{{{NS}}}text"):
        if element.get("representation") == "B64" and element.text:
            try:
                hashes.append(hashlib.sha256(_decode(element.text)).digest())
            except CdaError:
                continue  # an undecodable image inside a structured body copies nothing
    return hashes


def _version(root: etree._Element) -> int | None:
    text = _attribute(root, "c:versionNumber", "value")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise CdaError("cda.version", "the document's versionNumber is not a number")
    return int(text)


def _id(element: etree._Element | None) -> Identifier:
    if element is None:
        return Identifier()
    return Identifier((element.get("extension") or "").strip(), (element.get("root") or "").strip())


def _joined(element: etree._Element | None) -> str:
    """An instance identifier as one string: ``root`` or ``root^extension``."""
    found = _id(element)
    return f"{found.oid}^{found.value}" if found.value else found.oid


def _code(element: etree._Element | None) -> Code:
    if element is None:
        return Code("")
    return Code(
        (element.get("code") or "").strip(),
        (element.get("codeSystem") or "").strip(),
        " ".join((element.get("displayName") or "").split()),
    )


def _attribute(element: etree._Element, path: str, name: str) -> str:
    found = element.find(path, _N)
    return (found.get(name) or "").strip() if found is not None else ""


def _text(element: etree._Element | None) -> str:
    return (
        " ".join("".join(str(piece) for piece in element.itertext()).split()) if element is not None else ""
    )
