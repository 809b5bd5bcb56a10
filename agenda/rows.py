"""Rows of appointments: sealing and opening them, and the one operation that writes them."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, and_, func, insert, select, update

import activity
from activity import Actor, By, Entry
from agenda.access import who
from agenda.errors import AgendaError
from agenda.model import Appointment, Details, Source, Status
from agenda.slots import next_due, window
from agenda.tables import appointment
from store import Sealer, Store, Tx, now_ms, operation

MAX_APPOINTMENTS: Final = 5_000


class Kept(msgspec.Struct, frozen=True):
    """What is sealed of a version."""

    uid: str
    details: Details


class NewRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version ready to be written; ``version`` follows the present one (1: there is none)."""

    box_id: int
    appointment_id: int
    version: int
    status: Status
    source: Source
    by: By
    ident: str
    uid_digest: bytes
    hidden: bool
    first_month: int
    last_month: int | None
    remind_at: int | None
    sealed: bytes


_kept: Final = msgspec.msgpack.Decoder(Kept)


def uid_digest(box_id: int, uid: str) -> bytes:
    """What names a UID of a box in the clear."""
    return hashlib.sha256(f"{box_id}:{uid}".encode()).digest()


def _place(appointment_id: int, version: int) -> str:
    return f"appointment:{appointment_id}:{version}"


def sealed_row(store: Store, one: Appointment) -> NewRow:
    """Seal a version. Blocking the first time for a box. Raises :class:`StoreError` when its key is gone."""
    first, last = window(one.details)
    kept = msgspec.msgpack.encode(Kept(one.uid, one.details))
    return NewRow(
        box_id=one.box_id,
        appointment_id=one.appointment_id,
        version=one.version,
        status=one.status,
        source=one.source,
        by=one.by,
        ident=one.ident,
        uid_digest=uid_digest(one.box_id, one.uid),
        hidden=one.hidden,
        first_month=first,
        last_month=last,
        remind_at=next_due(one.details, now_ms()) if one.status == "planned" else None,
        sealed=store.sealer(one.box_id).seal(kept, _place(one.appointment_id, one.version)),
    )


def opened(row: Row[Any], sealer: Sealer) -> Appointment:
    """The version that a row of the table holds."""
    kept = _kept.decode(sealer.open(row.sealed, _place(row.appointment_id, row.version)))
    return Appointment(
        box_id=row.box_id,
        appointment_id=row.appointment_id,
        version=row.version,
        at=row.at,
        status=row.status,
        source=row.source,
        by=row.by,
        ident=row.ident,
        uid=kept.uid,
        hidden=row.hidden,
        details=kept.details,
    )


def present(conn: Connection, box_id: int, appointment_id: int) -> Row[Any] | None:
    """The row of an appointment's present version."""
    query = select(appointment).where(
        appointment.c.box_id == box_id,
        appointment.c.appointment_id == appointment_id,
        appointment.c.current,
    )
    return conn.execute(query).one_or_none()


def put_rows(tx: Tx, rows: list[NewRow]) -> None:
    """Write versions of one box's appointments within a transaction.

    Raises :class:`AgendaError` ``agenda.changed`` (not the version that was read, or another appointment has
    the UID), ``agenda.full``.
    """
    if not rows:
        return
    box_id = rows[0].box_id
    in_box = and_(appointment.c.box_id == box_id, appointment.c.current)
    for row in rows:
        same = and_(in_box, appointment.c.uid_digest == row.uid_digest)
        before = tx.conn.execute(
            select(appointment.c.appointment_id, appointment.c.version).where(same)
        ).all()
        expected = [(row.appointment_id, row.version - 1)] if row.version > 1 else []
        if row.box_id != box_id or [tuple(one) for one in before] != expected:
            raise AgendaError("agenda.changed")
        if expected:
            one = and_(in_box, appointment.c.appointment_id == row.appointment_id)
            tx.conn.execute(update(appointment).where(one).values(current=False, remind_at=None))
        values = msgspec.structs.asdict(row) | {"current": True, "at": tx.now}
        tx.conn.execute(insert(appointment).values(**values))
    held = select(func.count()).select_from(appointment).where(in_box, appointment.c.status != "removed")
    if (tx.conn.scalar(held) or 0) > MAX_APPOINTMENTS:
        raise AgendaError("agenda.full")
    tx.notify(box_id, 0)


def recheck(tx: Tx, entry: Entry) -> None:
    """Who acts may have lost his right since the entry was made. Raises as :func:`agenda.access.who`."""
    who(tx.conn, entry.box_id, entry.by, entry.ident, writes=True)


@operation("agenda.put")
def put(tx: Tx, *, rows: list[NewRow], entry: Entry) -> None:
    """Write versions and the journal entry that tells of them. Raises as :func:`put_rows`."""
    recheck(tx, entry)
    put_rows(tx, rows)
    activity.note(tx, entry)


def entry_of(
    store: Store, actor: Actor, what: activity.What, one: Appointment, more: dict[str, str] | None = None
) -> Entry:
    """The journal entry of something done to an appointment."""
    return activity.entry(
        store,
        one.box_id,
        actor,
        what,
        kind="appointment",
        subject=str(one.appointment_id),
        more=more,
    )
