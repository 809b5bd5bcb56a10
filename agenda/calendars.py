"""Importing and exporting a person's agenda as iCalendar files, each traced."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace
from sqlalchemy import Connection, select

import activity
from activity import Actor
from agenda.access import Who, who_is
from agenda.appointments import appointment_for, appointments, new_appointment, next_version, trace
from agenda.ics_read import MAX_BAD, Found, read_calendar
from agenda.ics_write import calendar_of
from agenda.model import Appointment, BadPart, Imported
from agenda.rows import NewRow, opened, put, sealed_row
from agenda.tables import appointment
from agenda.walls import PARIS
from store import Store

CHUNK: Final = 500


def import_calendar(
    store: Store, box_id: int, actor: Actor, data: bytes, *, default_zone: str = PARIS, dry_run: bool = False
) -> Imported:
    """Add the appointments of an iCalendar file; the same file again changes nothing (by UID). Blocking.

    An appointment that was removed comes back. What cannot be taken is told by its line, the rest is kept.

    :raises AgendaError: ``agenda.file``, ``agenda.full``, ``agenda.refused``, ``agenda.closed``.
    """
    asker = store.read(who_is, box_id, actor, writes=True)
    parsed = read_calendar(data, default_zone=default_zone)
    report = Imported(
        dropped_alarms=parsed.dropped_alarms, bad_count=len(parsed.bad), bad=parsed.bad[:MAX_BAD]
    )
    held = {one.uid: one for one in store.read(_all, store, box_id)}
    rows: list[NewRow] = []
    for found in parsed.found:
        one = _version(found, held.get(found.uid), asker, box_id, actor, report)
        if one is not None:
            rows.append(sealed_row(store, one))
    if dry_run:
        return report
    for begin in range(0, len(rows), CHUNK):
        chunk = rows[begin : begin + CHUNK]
        entry = activity.entry(
            store,
            box_id,
            actor,
            "calendar_imported",
            kind="appointment",
            more={"appointments": str(len(chunk))},
        )
        store.write(put, rows=chunk, entry=entry)
    return report


def _all(conn: Connection, store: Store, box_id: int) -> list[Appointment]:
    sealer = store.sealer(box_id)
    query = select(appointment).where(appointment.c.box_id == box_id, appointment.c.current)
    return [opened(row, sealer) for row in conn.execute(query)]


def _version(
    found: Found, before: Appointment | None, asker: Who, box_id: int, actor: Actor, report: Imported
) -> Appointment | None:
    """What is to be written for an appointment of the file; None when nothing is."""
    hidden = found.hidden and asker.hides()
    if before is None:
        report.added += 1
        made = new_appointment(box_id, actor, found.details, "import", hidden=hidden, uid=found.uid)
        return replace(made, status=found.status)
    details = replace(found.details, shared=before.details.shared)
    if not asker.changes(before):
        report.bad_count += 1
        if len(report.bad) < MAX_BAD:
            report.bad.append(BadPart(found.line, "an appointment with this UID is not yours to change"))
        return None
    if (details, found.status) == (before.details, before.status):
        report.unchanged += 1
        return None
    report.changed += 1
    return next_version(before, actor, details, status=found.status, hidden=before.hidden or hidden)


def export_calendar(
    store: Store, box_id: int, actor: Actor, *, appointment_id: int | None = None, name: str = "Agenda"
) -> bytes:
    """What ``actor`` sees of an agenda, or one appointment, as an iCalendar file; traced. Blocking.

    Raises :class:`AgendaError` ``agenda.unknown``, ``agenda.refused``, ``agenda.closed``.
    """
    if appointment_id is None:
        found = store.read(appointments, store, box_id, actor)
    else:
        found = [store.read(appointment_for, store, box_id, appointment_id, actor)]
    data = calendar_of(found, name=name)
    trace(store, box_id, actor, "calendar_exported")
    return data
