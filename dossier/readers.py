"""The record as one reader sees it: the patient himself, or who represents him at that moment.

Pages and exports made for a person read here; :mod:`dossier.documents` is the whole record, for operators and
for filing.
"""

from __future__ import annotations

from sqlalchemy import Connection

import patients
from dossier.documents import document_by_id, documents
from dossier.model import Document
from patients import Reader
from store import NotFoundError, Store


def documents_for(
    conn: Connection,
    store: Store,
    box_id: int,
    *,
    actor_ins: str,
    history: bool = False,
    at: int | None = None,
) -> list[Document]:
    """The documents of a record that ``actor_ins`` may see, newest first; see :func:`patients.visible_to`.

    Empty for who neither is the patient nor represents him, now or at ``at`` (ms). Used as
    ``store.read(documents_for, store, box_id, actor_ins=…)``.
    """
    reader = patients.reader(conn, actor_ins, box_id, at)
    if reader.viewer == "stranger":
        return []
    found = documents(conn, store, box_id, history=history)
    carried = patients.hidden_messages(conn, box_id, {one.message_id for one in found} - {0})
    return [one for one in found if _visible(one, reader, carried)]


def document_for(conn: Connection, store: Store, document_id: int, *, actor_ins: str) -> Document:
    """One document, for a reader. Raises :class:`NotFoundError` ``dossier.unknown``: what is kept from him
    does not exist for him."""
    found = document_by_id(conn, store, document_id)
    reader = patients.reader(conn, actor_ins, found.box_id)
    carried = patients.hidden_messages(conn, found.box_id, [found.message_id] if found.message_id else [])
    if not _visible(found, reader, carried):
        raise NotFoundError("dossier.unknown", f"no document {document_id}")
    return found


def _visible(document: Document, reader: Reader, carried: set[int]) -> bool:
    secret = (
        patients.document_item(document.unique_id) in reader.secrets.documents
        or document.message_id in carried
    )
    return patients.visible_to(reader.viewer, patients.flags_of(document.info.confidentiality, secret))
