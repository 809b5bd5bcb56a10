"""The versions of one document, and what happens to all of a record's when its profile is deleted."""

from __future__ import annotations

from sqlalchemy import Connection, delete

import patients
from activity import Actor
from dossier.access import document_for, documents_for
from dossier.model import Document
from dossier.tables import document
from store import Store, Tx


def document_versions(
    conn: Connection, store: Store, box_id: int, document_id: int, actor: Actor
) -> list[Document]:
    """All versions of a document that an actor may see, whichever of them is named, newest first.

    It leaves no trace. Raises as :func:`dossier.document_for`.
    """
    named = document_for(conn, store, box_id, document_id, actor)
    seen = {one.document_id: one for one in documents_for(conn, store, box_id, actor, history=True)}
    family = {named.document_id}
    while True:
        linked = {
            one.document_id
            for one in seen.values()
            if one.replaced_by in family
            or one.document_id in {seen[known].replaced_by for known in family if known in seen}
            or (named.set_id and one.set_id == named.set_id)
        }
        if linked <= family:
            break
        family |= linked
    found = [seen[known] for known in family if known in seen]
    return sorted(found, key=lambda one: (-one.version, -one.filed_at, -one.document_id))


@patients.erases
def _drop(tx: Tx, box_id: int) -> None:
    """The documents of a deleted profile: their bodies are named by nobody any more."""
    tx.conn.execute(delete(document).where(document.c.box_id == box_id))
