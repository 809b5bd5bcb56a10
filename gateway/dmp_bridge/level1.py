"""Builds CDA R2 level 1 documents: a header as CI-SIS asks around one PDF, text, RTF, JPEG or TIFF file.

CI-SIS volet "Structuration minimale de documents de santé", for documents with a nonXMLBody. The same
input always gives the same bytes, so a retry cannot make a second document.
"""

from __future__ import annotations

import base64
from typing import Final

import msgspec
from lxml import etree

from gateway.dmp_bridge import codes, hl7, media
from gateway.dmp_bridge.cda import NS
from gateway.dmp_bridge.codes import Code, TypeCode
from gateway.dmp_bridge.errors import CdaError
from gateway.dmp_bridge.hl7 import Identifier, Organisation, Person
from gateway.dmp_bridge.metadata import Traits

# HL7 France, CI-SIS header, IHE XDS-SD (structuration minimale §templateId; the last for level 1 only)
_TEMPLATES: Final = ("2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1", "1.3.6.1.4.1.19376.1.2.20")
_DMP: Final = Organisation("", "1.2.250.1.213.4.1", "DMP")
_CONFIDENTIALITY: Final = "2.16.840.1.113883.5.25"
_GENDER: Final = "2.16.840.1.113883.5.1"
_GENDERS: Final = {"M": "Masculin", "F": "Féminin", "UN": "Inconnu"}
#: R02 "Secteur non défini": what is said when the sender's sector is not known.
UNKNOWN_SECTOR: Final = "SA43"


class Level1(msgspec.Struct, frozen=True, kw_only=True):
    """What a level 1 document says. Times in ms; ``patient`` is the INS with its OID; ``author_speciality``
    a code of JDV_J01 or none; ``sector`` of JDV_J61, ``practice`` of JDV_J04; ``replaces`` the id of the
    document that this one replaces, "" for a new one."""

    unique_id: str
    set_id: str
    version: int = 1
    type: TypeCode
    title: str
    created_at: int
    service_at: int
    patient: Identifier
    traits: Traits
    author: Person
    author_speciality: Code | None = None
    organisation: Organisation
    sector: str = UNKNOWN_SECTOR
    practice: str = "AMBULATOIRE"
    replaces: str = ""
    mime: str
    content: bytes


def cda_level1(document: Level1) -> bytes:
    """The document as UTF-8 XML. Raises :class:`CdaError` ``cda.media`` (not one of the five kinds, or not
    what it claims), ``cda.id`` (an id that is no plain OID), ``cda.title`` (empty)."""
    media.check(document.mime, document.content)
    if not (hl7.is_oid(document.unique_id) and hl7.is_oid(document.set_id)):
        raise CdaError("cda.id", "the document's id and setId must be plain OIDs")
    title = " ".join(document.title.split())[:128]
    if not title:
        raise CdaError("cda.title", "the document's title is missing")
    root = etree.fromstring(f'<ClinicalDocument xmlns="{NS}"/>'.encode())
    _add(root, "realmCode", code="FR")
    _add(root, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    for template in _TEMPLATES:
        _add(root, "templateId", root=template)
    _add(root, "id", root=document.unique_id)
    _add_code(root, "code", document.type)
    _add(root, "title", title)
    _add(root, "effectiveTime", value=hl7.zoned_time(document.created_at))
    _add_code(root, "confidentialityCode", Code("N", _CONFIDENTIALITY, "Normal"))
    _add(root, "languageCode", code="fr-FR")
    _add(root, "setId", root=document.set_id)
    _add(root, "versionNumber", value=str(document.version))
    _record_target(root, document)
    _author(root, document)
    custodian = _add(_add(_add(root, "custodian"), "assignedCustodian"), "representedCustodianOrganization")
    # §custodian: an id is mandatory; a document whose structure is unknown is kept by the DMP alone
    _organisation(custodian, document.organisation if document.organisation.id else _DMP)
    _authenticator(root, document)
    _service(root, document)
    if document.replaces:
        related = _add(root, "relatedDocument", typeCode="RPLC")
        _add(_add(related, "parentDocument"), "id", root=document.replaces)
    _encounter(root, document)
    text = _add(
        _add(_add(root, "component"), "nonXMLBody"), "text", mediaType=document.mime, representation="B64"
    )
    text.text = base64.b64encode(document.content).decode("ascii")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _record_target(root: etree._Element, document: Level1) -> None:
    role = _add(_add(root, "recordTarget"), "patientRole")
    _add(role, "id", extension=document.patient.value, root=document.patient.oid)
    _unknown_contact(role)
    patient = _add(role, "patient", classCode="PSN")
    traits = document.traits
    name = _add(patient, "name")
    _add(name, "family", traits.birth_name, qualifier="BR")
    _add(name, "given", " ".join(traits.given_names) or traits.first_given)
    _add(name, "given", traits.first_given, qualifier="BR")
    sex = traits.sex if traits.sex in _GENDERS else "UN"
    _add_code(patient, "administrativeGenderCode", Code(sex, _GENDER, _GENDERS[sex]))
    _add(patient, "birthTime", value=traits.birth_date)
    address = _add(_add(_add(patient, "birthplace"), "place"), "addr")
    if traits.birth_place:
        _add(address, "county", traits.birth_place)
    else:
        address.set("nullFlavor", "UNK")


def _author(root: etree._Element, document: Level1) -> None:
    author = _add(root, "author")
    _add(author, "time", value=hl7.zoned_time(document.created_at))
    assigned = _add(author, "assignedAuthor")
    _person_id(assigned, document.author)
    if document.author_speciality is not None:
        _add_code(assigned, "code", document.author_speciality)
    _unknown_contact(assigned)
    _person(assigned, document.author)
    _organisation(_add(assigned, "representedOrganization"), document.organisation)


def _authenticator(root: etree._Element, document: Level1) -> None:
    legal = _add(root, "legalAuthenticator")
    _add(legal, "time", value=hl7.zoned_time(document.created_at))
    _add(legal, "signatureCode", code="S")
    entity = _add(legal, "assignedEntity")
    _person_id(entity, document.author)
    _unknown_contact(entity)
    _person(entity, document.author)
    _organisation(_add(entity, "representedOrganization"), document.organisation)


def _service(root: etree._Element, document: Level1) -> None:
    event = _add(_add(root, "documentationOf"), "serviceEvent")
    _add(_add(event, "effectiveTime"), "low", value=hl7.zoned_time(document.service_at))
    entity = _add(_add(event, "performer", typeCode="PRF"), "assignedEntity")
    _person_id(entity, document.author)
    _unknown_contact(entity)
    _person(entity, document.author)
    organisation = _add(entity, "representedOrganization")
    _organisation(organisation, document.organisation)
    _add_code(
        organisation,
        "standardIndustryClassCode",
        codes.known("practice", document.practice, default="AMBULATOIRE"),
    )


def _encounter(root: etree._Element, document: Level1) -> None:
    encounter = _add(_add(root, "componentOf"), "encompassingEncounter")
    _add(_add(encounter, "effectiveTime"), "low", value=hl7.zoned_time(document.service_at))
    facility = _add(_add(encounter, "location"), "healthCareFacility")
    if document.organisation.id:
        _add(
            facility,
            "id",
            root=document.organisation.oid or hl7.STRUCTURE_OID,
            extension=document.organisation.id,
        )
    _add_code(facility, "code", codes.known("facility", document.sector, default=UNKNOWN_SECTOR))


def _person_id(parent: etree._Element, person: Person) -> None:
    if person.id:
        _add(parent, "id", root=person.oid or hl7.PERSON_OID, extension=person.id)
    else:
        _add(parent, "id", nullFlavor="UNK")


def _person(parent: etree._Element, person: Person) -> None:
    name = _add(_add(parent, "assignedPerson"), "name")
    _add(name, "family", person.name or "INCONNU")
    if person.given:
        _add(name, "given", person.given)


def _organisation(parent: etree._Element, organisation: Organisation) -> None:
    if organisation.id:
        _add(parent, "id", root=organisation.oid or hl7.STRUCTURE_OID, extension=organisation.id)
    elif organisation.oid:
        _add(parent, "id", root=organisation.oid)
    _add(parent, "name", organisation.name or "Structure non précisée")
    _add(parent, "telecom", nullFlavor="NASK")
    _add(parent, "addr", nullFlavor="NASK")


def _unknown_contact(parent: etree._Element) -> None:
    _add(parent, "addr", nullFlavor="NASK")
    _add(parent, "telecom", nullFlavor="NASK")


def _add_code(parent: etree._Element, name: str, code: Code) -> None:
    element = _add(parent, name, code=code.code)
    if code.display:
        element.set("displayName", _xml_text(code.display))
    if code.system:
        element.set("codeSystem", code.system)


def _add(parent: etree._Element, name: str, text: str = "", /, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{NS}}}{name}")
    for key, value in attributes.items():
        element.set(key, _xml_text(value))
    if text:
        element.text = _xml_text(text)
    return element


def _xml_text(text: str) -> str:
    """Without the characters that XML 1.0 §2.2 does not allow."""
    return "".join(
        char
        for char in text
        if char in "\t\n\r" or "\x20" <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char > "\uffff"
    )
