"""Taking documents over: with who wrote and deposited them, their versions and marks, each once.

They are of a former record: none is refused for its age or for who wrote it, and what is here and newer stays
current (:func:`dossier.put_document`). A CDA document that names somebody else is left out.
"""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from typing import Final

import msgspec

import dossier
import evidence
from dossier import Depositor, DocumentInfo, NewDocument, rights
from dossier.rights import Question
from gateway.dmp_bridge import BridgeError, XdmArchive, check_identity, read_cda
from gateway.portability.documents_out import DOCUMENTS, MASKED
from gateway.portability.errors import PortabilityError
from gateway.portability.model import DocumentFact, Missing, Progress, Status
from gateway.portability.reading import ArchiveReader
from gateway.portability.tables import first_time
from patients import Profile
from store import PasserelleError, Store, Tx, operation

_CHUNK: Final = 256 * 1024
_CDA: Final = ("", "text/xml")
_FIRST: Final = -2_208_988_800_000  # 1900
_LAST: Final = 253_402_300_799_999
_LONGEST: Final = 256
#: The trace of a document that was taken over: who wrote it is what the archive says, nobody proved it here.
ORIGIN: Final = "portability"


def document_facts(archive: ArchiveReader) -> list[DocumentFact]:
    """What an archive says of its documents, oldest first; none where it has no such part."""
    if DOCUMENTS not in archive.facts:
        return []
    return archive.read_json(DOCUMENTS, list[DocumentFact])


class DocumentTaker:
    """Takes the documents of one archive over; :meth:`run` once."""

    def __init__(self, store: Store, asked: Question, owner: Profile, archive: ArchiveReader) -> None:
        self._store, self._asked, self._owner = store, asked, owner
        self._box_id, self._actor = asked.box_id, asked.actor
        self._archive = archive
        self._opened: tuple[str, XdmArchive] | None = None

    def run(self, progress: Progress) -> tuple[int, int, list[Missing]]:
        """How many documents came, how many were there, what failed. Blocking."""
        facts = document_facts(self._archive)
        replaced: dict[str, list[str]] = defaultdict(list)
        for one in facts:
            replaced[one.replaced_by].append(one.unique_id)
        present = {one.unique_id for one in facts}
        came = there = 0
        missing: list[Missing] = []
        for done, one in enumerate(facts, 1):
            try:
                if self._take(one, replaced[one.unique_id], one.replaced_by in present):
                    came += 1
                else:
                    there += 1
            except PasserelleError as error:
                missing.append(Missing(part="documents", item=one.unique_id, reason=error.log))
            progress(done, len(facts))
        return came, there, missing + self._mark(facts)

    def _take(self, fact: DocumentFact, replaces: list[str], followed: bool) -> bool:
        content_sha256 = bytes.fromhex(fact.content_sha256)
        known = self._store.read(dossier.is_filed, self._box_id, fact.unique_id, content_sha256)
        return not known and self._file(fact, content_sha256, replaces, followed)

    def _file(self, fact: DocumentFact, digest: bytes, replaces: list[str], followed: bool) -> bool:
        content = self._content(fact)
        info = _told(fact.info, content)
        self._check_person(content)
        # What another of these documents replaced is current until that one comes, a moment later.
        status: Status = "approved" if followed else fact.status
        spool = self._store.spool()
        try:
            for start in range(0, len(content), _CHUNK):
                spool.write(content[start : start + _CHUNK])
            new = dossier.prepare_document(
                self._store,
                spool,
                box_id=self._box_id,
                unique_id=fact.unique_id,
                set_id=fact.set_id,
                version=fact.version,
                author_id=fact.author_id,
                author_struct=fact.author_struct,
                depositor=Depositor(
                    address=fact.depositor,
                    id_nat=fact.depositor_id,
                    struct_id=fact.depositor_struct,
                    by=fact.deposited_by,
                ),
                created_at=fact.created_at,
                content_sha256=digest,
                replaces=replaces,
                trace_id=ORIGIN,
                message_id=0,
                info=info,
                status=status,
                past=True,
            )
        finally:
            spool.discard()
        if fact.kept_from_representatives:
            new = msgspec.structs.replace(new, secret=True)
        item = hashlib.sha256(b"\0".join([b"document", fact.unique_id.encode(), digest])).digest()
        return self._store.write(take_document, asked=self._asked, new=new, item=item)

    def _content(self, fact: DocumentFact) -> bytes:
        if not fact.archive:
            self._archive.fact(fact.file, "documents/files/")
            content = self._archive.read(fact.file)
        else:
            self._archive.fact(fact.archive, "documents/")
            content = self._xdm(fact.archive).read_file(fact.file.upper())
        if hashlib.sha256(content).hexdigest() != fact.sha256:
            raise PortabilityError("portability.content", "a document is not what documents.json names")
        return content

    def _xdm(self, name: str) -> XdmArchive:
        if self._opened is None or self._opened[0] != name:
            self._opened = (name, XdmArchive(io.BytesIO(self._archive.read(name))))
        return self._opened[1]

    def _check_person(self, content: bytes) -> None:
        try:
            header = read_cda(content).header
        except BridgeError:
            return  # no CDA document: the manifest says whose it is
        found = check_identity(header.patient, header.traits, self._owner, place_required=False)
        if not found.ok:
            raise PortabilityError("portability.person", found.reason)

    def _mark(self, facts: list[DocumentFact]) -> list[Missing]:
        """Mask what was masked by the patient; a mark that was made here stays as it is."""
        wanted = {one.unique_id for one in facts if one.masked and MASKED not in one.info.confidentiality}
        if not wanted:
            return []
        seen = self._store.read(dossier.documents_for, self._store, self._box_id, self._actor, history=True)
        marks = self._store.read(rights.rights_of, self._box_id).marks
        missing = []
        for one in seen:
            said = marks.get(one.document_id)
            if one.unique_id not in wanted or (said is not None and (said.masked or said.unmasked)):
                continue
            try:
                rights.mask(self._store, self._box_id, self._actor, one.document_id)
            except PasserelleError as error:
                missing.append(Missing(part="documents", item=one.unique_id, reason=error.log))
        return missing


def _told(info: DocumentInfo, content: bytes) -> DocumentInfo:
    """What is said of a document, as its titles and kinds are anywhere else in the record.

    Raises :class:`PortabilityError` ``portability.content``: the octets are not what it says.
    """
    cda = info.mime in _CDA
    if not cda and not (info.mime in dossier.PATIENT_KINDS and dossier.is_kind(info.mime, content)):
        raise PortabilityError("portability.content", "a document is not the kind of file that is said")
    if not _FIRST <= info.service_at <= _LAST:
        raise PortabilityError("portability.content", "a document has an impossible date")
    return msgspec.structs.replace(
        info,
        title=dossier.clean(info.title),
        filename=dossier.clean_filename(info.filename),
        author=dossier.clean(info.author, _LONGEST),
        author_speciality=dossier.clean(info.author_speciality, _LONGEST),
        organisation=dossier.clean(info.organisation, _LONGEST),
    )


@operation("portability.take_document")
def take_document(tx: Tx, *, asked: Question, new: NewDocument, item: bytes) -> bool:
    """File a document taken over, once; False when it was taken over before, or is there.

    Raises :class:`DossierError` as :func:`dossier.put_document`, and what refuses the right.
    """
    evidence.hold(tx)
    decision = rights.judge(tx.conn, asked)
    if not decision.allowed:
        raise rights.error_of(decision)
    if not first_time(tx, new.box_id, "documents", item):
        return False
    return dossier.put_document(tx, new).outcome != "duplicate"
