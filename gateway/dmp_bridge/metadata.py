"""XDS metadata as METADATA.XML carries them (ebRIM 3.0, IHE ITI TF-3 §4.2) → typed structs.

Only what filing needs is read; unknown slots and objects are ignored. The meaning of a classification
or identifier comes from its scheme's UUID, never from its place or its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from lxml import etree

from gateway.dmp_bridge import hl7, xmlsafe
from gateway.dmp_bridge.codes import Code
from gateway.dmp_bridge.errors import MetadataError
from gateway.dmp_bridge.hl7 import Identifier, Organisation, Person

RIM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
_RIM: Final = f"{{{RIM}}}"
MAX_DOCUMENTS: Final = 100

# Schemes of XDSDocumentEntry (IHE ITI TF-3 table 4.2.5.2-2)
DOCUMENT_PATIENT: Final = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
DOCUMENT_UNIQUE: Final = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
AUTHOR: Final = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
CLASS: Final = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
TYPE: Final = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
CONFIDENTIALITY: Final = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
FORMAT: Final = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
FACILITY: Final = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
PRACTICE: Final = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
EVENT: Final = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
STABLE_DOCUMENT: Final = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
# Schemes of XDSSubmissionSet (table 4.2.5.2-3)
SUBMISSION_AUTHOR: Final = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
SUBMISSION_CONTENT: Final = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
SUBMISSION_NODE: Final = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
SUBMISSION_PATIENT: Final = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
SUBMISSION_SOURCE: Final = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
SUBMISSION_UNIQUE: Final = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
HAS_MEMBER: Final = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
REPLACES: Final = "urn:ihe:iti:2007:AssociationType:RPLC"


class Traits(msgspec.Struct, frozen=True):
    """Identity traits as a document states them; "" or empty where it does not.

    ``birth_date`` YYYYMMDD as written, ``sex`` as written (M, F, UN, U), ``birth_place`` COG code.
    """

    birth_name: str = ""
    first_given: str = ""
    given_names: list[str] = []
    sex: str = ""
    birth_date: str = ""
    birth_place: str = ""


class Author(msgspec.Struct, frozen=True):
    """One author of a document: person, organisation, and the label of his speciality or role."""

    person: Person = Person()
    organisation: Organisation = Organisation()
    speciality: str = ""
    role: str = ""


class DocumentMetadata(msgspec.Struct, frozen=True):
    """One XDSDocumentEntry. Times in ms or None. ``action``: "" new, "C" replaces, "D" to delete;
    ``replaces`` is the entry id of another. ``deprecated``: by its availabilityStatus, it was replaced."""

    entry_id: str = ""
    unique_id: str = ""
    patient: Identifier = Identifier()
    traits: Traits = Traits()
    class_code: Code = Code("")
    type_code: Code = Code("")
    format_code: Code = Code("")
    facility: Code = Code("")
    practice: Code = Code("")
    confidentiality: list[Code] = []
    title: str = ""
    comments: str = ""
    authors: list[Author] = []
    creation_time: int | None = None
    service_start: int | None = None
    mime: str = ""
    language: str = ""
    hash: str = ""
    size: int | None = None
    uri: str = ""
    action: str = ""
    replaces: str = ""
    deprecated: bool = False


class Submission(msgspec.Struct, frozen=True):
    """One XDSSubmissionSet."""

    unique_id: str = ""
    source_id: str = ""
    patient: Identifier = Identifier()
    content_type: Code = Code("")
    time: int | None = None
    title: str = ""
    authors: list[Author] = []
    action: str = ""


class Metadata(msgspec.Struct, frozen=True):
    """One METADATA.XML."""

    documents: list[DocumentMetadata]
    submission: Submission


def read_metadata(data: bytes) -> Metadata:
    """Read a METADATA.XML. Raises :class:`XmlError` (unsafe or broken XML) or :class:`MetadataError`:
    ``metadata.shape`` (no RegistryObjectList), ``metadata.many``, ``metadata.value`` (a size or hash).
    """
    root = xmlsafe.parse(data, "METADATA.XML", limit=4 * 1024 * 1024)
    objects = root if root.tag == f"{_RIM}RegistryObjectList" else root.find(f".//{_RIM}RegistryObjectList")
    if objects is None:
        raise MetadataError("metadata.shape", "METADATA.XML holds no RegistryObjectList")
    entries = objects.findall(f"{_RIM}ExtrinsicObject")
    if len(entries) > MAX_DOCUMENTS:
        raise MetadataError("metadata.many", f"METADATA.XML lists more than {MAX_DOCUMENTS} documents")
    submission = next((_submission(package) for package in _packages(objects)), Submission())
    replaced = _replaced(objects)
    documents = [_document(entry, submission.action, replaced) for entry in entries]
    return Metadata(documents, submission)


def _packages(objects: etree._Element) -> Iterator[etree._Element]:
    """RegistryPackages that are submission sets (others are folders, which filing ignores)."""
    marked = {
        item.get("classifiedObject")
        for item in objects.iter(f"{_RIM}Classification")
        if item.get("classificationNode") == SUBMISSION_NODE
    }
    packages = objects.findall(f"{_RIM}RegistryPackage")
    for package in packages:
        if package.get("id") in marked or len(packages) == 1:
            yield package


def _replaced(objects: etree._Element) -> dict[str, str]:
    """Source object → target object of the RPLC associations."""
    return {
        item.get("sourceObject", ""): item.get("targetObject", "")
        for item in objects.findall(f"{_RIM}Association")
        if item.get("associationType") == REPLACES
    }


def _document(entry: etree._Element, action: str, replaced: dict[str, str]) -> DocumentMetadata:
    slots = _slots(entry)
    codes = _codes(entry)
    size = _first(slots, "size")
    if size and not (size.isascii() and size.isdigit() and len(size) < 12):
        raise MetadataError("metadata.value", "METADATA.XML gives a size that is not a number")
    hash_ = _first(slots, "hash")
    if hash_ and not (len(hash_) == 40 and set(hash_.lower()) <= set("0123456789abcdef")):
        raise MetadataError("metadata.value", "METADATA.XML gives a hash that is not a SHA-1 in hexadecimal")
    return DocumentMetadata(
        entry_id=entry.get("id", ""),
        unique_id=_identifier(entry, DOCUMENT_UNIQUE),
        patient=hl7.parse_cx(_identifier(entry, DOCUMENT_PATIENT)),
        traits=_traits(slots.get("sourcePatientInfo", [])),
        class_code=_code(codes, CLASS),
        type_code=_code(codes, TYPE),
        format_code=_code(codes, FORMAT),
        facility=_code(codes, FACILITY),
        practice=_code(codes, PRACTICE),
        confidentiality=codes.get(CONFIDENTIALITY, []),
        title=_localized(entry, "Name"),
        comments=_localized(entry, "Description"),
        authors=_authors(entry, AUTHOR),
        creation_time=hl7.parse_time(_first(slots, "creationTime")),
        service_start=hl7.parse_time(_first(slots, "serviceStartTime")),
        mime=entry.get("mimeType", ""),
        language=_first(slots, "languageCode"),
        hash=hash_,
        size=int(size) if size else None,
        uri=_uri(slots.get("URI", [])) or entry.get("uri", ""),  # some senders write an attribute
        action=_action(slots) or action,
        replaces=replaced.get(entry.get("id", ""), ""),
        deprecated=entry.get("status", "").endswith("StatusType:Deprecated"),  # IHE ITI TF-3 §4.2.3.2.2
    )


def _submission(package: etree._Element) -> Submission:
    slots = _slots(package)
    return Submission(
        unique_id=_identifier(package, SUBMISSION_UNIQUE),
        source_id=_identifier(package, SUBMISSION_SOURCE),
        patient=hl7.parse_cx(_identifier(package, SUBMISSION_PATIENT)),
        content_type=_code(_codes(package), SUBMISSION_CONTENT),
        time=hl7.parse_time(_first(slots, "submissionTime")),
        title=_localized(package, "Name"),
        authors=_authors(package, SUBMISSION_AUTHOR),
        action=_action(slots),
    )


def _slots(element: etree._Element) -> dict[str, list[str]]:
    """Slot name → values. A repeated slot name adds its values."""
    slots: dict[str, list[str]] = {}
    for slot in element.findall(f"{_RIM}Slot"):
        values = [
            value.text.strip() for value in slot.iter(f"{_RIM}Value") if value.text and value.text.strip()
        ]
        slots.setdefault(slot.get("name", ""), []).extend(values)
    return slots


def _first(slots: dict[str, list[str]], name: str) -> str:
    values = slots.get(name)
    return values[0] if values else ""


def _action(slots: dict[str, list[str]]) -> str:
    """The extra metadata ``action``: C (replace) or D (delete), "" otherwise.

    The volet names it without its ebRIM spelling, so the slot may be called ``action`` or end with
    ``:action`` (``urn:…:action``), in any case; it may stand on the document or on the submission set.
    """
    for name, values in slots.items():
        if values and (name.casefold() == "action" or name.casefold().endswith(":action")):
            value = values[0].strip().upper()
            return value if value in ("C", "D") else ""
    return ""


def _uri(values: list[str]) -> str:
    """URI, also in the split form ``1|first…``, ``2|rest`` (IHE ITI TF-3 §4.2.3.2.27)."""
    if len(values) > 1 or (values and values[0].startswith("1|")):
        numbered = [value.partition("|") for value in values]
        if all(mark and number.isdigit() for number, mark, _ in numbered):
            return "".join(text for _, _, text in sorted(numbered, key=lambda item: int(item[0])))
    return values[0] if values else ""


def _classifications(element: etree._Element, scheme: str = "") -> Iterator[etree._Element]:
    for item in element.findall(f"{_RIM}Classification"):
        if not scheme or item.get("classificationScheme") == scheme:
            yield item


def _codes(element: etree._Element) -> dict[str, list[Code]]:
    found: dict[str, list[Code]] = {}
    for item in _classifications(element):
        system = _first(_slots(item), "codingScheme")
        code = Code(item.get("nodeRepresentation", ""), system, _localized(item, "Name"))
        found.setdefault(item.get("classificationScheme", ""), []).append(code)
    return found


def _code(codes: dict[str, list[Code]], scheme: str) -> Code:
    values = codes.get(scheme)
    return values[0] if values else Code("")


def _identifier(element: etree._Element, scheme: str) -> str:
    for item in element.findall(f"{_RIM}ExternalIdentifier"):
        if item.get("identificationScheme") == scheme:
            return item.get("value", "").strip()
    return ""


def _localized(element: etree._Element, name: str) -> str:
    found = element.find(f"{_RIM}{name}/{_RIM}LocalizedString")
    return " ".join(found.get("value", "").split()) if found is not None else ""


def _authors(element: etree._Element, scheme: str) -> list[Author]:
    authors = []
    for item in _classifications(element, scheme):
        slots = _slots(item)
        speciality = hl7.components(_first(slots, "authorSpecialty"))
        authors.append(
            Author(
                person=hl7.parse_xcn(_first(slots, "authorPerson")),
                organisation=hl7.parse_xon(_first(slots, "authorInstitution")),
                speciality=speciality[1] if len(speciality) > 1 else speciality[0],
                role=_first(slots, "authorRole"),
            )
        )
    return authors


def _traits(values: list[str]) -> Traits:
    """sourcePatientInfo: PID-5 (the name of type L wins), PID-7, PID-8, birthplace of PID-11 or PID-23."""
    fields: dict[str, list[str]] = {}
    for value in values:
        name, mark, content = value.partition("|")
        if mark:
            fields.setdefault(name.strip().upper(), []).extend(content.split("~"))
    names = [hl7.components(value) for value in fields.get("PID-5", []) if value]
    legal = next(
        (name for name in names if len(name) > 6 and name[6].strip() in ("L", "B")), names[0] if names else []
    )
    parts = [part.strip() for part in legal] + [""] * 3
    others = parts[2].split("~")[0]
    return Traits(
        birth_name=parts[0],
        first_given=parts[1],
        given_names=[name for name in (others or parts[1]).replace(",", " ").split() if name],
        sex=_one(fields, "PID-8"),
        birth_date=_one(fields, "PID-7")[:8],
        birth_place=_birth_place(fields),
    )


def _one(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name)
    return values[0].strip() if values else ""


def _birth_place(fields: dict[str, list[str]]) -> str:
    for address in fields.get("PID-11", []):
        parts = [part.strip() for part in hl7.components(address)] + [""] * 9
        if parts[6] in ("BDL", "BR", "N"):  # table 0190: birth delivery location
            return parts[8] or parts[4]
    return _one(fields, "PID-23")
