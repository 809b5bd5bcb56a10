"""Care kept from legal representatives (L.1111-5, L.1111-5-1 CSP), item by item: messages and documents.

An item is hidden by the professional who wrote or filed it, by the patient himself, or by an operator at
their request. It is shown again only by the patient, once he is of age or emancipated, or by that
professional; never by a representative or an operator. What is kept names the content, not its place: a copy,
or a message moved to another folder, stays hidden.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, and_, func, insert, select

import evidence
from patients.calendar import of_age_at
from patients.errors import GuardianError
from patients.guardians import guardian_events, is_minor, may_act_for, representatives, trusted_since
from patients.guardians_tables import secret_event
from patients.guardianship import Viewer, first, own_from, viewer_of
from patients.profiles import profile, profile_by_box
from store import Tx, mail, new_id, operation

ItemKind = Literal["message", "document"]
Said = Literal["hide", "show"]
By = Literal["professional", "patient", "operator"]
_COLUMNS: Final = ("box_id", "kind", "item", "event_id", "at", "event", "by", "actor", "reason")


class Secrets(msgspec.Struct, frozen=True):
    """What of a box is kept from legal representatives: SHA-256 of messages, and of ids of documents."""

    messages: frozenset[bytes]
    documents: frozenset[bytes]


class Reader(msgspec.Struct, frozen=True):
    """Who reads a box, and what is kept from him if he is a representative."""

    viewer: Viewer
    secrets: Secrets


def document_item(unique_id: str) -> bytes:
    """What names a document in the list of what is hidden."""
    return hashlib.sha256(unique_id.encode()).digest()


def secrets_of(conn: Connection, box_id: int, at: int | None = None) -> Secrets:
    """What is hidden in a box, now or at a past moment ``at`` (ms)."""
    # One row an item: its last event, which SQLite and PostgreSQL find by the primary key.
    last = select(secret_event.c.kind, secret_event.c.item, func.max(secret_event.c.event_id).label("last"))
    last = last.where(secret_event.c.box_id == box_id)
    if at is not None:
        last = last.where(secret_event.c.at <= at)
    newest = last.group_by(secret_event.c.kind, secret_event.c.item).subquery()
    query = select(secret_event.c.kind, secret_event.c.item).join(
        newest,
        and_(
            secret_event.c.box_id == box_id,
            secret_event.c.kind == newest.c.kind,
            secret_event.c.item == newest.c.item,
            secret_event.c.event_id == newest.c.last,
        ),
    )
    found: dict[str, set[bytes]] = {"message": set(), "document": set()}
    for kind, item in conn.execute(query.where(secret_event.c.event == "hide")):
        found[kind].add(bytes(item))
    return Secrets(frozenset(found["message"]), frozenset(found["document"]))


def reader(conn: Connection, actor_ins: str, box_id: int, at: int | None = None) -> Reader:
    """Who ``actor_ins`` is to a patient's box, now or at ``at`` (ms), and what is hidden there."""
    child = profile_by_box(conn, box_id)
    viewer: Viewer = "stranger"
    if child is not None:
        check = may_act_for(conn, actor_ins, child.ins, at)
        viewer = viewer_of(check, is_minor(conn, child.ins, at))
    return Reader(viewer, secrets_of(conn, box_id, at))


def hidden_messages(conn: Connection, box_id: int, message_ids: Iterable[int]) -> set[int]:
    """Those of some messages of a box that are kept from legal representatives."""
    secrets = secrets_of(conn, box_id)
    if not secrets.messages:
        return set()
    rows = mail.message_rows(conn, box_id, list(message_ids))
    return {row.message_id for row in rows if bytes(row.sha256) in secrets.messages}


def app_password_shut(conn: Connection, box_id: int, created_at: int, at: int) -> bool:
    """Whether an app password made at ``created_at`` (ms) opens a patient's box no more.

    It says nothing of who uses it. One made before a representative lost his right, or before the patient
    came of age, may be his; and while something is hidden in the box of a minor, anybody's may be.
    """
    child = profile_by_box(conn, box_id)
    if child is None:
        return False
    if created_at < trusted_since(conn, child.ins, at):
        return True
    if not representatives(conn, child.ins, at):
        return False
    hidden = secrets_of(conn, box_id)
    return bool(hidden.messages or hidden.documents)


@operation("patients.set_secret")
def set_secret(
    tx: Tx,
    *,
    box_id: int,
    kind: ItemKind,
    item: bytes,
    event: Said,
    by: By,
    actor: str,
    reason: str = "",
) -> None:
    """Hide an item of a patient's box from his legal representatives, or show it to them again.

    :param item: SHA-256 of the message as stored (``mail.message_rows``), or :func:`document_item`.
    :param by: as who the caller proved ``actor`` to be; that a professional wrote the item is his to check.

    Raises :class:`GuardianError` (``guardian.secret``).
    """
    evidence.hold(tx)
    child = profile_by_box(tx.conn, box_id)
    if child is None or child.state == "deleted":
        raise GuardianError("guardian.secret", "no patient has this mailbox")
    if event == "show" and by == "operator":
        raise GuardianError("guardian.secret", "only the patient, or who wrote it, shows it again")
    if event == "show" and by == "patient" and tx.now < _decides_from(tx, child.ins):
        raise GuardianError("guardian.secret", "the patient shows it again once he is of age or emancipated")
    place = and_(secret_event.c.box_id == box_id, secret_event.c.kind == kind, secret_event.c.item == item)
    last: int = tx.conn.scalar(select(func.max(secret_event.c.event_id)).where(place)) or 0
    row = (box_id, kind, item, max(new_id(), last + 1), tx.now, event, by, actor, reason)
    number = evidence.record(
        tx,
        "secret",
        trace_id=str(row[3]),
        recipient=child.ins,
        sha256=hashlib.sha256(msgspec.msgpack.encode(row)).digest(),
        detail={"event": event, "by": by, "kind": kind},
    )
    values = dict(zip(_COLUMNS, row, strict=True)) | {"evidence_seq": number}
    tx.conn.execute(insert(secret_event).values(**values))
    tx.notify(box_id, 0)


def _decides_from(tx: Tx, ins: str) -> int:
    person = profile(tx.conn, ins)
    born = person.birth_date if person is not None else ""
    events = guardian_events(tx.conn, ins)
    return own_from(of_age_at(born) if born else 0, first(events, "emancipate", tx.now))
