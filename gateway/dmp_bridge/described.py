"""What a document says of itself, as the record keeps it (:class:`dossier.Said`)."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from dossier import Said
from gateway.dmp_bridge import codes
from gateway.dmp_bridge.cda import CdaDocument, check_header, read_cda
from gateway.dmp_bridge.errors import BridgeError
from gateway.dmp_bridge.identity import Identity, check_identity
from gateway.dmp_bridge.metadata import Author, DocumentMetadata
from gateway.dmp_bridge.model import Filing
from gateway.dmp_bridge.xdm_writer import format_of
from patients import Profile

_SECRET: Final = ("N", "R", "V")


def must_be(identity: Identity) -> None:
    """Raises :class:`BridgeError` with the code of an identity that is not the patient's."""
    if not identity.ok:
        raise BridgeError(identity.rule, identity.reason, application=identity.code)


def read_deposited_cda(content: bytes, patient: Profile) -> Said:
    """What a CDA document says that was deposited into a patient's record: a :data:`dossier.CdaReader`.

    Raises :class:`XmlError`, :class:`CdaError`, :class:`BridgeError`: ``identity.*`` (902 to 905: not this
    patient's), ``cda.*``, ``codes.*``, ``xml.*``.
    """
    cda = read_cda(content)
    must_be(check_identity(cda.header.patient, cda.header.traits, patient))
    check_header(cda)
    return said_of_cda(cda, content)


def said_of_cda(cda: CdaDocument, content: bytes, entry: DocumentMetadata | None = None) -> Said:
    """The header of a CDA document, and what its XDS metadata add: masks, class, format, status."""
    header, said = cda.header, entry or DocumentMetadata()
    type_code = codes.document_type(header.code.code)
    created_at = header.created_at or 0
    made = Said(
        title=header.title,
        body_mime=cda.body.mime if cda.body is not None else "",
        type_code=type_code.code,
        class_code=codes.document_class(type_code, said.class_code.code).code,
        format_code=format_of(cda, said.format_code.code).code,
        confidentiality=masks_of(said),
        facility=header.facility.code,
        practice=header.practice.code,
        created_at=created_at,
        service_at=header.service_start or created_at,
        unique_id=header.unique_id,
        set_id=header.set_id,
        version=header.version if header.version is not None else 1,
        replaces=header.replaces,
        content_sha256=hashlib.sha256(content).digest(),
        mime="text/xml",
        status="deprecated" if said.deprecated else "approved",
    )
    return _by(made, header.author)


def said_of(filing: Filing) -> Said:
    """A document that was planned to be filed."""
    made = Said(
        title=filing.title,
        filename=filing.filename,
        mime="text/xml",
        body_mime=filing.body_mime,
        type_code=filing.type.code,
        class_code=filing.class_.code,
        format_code=filing.format.code,
        confidentiality=filing.confidentiality,
        facility=filing.facility,
        practice=filing.practice,
        created_at=filing.created_at,
        service_at=filing.service_at,
        unique_id=filing.unique_id,
        set_id=filing.set_id,
        version=filing.version,
        replaces=filing.replaces,
        content_sha256=filing.content_sha256,
    )
    return _by(made, filing.author)


def said_of_entry(entry: DocumentMetadata, content: bytes, mime: str, replaces: list[str]) -> Said:
    """A document that is no CDA, by its XDS metadata. Raises :class:`BridgeError` ``codes.*``."""
    type_code = codes.document_type(entry.type_code.code)
    created_at = entry.creation_time or 0
    made = Said(
        title=entry.title,
        filename=entry.uri,
        mime=mime,
        type_code=type_code.code,
        class_code=codes.document_class(type_code, entry.class_code.code).code,
        format_code=entry.format_code.code,
        confidentiality=masks_of(entry),
        facility=entry.facility.code,
        practice=entry.practice.code,
        created_at=created_at,
        service_at=entry.service_start or created_at,
        unique_id=entry.unique_id,
        replaces=replaces,
        content_sha256=hashlib.sha256(content).digest(),
        status="deprecated" if entry.deprecated else "approved",
    )
    return _by(made, entry.authors[0] if entry.authors else Author())


def masks_of(entry: DocumentMetadata) -> list[str]:
    """The confidentiality codes of JDV_J58 that metadata give, N first."""
    known = [one.code for one in entry.confidentiality if codes.find("confidentiality", one.code)]
    return ["N", *dict.fromkeys(code for code in known if code not in _SECRET)]


def _by(said: Said, author: Author) -> Said:
    person = author.person
    return msgspec.structs.replace(
        said,
        author=" ".join(part for part in (person.given, person.name) if part),
        author_id=person.id,
        author_struct=author.organisation.id,
        author_speciality=author.speciality,
        organisation=author.organisation.name,
    )
