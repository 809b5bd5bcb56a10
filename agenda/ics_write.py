"""Appointments as an iCalendar object (RFC 5545), the same bytes for the same agenda."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from icalendar import Alarm, Calendar, Event, vDDDLists, vRecur

from agenda.check import parts
from agenda.ics_zones import timezone
from agenda.model import Appointment, Change, Details, Shows
from agenda.recurrence import ends_at, gives, last_wall, parse_rule
from agenda.rows import uid_digest
from agenda.walls import instant, wall

MEDIA_TYPE: Final = "text/calendar; charset=utf-8"
#: What a busy-only calendar says of every appointment.
BUSY: Final = "Rendez-vous"
_PRODUCT: Final = "-//Passerelle//Agenda//FR"
_HIDDEN: Final = "CONFIDENTIAL"


def calendar_of(
    found: list[Appointment], *, shows: Shows = "full", name: str = "", refresh: timedelta | None = None
) -> bytes:
    """The iCalendar object of some appointments: CRLF, folded, with the time zones that it names.

    :param shows: ``busy``: when, and nothing else; identifiers are replaced too, for they tell who made them.
    :param name: of the calendar. :param refresh: how often a subscriber should look.
    """
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    if name:
        calendar.add("name", name)  # RFC 7986 §5.1
        calendar.add("x-wr-calname", name)
    if refresh is not None:
        calendar.add("refresh-interval", refresh, parameters={"VALUE": "DURATION"})  # RFC 7986 §5.7
        calendar.add("x-published-ttl", refresh)
    zones = sorted({one.details.zone for one in found} - {"", "UTC", "Etc/UTC"})
    for one in zones:
        calendar.add_component(timezone(one))
    for appointment in sorted(found, key=lambda one: one.appointment_id):
        for event in _events(appointment, shows):
            calendar.add_component(event)
    return bytes(calendar.to_ical())


def _events(one: Appointment, shows: Shows) -> list[Event]:
    details = one.details
    master = _event(one, shows, details.title, details.place, details.notes)
    _when(master, details, details.begin, details.end)
    if details.rule:
        master.add("rrule", vRecur.from_ical(_rule(details)))
    cancelled = [change.at for change in details.changes if change.cancelled]
    extra = [details.begin, *details.extra] if _beside(details) else details.extra
    for name, walls in (("rdate", extra), ("exdate", sorted({*details.excluded, *cancelled}))):
        if walls:
            master.add(name, vDDDLists([_moment(text, details) for text in walls]))
    for minutes in details.reminders:
        master.add_component(_alarm(minutes, BUSY if shows == "busy" else details.title))
    changed = [_changed(one, change, shows) for change in details.changes if not change.cancelled]
    return [master, *changed]


def _changed(one: Appointment, change: Change, shows: Shows) -> Event:
    event = _event(one, shows, change.title, change.place, change.notes)
    event.add("recurrence-id", _moment(change.at, one.details))  # RFC 5545 §3.8.4.4
    _when(event, one.details, change.begin, change.end)
    for minutes in one.details.reminders:
        event.add_component(_alarm(minutes, BUSY if shows == "busy" else change.title))
    return event


def _event(one: Appointment, shows: Shows, title: str, place: str, notes: str) -> Event:
    event = Event()
    made = datetime.fromtimestamp(one.at // 1000, UTC)
    busy = shows == "busy"
    event.add("uid", str(UUID(bytes=uid_digest(one.box_id, one.uid)[:16])) if busy else one.uid)
    event.add("dtstamp", made)  # RFC 5545 §3.8.7.2: without METHOD, when it was last revised
    event.add("last-modified", made)
    event.add("sequence", one.version - 1)
    event.add("summary", BUSY if busy else title)
    event.add("status", "CANCELLED" if one.status == "cancelled" else "CONFIRMED")
    event.add("class", _HIDDEN if one.hidden else "PRIVATE")
    if busy:
        return event
    if place:
        event.add("location", place)
    if notes:
        event.add("description", notes)
    who = one.details.professional
    if who.name or who.id_nat:
        event.add("contact", who.name or who.id_nat)
    if who.id_nat:
        event.add("x-passerelle-id-nat", who.id_nat)
    return event


def _when(event: Event, details: Details, begin: str, end: str) -> None:
    event.add("dtstart", _moment(begin, details))
    if details.all_day or end != begin:
        event.add("dtend", _moment(end, details))  # RFC 5545 §3.6.1: exclusive


def _moment(text: str, details: Details) -> datetime | date:
    """A wall time as iCalendar writes it: a date, UTC, or a local time with its TZID."""
    found = wall(text, all_day=details.all_day)
    if details.all_day:
        return found.date()
    if details.zone in ("UTC", "Etc/UTC"):
        return found.replace(tzinfo=UTC)
    return found.replace(tzinfo=ZoneInfo(details.zone))


def _beside(details: Details) -> bool:
    """Whether the beginning is none of the rule's own. RFC 5545 §3.8.5.3 leaves open what that means, and
    programs differ: said once more as an RDATE, it takes place for all of them."""
    begin, _, _, rule = parts(details)
    return bool(details.extra) if rule is None else not gives(rule, begin)


def _rule(details: Details) -> str:
    """RFC 5545 §3.3.10: UNTIL is a date for dates, in UTC for times with a zone."""
    rule = parse_rule(details.rule)
    begin, _, place, _ = parts(details)
    ends = last_wall(rule, place)
    if ends is None and rule.count and _beside(details):
        ends = ends_at(rule, begin, place)  # whether the beginning counts, programs differ too
    if ends is None:
        return details.rule
    if place is None:
        until = ends.strftime("%Y%m%d")
    else:
        until = datetime.fromtimestamp(instant(ends, place) // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    named = ("UNTIL=", "COUNT=")
    return ";".join(f"UNTIL={until}" if part.startswith(named) else part for part in details.rule.split(";"))


def _alarm(minutes: int, title: str) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", timedelta(minutes=-minutes))
    alarm.add("description", title)
    return alarm
