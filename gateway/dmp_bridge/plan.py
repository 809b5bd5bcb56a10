"""Decides what of a message is filed: a pure function of its attachments, its recipient and its sender.

An archive is the sender's structured intent: each of its documents is filed with its metadata. What is
beside it is a document of its own unless it is a copy:

- a file whose bytes equal a file embedded in a CDA of the archive, or a file of the archive, is a copy;
- a structured CDA embeds no PDF, so there a PDF is a copy when its name follows the rule for copies and
  agrees with one of the archive's structured documents (:mod:`gateway.dmp_bridge.copies`).

When a document of the archive is refused, what is beside the archive is refused too: it may be a copy of
what was refused, and one message is about one patient (ECO 2.1.1). Sending again is safe: what was filed
is recognised.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Final

from gateway.dmp_bridge import codes, media
from gateway.dmp_bridge.cda import CdaDocument, CdaHeader, check_header, looks_like_cda, read_cda
from gateway.dmp_bridge.codes import TypeCode
from gateway.dmp_bridge.copies import is_named_copy
from gateway.dmp_bridge.described import masks_of, must_be
from gateway.dmp_bridge.errors import IDENTITY_DIFFERS, BridgeError
from gateway.dmp_bridge.guess import guess_type, title_from
from gateway.dmp_bridge.hl7 import Identifier
from gateway.dmp_bridge.identity import Patient, check_identity
from gateway.dmp_bridge.metadata import Traits
from gateway.dmp_bridge.model import Attachment, Deletion, Filing, Passed, Plan, Refused, Sender, Y
from gateway.dmp_bridge.wrapping import wrap
from gateway.dmp_bridge.xdm import XdmArchive, XdmDocument, is_xdm_name
from gateway.dmp_bridge.xdm_writer import format_of
from patients import INS_OIDS

_SIGNATURES: Final = ("http://www.w3.org/2000/09/xmldsig#", "urn:ihe:iti:dsg:detached:2014")


def plan_filing(
    attachments: list[Attachment],
    *,
    patient: Patient | None,
    sender: Sender,
    subject: str,
    received_at: int,
    y: Y,
    default_type: str,
) -> Plan:
    """What to file of one message. Loads attachments (blocking); raises nothing for what a sender may send.

    :param patient: the recipient's profile, None when there is none (every document is refused with 902).
    :param subject: a hint for the type of plain attachments. :param received_at: ms; the creation time of
        documents made of plain attachments.
    """
    planner = _Planner(patient, sender, subject, received_at, default_type)
    if y == "none":
        planner.passed("message", "plan.policy", "this sender's documents are not filed")
        return planner.plan
    plain = []
    for number, attachment in enumerate(attachments, 1):
        if is_xdm_name(attachment.filename):
            planner.archive(f"attachment {number}", attachment)
        else:
            plain.append((f"attachment {number}", attachment))
    for place, attachment in plain:
        if y == "all":
            planner.plain(place, attachment)
        else:
            planner.passed(place, "plan.policy", "only documents of archives are filed")
    return planner.plan


class _Planner:
    def __init__(
        self, patient: Patient | None, sender: Sender, subject: str, received_at: int, default_type: str
    ) -> None:
        self.plan = Plan()
        self._patient = patient
        self._sender = sender
        self._subject = subject
        self._received_at = received_at
        self._default_type = default_type
        self._copies: set[bytes] = set()  # SHA-256 of what the archives hold or embed
        self._structured: list[CdaHeader] = []
        self._documents = 0  # CDA documents of the archives
        self._archive_code = 0  # why something of an archive was refused
        self._taken: dict[str, bytes] = {}  # unique id → content

    def passed(self, place: str, rule: str, reason: str) -> None:
        self.plan.passed.append(Passed(place, rule, reason))

    # -- archives ---------------------------------------------------------------------------------

    def archive(self, place: str, attachment: Attachment) -> None:
        try:
            archive = XdmArchive(io.BytesIO(attachment.load()))
        except BridgeError as error:
            self._refuse_archive(place, error)
            return
        for number, document in enumerate(archive.documents, 1):
            if is_signature(document):
                continue
            where = f"{place}, document {number}"
            try:
                self._archived(where, archive, document)
            except BridgeError as error:
                self._refuse_archive(where, error)
        for name in archive.unlisted():
            try:
                self._copies.add(hashlib.sha256(archive.read_file(name)).digest())
            except BridgeError as error:
                self._refuse_archive(place, error)

    def _archived(self, place: str, archive: XdmArchive, document: XdmDocument) -> None:
        data = archive.read(document)
        sha256 = hashlib.sha256(data).digest()
        said = document.metadata
        check_metadata_patient(said.patient, self._patient)
        if not looks_like_cda(data):
            self._archived_file(place, archive, document, data)
            return
        cda = read_cda(data)
        header = cda.header
        self._documents += 1
        must_be(check_identity(header.patient, header.traits, self._patient))
        # XDSDocumentEntry.uniqueId is the id of the CDA (CI-SIS volet "Partage", uniqueId)
        if said.unique_id and said.unique_id not in (
            header.unique_id,
            f"{header.unique_id}^{header.id_extension}",
        ):
            raise BridgeError("metadata.unique_id", "METADATA.XML and the CDA document disagree on its id")
        if said.action == "D":
            self.plan.deletions.append(Deletion(place, header.unique_id))
            return
        check_header(cda)
        self._copies.add(sha256)
        self._copies.update(cda.embedded_sha256)
        if cda.body is None:
            self._structured.append(header)
        self._take(_cda_filing(place, archive, document, cda, sha256))

    def _archived_file(self, place: str, archive: XdmArchive, document: XdmDocument, data: bytes) -> None:
        """A listed document that is no CDA: wrapped like a plain attachment, typed by its metadata."""
        said = document.metadata
        must_be(check_identity(said.patient, said.traits, self._patient, place_required=False))
        mime = media.kind(said.mime, said.uri)
        media.check(mime, data)
        type_code = codes.find("type", said.type_code.code) or codes.document_type(self._default_type)
        title = said.title or title_from(said.uri, type_code.display)
        sha256 = hashlib.sha256(data).digest()
        self._copies.add(sha256)
        self._wrap(lambda: archive.read(document), place, said.uri, mime, sha256, type_code, title)

    # -- plain attachments ------------------------------------------------------------------------

    def plain(self, place: str, attachment: Attachment) -> None:
        mime = media.kind(attachment.media, attachment.filename)
        if attachment.inline and attachment.media.startswith("image/"):
            self.passed(place, "plan.inline", "an image that belongs to the text")
        elif not mime:
            self.passed(place, "plan.kind", _not_taken(attachment.media, attachment.filename))
        else:
            try:
                self._plain(place, attachment, mime)
            except BridgeError as error:
                self._refuse(place, error)

    def _plain(self, place: str, attachment: Attachment, mime: str) -> None:
        if self._patient is None:
            must_be(check_identity(Identifier(), Traits(), None))
        data = attachment.load()
        sha256 = hashlib.sha256(data).digest()
        if sha256 in self._copies or is_named_copy(attachment.filename, self._structured, self._documents):
            self.passed(place, "plan.copy", "a copy of a document of the archive")
            return
        if self._archive_code:
            raise BridgeError(
                "plan.archive",
                "the archive of the same message was refused; nothing beside it is filed",
                application=self._archive_code,
            )
        media.check(mime, data)
        guess = guess_type(attachment.filename, self._subject, self._sender.speciality, self._default_type)
        type_code = codes.document_type(guess)
        title = title_from(attachment.filename, type_code.display)
        self._wrap(
            attachment.load, place, attachment.filename, mime, sha256, type_code, title, attachment.charset
        )

    # -- both -------------------------------------------------------------------------------------

    def _wrap(
        self,
        load: Callable[[], bytes],
        place: str,
        filename: str,
        mime: str,
        sha256: bytes,
        type_code: TypeCode,
        title: str,
        charset: str = "",
    ) -> None:
        assert self._patient is not None  # the identity was checked
        filing = wrap(
            load,
            place=place,
            filename=filename,
            mime=mime,
            sha256=sha256,
            type_code=type_code,
            title=title,
            charset=charset,
            patient=self._patient,
            sender=self._sender,
            received_at=self._received_at,
        )
        self._take(filing)

    def _take(self, filing: Filing) -> None:
        taken = self._taken.get(filing.unique_id)
        if taken is None:
            self._taken[filing.unique_id] = filing.content_sha256
            self.plan.filings.append(filing)
        elif taken == filing.content_sha256:
            self.passed(filing.place, "plan.twice", "the same document twice in the message")
        else:
            raise BridgeError("plan.unique_id", "two documents of the message share an id, not their content")

    def _refuse_archive(self, place: str, error: BridgeError) -> None:
        self._archive_code = self._archive_code or error.application
        self._refuse(place, error)

    def _refuse(self, place: str, error: BridgeError) -> None:
        self.plan.refused.append(Refused(place, error.application, error.rule, error.peer))


def _cda_filing(
    place: str, archive: XdmArchive, document: XdmDocument, cda: CdaDocument, sha256: bytes
) -> Filing:
    header, said = cda.header, document.metadata
    type_code = codes.document_type(header.code.code)
    masks = masks_of(said)
    if "INVISIBLE_PATIENT" in masks:
        # volet "Transmission", MSSanté matrix: a document hidden from the patient is not mailed to him
        raise BridgeError("metadata.invisible", "a document hidden from the patient was sent to the patient")
    created_at = header.created_at or 0
    return Filing(
        place=place,
        unique_id=header.unique_id,
        set_id=header.set_id,
        version=header.version if header.version is not None else 1,
        replaces=header.replaces,
        created_at=created_at,
        service_at=header.service_start or created_at,
        content_sha256=sha256,
        type=type_code,
        class_=codes.document_class(type_code, said.class_code.code),
        format=format_of(cda, said.format_code.code),
        title=header.title,
        author=header.author,
        confidentiality=masks,
        facility=header.facility.code,
        practice=header.practice.code,
        body_mime=cda.body.mime if cda.body is not None else "",
        filename="",
        load=lambda: archive.read(document),
    )


def check_metadata_patient(said: Identifier, patient: Patient | None) -> None:
    """ECO 2.1.2: patientId of METADATA.XML names the patient; an INS there must be the recipient's."""
    if patient is None or said.oid not in INS_OIDS:
        return
    if (said.value.upper(), said.oid) != (patient.ins, patient.oid):
        raise BridgeError(
            "identity.metadata",
            "the patientId of METADATA.XML is not the recipient's INS",
            application=IDENTITY_DIFFERS,
        )


def is_signature(document: XdmDocument) -> bool:
    """The signature of a submission set (IHE DSG) is no document of the patient."""
    said = document.metadata
    return said.format_code.code in _SIGNATURES or said.type_code.code == "E1762"


def _not_taken(claimed: str, filename: str) -> str:
    if claimed == "image/png" or filename.lower().endswith(".png"):
        return "PNG images are not taken by the DMP; JPEG and TIFF are"
    if claimed in ("text/xml", "application/xml") or filename.lower().endswith(".xml"):
        return "a CDA document is filed from an IHE_XDM archive only"
    return "only PDF, text, RTF, JPEG and TIFF files are filed"
