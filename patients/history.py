"""The history of profiles: written with each step, bound to the chain of evidence, read for any moment.

Steps made in one operation share one record of evidence (event ``profile``), which holds the SHA-256 of
their list: a campaign of a million notices costs two thousand signatures, and every step of every profile can
still be checked by itself (:func:`check_history`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, cast

import msgspec
from sqlalchemy import Connection, func, select

import evidence
from patients.profiles import ENTERED, Profile, profile
from patients.states import WITH_BOX, State
from patients.tables import patient_event
from store import Bulk, Tx, new_id

_DIGESTED: Final = ("ins", "event_id", "at", "event", "from_state", "to_state", "actor", "reason")
_COLUMNS: Final = (*_DIGESTED, "evidence_seq")
_events: Final = Bulk(patient_event, [patient_event.c[name] for name in _COLUMNS])
#: Questions about many persons are asked for so many at a time.
ASKED_AT_ONCE: Final = 500


class ProfileEvent(msgspec.Struct, frozen=True):
    """One change in the life of a profile: when (ms), what, by whom, why, and the number of its evidence."""

    at: int
    event: str
    from_state: str
    to_state: str
    actor: str
    reason: str
    evidence_seq: int


class Step(NamedTuple):
    """A change to write down; states are "" where the event changes none."""

    ins: str
    from_state: str
    to_state: str


class HistoryReport(msgspec.Struct):
    """What checking found: ``broken`` numbers of records whose steps are not what was recorded.

    ``unproven``: steps that name no record; those written before histories were recorded.
    """

    steps: int = 0
    unproven: int = 0
    broken: list[int] = msgspec.field(default_factory=list)


def record_steps(tx: Tx, event: str, steps: Sequence[Step], actor: str, reason: str) -> None:
    """Write ``steps`` (each INS once) into the history and the chain of evidence; part of an operation."""
    if not steps:
        return
    last = _last_ids(tx.conn, [step.ins for step in steps])
    rows = [
        (
            step.ins,
            max(new_id(), last.get(step.ins, 0) + 1),
            tx.now,
            event,
            step.from_state,
            step.to_state,
            actor,
            reason,
        )
        for step in steps
    ]
    number = evidence.record(
        tx,
        "profile",
        trace_id=str(new_id()),
        recipient=steps[0].ins if len(steps) == 1 else "",
        sha256=_digest(rows),
        detail={"event": event, "steps": str(len(steps))},
    )
    _events.run(tx.conn, [(*row, number) for row in rows])


def history(conn: Connection, ins: str) -> list[ProfileEvent]:
    """Everything that happened to a profile, in its true order, whatever the clock said."""
    columns = [patient_event.c[name] for name in ProfileEvent.__struct_fields__]
    statement = select(*columns).where(patient_event.c.ins == ins).order_by(patient_event.c.event_id)
    return [ProfileEvent(*row) for row in conn.execute(statement)]


def state_at(conn: Connection, ins: str, at: int) -> State | None:
    """The state of a profile at a past moment (ms); None when it did not exist yet.

    That is where the last step led whose time is not after ``at``.
    """
    found = conn.scalar(
        select(patient_event.c.to_state)
        .where(patient_event.c.ins == ins, patient_event.c.to_state != "", patient_event.c.at <= at)
        .order_by(patient_event.c.event_id.desc())
        .limit(1)
    )
    return cast(State, found) if found else None


def profile_at(conn: Connection, ins: str, at: int) -> Profile | None:
    """A profile as it stood at a past moment (ms): state, times, mailbox and address; None before it existed.

    Traits (names, birth) are those of now: their corrections are in the history without what they said.
    """
    now = profile(conn, ins)
    steps = [one for one in history(conn, ins) if one.to_state and one.at <= at]
    if now is None or not steps:
        return None
    times: dict[str, int | None] = dict.fromkeys(ENTERED.values())
    had_box = False
    for one in steps:
        entered = cast(State, one.to_state)
        had_box = had_box or entered in WITH_BOX
        if entered in ENTERED and (one.from_state != entered or entered == "notified"):
            times[ENTERED[entered]] = one.at
    state = cast(State, steps[-1].to_state)
    box = {} if had_box else {"box_id": None, "address": ""}
    same = state == now.state
    return msgspec.structs.replace(
        now, state=state, erase_at=now.erase_at if same else None, **cast(dict[str, Any], times | box)
    )


def check_history(conn: Connection, ins: str = "") -> HistoryReport:
    """Whether steps are what the chain of evidence recorded: of one profile, or (``ins`` empty) of all.

    The chain itself is checked by :func:`evidence.verify`.
    """
    report = HistoryReport()
    numbers: Iterable[int]
    if ins:
        mine = select(patient_event.c.evidence_seq).where(patient_event.c.ins == ins)
        found = list(conn.execute(mine).scalars())
        report.steps = len(found)
        numbers = sorted({number for number in found if number})
        report.unproven = found.count(0)
        for number in numbers:
            if not _holds(conn, number, evidence.by_number(conn, number)):
                report.broken.append(number)
        return report
    report.steps = conn.scalar(select(func.count()).select_from(patient_event)) or 0
    held = 0
    for record in evidence.walk(conn):
        if record.event == "profile":
            if _holds(conn, record.seq, record):
                held += int(msgspec.json.decode(record.detail)["steps"])
            else:
                report.broken.append(record.seq)
    if not report.broken:
        report.unproven = report.steps - held
    return report


def _holds(conn: Connection, number: int, record: evidence.Record | None) -> bool:
    columns = [patient_event.c[name] for name in _DIGESTED]
    rows = [
        tuple(row) for row in conn.execute(select(*columns).where(patient_event.c.evidence_seq == number))
    ]
    return record is not None and record.event == "profile" and record.sha256 == _digest(rows)


def _digest(rows: Iterable[tuple[Any, ...]]) -> bytes:
    """SHA-256 of the msgpack array of the steps, each an array, ordered by INS."""
    return hashlib.sha256(msgspec.msgpack.encode(sorted(rows))).digest()


def _last_ids(conn: Connection, wanted: Sequence[str]) -> dict[str, int]:
    last: dict[str, int] = {}
    column = func.max(patient_event.c.event_id)
    for start in range(0, len(wanted), ASKED_AT_ONCE):
        asked = wanted[start : start + ASKED_AT_ONCE]
        query = select(patient_event.c.ins, column).where(patient_event.c.ins.in_(asked))
        last.update((row[0], row[1]) for row in conn.execute(query.group_by(patient_event.c.ins)))
    return last
