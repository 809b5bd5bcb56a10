"""Everything the patient, or who may, said of the rights to a record: one list of events a box.

What holds is derived from the events at each question, for now or for a past moment
(:mod:`dossier.rights.standing`). Why something was said is in the journal, sealed: ``activity_id``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec
from sqlalchemy import BigInteger, Column, Connection, String, Table, delete, func, insert, select

import patients
from activity import By
from store import Tx, metadata, new_id

#: ``document_id`` names the document of the first line, ``subject`` (IdNat_PS) who the second is about.
RightEventName = Literal[
    "mask", "unmask", "withhold", "announce", "hide", "show",
    "block", "unblock", "authorise", "declare_consent", "appoint", "dismiss",
    "mask_all", "unmask_all",
    "refuse_regulation", "accept_regulation", "refuse_break_glass", "accept_break_glass",
]  # fmt: skip

right_event: Final = Table(
    "right_event",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),  # grows, whatever the clock does
    Column("at", BigInteger, nullable=False),
    Column("event", String(32), nullable=False),
    Column("document_id", BigInteger, nullable=False),  # 0: of no document
    Column("subject", String(64), nullable=False),  # "": of nobody
    Column("by", String(16), nullable=False),
    Column("actor", String(320), nullable=False),
    Column("activity_id", BigInteger, nullable=False),  # the entry of the journal that tells why
)


class RightEvent(msgspec.Struct, frozen=True):
    """One event; the fields of the table. ``at`` in ms."""

    event_id: int
    at: int
    event: RightEventName
    document_id: int
    subject: str
    by: By
    actor: str
    activity_id: int


_fields: Final = [right_event.c[name] for name in RightEvent.__struct_fields__]


def right_events(conn: Connection, box_id: int, at: int | None = None) -> list[RightEvent]:
    """The events of a box in their true order, all or those until a past moment ``at`` (ms)."""
    query = select(*_fields).where(right_event.c.box_id == box_id)
    if at is not None:
        query = query.where(right_event.c.at <= at)
    return [RightEvent(*row) for row in conn.execute(query.order_by(right_event.c.event_id))]


def append(
    tx: Tx,
    box_id: int,
    event: RightEventName,
    *,
    by: By,
    actor: str,
    activity_id: int,
    document_id: int = 0,
    subject: str = "",
) -> None:
    """Write one event within a transaction that holds the evidence (so that no other stands between)."""
    last = select(func.max(right_event.c.event_id)).where(right_event.c.box_id == box_id)
    values = {
        "box_id": box_id,
        "event_id": max(new_id(), (tx.conn.scalar(last) or 0) + 1),
        "at": tx.now,
        "event": event,
        "document_id": document_id,
        "subject": subject,
        "by": by,
        "actor": actor,
        "activity_id": activity_id,
    }
    tx.conn.execute(insert(right_event).values(**values))
    tx.notify(box_id, 0)


def carry_marks(tx: Tx, box_id: int, replaced: Iterable[int], document_id: int) -> None:
    """Have a new version keep what was said of those it replaces: masked, withheld. Nothing is carried that
    would show more than the new version's own codes do."""
    wanted = set(replaced)
    last: dict[tuple[int, bool], RightEvent] = {}
    for one in right_events(tx.conn, box_id) if wanted else []:
        if one.document_id in wanted and one.event in ("mask", "unmask", "withhold", "announce"):
            last[one.document_id, one.event in ("mask", "unmask")] = one
    carried = {one.event: one for one in last.values() if one.event in ("mask", "withhold")}
    for name, one in sorted(carried.items()):
        append(
            tx, box_id, name,
            by=one.by, actor=one.actor, activity_id=one.activity_id, document_id=document_id,
        )  # fmt: skip


@patients.erases
def drop_right_events(tx: Tx, box_id: int) -> None:
    """Forget what was said of the rights to a deleted profile's record."""
    tx.conn.execute(delete(right_event).where(right_event.c.box_id == box_id))
