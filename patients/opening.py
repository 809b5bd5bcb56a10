"""Opening of the profiles whose six weeks are over: in slices, safe to run twice, at once, or interrupted.

Each slice is one transaction that looks again at the state of each profile: whatever else runs, a profile is
opened once, and never before :func:`patients.calendar.opens_at`. Between two slices mail passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection, and_, bindparam, func, or_, select, update

import evidence
from patients.calendar import notified_before, opens_at
from patients.clockwatch import LEAP_MS, not_ahead, trust_clock
from patients.errors import TransitionError
from patients.history import Step, record_steps
from patients.ins import address_of_ins
from patients.tables import patient
from store import Store, Tx, mail, new_id, now_ms, operation

#: Profiles of one transaction: about 30 ms of the writer.
SLICE: Final = 500
_HOUR_MS: Final = 3_600_000

log = structlog.get_logger("patients")


class Place(msgspec.Struct, frozen=True):
    """A place in the order of notices: when, and whose."""

    notified_at: int = -1
    ins: str = ""


class OpenedSlice(msgspec.Struct, frozen=True):
    """What became of a slice; ``next`` is where the next one begins, None when there is none."""

    opened: int
    taken: int
    next: Place | None


class OpeningReport(msgspec.Struct):
    """What a run did. ``taken``: due, but their address is another's; these stay notified."""

    opened: int = 0
    taken: int = 0


_open: Final = (
    update(patient)
    .where(patient.c.ins == bindparam("asked"), patient.c.state == "notified")
    .values(
        state="opened",
        opened_at=bindparam("now"),
        box_id=bindparam("box"),
        address=bindparam("given_address"),
    )
)


def open_due(
    store: Store,
    domain: str,
    *,
    actor: str,
    quota: int = 0,
    limit: int = 0,
    leap_ms: int = LEAP_MS,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> OpeningReport:
    """Open every profile that is due, or ``limit`` of them. Blocking.

    :param domain: the patients' domain. :param quota: octets of each box.
    :param leap_ms: how far the clock may be ahead of the last run; ``force`` trusts it all the same.
    :param progress: called after each slice with (opened so far, due at the beginning); may raise to stop.

    Raises :class:`ClockError` (``patient.clock``), :class:`TransitionError` (``patient.box``).
    """
    if not domain:
        raise TransitionError("patient.box", "a mailbox needs the patients' domain")
    if force:
        store.write(trust_clock)
    store.write(look_at_clock, leap_ms=leap_ms)
    report, place = OpeningReport(), Place()
    total = store.read(count_due, now_ms())
    while total:
        wanted = min(SLICE, limit - report.opened) if limit else SLICE
        keys = [store.new_box_key() for _ in range(wanted)]
        done = store.write(
            open_slice, domain=domain, quota=quota, keys=keys, after=place, actor=actor, leap_ms=leap_ms
        )
        report.opened += done.opened
        report.taken += done.taken
        if progress is not None:
            progress(report.opened, total)
        if done.next is None or (limit and report.opened >= limit):
            break
        place = done.next
    log.info("profiles_opened", opened=report.opened, taken=report.taken)
    return report


def count_due(conn: Connection, now: int) -> int:
    """How many profiles are due at ``now`` (ms)."""
    waiting = (patient.c.state == "notified", patient.c.notified_at <= notified_before(now))
    sure = notified_before(now) - 2 * _HOUR_MS  # six weeks are 42 days, give or take an hour
    count: int = conn.scalar(select(func.count()).where(*waiting, patient.c.notified_at < sure)) or 0
    near = select(patient.c.notified_at, func.count()).where(*waiting, patient.c.notified_at >= sure)
    for notified_at, many in conn.execute(near.group_by(patient.c.notified_at)):
        if opens_at(notified_at) <= now:
            count += many
    return count


@operation("patients.look_at_clock")
def look_at_clock(tx: Tx, *, leap_ms: int) -> None:
    """Refuse a clock that leapt, before anything is opened by it."""
    not_ahead(tx, leap_ms)


@operation("patients.open_slice")
def open_slice(
    tx: Tx, *, domain: str, quota: int, keys: list[bytes], after: Place, actor: str, leap_ms: int
) -> OpenedSlice:
    """Look at the next ``len(keys)`` notices after ``after`` and open the profiles that are due."""
    evidence.hold(tx)
    not_ahead(tx, leap_ms)
    columns = patient.c
    rows = tx.conn.execute(
        select(columns.ins, columns.notified_at)
        .where(
            columns.state == "notified",
            columns.notified_at <= notified_before(tx.now),
            columns.notified_at >= after.notified_at,
            or_(
                columns.notified_at > after.notified_at,
                and_(columns.notified_at == after.notified_at, columns.ins > after.ins),
            ),
        )
        .order_by(columns.notified_at, columns.ins)
        .limit(len(keys))
    ).all()
    if not rows:
        return OpenedSlice(0, 0, None)
    moments = {at: opens_at(at) for at in {row.notified_at for row in rows}}
    due = [row.ins for row in rows if moments[row.notified_at] <= tx.now]
    addresses = {ins: address_of_ins(ins, domain).casefold() for ins in due}
    taken = mail.addresses_taken(tx, list(addresses.values()))
    free = [ins for ins in due if addresses[ins] not in taken]
    boxes = [
        mail.NewBox(new_id(), addresses[ins], ins, key)
        for ins, key in zip(free, keys, strict=False)  # more keys than profiles
    ]
    if boxes:
        mail.create_boxes(tx, boxes, kind="patient", quota=quota)
        tx.conn.execute(
            _open,
            [
                {"asked": box.owner, "now": tx.now, "box": box.box_id, "given_address": box.address}
                for box in boxes
            ],
        )
        steps = [Step(box.owner, "notified", "opened") for box in boxes]
        record_steps(tx, "open", steps, actor, "six weeks after the notice")
    last = Place(rows[-1].notified_at, rows[-1].ins) if len(rows) == len(keys) else None
    return OpenedSlice(len(boxes), len(due) - len(free), last)
