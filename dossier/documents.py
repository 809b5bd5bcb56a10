"""Documents of the record: file, replace, delete, list, open.

Rules of the CI-SIS volet "Structuration minimale" for a consumer: the same id is never filed twice, a set
keeps one current version, an older version never overwrites a newer one; only the author or his
structure replaces or deletes (application error 901).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, insert, or_, select, update

import evidence
import patients
from dossier.errors import DossierError
from dossier.model import (
    APPROVED,
    DELETED,
    DEPRECATED,
    PATIENT_SIDE,
    Depositor,
    Document,
    DocumentInfo,
    Filed,
    NewDocument,
    Status,
)
from dossier.right_events import carry_marks
from dossier.tables import document
from store import BodyReader, BodyRef, NotFoundError, Sealer, Spool, Store, Tx, mail, new_id, operation

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(DocumentInfo)


def prepare_document(
    store: Store,
    spool: Spool,
    *,
    box_id: int,
    unique_id: str,
    set_id: str,
    version: int,
    author_id: str,
    author_struct: str,
    depositor: Depositor,
    created_at: int,
    content_sha256: bytes,
    replaces: list[str],
    trace_id: str,
    message_id: int,
    info: DocumentInfo,
    status: Status = APPROVED,
    past: bool = False,
) -> NewDocument:
    """Place the spooled bytes and seal what is known of them; the result goes to :func:`file_document`.

    Blocking. Raises :class:`StoreError` when the box has no key (closed) or the disk refuses;
    :class:`DossierError` ``dossier.together``: masked and withheld at once.
    """
    if not past and {"MASQUE_PS", "INVISIBLE_PATIENT"} <= set(info.confidentiality):  # EX_2.1-1050
        text = "a document is not masked from professionals and withheld from the patient at once"
        raise DossierError("dossier.together", text)
    ref, wrapped_key = store.place_body(box_id, spool)
    sealed = store.sealer(box_id).seal(_encoder.encode(info), _place(unique_id))
    return NewDocument(
        box_id=box_id,
        unique_id=unique_id,
        set_id=set_id,
        version=version,
        author_id=author_id,
        author_struct=author_struct,
        depositor=depositor,
        created_at=created_at,
        content_sha256=content_sha256,
        replaces=replaces,
        trace_id=trace_id,
        message_id=message_id,
        ref=ref,
        wrapped_key=wrapped_key,
        sealed=sealed,
        secret=patients.flags_of(info.confidentiality).secret,
        status=status,
        past=past,
    )


def _place(unique_id: str) -> str:
    return f"document:{unique_id}"


# -- writing --------------------------------------------------------------------------------------


def put_document(tx: Tx, new: NewDocument) -> Filed:
    """File a document within a transaction; the part of :func:`file_document` other operations use.

    Nothing is written when it raises :class:`DossierError`: ``dossier.unique_id`` (the id is taken by other
    content), ``dossier.deleted`` (it was deleted), ``dossier.version`` (900: not newer than what the set
    holds, or what it replaces is not current), ``dossier.author`` (901: someone else's document). A document
    of the ``past`` is never refused for its age or author: what is here already and is newer stays current.
    """
    evidence.hold(tx)  # before rows are locked: what is hidden or marked here is evidence too
    same = _row(tx.conn, document.c.box_id == new.box_id, document.c.unique_id == new.unique_id)
    if same is not None:
        if same.status == DELETED:  # "duplicate" would tell the sender that it is there
            raise DossierError("dossier.deleted", "the document with this id was deleted by its author")
        if bytes(same.content_sha256) == new.content_sha256:
            return Filed(same.document_id, "duplicate")
        raise DossierError("dossier.unique_id", "a document with this id and another content is on record")
    replaced = _preceded(tx.conn, new) if new.past else _replaced(tx.conn, new)
    newer = _newer(tx.conn, new) if new.past else None
    ended = newer is not None or new.status != APPROVED
    document_id = new_id()
    tx.segments.add(new.ref.segment)
    tx.conn.execute(
        insert(document).values(
            box_id=new.box_id,
            document_id=document_id,
            unique_id=new.unique_id,
            set_id=new.set_id,
            version=new.version,
            status=DEPRECATED if newer is not None else new.status,
            ended_at=tx.now if ended else None,
            replaced_by=newer,
            author_id=new.author_id,
            author_struct=new.author_struct,
            depositor=new.depositor.address.casefold(),
            depositor_id=new.depositor.id_nat,
            depositor_struct=new.depositor.struct_id,
            deposited_by=new.depositor.by,
            content_sha256=new.content_sha256,
            created_at=new.created_at,
            filed_at=tx.now,
            trace_id=new.trace_id,
            message_id=new.message_id,
            segment=new.ref.segment,
            offset=new.ref.offset,
            length=new.ref.length,
            size=new.ref.size,
            sha256=new.ref.sha256,
            wrapped_key=new.wrapped_key,
            sealed=new.sealed,
        )
    )
    if replaced:
        tx.conn.execute(
            update(document)
            .where(document.c.box_id == new.box_id, document.c.document_id.in_(replaced))
            .values(status=DEPRECATED, ended_at=tx.now, replaced_by=document_id)
        )
    _keep_secret(tx, new, replaced)
    carry_marks(tx, new.box_id, replaced, document_id)
    tx.notify(new.box_id, 0)
    return Filed(document_id, "replaced" if replaced else "filed")


def _keep_secret(tx: Tx, new: NewDocument, replaced: list[int]) -> None:
    """Hide from legal representatives what its author keeps from them, the message that brought it, and what
    takes the place of a hidden document."""
    hidden = new.secret
    if replaced and not hidden:
        held = patients.secrets_of(tx.conn, new.box_id).documents
        rows = _rows(tx.conn, document.c.box_id == new.box_id, document.c.document_id.in_(replaced))
        carriers = {row.message_id for row in rows} - {0}
        hidden = any(patients.document_item(row.unique_id) in held for row in rows) or bool(
            patients.hidden_messages(tx.conn, new.box_id, carriers)
        )
    if not hidden:
        return
    items: list[tuple[patients.ItemKind, bytes]] = [("document", patients.document_item(new.unique_id))]
    if new.message_id:
        brought = mail.message_rows(tx.conn, new.box_id, [new.message_id])
        items += [("message", bytes(row.sha256)) for row in brought]
    for kind, item in items:
        patients.set_secret(
            tx,
            box_id=new.box_id,
            kind=kind,
            item=item,
            event="hide",
            by="professional",
            actor=new.depositor.id_nat or new.depositor.address,
            reason="filed as kept from legal representatives",
        )


def _replaced(conn: Connection, new: NewDocument) -> list[int]:
    """The current documents that ``new`` takes the place of. Raises as :func:`put_document`."""
    related: list[ColumnElement[bool]] = [document.c.unique_id.in_(new.replaces)] if new.replaces else []
    if new.set_id:
        related.append(document.c.set_id == new.set_id)
    if not related:
        return []
    replaced = []
    for condition in related:
        for row in _rows(conn, document.c.box_id == new.box_id, condition):
            if row.unique_id in new.replaces and row.status != APPROVED:
                raise DossierError("dossier.version", "the document to replace is not the current version")
            if (row.set_id == new.set_id or row.unique_id in new.replaces) and row.version >= new.version:
                raise DossierError("dossier.version", "a version as recent as this one is on record")
            if row.status == APPROVED and row.document_id not in replaced:
                _check_author(row, new.depositor)
                replaced.append(row.document_id)
    return replaced


def _preceded(conn: Connection, new: NewDocument) -> list[int]:
    """The current documents that one of the past follows: what it says it replaces, unless that is newer, and
    older ones of its set."""
    if new.status != APPROVED:
        return []
    related: ColumnElement[bool] = and_(
        document.c.unique_id.in_(new.replaces), document.c.created_at <= new.created_at
    )
    if new.set_id:
        related = or_(related, and_(document.c.set_id == new.set_id, document.c.version < new.version))
    rows = _rows(conn, document.c.box_id == new.box_id, document.c.status == APPROVED, related)
    return [row.document_id for row in rows]


def _newer(conn: Connection, new: NewDocument) -> int | None:
    """The document here that took the place of one of the past, or None."""
    if not new.set_id:
        return None
    query = select(document.c.document_id).where(
        document.c.box_id == new.box_id, document.c.set_id == new.set_id, document.c.version >= new.version
    )
    return conn.execute(query.order_by(document.c.version, document.c.document_id).limit(1)).scalar()


def is_own(row: Row[Any] | Document, by: Depositor) -> bool:
    """Whether a document is his, or of the structure he acts for, as author or as who filed it.

    What a patient's side deposited is his whole side's; a professional's is never, whatever the ids. Who
    wrote what a patient saved follows it with a newer version, no more.
    """
    if by.by in PATIENT_SIDE:
        return row.deposited_by in PATIENT_SIDE
    if row.deposited_by in PATIENT_SIDE:  # its depositor's id is an INS
        return (row.author_id != "" and by.id_nat == row.author_id) or (
            row.author_struct != "" and by.struct_id == row.author_struct
        )
    persons = {row.author_id, row.depositor_id} - {""}
    structures = {row.author_struct, row.depositor_struct} - {""}
    addresses = {row.depositor} - {""}
    return by.address.casefold() in addresses or by.id_nat in persons or by.struct_id in structures


def _check_author(row: Row[Any], by: Depositor) -> None:
    """Only the author, the one who filed it, or their structure may touch a document (error 901)."""
    if not is_own(row, by):
        raise DossierError("dossier.author", "only the author of a document or his structure may change it")


@operation("dossier.file_document")
def file_document(tx: Tx, *, new: NewDocument) -> Filed:
    """File a document once: the same again is a ``duplicate``. Raises as :func:`put_document`."""
    return put_document(tx, new)


@operation("dossier.delete_document")
def delete_document(tx: Tx, *, box_id: int, unique_id: str, by: Depositor) -> Filed:
    """Take a document out of the record at its author's request; it stays traceable, nobody reads it.

    Deleting it again changes nothing. Raises :class:`DossierError`: ``dossier.unknown`` (906: no such
    document here), ``dossier.author`` (901).
    """
    row = _row(tx.conn, document.c.box_id == box_id, document.c.unique_id == unique_id)
    if row is None:
        raise DossierError("dossier.unknown", "the document to delete is not on record")
    if row.deposited_by in PATIENT_SIDE and by.by not in PATIENT_SIDE:
        raise DossierError("dossier.author", "what a patient deposited only his own side deletes")
    _check_author(row, by)
    if row.status != DELETED:
        tx.conn.execute(
            update(document)
            .where(document.c.box_id == box_id, document.c.document_id == row.document_id)
            .values(status=DELETED, ended_at=tx.now)
        )
        tx.notify(box_id, 0)
    return Filed(row.document_id, "deleted")


# -- reading --------------------------------------------------------------------------------------


def _rows(conn: Connection, *where: ColumnElement[bool]) -> list[Row[Any]]:
    order = (document.c.created_at.desc(), document.c.document_id.desc())
    return list(conn.execute(select(document).where(and_(*where)).order_by(*order)))


def _row(conn: Connection, *where: ColumnElement[bool]) -> Row[Any] | None:
    return conn.execute(select(document).where(and_(*where))).one_or_none()


def documents(conn: Connection, store: Store, box_id: int, *, history: bool = False) -> list[Document]:
    """The documents of a record, newest first; with ``history`` also replaced and deleted ones.

    Used as ``store.read(documents, store, box_id)``. Raises :class:`StoreError` when the box's key is gone.
    """
    where = [document.c.box_id == box_id]
    if not history:
        where.append(document.c.status == APPROVED)
    sealer = store.sealer(box_id)
    return [_opened(row, sealer) for row in _rows(conn, *where)]


def document_by_id(conn: Connection, store: Store, document_id: int) -> Document:
    """One document, whatever its status. Raises :class:`NotFoundError` ``dossier.unknown``."""
    row = _row(conn, document.c.document_id == document_id)
    if row is None:
        raise NotFoundError("dossier.unknown", f"no document {document_id}")
    return _opened(row, store.sealer(row.box_id))


def box_of_document(conn: Connection, document_id: int) -> int | None:
    """Whose record a document is in, None where there is none; nothing of it is opened."""
    return conn.execute(
        select(document.c.box_id).where(document.c.document_id == document_id)
    ).scalar_one_or_none()


def document_by_unique_id(conn: Connection, store: Store, box_id: int, unique_id: str) -> Document | None:
    """The document of a record that has this id, whatever its status, or None."""
    row = _row(conn, document.c.box_id == box_id, document.c.unique_id == unique_id)
    return None if row is None else _opened(row, store.sealer(box_id))


def row_versions(conn: Connection, box_id: int, document_id: int) -> list[Row[Any]]:
    """What is in the clear of a document and of those that took its place, one after the other; empty when
    the record has no such document."""
    found: list[Row[Any]] = []
    following: int | None = document_id
    while following is not None and following not in {row.document_id for row in found}:
        row = _row(conn, document.c.box_id == box_id, document.c.document_id == following)
        if row is None:
            break
        found.append(row)
        following = row.replaced_by
    return found


def brought_by(conn: Connection, box_id: int, message_id: int) -> list[str]:
    """The unique ids of the documents that came with a message."""
    query = select(document.c.unique_id).where(
        document.c.box_id == box_id, document.c.message_id == message_id, document.c.status != DELETED
    )
    return list(conn.execute(query).scalars())


def documents_of_message(
    conn: Connection, store: Store, box_id: int, message_id: int, digests: Sequence[bytes]
) -> list[Document]:
    """The approved documents that came with a message, or that have one of these contents."""
    rows = _rows(
        conn,
        document.c.box_id == box_id,
        document.c.status == APPROVED,
        or_(document.c.message_id == message_id, document.c.content_sha256.in_(list(digests))),
    )
    sealer = store.sealer(box_id) if rows else None
    return [_opened(row, sealer) for row in rows if sealer is not None]


def versions(conn: Connection, store: Store, box_id: int, document_id: int) -> list[Document]:
    """A document and those that took its place, one after the other; empty when there is no such one."""
    rows = row_versions(conn, box_id, document_id)
    sealer = store.sealer(box_id) if rows else None
    return [_opened(row, sealer) for row in rows if sealer is not None]


def is_filed(conn: Connection, box_id: int, unique_id: str, content_sha256: bytes) -> bool:
    """True when this very document is on record, not deleted: filing it again would change nothing."""
    found = conn.execute(
        select(document.c.content_sha256).where(
            document.c.box_id == box_id,
            document.c.unique_id == unique_id,
            document.c.status != DELETED,
        )
    ).scalar_one_or_none()
    return found is not None and bytes(found) == content_sha256


def open_document(store: Store, found: Document) -> BodyReader:
    """A reader of the stored bytes (CDA XML). Its methods block."""
    return store.open_placed(found.box_id, found.ref, found.wrapped_key)


def _opened(row: Row[Any], sealer: Sealer) -> Document:
    return Document(
        box_id=row.box_id,
        document_id=row.document_id,
        unique_id=row.unique_id,
        set_id=row.set_id,
        version=row.version,
        status=row.status,
        created_at=row.created_at,
        filed_at=row.filed_at,
        ended_at=row.ended_at,
        replaced_by=row.replaced_by,
        depositor=row.depositor,
        depositor_id=row.depositor_id,
        depositor_struct=row.depositor_struct,
        deposited_by=row.deposited_by,
        author_id=row.author_id,
        author_struct=row.author_struct,
        content_sha256=row.content_sha256,
        trace_id=row.trace_id,
        message_id=row.message_id,
        ref=BodyRef(row.segment, row.offset, row.length, row.size, row.sha256),
        wrapped_key=row.wrapped_key,
        info=_decoder.decode(sealer.open(row.sealed, _place(row.unique_id))),
    )
