"""Appointments: add, change, cancel, remove, read.

Each change is a new version; none is ever overwritten, and what is removed is kept as removed. The caller
proved who the actor is, and asked ``dossier.rights`` whether a professional may come in.
"""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, or_, select

import activity
from activity import Actor
from agenda.access import Who, who_is
from agenda.check import checked
from agenda.errors import AgendaError
from agenda.model import Appointment, Change, Details, Occurrence, Professional, Source, Status
from agenda.rows import entry_of, opened, present, put, sealed_row
from agenda.slots import Slot, occurs, slots
from agenda.tables import appointment
from agenda.walls import FIRST_YEAR, LAST_YEAR, PARIS, at_wall, month, zone
from store import Store, new_id, now_ms

MAX_RANGE: Final = 3_660 * 86_400_000  # ms: ten years
_EARLIEST: Final = -2_208_000_000_000  # 1900
_LATEST: Final = 7_258_000_000_000  # 2199


# -- writing --------------------------------------------------------------------------------------


def new_appointment(
    box_id: int, actor: Actor, details: Details, source: Source, *, hidden: bool = False, uid: str = ""
) -> Appointment:
    """A first version, not written yet. Raises as :func:`agenda.check.checked`."""
    return Appointment(
        box_id=box_id,
        appointment_id=new_id(),
        version=1,
        at=now_ms(),
        status="planned",
        source=source,
        by=actor.by,
        ident=actor.ident,
        uid=uid or str(uuid4()),  # RFC 7986 §5.3: a UUID, which tells nothing of where it was made
        hidden=hidden,
        details=checked(details),
    )


def next_version(
    one: Appointment,
    actor: Actor,
    details: Details,
    *,
    status: Status = "planned",
    hidden: bool | None = None,
) -> Appointment:
    """The version after ``one``, not written yet; by whom it was added stays as it was."""
    return replace(
        one,
        version=one.version + 1,
        at=now_ms(),
        status=status,
        hidden=one.hidden if hidden is None else hidden,
        details=details,
    )


def add(
    store: Store,
    box_id: int,
    actor: Actor,
    details: Details,
    *,
    hidden: bool = False,
    source: Source | None = None,
) -> Appointment:
    """Add an appointment. Blocking.

    :param hidden: keep it from legal representatives; for the patient, a professional, an operator.
    :param source: where it comes from; by default who adds it says so.
    :raises AgendaError: an impossible value (see :func:`agenda.check.checked`), ``agenda.refused``,
        ``agenda.closed``, ``agenda.full``.
    """
    asker = store.read(who_is, box_id, actor, writes=True)
    if hidden and not asker.hides():
        raise AgendaError("agenda.refused")
    if source is None:
        source = "professional" if asker.seer == "professional" else "patient"
    if asker.seer == "professional" and actor.by == "professional":
        details = replace(details, professional=Professional(id_nat=actor.ident, name=actor.name))
    one = new_appointment(box_id, actor, details, source, hidden=hidden)
    store.write(put, rows=[sealed_row(store, one)], entry=entry_of(store, actor, "appointment_added", one))
    return one


def change(
    store: Store,
    box_id: int,
    actor: Actor,
    appointment_id: int,
    details: Details,
    *,
    version: int | None = None,
    hidden: bool | None = None,
) -> Appointment:
    """Replace what an appointment says. Blocking.

    :param version: the one that was read: another one since then is not overwritten.
    :param hidden: keep it from legal representatives, or show it to them again; None: as it is.
    :raises AgendaError: as :func:`add`; ``agenda.unknown``, ``agenda.changed``.
    """
    one, asker = _to_change(store, box_id, actor, appointment_id, version)
    if hidden and not one.hidden and not asker.hides():
        raise AgendaError("agenda.refused")
    if hidden is False and one.hidden and not asker.shows():
        raise AgendaError("agenda.refused")
    found = next_version(one, actor, checked(details), hidden=hidden)
    return _put(store, actor, "appointment_changed", found)


def change_occurrence(
    store: Store,
    box_id: int,
    actor: Actor,
    appointment_id: int,
    change: Change,
    *,
    version: int | None = None,
) -> Appointment:
    """Change or cancel the one occurrence that begins at ``change.at``; the others stay. Blocking.

    Raises as :func:`change`; ``agenda.changes`` when nothing begins then.
    """
    one, _ = _to_change(store, box_id, actor, appointment_id, version)
    repeated = one.details.rule or one.details.extra  # a single one is cancelled or changed as a whole
    if not repeated or not occurs(one.details, change.at):
        raise AgendaError("agenda.changes")
    others = [other for other in one.details.changes if other.at != change.at]
    details = checked(replace(one.details, changes=[*others, change]))
    return _put(store, actor, "appointment_changed", next_version(one, actor, details))


def cancel(
    store: Store, box_id: int, actor: Actor, appointment_id: int, *, version: int | None = None
) -> Appointment:
    """Say that an appointment does not take place: it stays to be seen. Blocking.

    Raises as :func:`change`."""
    one, _ = _to_change(store, box_id, actor, appointment_id, version)
    cancelled = next_version(one, actor, one.details, status="cancelled")
    return _put(store, actor, "appointment_changed", cancelled)


def remove(
    store: Store, box_id: int, actor: Actor, appointment_id: int, *, version: int | None = None
) -> Appointment:
    """Take an appointment out of the agenda; it is kept as removed. Blocking. Raises as :func:`change`."""
    one, _ = _to_change(store, box_id, actor, appointment_id, version)
    removed = next_version(one, actor, one.details, status="removed")
    return _put(store, actor, "appointment_removed", removed)


def _to_change(
    store: Store, box_id: int, actor: Actor, appointment_id: int, version: int | None
) -> tuple[Appointment, Who]:
    def load(conn: Connection) -> tuple[Appointment, Who]:
        asker = who_is(conn, box_id, actor, writes=True)
        found = present(conn, box_id, appointment_id)
        if found is None or found.status == "removed":
            raise AgendaError("agenda.unknown")
        one = opened(found, store.sealer(box_id))
        if not asker.sees(one):
            raise AgendaError("agenda.unknown")
        if not asker.changes(one):
            raise AgendaError("agenda.refused")
        return one, asker

    one, asker = store.read(load)
    if version is not None and one.version != version:
        raise AgendaError("agenda.changed")
    return one, asker


def _put(store: Store, actor: Actor, what: activity.What, one: Appointment) -> Appointment:
    store.write(put, rows=[sealed_row(store, one)], entry=entry_of(store, actor, what, one))
    return one


# -- reading --------------------------------------------------------------------------------------


def appointments(
    conn: Connection,
    store: Store,
    box_id: int,
    actor: Actor,
    *,
    removed: bool = False,
    months: tuple[int, int] | None = None,
) -> list[Appointment]:
    """The appointments that ``actor`` sees, oldest first; ``months`` bounds them to a window.

    Used as ``store.read(appointments, store, box_id, actor)``. Raises :class:`AgendaError`
    ``agenda.refused``, ``agenda.closed``.
    """
    asker = who_is(conn, box_id, actor)
    where: list[ColumnElement[bool]] = [appointment.c.box_id == box_id, appointment.c.current]
    if not removed:
        where.append(appointment.c.status != "removed")
    if months is not None:
        ends = or_(appointment.c.last_month.is_(None), appointment.c.last_month >= months[0])
        where += [appointment.c.first_month <= months[1], ends]
    sealer = store.sealer(box_id)
    query = select(appointment).where(*where).order_by(appointment.c.appointment_id)
    found = [opened(row, sealer) for row in conn.execute(query)]
    return [one for one in found if asker.sees(one)]


def appointment_for(
    conn: Connection, store: Store, box_id: int, appointment_id: int, actor: Actor
) -> Appointment:
    """One appointment in its present version. Raises as :func:`appointments`; ``agenda.unknown``."""
    return versions(conn, store, box_id, appointment_id, actor)[-1]


def versions(
    conn: Connection, store: Store, box_id: int, appointment_id: int, actor: Actor
) -> list[Appointment]:
    """Every version of an appointment, oldest first. Raises as :func:`appointment_for`.

    Who may see the present one sees those before; what is hidden now was hidden always.
    """
    asker = who_is(conn, box_id, actor)
    sealer = store.sealer(box_id)
    query = select(appointment).where(
        appointment.c.box_id == box_id, appointment.c.appointment_id == appointment_id
    )
    found = [opened(row, sealer) for row in conn.execute(query.order_by(appointment.c.version))]
    if not found or not asker.sees(found[-1]):
        raise AgendaError("agenda.unknown")
    return found


def occurrences(
    conn: Connection,
    store: Store,
    box_id: int,
    actor: Actor,
    since: int,
    until: int,
    *,
    cancelled: bool = False,
    days_of: str = PARIS,
) -> list[Occurrence]:
    """What takes place in [``since``, ``until``) (ms) as far as ``actor`` sees it, in order of time.

    :param cancelled: also what was cancelled, marked so. :param days_of: the zone whose days all-day
        appointments are.
    :raises AgendaError: ``agenda.range``, ``agenda.zone``, ``agenda.refused``, ``agenda.closed``.
    """
    zone(days_of)
    _check_range(since, until)
    place = zone("UTC")
    months = (month(at_wall(since, place)), month(at_wall(until, place)))
    assert FIRST_YEAR * 12 - 1 <= months[0] <= months[1] <= LAST_YEAR * 12 + 12
    found = [
        _occurrence(one, slot)
        for one in appointments(conn, store, box_id, actor, months=months)
        if cancelled or one.status == "planned"
        for slot in slots(one.details, since, until, days_of=days_of)
    ]
    found.sort(key=lambda one: (one.since, one.until, one.appointment_id))
    return [one for one in found if cancelled or not one.cancelled]


def occurrences_of(one: Appointment, since: int, until: int, *, days_of: str = PARIS) -> list[Occurrence]:
    """The occurrences of one appointment, which the caller was given, in [``since``, ``until``) (ms);
    cancelled ones are among them, marked so. Raises :class:`AgendaError` ``agenda.range``."""
    _check_range(since, until)
    return [_occurrence(one, slot) for slot in slots(one.details, since, until, days_of=days_of)]


def _check_range(since: int, until: int) -> None:
    if not _EARLIEST <= since < until <= _LATEST or until - since > MAX_RANGE:
        raise AgendaError("agenda.range")


def _occurrence(one: Appointment, slot: Slot) -> Occurrence:
    details, change = one.details, slot.change
    own = change is not None and not change.cancelled
    return Occurrence(
        appointment_id=one.appointment_id,
        at=slot.at,
        begin=slot.begin,
        end=slot.end,
        since=slot.since,
        until=slot.until,
        all_day=details.all_day,
        zone=details.zone,
        title=change.title if change is not None and own else details.title,
        place=change.place if change is not None and own else details.place,
        notes=change.notes if change is not None and own else details.notes,
        professional=details.professional,
        source=one.source,
        shared=details.shared,
        hidden=one.hidden,
        cancelled=one.status == "cancelled" or (change is not None and change.cancelled),
    )


def read_occurrences(
    store: Store,
    box_id: int,
    actor: Actor,
    since: int,
    until: int,
    *,
    cancelled: bool = False,
    days_of: str = PARIS,
) -> list[Occurrence]:
    """:func:`occurrences`, written into the journal before they are given. Blocking.

    A refusal is written too, with its rule.
    """
    try:
        found = store.read(
            occurrences, store, box_id, actor, since, until, cancelled=cancelled, days_of=days_of
        )
    except AgendaError as error:
        if error.rule in ("agenda.refused", "agenda.closed"):
            trace(store, box_id, actor, rule=error.rule)
        raise
    trace(store, box_id, actor)
    return found


def trace(
    store: Store, box_id: int, actor: Actor, what: activity.What = "appointments_read", *, rule: str = ""
) -> None:
    """Write that the agenda was read, or that it was refused."""
    entry = activity.entry(store, box_id, actor, what, kind="appointment", rule=rule)
    store.write(activity.record, entry=entry)
