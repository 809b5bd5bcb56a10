"""The documents of a record into the archive: CDA documents as IHE_XDM.ZIP archives, other files beside them,
and all that is known of each as JSON. Each is opened by the record's own door, which writes it down.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import msgspec
from sqlalchemy import Connection

import dossier
import patients
from activity import Actor
from dossier import Document, rights
from gateway.dmp_bridge import (
    ArchiveDocument,
    ArchiveSubmission,
    Author,
    BridgeError,
    Identifier,
    Organisation,
    Person,
    derived_oid,
    read_cda,
    xdm_archive,
)
from gateway.portability.model import DocumentFact, Missing, Progress
from gateway.portability.writing import ArchiveWriter
from patients import Profile
from store import PasserelleError, Store

DOCUMENTS: Final = "documents/documents.json"
#: An XDM archive is built in memory: so many octets of documents (or one document), so many documents.
BATCH_SIZE: Final = 8 * 1024 * 1024
BATCH: Final = 90
#: A larger document goes beside them: readers of XDM archives refuse files of more than 25 MiB.
LARGEST: Final = 20 * 1024 * 1024
MASKED: Final = "MASQUE_PS"
_SUBSET: Final = "IHE_XDM/SUBSET01/"


class DocumentPlan(msgspec.Struct, frozen=True):
    """The documents that go along, oldest first, and what was said of them here; ``names`` of all by id."""

    documents: list[Document]
    masked: frozenset[int]
    hidden: frozenset[int]
    names: dict[int, str]


def plan_documents(conn: Connection, store: Store, box_id: int, reader: Actor) -> DocumentPlan:
    """All versions of the documents that ``reader`` may see. Raises as :func:`dossier.documents_for`."""
    found = dossier.documents_for(conn, store, box_id, reader, history=True)
    found.sort(key=lambda one: (one.filed_at, one.version, one.document_id))
    marks = rights.rights_of(conn, box_id).marks
    secrets = patients.secrets_of(conn, box_id).documents
    masked, hidden = set(), set()
    for one in found:
        said = marks.get(one.document_id)
        if (said is not None and said.masked) or (
            MASKED in one.info.confidentiality and not (said is not None and said.unmasked)
        ):
            masked.add(one.document_id)
        flags = patients.flags_of(one.info.confidentiality, patients.document_item(one.unique_id) in secrets)
        if flags.secret and not (said is not None and said.shown):
            hidden.add(one.document_id)
    names = {one.document_id: one.unique_id for one in found}
    return DocumentPlan(found, frozenset(masked), frozenset(hidden), names)


class _Batch:
    """CDA documents that wait for their archive."""

    def __init__(self) -> None:
        self.held: list[tuple[Document, bytes]] = []
        self.size = 0

    def add(self, one: Document, content: bytes) -> None:
        self.held.append((one, content))
        self.size += len(content)

    def full(self, coming: int) -> bool:
        return bool(self.held) and (len(self.held) >= BATCH or self.size + coming > BATCH_SIZE)


class DocumentWriter:
    """Writes a plan's documents; :meth:`run` once."""

    def __init__(
        self,
        store: Store,
        box_id: int,
        reader: Actor,
        owner: Profile,
        plan: DocumentPlan,
        archive: ArchiveWriter,
        moment: int,
    ) -> None:
        self._store, self._box_id, self._reader, self._owner = store, box_id, reader, owner
        self._plan, self._archive, self._moment = plan, archive, moment
        self._archives = self._files = 0
        self._facts: dict[int, DocumentFact] = {}
        self._missing: list[Missing] = []

    def run(self, progress: Progress) -> tuple[int, list[Missing]]:
        """Write everything; how many documents, and those that could not be read."""
        batch = _Batch()
        for done, one in enumerate(self._plan.documents, 1):
            content = self._content(one)
            if content is not None and len(content) <= LARGEST and _is_cda(content):
                if batch.full(len(content)):
                    self._write_archive(batch.held)
                    batch = _Batch()
                batch.add(one, content)
            elif content is not None:
                self._write_file(one, content)
            progress(done, len(self._plan.documents))
        if batch.held:
            self._write_archive(batch.held)
        facts = [
            self._facts[one.document_id] for one in self._plan.documents if one.document_id in self._facts
        ]
        self._archive.put_json(DOCUMENTS, facts)
        return len(facts), self._missing

    def _content(self, one: Document) -> bytes | None:
        try:
            _, body = dossier.read_document(self._store, self._box_id, one.document_id, self._reader)
            return body.read(0, one.size)
        except PasserelleError as error:
            self._missing.append(Missing(part="documents", item=one.unique_id, reason=error.log))
            return None

    def _write_archive(self, held: list[tuple[Document, bytes]]) -> None:
        """As one XDM archive; what its metadata cannot say goes beside it, as the file that it is."""
        try:
            data = xdm_archive(
                [ArchiveDocument(content) for _, content in held],
                Identifier(self._owner.ins, self._owner.oid),
                _author(self._owner),
                self._submission(),
            )
        except BridgeError:
            if len(held) == 1:
                self._write_file(*held[0])
                return
            middle = len(held) // 2
            self._write_archive(held[:middle])
            self._write_archive(held[middle:])
            return
        self._archives += 1
        name = f"documents/IHE_XDM_{self._archives:03}.ZIP"
        self._archive.put(name, _pieces(data), packed=True)
        for number, (one, _) in enumerate(held, 1):
            self._note(one, name, f"{_SUBSET}DOC{number:05}.XML")

    def _submission(self) -> ArchiveSubmission:
        place = (self._owner.ins, str(self._moment), str(self._archives + 1))
        return ArchiveSubmission(
            unique_id=derived_oid("portability", *place),
            source_id=derived_oid("portability", "source"),
            time=self._moment,
        )

    def _write_file(self, one: Document, content: bytes) -> None:
        self._files += 1
        kind = one.info.body_mime if one.info.mime == "" else one.info.mime
        suffix = "xml" if "xml" in kind else dossier.file_extension(kind).lstrip(".")
        name = f"documents/files/{self._files:05}.{suffix or 'bin'}"
        self._archive.put(name, _pieces(content))
        self._note(one, "", name)

    def _note(self, one: Document, archive: str, file: str) -> None:
        plan = self._plan
        self._facts[one.document_id] = DocumentFact(
            archive=archive,
            file=file,
            size=one.size,
            sha256=one.sha256.hex(),
            unique_id=one.unique_id,
            set_id=one.set_id,
            version=one.version,
            status=one.status,
            created_at=one.created_at,
            filed_at=one.filed_at,
            ended_at=one.ended_at,
            replaced_by=plan.names.get(one.replaced_by or 0, ""),
            depositor=one.depositor,
            depositor_id=one.depositor_id,
            depositor_struct=one.depositor_struct,
            deposited_by=one.deposited_by,
            author_id=one.author_id,
            author_struct=one.author_struct,
            content_sha256=one.content_sha256.hex(),
            masked=one.document_id in plan.masked,
            kept_from_representatives=one.document_id in plan.hidden,
            category=dossier.category(one.info.type_code, one.info.class_code),
            info=one.info,
        )


def _is_cda(content: bytes) -> bool:
    try:
        read_cda(content)
    except BridgeError:
        return False
    return True


def _author(owner: Profile) -> Author:
    """Who makes the submission: the patient himself."""
    given = owner.given_names[0] if owner.given_names else ""
    return Author(Person(owner.ins, owner.oid, owner.birth_name, given), Organisation("", "", ""))


def _pieces(data: bytes) -> Iterator[bytes]:
    file = io.BytesIO(data)
    while piece := file.read(256 * 1024):
        yield piece
