"""What a document of the record is."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from activity import By
from store import BodyRef

Status = Literal["approved", "deprecated", "deleted"]
Outcome = Literal["filed", "replaced", "duplicate", "deleted"]

#: Who deposits for the patient: all of them own what one of them deposited.
PATIENT_SIDE: Final[tuple[By, ...]] = ("patient", "representative")
APPROVED: Final[Status] = "approved"
DEPRECATED: Final[Status] = "deprecated"
DELETED: Final[Status] = "deleted"


class DocumentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What tells of the patient's health, kept sealed. ``created_at`` and ``service_at`` in ms.

    Codes are those of the XDS metadata (type of JDV_J66, class of JDV_J57, format of JDV_J60);
    ``mime`` is that of the stored bytes, ``body_mime`` that of the file a level 1 document wraps.
    """

    title: str
    type_code: str
    type_label: str
    class_code: str
    class_label: str
    format_code: str
    author: str
    author_speciality: str = ""
    organisation: str = ""
    confidentiality: list[str] = []
    facility: str = ""
    practice: str = ""
    service_at: int = 0
    mime: str = "text/xml"
    body_mime: str = ""
    filename: str = ""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a depositor says of a document besides its file; what is empty or None he does not say.

    ``category`` is a heading, from a patient; codes are those of :class:`DocumentInfo`; ``author_id`` an
    IdNat_PS, ``author_struct`` a Struct_IdNat; moments in ms. ``replaces`` are unique ids. ``content_sha256``
    where the same document has several forms: that of the file which was wrapped. ``status`` of a document of
    a former record.
    """

    title: str = ""
    filename: str = ""
    mime: str = ""
    body_mime: str = ""
    category: str = ""
    type_code: str = ""
    class_code: str = ""
    format_code: str = ""
    author: str = ""
    author_id: str = ""
    author_struct: str = ""
    author_speciality: str = ""
    organisation: str = ""
    confidentiality: list[str] = []
    facility: str = ""
    practice: str = ""
    created_at: int | None = None
    service_at: int = 0
    unique_id: str = ""
    set_id: str = ""
    version: int = 1
    replaces: list[str] = []
    content_sha256: bytes = b""
    trace_id: str = ""
    message_id: int = 0
    status: Status = APPROVED


class Depositor(msgspec.Struct, frozen=True, kw_only=True):
    """Who files, as proven: mail address, IdNat_PS and Struct_IdNat where known ("" otherwise). Of a person
    who is no professional ``id_nat`` is the INS, of an operator the login."""

    address: str
    id_nat: str = ""
    struct_id: str = ""
    by: By = "professional"


class NewDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document whose body is placed and whose info is sealed: see :func:`dossier.prepare_document`.

    ``content_sha256`` is what makes two deposits the same document: the bytes of a CDA, or of the file
    that was wrapped. ``replaces`` are unique ids of documents that this one replaces.
    """

    box_id: int
    unique_id: str
    set_id: str
    version: int
    author_id: str
    author_struct: str
    depositor: Depositor
    created_at: int
    content_sha256: bytes
    replaces: list[str]
    trace_id: str
    message_id: int
    ref: BodyRef
    wrapped_key: bytes
    sealed: bytes
    secret: bool = False
    status: Status = APPROVED
    past: bool = False  # of a former record: may be older than what is here, whoever wrote it


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it is in the record. ``size`` and ``sha256`` are those of the stored bytes,
    ``content_sha256`` tells whether two deposits are the same (see :class:`NewDocument`)."""

    box_id: int
    document_id: int
    unique_id: str
    set_id: str
    version: int
    status: Status
    created_at: int
    filed_at: int
    ended_at: int | None
    replaced_by: int | None
    depositor: str
    depositor_id: str
    depositor_struct: str
    deposited_by: By
    author_id: str
    author_struct: str
    content_sha256: bytes
    trace_id: str
    message_id: int
    ref: BodyRef
    wrapped_key: bytes
    info: DocumentInfo

    @property
    def size(self) -> int:
        return self.ref.size

    @property
    def sha256(self) -> bytes:
        return self.ref.sha256

    @property
    def from_patient(self) -> bool:
        """Whether the patient, or who represents him, put it here."""
        return self.deposited_by in PATIENT_SIDE


class Filed(msgspec.Struct, frozen=True):
    """How a deposit ended: ``filed``, ``replaced`` (another's place), ``duplicate`` (nothing changed)."""

    document_id: int
    outcome: Outcome
