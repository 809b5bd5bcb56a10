"""Writes IHE_XDM.ZIP archives, strictly: 8.3 upper-case names, INDEX.HTM, README.TXT, complete METADATA.XML.

IHE ITI TF-2 §3.32 and CI-SIS volet "Échange de documents de santé": one submission set in one subset.
"""

from __future__ import annotations

import hashlib
import html
import io
import uuid
import zipfile
from typing import Final

import msgspec
from lxml import etree

from gateway.dmp_bridge import codes, hl7
from gateway.dmp_bridge import metadata as md
from gateway.dmp_bridge.cda import CdaDocument, read_cda
from gateway.dmp_bridge.codes import Code
from gateway.dmp_bridge.hl7 import Identifier, Organisation, Person
from gateway.dmp_bridge.metadata import Author, Traits

_LCM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
_FOLDER: Final = "IHE_XDM/SUBSET01/"
_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
_SPECIALITY_SYSTEM: Final = "1.2.250.1.213.1.1.4.5"


class ArchiveDocument(msgspec.Struct, frozen=True):
    """A CDA document to archive; ``action`` is "", "C" (replaces an earlier one) or "D" (delete it)."""

    content: bytes
    action: str = ""
    format_code: str = ""


class ArchiveSubmission(msgspec.Struct, frozen=True):
    """The submission set: its unique id and the OID of the sending system (plain OIDs), its time in ms,
    its content type (JDV_J59: 97 where there is no encounter), and what the README tells of the sender."""

    unique_id: str
    source_id: str
    time: int
    content_type: Code = Code("97", "1.2.250.1.213.2.2", "Indifférencié")
    software: str = "Passerelle"
    editor: str = ""


def xdm_archive(
    documents: list[ArchiveDocument], patient: Identifier, author: Author, submission: ArchiveSubmission
) -> bytes:
    """An archive of ``documents`` about ``patient`` (INS and OID), sent by ``author``.

    Metadata come from the CDA headers. The same input gives the same bytes.
    :raises ValueError: no document, more than 999, or an id that is no plain OID.
    :raises BridgeError: a content that is no CDA, or a type outside JDV_J66.
    """
    if not 0 < len(documents) < 1000:
        raise ValueError("an archive holds 1 to 999 documents")
    if not (hl7.is_oid(submission.unique_id) and hl7.is_oid(submission.source_id)):
        raise ValueError("the ids of a submission set are plain OIDs")
    names = [f"DOC{number:05}.XML" for number in range(1, len(documents) + 1)]
    headers = [read_cda(document.content) for document in documents]
    metadata = _metadata(list(zip(names, documents, headers, strict=True)), patient, author, submission)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, "INDEX.HTM", _index(names, headers).encode())
        _put(archive, "README.TXT", _readme(names, author, submission).encode())
        _put(archive, _FOLDER + "METADATA.XML", metadata)
        for name, document in zip(names, documents, strict=True):
            _put(archive, _FOLDER + name, document.content)
    return buffer.getvalue()


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _ZIP_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    archive.writestr(info, content)


def _metadata(
    documents: list[tuple[str, ArchiveDocument, CdaDocument]],
    patient: Identifier,
    author: Author,
    submission: ArchiveSubmission,
) -> bytes:
    root = etree.Element(f"{{{_LCM}}}SubmitObjectsRequest", nsmap={"lcm": _LCM, "rim": md.RIM})
    objects = _sub(root, "RegistryObjectList")
    for number, (name, document, cda) in enumerate(documents, 1):
        _document_entry(objects, f"Document{number:02}", name, document, cda, patient)
    _submission_set(objects, patient, author, submission)
    _sub(
        objects,
        "Classification",
        id="cl_SubmissionSet01",
        classifiedObject="SubmissionSet01",
        classificationNode=md.SUBMISSION_NODE,
    )
    for number, (_, document, cda) in enumerate(documents, 1):
        entry = f"Document{number:02}"
        member = _sub(
            objects,
            "Association",
            id=f"as_{entry}",
            associationType=md.HAS_MEMBER,
            sourceObject="SubmissionSet01",
            targetObject=entry,
        )
        _slot(member, "SubmissionSetStatus", ["Original"])
        if document.action == "C" and cda.header.replaces:
            # the entry that is replaced has no UUID we could know: one derived from its uniqueId names it
            _sub(
                objects,
                "Association",
                id=f"rplc_{entry}",
                associationType=md.REPLACES,
                sourceObject=entry,
                targetObject=f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, cda.header.replaces[0])}",
            )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _document_entry(
    objects: etree._Element,
    entry_id: str,
    name: str,
    document: ArchiveDocument,
    cda: CdaDocument,
    patient: Identifier,
) -> None:
    header = cda.header
    type_code = codes.document_type(header.code.code)
    entry = _sub(objects, "ExtrinsicObject", id=entry_id, mimeType="text/xml", objectType=md.STABLE_DOCUMENT)
    if header.created_at is not None:
        _slot(entry, "creationTime", [hl7.utc_time(header.created_at)])
    _slot(entry, "hash", [hashlib.sha1(document.content, usedforsecurity=False).hexdigest()])
    _slot(entry, "languageCode", [header.language or "fr-FR"])
    _slot(entry, "legalAuthenticator", [hl7.xcn(header.author.person)])
    if header.service_start is not None:
        _slot(entry, "serviceStartTime", [hl7.utc_time(header.service_start)])
    _slot(entry, "size", [str(len(document.content))])
    _slot(entry, "sourcePatientId", [hl7.cx(patient.value, patient.oid)])
    _slot(entry, "sourcePatientInfo", _patient_info(patient, header.traits))
    _slot(entry, "URI", [name])
    if document.action:
        _slot(entry, "action", [document.action])
    _name(entry, header.title)
    for author in header.authors:
        _author(entry, md.AUTHOR, author)
    _classify(entry, md.CLASS, codes.document_class(type_code))
    _classify(entry, md.TYPE, type_code)
    _classify(
        entry, md.CONFIDENTIALITY, codes.known("confidentiality", header.confidentiality.code, default="N")
    )
    _classify(entry, md.FORMAT, format_of(cda, document.format_code))
    _classify(entry, md.FACILITY, codes.known("facility", header.facility.code, default="SA43"))
    _classify(entry, md.PRACTICE, codes.known("practice", header.practice.code, default="AMBULATOIRE"))
    _external(entry, md.DOCUMENT_PATIENT, "XDSDocumentEntry.patientId", hl7.cx(patient.value, patient.oid))
    _external(entry, md.DOCUMENT_UNIQUE, "XDSDocumentEntry.uniqueId", header.unique_id)


def format_of(cda: CdaDocument, claimed: str = "") -> Code:
    """A document's format code: ``claimed`` when in JDV_J60, else by its body, else "unknown model"."""
    by_body = codes.LEVEL1_FORMATS.get(cda.body.mime, "") if cda.body is not None else ""
    return codes.known("format", claimed or by_body, default=codes.UNKNOWN_MODEL)


def _submission_set(
    objects: etree._Element, patient: Identifier, author: Author, submission: ArchiveSubmission
) -> None:
    package = _sub(objects, "RegistryPackage", id="SubmissionSet01")
    _slot(package, "submissionTime", [hl7.utc_time(submission.time)])
    _author(package, md.SUBMISSION_AUTHOR, author)
    _classify(package, md.SUBMISSION_CONTENT, submission.content_type)
    patient_id = hl7.cx(patient.value, patient.oid)
    _external(package, md.SUBMISSION_PATIENT, "XDSSubmissionSet.patientId", patient_id)
    _external(package, md.SUBMISSION_SOURCE, "XDSSubmissionSet.sourceId", submission.source_id)
    _external(package, md.SUBMISSION_UNIQUE, "XDSSubmissionSet.uniqueId", submission.unique_id)


def _patient_info(patient: Identifier, traits: Traits) -> list[str]:
    clean = hl7.clean
    given = " ".join(clean(name) for name in traits.given_names)
    info = [
        f"PID-3|{hl7.cx(patient.value, patient.oid)}",
        f"PID-5|{clean(traits.birth_name)}^{clean(traits.first_given)}^{given}^^^^L",
        f"PID-7|{clean(traits.birth_date)}",
        f"PID-8|{clean(traits.sex)}",
    ]
    if traits.birth_place:
        info.append(f"PID-11|^^^^^^BDL^^{clean(traits.birth_place)}")
    return info


def _author(parent: etree._Element, scheme: str, author: Author) -> None:
    item = _sub(
        parent,
        "Classification",
        id=_next_id(parent, "cl"),
        classificationScheme=scheme,
        classifiedObject=parent.get("id", ""),
        nodeRepresentation="",
    )
    if author.organisation.id or author.organisation.name:
        _slot(item, "authorInstitution", [hl7.xon(author.organisation)])
    _slot(item, "authorPerson", [hl7.xcn(author.person)])
    if author.role:
        _slot(item, "authorRole", [author.role])
    if author.speciality:
        _slot(item, "authorSpecialty", [f"^{hl7.clean(author.speciality)}^{_SPECIALITY_SYSTEM}"])


def _classify(parent: etree._Element, scheme: str, code: Code) -> None:
    item = _sub(
        parent,
        "Classification",
        id=_next_id(parent, "cl"),
        classificationScheme=scheme,
        classifiedObject=parent.get("id", ""),
        nodeRepresentation=code.code,
    )
    _slot(item, "codingScheme", [code.system])
    _name(item, code.display or code.code)


def _external(parent: etree._Element, scheme: str, name: str, value: str) -> None:
    item = _sub(
        parent,
        "ExternalIdentifier",
        id=_next_id(parent, "ei"),
        identificationScheme=scheme,
        registryObject=parent.get("id", ""),
        value=value,
    )
    _name(item, name)


def _next_id(parent: etree._Element, kind: str) -> str:
    return f"{kind}_{parent.get('id')}_{len(parent):02}"


def _slot(parent: etree._Element, name: str, values: list[str]) -> None:
    holder = _sub(_sub(parent, "Slot", name=name), "ValueList")
    for value in values:
        _sub(holder, "Value").text = value


def _name(parent: etree._Element, text: str) -> None:
    _sub(_sub(parent, "Name"), "LocalizedString", value=text)


def _sub(parent: etree._Element, tag: str, /, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{md.RIM}}}{tag}")
    for key, value in attributes.items():
        element.set(key, value)
    return element


def _index(names: list[str], documents: list[CdaDocument]) -> str:
    items = "".join(
        f'<li><a href="{_FOLDER}{name}">{html.escape(cda.header.title)}</a></li>\n'
        for name, cda in zip(names, documents, strict=True)
    )
    return (
        '<!DOCTYPE html>\n<html lang="fr">\n'
        '<head><meta charset="utf-8"><title>Documents de santé</title></head>\n'
        f'<body><h1>Documents de santé</h1>\n<ul>\n{items}</ul>\n<p><a href="README.TXT">README.TXT</a></p>\n'
        "</body></html>\n"
    )


def _readme(names: list[str], author: Author, submission: ArchiveSubmission) -> str:
    sender = " ".join(part for part in (author.person.given, author.person.name) if part)
    lines = [
        f"Expéditeur : {sender}",
        f"Structure : {author.organisation.name} ({author.organisation.id})",
        f"Logiciel : {submission.software} {submission.editor}".rstrip(),
        "",
        "Ouvrir INDEX.HTM dans un navigateur pour lire les documents.",
        "",
        "INDEX.HTM",
        "README.TXT",
        _FOLDER + "METADATA.XML",
        *(_FOLDER + name for name in names),
    ]
    return "\r\n".join(lines) + "\r\n"


def professional(
    id_nat: str, name: str, given: str, struct_id: str, structure: str, speciality: str = ""
) -> Author:
    """An author from plain values: IdNat_PS, names, Struct_IdNat and the structure's name."""
    return Author(
        Person(id_nat, hl7.PERSON_OID, name, given),
        Organisation(struct_id, hl7.STRUCTURE_OID, structure),
        speciality,
    )
