"""The only way to read a document: every list and every body, decided by the rights, told to the journal.

Invariants: nothing else opens a document (a house test keeps it); who is given something is given it after
its entry is committed, and what changed meanwhile is judged again in that very transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection

import activity
from activity import Actor
from dossier.documents import (
    document_by_unique_id,
    documents,
    documents_of_message,
    open_document,
    versions,
)
from dossier.filters import Wanted
from dossier.model import APPROVED, DELETED, PATIENT_SIDE, Document
from dossier.rights.decisions import error_of, judge, note_judged, note_listed, question, refusal
from dossier.rights.facts import View, as_of, codes_of, document_facts, hidden_carriers, newer_versions, view
from dossier.rights.model import Decision, DocumentFacts
from dossier.rights.rules import decide
from store import BodyReader, NotFoundError, Store, StoreError

#: How often a list is made again because the rights changed while it was made.
TRIES: Final = 5


class _Listing(msgspec.Struct, frozen=True):
    seen: list[Document]
    stamp: bytes
    entry_refused: Decision | None  # what lets nothing in at all


def documents_for(
    conn: Connection,
    store: Store,
    box_id: int,
    actor: Actor,
    *,
    history: bool = False,
    at: int | None = None,
) -> list[Document]:
    """The documents of a record that an actor may see, newest first; with ``history`` also replaced ones.

    It leaves no trace: for what is shown to the actor use :func:`list_documents`. With ``at`` (ms) the
    documents of that past moment, by the rights of then. Used as
    ``store.read(documents_for, store, box_id, actor)``. Raises :class:`StoreError` when the key is gone.
    """
    return _listing(conn, store, box_id, actor, history=history, at=at).seen


def list_documents(
    store: Store, box_id: int, actor: Actor, wanted: Wanted | None = None, *, history: bool = False
) -> list[Document]:
    """The documents an actor may see and wants, newest first, once the journal has ``documents_listed``.

    Blocking. Raises :class:`RightsError`, written to the journal, when he is let in to none; who may see but
    his own is given these. Raises :class:`StoreError` when the box's key is gone.
    """
    sought = wanted if wanted is not None else Wanted()
    for _ in range(TRIES):
        found = store.read(_listing, store, box_id, actor, history=history)
        if not found.seen and found.entry_refused is not None:
            raise refusal(store, box_id, actor, found.entry_refused, what="documents_listed")
        entry = activity.entry(store, box_id, actor, "documents_listed")
        if store.write(note_listed, box_id=box_id, actor=actor, stamp=found.stamp, entry=entry):
            return [one for one in found.seen if sought.matches(one)]
    raise StoreError("dossier.busy", "the rights to this record change faster than it can be read")


def document_for(conn: Connection, store: Store, box_id: int, document_id: int, actor: Actor) -> Document:
    """One document of a record, without its content; it leaves no trace.

    Raises :class:`NotFoundError` ``dossier.unknown``: there is none, or it is kept from him;
    :class:`RightsError`: he may not see it; :class:`StoreError`: the box's key is gone.
    """
    decision = judge(conn, question(conn, store, box_id, actor, "see", document_id))
    if not decision.allowed:
        raise error_of(decision)
    return versions(conn, store, box_id, document_id)[0]


def document_named(
    conn: Connection, store: Store, box_id: int, unique_id: str, actor: Actor
) -> Document | None:
    """The document of a record that has this unique id, if there is one and the actor may see it; no trace.

    Raises :class:`StoreError`: the box's key is gone.
    """
    found = document_by_unique_id(conn, store, box_id, unique_id)
    if found is None:
        return None
    decision = judge(conn, question(conn, store, box_id, actor, "see", found.document_id))
    return found if decision.allowed else None


def come_with(
    conn: Connection, store: Store, box_id: int, message_id: int, digests: Sequence[bytes], actor: Actor
) -> list[Document]:
    """The documents in force that a message brought, or that are the very files with these SHA-256 digests,
    as far as an actor may see them; it leaves no trace.

    Raises :class:`StoreError`: the box's key is gone.
    """
    found = view(conn, box_id, actor)
    return _seen(conn, found, documents_of_message(conn, store, box_id, message_id, digests))


def titles_for(conn: Connection, store: Store, box_id: int, actor: Actor) -> dict[int, tuple[str, bool]]:
    """What a history calls the documents of a record: title, and whether it was deleted, by id.

    What is kept from the actor is not in it; of what he may not see the title is "". The patient's side is
    told the title of what was deleted. Raises :class:`StoreError` when the box's key is gone.
    """
    found = view(conn, box_id, actor)
    told = {}
    for one, facts in _judged(conn, found, documents(conn, store, box_id, history=True)):
        past = msgspec.structs.replace(facts, status=APPROVED)
        decision = decide("see", found.asker, found.record, past)
        gone = one.status == DELETED
        if not decision.kept:
            shown = decision.allowed and (not gone or actor.by in PATIENT_SIDE)
            told[one.document_id] = (one.info.title if shown else "", gone)
    return told


class Marked(msgspec.Struct, frozen=True):
    """What is kept of a document from others: ``masked`` from professionals, ``hidden`` from legal
    representatives; ``by_itself``: not only because all are masked."""

    masked: bool = False
    hidden: bool = False
    by_itself: bool = False


def marks_of(conn: Connection, box_id: int, actor: Actor, seen: Sequence[Document]) -> dict[int, Marked]:
    """The marks of documents that an actor was given, by id; no trace."""
    found = view(conn, box_id, actor)
    return {
        one.document_id: Marked(
            facts.masked or (found.record.all_masked and not facts.bared), facts.hidden, facts.masked
        )
        for one, facts in _judged(conn, found, seen)
    }


def read_document(store: Store, box_id: int, document_id: int, actor: Actor) -> tuple[Document, BodyReader]:
    """A document and a reader of its stored bytes, once the journal has ``document_read``.

    Blocking, as the reader's methods. Refusals are written to the journal too. Raises
    :class:`NotFoundError` ``dossier.unknown``: there is none, or it is kept from him;
    :class:`RightsError`: he may not read it; :class:`StoreError`: the box's key is gone.
    """
    asked = store.read(question, store, box_id, actor, "read", document_id)
    decision = store.read(judge, asked)
    if decision.allowed:
        entry = activity.entry(
            store, box_id, actor, "document_read", kind="document", subject=str(document_id)
        )
        decision = store.write(note_judged, asked=asked, entry=entry)
    if not decision.allowed:
        raise refusal(
            store, box_id, actor, decision, what="document_read", kind="document", subject=str(document_id)
        )
    found = store.read(versions, store, box_id, document_id)
    if not found:
        raise NotFoundError("dossier.unknown", "there is no such document in this record")
    return found[0], open_document(store, found[0])


def kept_from(conn: Connection, store: Store, box_id: int, actor: Actor) -> frozenset[int]:
    """Documents (by id, deleted ones too) that an actor is not to learn of: what tells of them in a history
    is left out for him.

    Raises :class:`StoreError` when the box's key is gone.
    """
    found = view(conn, box_id, actor)
    every = documents(conn, store, box_id, history=True)
    judged = _judged(conn, found, every)
    kept = set()
    for one, facts in judged:
        past = msgspec.structs.replace(facts, status=APPROVED)
        if decide("see", found.asker, found.record, past).kept:
            kept.add(one.document_id)
    return frozenset(kept)


def _listing(
    conn: Connection,
    store: Store,
    box_id: int,
    actor: Actor,
    *,
    history: bool,
    at: int | None = None,
) -> _Listing:
    found = view(conn, box_id, actor, at)
    held = documents(conn, store, box_id, history=history or at is not None)
    if at is not None:
        held = [one for one in as_of(held, at) if history or one.status == APPROVED]
    seen = _seen(conn, found, held)
    # What an ordinary document of the record would be to him.
    plain = DocumentFacts(status=APPROVED, allowed=True, own=actor.by == "structure")
    let_in = decide("see", found.asker, found.record, plain)
    return _Listing(seen, found.stamp, None if let_in.allowed else let_in)


def _seen(conn: Connection, found: View, held: Sequence[Document]) -> list[Document]:
    return [
        one
        for one, facts in _judged(conn, found, held)
        if decide("see", found.asker, found.record, facts).allowed
    ]


def _judged(conn: Connection, found: View, held: Sequence[Document]) -> list[tuple[Document, DocumentFacts]]:
    by_id = {one.document_id: one for one in held}
    carriers = hidden_carriers(conn, found, held)
    return [
        (
            one,
            document_facts(
                found, one, codes_of(one.info), carriers, newer_versions(one, by_id), reading=True
            ),
        )
        for one in held
    ]
