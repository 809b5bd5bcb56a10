"""Minors and who represents them: attached, removed, replaced, emancipated, of age.

Invariants:
- only events are kept; who may act is derived at each question, for now or for a past moment, so that a
  right that ended is gone with the next question and there is nothing to run on a birthday;
- a right ends at midnight in Paris of the eighteenth birthday, or with emancipation, and does not come back;
- ways in that a representative may know (app passwords) end with his right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

import msgspec
from sqlalchemy import Connection, func, insert, select, update

import evidence
from patients.calendar import age, of_age_at
from patients.codes import new_provisional_code
from patients.errors import GuardianError, UnknownPatientError
from patients.guardians_tables import guardian_event
from patients.guardianship import (
    MOST_REPRESENTATIVES,
    ActingFacts,
    Capacity,
    GuardianCheck,
    GuardianEvent,
    GuardianEventName,
    Representative,
    acting,
    first,
    own_from,
    standing,
)
from patients.history import state_at
from patients.profiles import Profile, profile
from patients.states import State
from patients.tables import credential
from store import Tx, new_id, now_ms, operation

#: Emancipation by a judge: from this age on (Code civil, art. 413-2).
EMANCIPATION_YEARS: Final = 16
#: Called with the transaction and the INS of who takes over his account.
HandOver = Callable[[Tx, str], None]
_hand_overs: Final[list[HandOver]] = []
_fields: Final = [guardian_event.c[name] for name in GuardianEvent.__struct_fields__]


class Minor(msgspec.Struct, frozen=True):
    """Whom somebody represents, as what, since when, and until when at the latest (ms)."""

    ins: str
    capacity: str
    since: int
    until: int


def hands_over(function: HandOver) -> HandOver:
    """Register what else is withdrawn when an account is handed over: factors set by others (a decorator)."""
    _hand_overs.append(function)
    return function


# -- reading --------------------------------------------------------------------------------------


def guardian_events(conn: Connection, ins: str) -> list[GuardianEvent]:
    """Everything that happened between a person and who represents him, in its true order."""
    query = select(*_fields).where(guardian_event.c.ins == ins).order_by(guardian_event.c.event_id)
    return [GuardianEvent(*row) for row in conn.execute(query)]


def representatives(conn: Connection, ins: str, at: int | None = None) -> list[Representative]:
    """Who represents a person, now or at the moment ``at`` (ms); nobody once he is of age or emancipated."""
    moment = now_ms() if at is None else at
    events = guardian_events(conn, ins)
    if not events or moment >= _own_from(conn, ins, events, moment):
        return []
    return list(standing(events, moment).values())


def minors_of(conn: Connection, ins: str, at: int | None = None) -> list[Minor]:
    """Whom a person represents, now or at the moment ``at`` (ms)."""
    moment = now_ms() if at is None else at
    query = select(guardian_event.c.ins).where(guardian_event.c.representative == ins).distinct()
    found = []
    for child in sorted(conn.execute(query).scalars()):
        events = guardian_events(conn, child)
        until = _own_from(conn, child, events, moment)
        link = standing(events, moment).get(ins)
        if link is not None and moment < until:
            found.append(Minor(child, link.capacity, link.since, until))
    return found


def former_minors(conn: Connection, ins: str, since: int, at: int | None = None) -> list[str]:
    """Whom a person represented once and does not now, or at ``at``; ended after ``since`` (both ms)."""
    moment = now_ms() if at is None else at
    query = select(guardian_event.c.ins).where(guardian_event.c.representative == ins).distinct()
    found = []
    for child in sorted(conn.execute(query).scalars()):
        events = [one for one in guardian_events(conn, child) if one.at <= moment]
        mine = [one.at for one in events if one.representative == ins and one.event == "remove"]
        own = _own_from(conn, child, events, moment)
        ended = own if ins in standing(events, moment) else max(mine, default=0)
        if since < ended <= moment:
            found.append(child)
    return found


def may_act_for(conn: Connection, actor_ins: str, child_ins: str, at: int | None = None) -> GuardianCheck:
    """May the person ``actor_ins`` act in the profile of ``child_ins``, now or at ``at`` (ms)? And why."""
    moment = now_ms() if at is None else at
    events = guardian_events(conn, child_ins)
    child, actor = profile(conn, child_ins), profile(conn, actor_ins)
    link = standing(events, moment).get(actor_ins)
    removals = [one.at for one in events if one.event == "remove" and one.representative == actor_ins]
    facts = ActingFacts(
        same=actor_ins == child_ins,
        linked_since=link.since if link else None,
        ended_at=max((past for past in removals if past <= moment), default=None) if link is None else None,
        of_age_at=_majority(child),
        emancipated_at=first(events, "emancipate", moment),
        own_age_at=_own_from(conn, actor_ins, guardian_events(conn, actor_ins), moment),
        child_state=_state(conn, child, at),
        actor_state=_state(conn, actor, at),
    )
    return acting(facts, moment)


def is_minor(conn: Connection, ins: str, at: int | None = None) -> bool:
    """Whether a person does not decide alone yet, now or at ``at`` (ms): neither of age nor emancipated."""
    moment = now_ms() if at is None else at
    return moment < _own_from(conn, ins, guardian_events(conn, ins), moment)


def trusted_since(conn: Connection, ins: str, at: int) -> int:
    """The moment (ms) before which ways in of a profile may be known to who represents it no more.

    0 where nobody's right ever ended.
    """
    events = guardian_events(conn, ins)
    ends = [one.at for one in events if one.event in ("remove", "emancipate") and one.at <= at]
    if any(one.event == "attach" and one.at <= at for one in events):
        child = profile(conn, ins)
        ends += [moment for moment in [_majority(child)] if moment <= at]
    return max(ends, default=0)


def awaits_hand_over(conn: Connection, ins: str, at: int | None = None) -> bool:
    """Whether a person decides alone by now, and his account is still as his representatives left it."""
    moment = now_ms() if at is None else at
    events = [one for one in guardian_events(conn, ins) if one.at <= moment]
    if not any(one.event == "attach" for one in events) or any(one.event == "hand-over" for one in events):
        return False
    return moment >= _own_from(conn, ins, events, moment)


def check_guardians(conn: Connection, ins: str) -> bool:
    """Whether the events of a person are those that the chain of evidence recorded."""
    for one in guardian_events(conn, ins):
        record = evidence.by_number(conn, one.evidence_seq)
        if record is None or record.event != "guardian" or record.sha256 != _digest(ins, one):
            return False
    return True


def _majority(person: Profile | None) -> int:
    """When somebody comes of age; for one without a date of birth (deleted) at once: nobody acts for him."""
    return of_age_at(person.birth_date) if person is not None and person.birth_date else 0


def _own_from(conn: Connection, ins: str, events: list[GuardianEvent], at: int) -> int:
    return own_from(_majority(profile(conn, ins)), first(events, "emancipate", at))


def _state(conn: Connection, person: Profile | None, at: int | None) -> State | None:
    if person is None:
        return None
    return person.state if at is None else state_at(conn, person.ins, at)


# -- writing --------------------------------------------------------------------------------------


@operation("patients.attach_representative")
def attach_representative(
    tx: Tx, *, ins: str, representative: str, capacity: Capacity, actor: str, reason: str
) -> None:
    """Somebody represents a minor from now on.

    Raises :class:`UnknownPatientError`, :class:`GuardianError` (``guardian.attach``).
    """
    evidence.hold(tx)
    child, other = _person(tx, ins), _person(tx, representative)
    events = guardian_events(tx.conn, ins)
    held = standing(events, tx.now)
    if ins == representative:
        raise GuardianError("guardian.attach", "nobody represents himself")
    if child.state == "deleted" or other.state == "deleted":
        raise GuardianError("guardian.attach", "the profile was deleted for good")
    if tx.now >= own_from(_majority(child), first(events, "emancipate", tx.now)):
        raise GuardianError("guardian.attach", "the person is of age or emancipated: nobody represents him")
    if representative in held:
        raise GuardianError("guardian.attach", "he represents this person already")
    if ins in standing(guardian_events(tx.conn, representative), tx.now):
        raise GuardianError("guardian.attach", "the person represents him: not both ways")
    if len(held) >= MOST_REPRESENTATIVES:
        raise GuardianError("guardian.attach", "two represent this person already: remove or replace one")
    _note(tx, ins, "attach", actor, reason, representative, capacity)


@operation("patients.remove_representative")
def remove_representative(tx: Tx, *, ins: str, representative: str, actor: str, reason: str) -> None:
    """Somebody represents a minor no more (a court's decision, a mistake); a reason is required.

    Raises :class:`UnknownPatientError`, :class:`GuardianError` (``guardian.remove``, ``guardian.reason``).
    """
    evidence.hold(tx)
    _person(tx, ins)
    if not reason.strip():
        raise GuardianError("guardian.reason", "say why: the decision, its date")
    if representative not in standing(guardian_events(tx.conn, ins), tx.now):
        raise GuardianError("guardian.remove", "he does not represent this person")
    _note(tx, ins, "remove", actor, reason, representative)


@operation("patients.replace_representative")
def replace_representative(
    tx: Tx, *, ins: str, former: str, representative: str, capacity: Capacity, actor: str, reason: str
) -> None:
    """One representative gives way to another, in one step. Raises as the two operations that it joins."""
    remove_representative(tx, ins=ins, representative=former, actor=actor, reason=reason)
    attach_representative(
        tx, ins=ins, representative=representative, capacity=capacity, actor=actor, reason=reason
    )


@operation("patients.emancipate")
def emancipate(tx: Tx, *, ins: str, actor: str, reason: str) -> None:
    """A minor decides alone from now on, by a court's decision; it is not taken back.

    Raises :class:`UnknownPatientError`, :class:`GuardianError` (``guardian.emancipate``,
    ``guardian.reason``).
    """
    evidence.hold(tx)
    child = _person(tx, ins)
    events = guardian_events(tx.conn, ins)
    if not reason.strip():
        raise GuardianError("guardian.reason", "say why: the decision, its date")
    if tx.now >= own_from(_majority(child), first(events, "emancipate", tx.now)):
        raise GuardianError("guardian.emancipate", "the person is of age or emancipated already")
    if age(child.birth_date, tx.now) < EMANCIPATION_YEARS:  # Code civil, art. 413-2
        raise GuardianError("guardian.emancipate", "a minor is emancipated from sixteen years on")
    _note(tx, ins, "emancipate", actor, reason)


@operation("patients.hand_over")
def hand_over(tx: Tx, *, ins: str, actor: str, reason: str = "") -> str:
    """Give the account to a person who is of age or emancipated; returns the code of his own activation.

    All that others set up to enter is withdrawn, once; asked again, it makes a new code only.

    Raises :class:`UnknownPatientError`, :class:`GuardianError` (``guardian.hand_over``).
    """
    evidence.hold(tx)
    child = _person(tx, ins)
    events = guardian_events(tx.conn, ins)
    if not any(one.event == "attach" for one in events):
        raise GuardianError("guardian.hand_over", "nobody ever represented this person")
    if child.state in ("closed", "deleted"):
        raise GuardianError("guardian.hand_over", "the profile is closed")
    if tx.now < own_from(_majority(child), first(events, "emancipate", tx.now)):
        raise GuardianError("guardian.hand_over", "the person is a minor")
    if not any(one.event == "hand-over" for one in events):
        if child.box_id is not None:
            tx.conn.execute(
                update(credential)
                .where(credential.c.box_id == child.box_id, credential.c.revoked_at.is_(None))
                .values(revoked_at=tx.now)
            )
        for withdraw in _hand_overs:
            withdraw(tx, ins)
        _note(tx, ins, "hand-over", actor, reason)
    return new_provisional_code(tx, ins, purpose="entry")


def _person(tx: Tx, ins: str) -> Profile:
    found = profile(tx.conn, ins)
    if found is None:
        raise UnknownPatientError
    return found


def _note(
    tx: Tx,
    ins: str,
    event: GuardianEventName,
    actor: str,
    reason: str,
    representative: str = "",
    capacity: str = "",
) -> None:
    newest = select(func.max(guardian_event.c.event_id)).where(guardian_event.c.ins == ins)
    last: int = tx.conn.scalar(newest) or 0
    made = GuardianEvent(
        event_id=max(new_id(), last + 1),
        at=tx.now,
        event=event,
        representative=representative,
        capacity=capacity,
        actor=actor,
        reason=reason,
        evidence_seq=0,
    )
    number = evidence.record(
        tx,
        "guardian",
        trace_id=str(made.event_id),
        recipient=ins,
        sha256=_digest(ins, made),
        detail={"event": event},
    )
    values = msgspec.structs.asdict(made) | {"ins": ins, "evidence_seq": number}
    tx.conn.execute(insert(guardian_event).values(**values))


def _digest(ins: str, one: GuardianEvent) -> bytes:
    """SHA-256 of the msgpack array of the event, without the number of its evidence."""
    fields = msgspec.structs.astuple(one)[:-1]
    return hashlib.sha256(msgspec.msgpack.encode((ins, *fields))).digest()
