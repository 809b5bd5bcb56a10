"""Asking for a decision, and having it again inside the transaction that acts on it."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection

import activity
import evidence
from activity import Actor, Entry, Kind, What
from dossier.documents import row_versions, versions
from dossier.rights.errors import RightsError
from dossier.rights.facts import Codes, codes_of, document_facts, hidden_carriers, view
from dossier.rights.model import DOCUMENT_ACTIONS, Action, Decision
from dossier.rights.rules import decide
from dossier.rights.words import refuse
from store import NotFoundError, Store, Tx, operation

#: What is taken to hold of a document whose sealed part was not read: nobody is shown it.
_SHUT: Final = Codes("", "", masked=True, withheld=True, secret=True)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, with what was read of the sealed part of the documents it is about: this never changes,
    so that a transaction, which has no keys, can judge again."""

    box_id: int
    actor: Actor
    action: Action
    document_id: int = 0
    codes: dict[int, Codes] = {}


def question(
    conn: Connection,
    store: Store,
    box_id: int,
    actor: Actor,
    action: Action,
    document_id: int | None = None,
) -> Question:
    """Make a question that :func:`judge` answers. Raises :class:`StoreError` when the box's key is gone."""
    read = versions(conn, store, box_id, document_id) if document_id else []
    return Question(
        box_id=box_id,
        actor=actor,
        action=action,
        document_id=document_id or 0,
        codes={one.document_id: codes_of(one.info) for one in read},
    )


def judge(conn: Connection, asked: Question) -> Decision:
    """The answer to a question as things stand."""
    found = view(conn, asked.box_id, asked.actor)
    if asked.action not in DOCUMENT_ACTIONS:
        return decide(asked.action, found.asker, found.record)
    rows = row_versions(conn, asked.box_id, asked.document_id)
    if not rows:
        return refuse("dossier.unknown", kept=True)
    pairs = [(row, asked.codes.get(row.document_id, _SHUT)) for row in rows]
    carriers = hidden_carriers(conn, found, rows)
    facts = document_facts(found, *pairs[0], carriers, pairs[1:], reading=asked.action in ("see", "read"))
    return decide(asked.action, found.asker, found.record, facts)


def may(
    conn: Connection,
    store: Store,
    box_id: int,
    actor: Actor,
    action: Action,
    document_id: int | None = None,
) -> Decision:
    """Whether an actor may do something in a record; nothing is written of the question.

    Used as ``store.read(may, store, box_id, actor, "read", document_id)``. A document that is not of this
    record, or kept from him, is refused with ``kept`` set. Raises :class:`StoreError`: the key is gone.
    """
    return judge(conn, question(conn, store, box_id, actor, action, document_id))


def require(
    store: Store, box_id: int, actor: Actor, action: Action, *, what: What, document_id: int | None = None
) -> None:
    """Go on only if an actor may do something; else the refusal is written to the journal as ``what``.

    Blocking. Raises :class:`RightsError` with the decision's rule; :class:`NotFoundError` ``dossier.unknown``
    for a document that is kept from him; :class:`StoreError` when the box's key is gone.
    """
    decision = store.read(may, store, box_id, actor, action, document_id)
    if not decision.allowed:
        kind: Kind = "document" if document_id else "record"
        subject = str(document_id) if document_id else ""
        raise refusal(store, box_id, actor, decision, what=what, kind=kind, subject=subject)


def refusal(
    store: Store,
    box_id: int,
    actor: Actor,
    decision: Decision,
    *,
    what: What,
    kind: Kind = "record",
    subject: str = "",
) -> RightsError | NotFoundError:
    """Write a refusal to the journal; the error to raise, as of :func:`require`.

    On the patient's side the journal says of a document that is kept from him what it says of one that never
    was: he reads it. Nor does it say which: lines on what is kept from him are left out, and a line that is
    missing would tell.
    """
    rule = decision.rule
    if decision.kept and actor.by in ("patient", "representative"):
        rule, subject = "dossier.unknown", ""
    entry = activity.entry(store, box_id, actor, what, kind=kind, subject=subject, rule=rule)
    store.write(activity.record, entry=entry)
    return error_of(decision)


def error_of(decision: Decision) -> RightsError | NotFoundError:
    """The error that a refusal is to who asked: what is kept from him does not exist."""
    if decision.kept:
        return NotFoundError("dossier.unknown", "there is no such document in this record")
    return RightsError(decision)


@operation("dossier.note_judged")
def note_judged(tx: Tx, *, asked: Question, entry: Entry) -> Decision:
    """Judge a question once more and write the entry if it is allowed; the answer."""
    evidence.hold(tx)
    decision = judge(tx.conn, asked)
    if decision.allowed:
        activity.note(tx, entry)
    return decision


def note_allowed(store: Store, asked: Question, entry: Entry) -> None:
    """Write the entry of what was decided, if it still is; else the refusal, raised as by :func:`require`.

    Blocking: the right may have ended since it was asked for.
    """
    decision = store.write(note_judged, asked=asked, entry=entry)
    if not decision.allowed:
        raise refusal(
            store,
            asked.box_id,
            asked.actor,
            decision,
            what=entry.what,
            kind=entry.kind,
            subject=entry.subject,
        )


@operation("dossier.note_listed")
def note_listed(tx: Tx, *, box_id: int, actor: Actor, stamp: bytes, entry: Entry) -> bool:
    """Write the entry of a list that was made when its view had ``stamp``; false, and nothing is written,
    when something changed since that could change a decision."""
    evidence.hold(tx)
    if view(tx.conn, box_id, actor).stamp != stamp:
        return False
    activity.note(tx, entry)
    return True
