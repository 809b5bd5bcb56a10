"""Keeping and deleting documents: placed, sealed, judged again and told in the journal, in one transaction.

Invariant: no document without its entry, and none of a right that was lost meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import select

import activity
import evidence
from activity import Actor, Entry, What
from dossier import rights
from dossier.codes import TypeCode, find
from dossier.documents import delete_document, document_by_id, prepare_document, put_document
from dossier.errors import DossierError
from dossier.model import APPROVED, PATIENT_SIDE, Depositor, DocumentInfo, Filed, NewDocument, Said
from dossier.rights import Question, RightsError, error_of, judge, question
from dossier.tables import document
from store import NotFoundError, Store, Tx, operation

CDA: Final = "text/xml"
_CHUNK: Final = 256 * 1024


def structure_of(actor: Actor) -> str:
    """The Struct_IdNat an actor is or acts for."""
    return actor.ident if actor.by == "structure" else actor.structure


def depositor_of(actor: Actor) -> Depositor:
    """An actor as who files or changes documents."""
    person = actor.by in ("professional", *PATIENT_SIDE)
    return Depositor(
        address=actor.address,
        id_nat=actor.ident if person else "",
        struct_id=structure_of(actor),
        by=actor.by,
    )


def type_of(code: str) -> TypeCode:
    """The type of JDV_J66. Raises :class:`DossierError` ``dossier.type``."""
    found = find("type", code)
    if found is None:
        raise DossierError("dossier.type", "the type of the document is not in the set JDV_J66")
    return found


def keep(
    store: Store,
    box_id: int,
    actor: Actor,
    content: bytes,
    said: Said,
    *,
    what: What = "document_deposited",
    past: bool = False,
) -> Filed:
    """File what was checked, and write the journal in the same transaction. Blocking.

    Raises as :func:`dossier.put_document`; :class:`DossierError` ``dossier.identifier``;
    :class:`RightsError`: he may not, or may no more.
    """
    type_code = type_of(said.type_code)
    if any(len(value) > most or not value.isprintable() for value, most in _identifiers(said)):
        raise DossierError("dossier.identifier", "an identifier of the document is too long or unreadable")
    asked = store.read(question, store, box_id, actor, "import" if past else "deposit")
    spool = store.spool()
    try:
        view = memoryview(content)
        for start in range(0, len(view), _CHUNK):
            spool.write(view[start : start + _CHUNK])
        digest = said.content_sha256 or spool.sha256
        same, apart = ([], []) if past else _same(store, box_id, actor, digest, said.replaces)
        if same:
            return Filed(same[0], "duplicate")
        new = prepare_document(
            store,
            spool,
            box_id=box_id,
            unique_id=said.unique_id,
            set_id=said.set_id,
            version=said.version,
            author_id=said.author_id,
            author_struct=said.author_struct,
            depositor=depositor_of(actor),
            created_at=said.created_at or 0,
            content_sha256=digest,
            replaces=said.replaces,
            trace_id=said.trace_id,
            message_id=said.message_id,
            info=info_of(said, type_code),
            status=said.status,
            past=past,
        )
    finally:
        spool.discard()
    told = activity.entry(
        store,
        box_id,
        actor,
        what,
        kind="document",
        more={"title": said.title, "type": type_code.display, "document author": said.author},
    )
    try:
        return store.write(file_deposit, new=new, entry=told, asked=asked, once=said.mime != CDA, apart=apart)
    except (RightsError, NotFoundError):
        _tell_lost(store, asked, what)
        raise


def _tell_lost(store: Store, asked: Question, what: What) -> None:
    """Write to the journal that a right was lost between the decision and the writing; raises the refusal."""
    decision = store.read(judge, asked)
    if not decision.allowed:
        subject = str(asked.document_id) if asked.document_id else ""
        raise rights.refusal(
            store, asked.box_id, asked.actor, decision, what=what, kind="document", subject=subject
        )


def _identifiers(said: Said) -> list[tuple[str, int]]:
    """What is kept in the clear of what was said, and how long it may be."""
    ids = (said.unique_id, *said.replaces)
    return [*((one, 128) for one in ids), (said.set_id, 256), (said.author_id, 64), (said.author_struct, 64)]


def info_of(said: Said, type_code: TypeCode) -> DocumentInfo:
    """What is sealed of a document."""
    class_code = find("class", said.class_code)
    return DocumentInfo(
        title=said.title,
        type_code=type_code.code,
        type_label=type_code.display,
        class_code=said.class_code,
        class_label=class_code.display if class_code is not None else "",
        format_code=said.format_code,
        author=said.author,
        author_speciality=said.author_speciality,
        organisation=said.organisation,
        confidentiality=said.confidentiality,
        facility=said.facility,
        practice=said.practice,
        service_at=said.service_at,
        mime=said.mime,
        body_mime=said.body_mime,
        filename=said.filename,
    )


def _same(
    store: Store, box_id: int, actor: Actor, digest: bytes, replaces: list[str]
) -> tuple[list[int], list[int]]:
    """Current documents of the record that are this very file: those that the actor sees, and those that he
    is not to learn of, though he may have deposited them himself."""
    query = select(document.c.document_id).where(
        document.c.box_id == box_id,
        document.c.content_sha256 == digest,
        document.c.status == APPROVED,
        document.c.unique_id.not_in(replaces),
    )
    found = store.read(lambda conn: list(conn.execute(query.order_by(document.c.document_id)).scalars()))
    judged = {one: store.read(rights.may, store, box_id, actor, "see", one) for one in found}
    return [one for one in found if judged[one].allowed], [one for one in found if judged[one].kept]


@operation("dossier.file_deposit")
def file_deposit(
    tx: Tx,
    *,
    new: NewDocument,
    entry: Entry,
    asked: Question,
    once: bool = False,
    apart: Sequence[int] = (),
) -> Filed:
    """File a document and tell it in the journal; of a duplicate nothing is told.

    :param asked: what the rights judge once more. :param once: a current document of the same depositor with
        the same content is a duplicate. :param apart: documents that he is not to learn of: no duplicates.

    Raises as :func:`dossier.put_document`; :class:`RightsError`: a right that was lost meanwhile.
    """
    evidence.hold(tx)
    _judge_again(tx, asked)
    if once and not new.past:
        twin = tx.conn.execute(
            select(document.c.document_id)
            .where(
                document.c.box_id == new.box_id,
                document.c.content_sha256 == new.content_sha256,
                document.c.status == APPROVED,
                document.c.deposited_by == new.depositor.by,
                document.c.depositor_id == new.depositor.id_nat,
                document.c.depositor_struct == new.depositor.struct_id,
                document.c.unique_id.not_in([*new.replaces, new.unique_id]),
                document.c.document_id.not_in(apart),
            )
            .limit(1)
        ).scalar()
        if twin is not None:
            return Filed(twin, "duplicate")
    filed = put_document(tx, new)
    tell(tx, entry, filed)
    return filed


def _judge_again(tx: Tx, asked: Question) -> None:
    decision = judge(tx.conn, asked)
    if not decision.allowed:
        raise error_of(decision)


def tell(tx: Tx, entry: Entry, filed: Filed) -> None:
    """Write the entry of a filing: which document, and whether it took another's place."""
    if filed.outcome == "duplicate":
        return
    what: What = "document_replaced" if filed.outcome == "replaced" else entry.what
    activity.note(tx, msgspec.structs.replace(entry, what=what, subject=str(filed.document_id)))


def remove(store: Store, box_id: int, actor: Actor, document_id: int) -> Filed:
    """Take a document out of the record for its author or depositor; it stays traceable. Blocking.

    Deleting it again changes nothing. Raises :class:`RightsError` (told in the journal),
    :class:`NotFoundError` and :class:`DossierError` ``dossier.unknown``, ``dossier.author``.
    """
    rights.require(store, box_id, actor, "delete", what="document_deleted", document_id=document_id)
    asked = store.read(question, store, box_id, actor, "delete", document_id)
    found = store.read(document_by_id, store, document_id)
    told = activity.entry(
        store,
        box_id,
        actor,
        "document_deleted",
        kind="document",
        subject=str(document_id),
        more={"title": found.info.title, "type": found.info.type_label},
    )
    try:
        return store.write(
            remove_document,
            box_id=box_id,
            unique_id=found.unique_id,
            by=depositor_of(actor),
            entry=told,
            asked=asked,
        )
    except (RightsError, NotFoundError):
        _tell_lost(store, asked, "document_deleted")
        raise


@operation("dossier.remove_document")
def remove_document(
    tx: Tx, *, box_id: int, unique_id: str, by: Depositor, entry: Entry, asked: Question
) -> Filed:
    """Delete a document and tell it in the journal. Raises as :func:`dossier.delete_document`, and
    :class:`RightsError`: a right that was lost meanwhile."""
    evidence.hold(tx)
    _judge_again(tx, asked)
    done = delete_document(tx, box_id=box_id, unique_id=unique_id, by=by)
    activity.note(tx, entry)
    return done
