"""The end of archives: ten years after the closing, or when the person asked for it, within three months.

Both destroy the key of the box: what it held cannot be read any more, here nor in a backup without the key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection, func, select, update

import evidence
from patients.calendar import archived_until
from patients.clockwatch import LEAP_MS, not_ahead, trust_clock
from patients.erasure import erase
from patients.history import Step, record_steps
from patients.life import change
from patients.profiles import Profile
from patients.tables import patient
from store import Store, Tx, now_ms, operation

#: Profiles of one transaction.
SLICE: Final = 100

# Chosen by the index of erase_at, not by that of states: most closed profiles are years from their end.
_CLOSED: Final = func.coalesce(patient.c.state, "") == "closed"

log = structlog.get_logger("patients")


class ErasedSlice(msgspec.Struct, frozen=True):
    """How many archives of a slice ended by their age, and how many deletions were done as asked."""

    expired: int
    deleted: int


def ask_deletion(store: Store, ins: str, *, actor: str, reason: str = "", at: int | None = None) -> Profile:
    """The person asks for the deletion of what his closed profile held: now, or at ``at`` (ms). Blocking.

    Until then reopening the profile takes the request back; afterwards nothing does.

    Raises :class:`UnknownPatientError`, :class:`TransitionError` (``patient.transition``;
    ``patient.deletion``: more than three months away).
    """
    if at is None:
        return store.write(change, ins=ins, event="delete", actor=actor, reason=reason)
    return store.write(change, ins=ins, event="ask_delete", actor=actor, reason=reason, erase_at=at)


def count_ended(conn: Connection, now: int) -> int:
    """How many archives are to be destroyed at ``now`` (ms)."""
    found = conn.scalar(select(func.count()).where(_CLOSED, patient.c.erase_at <= now))
    return found or 0


def expire_archives(
    store: Store,
    *,
    actor: str,
    leap_ms: int = LEAP_MS,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ErasedSlice:
    """Destroy every archive whose time has come. Blocking; safe to run twice, at once, or interrupted.

    :param leap_ms: how far the clock may be ahead of the last run; ``force`` trusts it all the same.
    :param progress: called after each slice with (done so far, due at the beginning); may raise to stop.

    Raises :class:`ClockError` (``patient.clock``).
    """
    if force:
        store.write(trust_clock)
    while store.write(date_archives, leap_ms=leap_ms):
        pass
    total = store.read(count_ended, now_ms())
    expired = deleted = 0
    while total:
        done = store.write(erase_slice, limit=SLICE, actor=actor, leap_ms=leap_ms)
        expired += done.expired
        deleted += done.deleted
        if progress is not None:
            progress(expired + deleted, total)
        if not done.expired + done.deleted:
            break
    log.info("archives_ended", expired=expired, deleted=deleted)
    return ErasedSlice(expired, deleted)


@operation("patients.date_archives")
def date_archives(tx: Tx, *, leap_ms: int) -> int:
    """Give closed profiles of an older version the end of their archive; how many, 0 when all have it."""
    evidence.hold(tx)
    not_ahead(tx, leap_ms)
    undated = func.coalesce(patient.c.erase_at, 0) == 0  # no index of erase_at: nearly all rows have none
    query = select(patient.c.ins, patient.c.closed_at).where(patient.c.state == "closed", undated)
    rows = tx.conn.execute(query.limit(SLICE)).all()
    for row in rows:
        until = archived_until(row.closed_at or tx.now)
        tx.conn.execute(update(patient).where(patient.c.ins == row.ins).values(erase_at=until))
    return len(rows)


@operation("patients.erase_slice")
def erase_slice(tx: Tx, *, limit: int, actor: str, leap_ms: int) -> ErasedSlice:
    """Destroy up to ``limit`` archives whose time has come."""
    evidence.hold(tx)
    not_ahead(tx, leap_ms)
    columns = patient.c
    rows = tx.conn.execute(
        select(columns.ins, columns.box_id, columns.closed_at, columns.erase_at)
        .where(columns.erase_at <= tx.now, _CLOSED)
        .order_by(columns.erase_at)
        .limit(limit)
    ).all()
    for row in rows:
        tx.conn.execute(update(patient).where(columns.ins == row.ins).values(state="deleted"))
        erase(tx, row.ins, row.box_id)
    asked = {row.ins for row in rows if row.erase_at < archived_until(row.closed_at)}
    expired = [Step(row.ins, "closed", "deleted") for row in rows if row.ins not in asked]
    deleted = [Step(ins, "closed", "deleted") for ins in sorted(asked)]
    record_steps(tx, "expire", expired, actor, "ten years after the closing")
    record_steps(tx, "delete", deleted, actor, "as the person asked")
    return ErasedSlice(len(expired), len(deleted))
