"""Reminders that are due, and the mark by which none goes out twice and none is lost.

Each appointment keeps when its next reminder is due. Taking it moves that mark and queues the notice in one
transaction. After a long stop what concerns a moment that has passed is left out, and a person gets one
notice, not one for each reminder that was missed.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, and_, select, update

import patients
from agenda.model import Due
from agenda.rows import opened
from agenda.slots import due_of, next_due
from agenda.tables import appointment
from store import PasserelleError, Store, Tx, operation, tasks

BATCH: Final = 200
#: What began so short a time (ms) ago is still told: a reminder for the beginning itself is taken after it.
GRACE_MS: Final = 5 * 60_000


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """An appointment whose mark is to move from ``before`` to ``next_at`` (None: no more); ``tell``: a
    reminder of it is to go out, when ``hidden`` not to legal representatives."""

    box_id: int
    appointment_id: int
    version: int
    before: int
    next_at: int | None
    tell: bool
    hidden: bool


class ReminderJob(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of a task in the queue ``reminders``: tell that there is a reminder; never of what.

    ``ins`` is who is told, a patient or who represents him; a task each, so that none is told twice because
    another could not be reached.
    """

    box_id: int
    ins: str
    at: int


_job: Final = msgspec.msgpack.Decoder(ReminderJob)


def decode_reminder(payload: bytes) -> ReminderJob:
    """The payload of a task. Raises :class:`msgspec.DecodeError`."""
    return _job.decode(payload)


def due_reminders(store: Store, since: int, until: int, *, limit: int = 10_000) -> list[Due]:
    """The reminders of every agenda due in [``since``, ``until``) (ms) that were not taken yet, soonest
    first. Blocking."""
    found = [
        Due(row.box_id, row.appointment_id, at, begins)
        for row in store.read(_marked, until, limit)
        for at, begins in _due(store, row, since, until)
    ]
    return sorted(found, key=lambda one: (one.at, one.box_id, one.appointment_id))


def _marked(conn: Connection, until: int, limit: int) -> list[Row[Any]]:
    query = select(appointment).where(appointment.c.remind_at < until)
    return list(conn.execute(query.order_by(appointment.c.remind_at).limit(limit)))


def _due(store: Store, row: Row[Any], since: int, until: int) -> list[tuple[int, int]]:
    try:
        one = opened(row, store.sealer(row.box_id))
    except PasserelleError:  # its key was destroyed meanwhile
        return []
    return due_of(one.details, max(since, row.remind_at), until)


def take_due(store: Store, now: int) -> int:
    """Queue a notice for each person with a reminder due by ``now`` (ms); returns how many. Blocking.

    At most :data:`BATCH` appointments at a time: call again while something is returned. Several processes
    may do so at once.
    """
    taken = []
    for row in store.read(_marked, now + 1, BATCH):
        due = _due(store, row, 0, now + 1)
        tell = any(begins >= now - GRACE_MS for _, begins in due)  # what has begun needs no reminder any more
        taken.append(
            Taken(
                box_id=row.box_id,
                appointment_id=row.appointment_id,
                version=row.version,
                before=row.remind_at,
                next_at=_next(store, row, now + 1),
                tell=tell,
                hidden=row.hidden,
            )
        )
    return store.write(take, taken=taken, now=now) if taken else 0


def _next(store: Store, row: Row[Any], after: int) -> int | None:
    try:
        return next_due(opened(row, store.sealer(row.box_id)).details, after)
    except PasserelleError:
        return None


@operation("agenda.take_reminders")
def take(tx: Tx, *, taken: list[Taken], now: int) -> int:
    """Move the marks and queue one notice for each person; returns how many rows moved.

    A mark that another process moved, or an appointment that changed meanwhile, is passed over.
    """
    told: dict[int, bool] = {}  # box → everything of it is hidden from representatives
    moved = 0
    for one in taken:
        mine = and_(
            appointment.c.box_id == one.box_id,
            appointment.c.appointment_id == one.appointment_id,
            appointment.c.version == one.version,
            appointment.c.remind_at == one.before,
        )
        if tx.conn.execute(update(appointment).where(mine).values(remind_at=one.next_at)).rowcount != 1:
            continue
        moved += 1
        if one.tell:
            told[one.box_id] = told.get(one.box_id, True) and one.hidden
    for box_id, hidden in sorted(told.items()):
        for ins in _readers(tx, box_id, hidden=hidden):
            tasks.add_task(
                tx,
                queue=tasks.REMINDERS,
                box_id=box_id,
                payload=msgspec.msgpack.encode(ReminderJob(box_id=box_id, ins=ins, at=now)),
                due_at=tx.now,
                subject_key=str(box_id),
                trace_id="",
            )
    return moved


def _readers(tx: Tx, box_id: int, *, hidden: bool) -> list[str]:
    """Who is told of a reminder: the patient and who represents him. Of a hidden one only a patient who
    decides alone: a minor's address may be his parent's."""
    owner = patients.profile_by_box(tx.conn, box_id)
    if owner is None or owner.state not in patients.RECEIVING:
        return []
    if not patients.is_minor(tx.conn, owner.ins, tx.now):
        return [owner.ins]
    others = [one.ins for one in patients.representatives(tx.conn, owner.ins, tx.now)]
    return [] if hidden else [owner.ins, *others]
