"""Proposals of preventive care: who is proposed what today, and what the person says to it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection, insert, select

import activity
import patients
from activity import Actor, Entry
from agenda.access import who_is
from agenda.appointments import new_appointment
from agenda.care_plan import CarePlan, Item, current_plan
from agenda.errors import AgendaError
from agenda.model import Appointment, Details, Said
from agenda.rows import NewRow, put_rows, recheck, sealed_row
from agenda.tables import proposal_answer
from store import Store, Tx, new_id, now_ms, operation


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was said to a proposal: of which item, that it was ``done`` on ``day``, or ``accepted`` or
    ``declined`` on it (YYYY-MM-DD). ``appointment_id``: what was made of an accepted one."""

    code: str
    said: Said
    day: str
    appointment_id: int = 0


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """An item that is due: since ``due``, until ``last`` (days, both included)."""

    item: Item
    due: date
    last: date


_answer: Final = msgspec.msgpack.Decoder(Answer)


def proposals(plan: CarePlan, birth_date: str, sex: str, done: list[Answer], today: date) -> list[Proposal]:
    """What is proposed today to somebody born on ``birth_date`` (YYYY-MM-DD; "": unknown, then nothing).

    An item counts from one birthday until the day before another. Answered once, it comes back when its
    interval has passed since, or never where it has none; an answer of before its window does not count. Of
    sex neither ``M`` nor ``F``, one is proposed what is for everybody.
    """
    try:
        born = date.fromisoformat(birth_date)
    except ValueError:
        return []
    said: dict[str, date] = {}
    for one in done:
        day = date.fromisoformat(one.day)
        said[one.code] = max(day, said.get(one.code, day))
    found = []
    for item in plan.items:
        if item.sex and item.sex != sex:
            continue
        begins, ends = item.since.after(born), item.until.after(born)
        due, before = begins, said.get(item.code)
        if before is not None and item.interval is not None:
            due = max(begins, item.interval.after(before))
        elif before is not None and before >= begins:
            continue
        if due <= today < ends:
            found.append(Proposal(item=item, due=due, last=ends - timedelta(days=1)))
    return sorted(found, key=lambda one: (one.due, one.item.code))


def _place(answer_id: int) -> str:
    return f"proposal:{answer_id}"


def answers(conn: Connection, store: Store, box_id: int, actor: Actor) -> list[Answer]:
    """What was said to proposals, oldest first. Raises :class:`AgendaError` ``agenda.refused``,
    ``agenda.closed``."""
    if who_is(conn, box_id, actor).seer == "professional":
        raise AgendaError("agenda.refused")
    sealer = store.sealer(box_id)
    query = select(proposal_answer).where(proposal_answer.c.box_id == box_id)
    rows = conn.execute(query.order_by(proposal_answer.c.answer_id))
    return [_answer.decode(sealer.open(row.sealed, _place(row.answer_id))) for row in rows]


def proposals_for(
    conn: Connection, store: Store, box_id: int, actor: Actor, *, at: int | None = None
) -> list[Proposal]:
    """The proposals of a person today, or at ``at`` (ms). Raises as :func:`answers`."""
    said = answers(conn, store, box_id, actor)
    owner = patients.profile_by_box(conn, box_id)
    assert owner is not None
    today = patients.calendar.today(now_ms() if at is None else at)
    return proposals(current_plan(conn), owner.birth_date, owner.sex, said, today)


# -- answering ------------------------------------------------------------------------------------


class NewAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer ready to be written, after the ``count`` that were read."""

    answer_id: int
    count: int
    sealed: bytes


def accept_proposal(
    store: Store, box_id: int, actor: Actor, code: str, details: Details | None = None
) -> Appointment:
    """Make an appointment of a proposal: of ``details``, or an all-day reminder for today. Blocking.

    Raises :class:`AgendaError`: ``agenda.proposal`` (not proposed now), and as :func:`agenda.add`.
    """
    one, count = _proposed(store, box_id, actor, code)
    today = patients.calendar.today(now_ms())
    if details is None:
        details = Details(
            title=one.item.label_fr,
            begin=today.isoformat(),
            end=(today + timedelta(days=1)).isoformat(),
            all_day=True,
            zone="",
            notes=one.item.text_fr,
        )
    made = new_appointment(box_id, actor, details, "proposal")
    answer = Answer(code=code, said="accepted", day=today.isoformat(), appointment_id=made.appointment_id)
    _write(store, box_id, actor, answer, count, "proposal_accepted", [sealed_row(store, made)])
    return made


def decline_proposal(store: Store, box_id: int, actor: Actor, code: str) -> None:
    """It is not wanted: it comes back when its interval has passed, if it has one. Blocking. Raises as
    :func:`accept_proposal`."""
    _, count = _proposed(store, box_id, actor, code)
    today = patients.calendar.today(now_ms()).isoformat()
    _write(store, box_id, actor, Answer(code=code, said="declined", day=today), count, "proposal_declined")


def say_done(store: Store, box_id: int, actor: Actor, code: str, day: date) -> None:
    """It was done on ``day``, today or before. Blocking.

    Raises :class:`AgendaError` ``agenda.proposal`` (no such item), ``agenda.date`` (in the future, or before
    the person was born).
    """

    def load(conn: Connection) -> tuple[bool, str, int]:
        owner = patients.profile_by_box(conn, box_id)
        born = owner.birth_date if owner is not None else ""
        known = any(item.code == code for item in current_plan(conn).items)
        return known, born, len(answers(conn, store, box_id, actor))

    known, born, count = store.read(load)
    if not known:
        raise AgendaError("agenda.proposal")
    if day > patients.calendar.today(now_ms()) or (born and day.isoformat() < born):
        raise AgendaError("agenda.date")
    answer = Answer(code=code, said="done", day=day.isoformat())
    _write(store, box_id, actor, answer, count, "proposal_done")


def _proposed(store: Store, box_id: int, actor: Actor, code: str) -> tuple[Proposal, int]:
    def load(conn: Connection) -> tuple[list[Proposal], int]:
        who_is(conn, box_id, actor, writes=True)
        return proposals_for(conn, store, box_id, actor), len(answers(conn, store, box_id, actor))

    found, count = store.read(load)
    one = next((each for each in found if each.item.code == code), None)
    if one is None:
        raise AgendaError("agenda.proposal")
    return one, count


def _write(
    store: Store,
    box_id: int,
    actor: Actor,
    answer: Answer,
    count: int,
    what: activity.What,
    rows: list[NewRow] | None = None,
) -> None:
    answer_id = new_id()
    sealed = store.sealer(box_id).seal(msgspec.msgpack.encode(answer), _place(answer_id))
    # Which care it is stays in the sealed part of the journal, too.
    more = {"code": answer.code, "said": answer.said}
    entry = activity.entry(store, box_id, actor, what, kind="proposal", subject=str(answer_id), more=more)
    new = NewAnswer(answer_id=answer_id, count=count, sealed=sealed)
    store.write(put_answer, new=new, rows=rows or [], entry=entry)


@operation("agenda.put_answer")
def put_answer(tx: Tx, *, new: NewAnswer, rows: list[NewRow], entry: Entry) -> None:
    """Keep an answer, and the appointment that was made of it. Raises :class:`AgendaError`
    ``agenda.proposal`` when another answer came meanwhile."""
    recheck(tx, entry)
    mine = select(proposal_answer.c.answer_id).where(proposal_answer.c.box_id == entry.box_id)
    if len(tx.conn.execute(mine).all()) != new.count:
        raise AgendaError("agenda.proposal")
    put_rows(tx, rows)
    values = {"box_id": entry.box_id, "answer_id": new.answer_id, "at": tx.now, "sealed": new.sealed}
    tx.conn.execute(insert(proposal_answer).values(**values))
    activity.note(tx, entry)
