"""What the door does with records: blocking, each through the rights, told in the journal.

Invariant: who is not let in gets one answer, whether there is a record for an identity or not, whether it is
closed, or its patient refused: nobody learns here who has one.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque

import msgspec
from sqlalchemy import Connection

import activity
import dossier
import evidence
import patients
from activity import Actor
from dossier import Document, rights
from gateway.fhir.changes import read_change, steps
from gateway.fhir.errors import DoorError
from gateway.fhir.publish import Publication, check_identity
from gateway.fhir.resources import Facts, etag
from gateway.fhir.search import Search, box_of_page, found, read_page
from gateway.fhir.settings import Door
from patients import Profile
from store import BodyReader, NotFoundError, PasserelleError, Store, StoreError, Tx, new_id, operation

#: Decisions that say something of a document to who may know of it; all others make it unknown to him.
_TOLD = frozenset(
    {
        "dossier.habilitation",
        "dossier.author",
        "dossier.reserved",
        "dossier.together",
        "dossier.announced",
        "dossier.reason",
    }
)
_CONFLICTS = frozenset({"dossier.unique_id", "dossier.deleted", "dossier.version", "dossier.author"})
_LARGEST_ID = 2**63 - 1
_NOWHERE = "there is no such document, or it is not for who asks"


class Page(msgspec.Struct, frozen=True):
    """Results of a search: those of the page, how many there are in all, and whose they are."""

    search: Search
    documents: list[Document]
    total: int
    replaced: dict[int, list[int]]
    facts: Facts
    box_id: int


class Shown(msgspec.Struct, frozen=True):
    """One document and what its resource tells besides."""

    document: Document
    facts: Facts

    @property
    def etag(self) -> str:
        return etag(self.document, self.facts)


class Stored(msgspec.Struct, frozen=True):
    """How a publication ended; ``shown``: None when the asker may not see what he filed."""

    document_id: int
    duplicate: bool
    shown: Shown | None


class Records:
    """``read_cda`` reads CDA documents for a profile; without it none are taken."""

    def __init__(self, store: Store, door: Door, read_cda: dossier.CdaReader | None = None) -> None:
        self._store = store
        self._door = door
        self._read_cda = read_cda
        self._refusals: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    # -- ITI-67

    def search(self, actor: Actor, search: Search, *, consent: bool) -> Page:
        """A page of what is asked for. Raises :class:`DoorError` ``door.patient``, ``door.too_many``."""
        self._not_too_many(actor)
        profile = self._store.read(patients.profile, search.ins)
        if profile is None or profile.oid != search.oid or profile.box_id is None:
            raise self._nobody(actor)
        if profile.state == "deleted":  # no journal is left that could be told
            raise self._nobody(actor)
        box_id = profile.box_id
        try:
            if consent:
                rights.declare_consent(self._store, box_id, actor)
            held = dossier.list_documents(self._store, box_id, actor, history=True)
        except (rights.RightsError, NotFoundError):
            raise self._nobody(actor, told=True) from None
        if not held and actor.by == "structure":  # it only ever sees its own: none is as if there were nobody
            raise self._nobody(actor, told=True)
        matching = found(search, held)
        replaced: dict[int, list[int]] = {}
        for one in held:
            if one.replaced_by is not None:
                replaced.setdefault(one.replaced_by, []).append(one.document_id)
        return Page(
            search,
            matching[search.offset : search.offset + search.count],
            len(matching),
            replaced,
            self._store.read(_facts, profile, box_id),
            box_id,
        )

    def page(self, token: str, who: str) -> Search:
        """The search that the link of a page stands for. Raises :class:`DoorError` ``door.page``."""
        try:
            return read_page(token, who, self._store.sealer(box_of_page(token)))
        except StoreError:
            raise DoorError("door.page", "the link does not lead anywhere") from None

    # -- one document

    def document(self, actor: Actor, document_id: str) -> Shown:
        """The metadata of a document. Raises :class:`DoorError` ``door.unknown``, or why not."""
        box_id, number = self._where(document_id)
        try:
            return self._looked_up(actor, box_id, number)
        except (rights.RightsError, NotFoundError) as error:
            raise self._unknown(error) from None

    def content(self, actor: Actor, document_id: str) -> tuple[Shown, BodyReader]:
        """ITI-68: a document, and a reader of its bytes."""
        box_id, number = self._where(document_id)
        try:
            found_one, reader = dossier.read_document(self._store, box_id, number, actor)
        except (rights.RightsError, NotFoundError) as error:
            raise self._unknown(error) from None
        return Shown(found_one, self._facts(box_id)), reader

    def change(self, actor: Actor, document_id: str, patch: bytes, version: str) -> Shown | None:
        """Apply a JSON Patch; the document as it is then, None when it is gone for the asker."""
        box_id, number = self._where(document_id)
        try:
            # Whatever comes of it, the patch or its answer tells of the document: first the trace.
            shown = self._looked_up(actor, box_id, number)
            if version and version != shown.etag:
                raise DoorError("door.version", "the document is not the version that was named")
            masks = shown.facts.masks(shown.document)
            change = read_change(patch, masks, "current" if shown.document.status == "approved" else "")
            if change.delete:
                dossier.remove(self._store, box_id, actor, number)
                return None
            for step in steps(change, masks):
                step(self._store, box_id, actor, number)
            return self._shown(actor, box_id, number)
        except (rights.RightsError, NotFoundError) as error:
            raise self._unknown(error) from None
        except dossier.DossierError as error:
            raise _refused(error) from None

    def delete(self, actor: Actor, document_id: str) -> None:
        """Take a document out of the record, for its author."""
        box_id, number = self._where(document_id)
        try:
            dossier.remove(self._store, box_id, actor, number)
        except (rights.RightsError, NotFoundError) as error:
            raise self._unknown(error) from None
        except dossier.DossierError as error:
            raise _refused(error) from None

    # -- ITI-105

    def publish(self, actor: Actor, publication: Publication) -> Stored:
        """File it. Raises :class:`DoorError`: ``door.identity``, ``door.replaces``, ``door.deposit``."""
        self._not_too_many(actor)
        profile = self._store.read(patients.profile, publication.ins)
        if profile is None or profile.box_id is None or profile.state not in patients.RECEIVING:
            self._count(actor)
            raise DoorError("door.identity", "no open record here has this identity")
        try:
            check_identity(publication, profile)
        except DoorError:
            self._count(actor)
            raise
        said, box_id = publication.said, profile.box_id
        try:
            filed = dossier.deposit(
                self._store,
                box_id,
                actor,
                content=publication.content,
                said=said,
                replaces=self._replaced(actor, box_id, publication.replaces),
                read_cda=self._read_cda,
            )
        except (rights.RightsError, NotFoundError) as error:
            if error.rule == "dossier.closed":
                raise DoorError("door.identity", "no open record here has this identity") from None
            raise _not_replaced(error) from None
        except PasserelleError as error:
            if isinstance(error, DoorError) or error.fault != "peer":
                raise
            raise _refused(error) from None
        duplicate = filed.outcome == "duplicate"
        show = self._looked_up if duplicate else self._shown  # what was there may be another's
        try:
            shown = show(actor, box_id, filed.document_id)
        except (rights.RightsError, NotFoundError):
            shown = None
        return Stored(filed.document_id, duplicate, shown)

    def _replaced(self, actor: Actor, box_id: int, named: str) -> str:
        if not named or named.startswith("="):
            return named[1:]
        where, number = self._where(named, "door.replaces")
        if where != box_id:
            raise DoorError("door.replaces", _NOWHERE)
        rights.require(self._store, box_id, actor, "see", what="document_replaced", document_id=number)
        return self._shown(actor, box_id, number).document.unique_id

    # -- parts

    def _where(self, document_id: str, rule: str = "door.unknown") -> tuple[int, int]:
        number = int(document_id) if _is_number(document_id) else 0
        box_id = self._store.read(dossier.box_of_document, number) if 0 < number <= _LARGEST_ID else None
        if box_id is None:
            raise DoorError(rule, _NOWHERE)
        return box_id, number

    def _looked_up(self, actor: Actor, box_id: int, document_id: int) -> Shown:
        """A document's metadata once the journal has it, or the refusal. Raises as ``rights.require``."""
        subject = str(document_id)
        rights.require(self._store, box_id, actor, "see", what="documents_listed", document_id=document_id)
        entry = activity.entry(
            self._store, box_id, actor, "documents_listed", kind="document", subject=subject
        )
        self._store.write(activity.record, entry=entry)
        return self._shown(actor, box_id, document_id)

    def _shown(self, actor: Actor, box_id: int, document_id: int) -> Shown:
        held = self._store.read(dossier.document_for, self._store, box_id, document_id, actor)
        return Shown(held, self._facts(box_id))

    def _facts(self, box_id: int) -> Facts:
        profile = self._store.read(patients.profile_by_box, box_id)
        if profile is None:
            raise DoorError("door.unknown", _NOWHERE)
        return self._store.read(_facts, profile, box_id)

    def _unknown(self, error: PasserelleError) -> DoorError:
        """A refusal that tells no more of a document than the asker may know."""
        if error.rule not in _TOLD:
            return DoorError("door.unknown", _NOWHERE)
        french = error.french if isinstance(error, rights.RightsError) else ""
        return DoorError("door.refused", error.peer, french=french, more=error.rule)

    def _nobody(self, actor: Actor, *, told: bool = False) -> DoorError:
        """The one answer to who is not let in; what no journal of a patient can tell, the evidence does."""
        self._count(actor)
        if not told:
            self._store.write(sought, asker=actor.ident, purpose=actor.purpose)
        return DoorError(
            "door.patient",
            "no record is open to who asks for this identity: there is none, or its patient has not agreed",
        )

    def _count(self, actor: Actor) -> None:
        with self._lock:
            self._refusals[actor.ident].append(time.monotonic())

    def _not_too_many(self, actor: Actor) -> None:
        since = time.monotonic() - self._door.refusals_s
        with self._lock:
            mine = self._refusals[actor.ident]
            while mine and mine[0] < since:
                mine.popleft()
            if not mine:
                del self._refusals[actor.ident]
            elif len(mine) >= self._door.refusals:
                raise DoorError("door.too_many", "too many identities without a record open to who asks")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 19


def _facts(conn: Connection, profile: Profile, box_id: int) -> Facts:
    secrets = patients.secrets_of(conn, box_id)
    return Facts(profile, rights.rights_of(conn, box_id), secrets.documents)


def _not_replaced(error: PasserelleError) -> DoorError:
    """What is named to be replaced is told of as in :meth:`Records._unknown`."""
    if error.rule not in _TOLD:
        return DoorError("door.replaces", _NOWHERE)
    return DoorError("door.replaces", error.peer, more=error.rule)


def _refused(error: PasserelleError) -> DoorError:
    if error.rule.startswith("identity."):
        return DoorError("door.identity", "no open record here has this identity")
    rule = "door.replaces" if error.rule in _CONFLICTS else "door.deposit"
    return DoorError(rule, error.peer, more=error.rule)


@operation("door.sought")
def sought(tx: Tx, *, asker: str, purpose: str) -> None:
    """Keep evidence that somebody asked for a record that is not there: of the asker only."""
    evidence.record(
        tx,
        "refused",
        trace_id=f"{new_id():x}",
        sender=asker,
        rule="door.patient",
        detail={"what": "record_sought", "purpose": purpose},
    )
