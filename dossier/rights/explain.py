"""Who may do what, and why: every action of one actor, judged for now or for a past moment."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

import annuaire
from activity import Actor, Purpose
from dossier.documents import versions
from dossier.rights.facts import as_of, codes_of, document_facts, hidden_carriers, newer_versions, view
from dossier.rights.model import (
    ACTIONS,
    DOCUMENT_ACTIONS,
    Action,
    Asker,
    Decision,
    DocumentFacts,
    RecordFacts,
)
from dossier.rights.rules import decide
from store import NotFoundError, Store


class Explained(msgspec.Struct, frozen=True):
    """The facts of a question and the answer to every action; without a document, to those on the record."""

    asker: Asker
    record: RecordFacts
    document: DocumentFacts | None
    answers: dict[Action, Decision]


def explain(
    conn: Connection,
    store: Store,
    box_id: int,
    actor: Actor,
    document_id: int | None = None,
    at: int | None = None,
) -> Explained:
    """What ``actor`` may do in a record and with one of its documents, now or at ``at`` (ms).

    It leaves no trace; it is for support, not for the actor: it tells what is kept from him. Raises
    :class:`NotFoundError` ``dossier.unknown``: the record has, or had, no such document.
    """
    found = view(conn, box_id, actor, at)
    document: DocumentFacts | None = None
    to_change: DocumentFacts | None = None
    if document_id is not None:
        held = versions(conn, store, box_id, document_id)
        held = as_of(held, at) if at is not None else held
        by_id = {one.document_id: one for one in held}
        if document_id not in by_id:
            raise NotFoundError("dossier.unknown", "there is no such document in this record")
        one = by_id[document_id]
        carriers = hidden_carriers(conn, found, held)
        newer = newer_versions(one, by_id)
        document = document_facts(found, one, codes_of(one.info), carriers, newer, reading=True)
        to_change = document_facts(found, one, codes_of(one.info), carriers, newer, reading=False)
    asked = [one for one in ACTIONS if document is not None or one not in DOCUMENT_ACTIONS]
    facts = {one: document if one in ("see", "read") else to_change for one in asked}
    answers = {
        one: decide(one, found.asker, found.record, facts[one] if one in DOCUMENT_ACTIONS else None)
        for one in asked
    }
    return Explained(found.asker, found.record, document, answers)


def professional(
    conn: Connection,
    ident: str,
    *,
    profession: str = "",
    structure: str = "",
    purpose: Purpose = "normal",
    reason: str = "",
    at: int | None = None,
) -> Actor:
    """A professional (IdNat_PS) as the directory knows him, at ``at`` (ms) or now; what is given goes before.

    Raises :class:`store.InvalidInputError` for a moment before the history that the directory keeps.
    """
    listed = annuaire.activities(conn, ident.strip(), at)
    first = listed[0] if listed else None
    return Actor(
        by="professional",
        ident=ident.strip(),
        name=f"{first.given} {first.family}".strip() if first is not None else "",
        profession=profession or (first.profession if first is not None else ""),
        structure=structure or next((one for act in listed for one in act.structures), ""),
        purpose=purpose,
        reason=reason,
    )
