"""Appointments out of iCalendar files, as phones and office programs write them (RFC 5545).

A component that cannot be taken is told with its line; the others are kept. Nothing of a file is fetched,
run or sent: alarms that mail or start something are dropped, of others only the time is kept.
"""

from __future__ import annotations

import hashlib
import unicodedata
from datetime import datetime, timedelta
from typing import Final

import msgspec

from agenda.check import checked
from agenda.errors import AgendaError
from agenda.ics_lines import Component, File, Line, read_file
from agenda.ics_times import When, Zones, duration, utc_ms
from agenda.model import BadPart, Change, Details, Professional, Status
from agenda.slots import slots
from agenda.walls import DAY, PARIS, at_wall, instant, text_of, zone

MAX_REMINDER: Final = timedelta(weeks=4)
MAX_BAD: Final = 200
#: What is asked of an appointment without a title.
UNTITLED: Final = "Rendez-vous"
_PASSED: Final = {"VTIMEZONE"}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An appointment of a file. ``sequence`` and ``stamp`` (ms) tell revisions apart; ``hidden``: it is
    CONFIDENTIAL; ``organizer`` is the mail address that called for it, "" without one."""

    line: int
    uid: str
    sequence: int
    stamp: int
    status: Status
    hidden: bool
    organizer: str
    details: Details


class Parsed(msgspec.Struct, kw_only=True):
    """What a file says. ``method`` is that of RFC 5546, "" without one."""

    method: str
    found: list[Found]
    bad: list[BadPart]
    dropped_alarms: int


class _Event(msgspec.Struct, kw_only=True):
    component: Component
    uid: str
    at: When | None  # RECURRENCE-ID
    begin: When
    end: datetime
    alarms: list[int]
    dropped: int


def read_calendar(data: bytes, *, default_zone: str = PARIS) -> Parsed:
    """The appointments of a file. Blocking: some ms for each hundred.

    :param default_zone: of floating times, and of times in UTC that are not repeated.
    :raises AgendaError: ``agenda.file``, ``agenda.zone`` (of ``default_zone``).
    """
    file = read_file(data)
    zones = Zones(file.components, _default(file, default_zone))
    parsed = Parsed(method=_method(file), found=[], bad=list(file.bad), dropped_alarms=0)
    masters: dict[str, _Event] = {}
    changed: dict[str, list[_Event]] = {}
    for component in file.components:
        if component.name in _PASSED:
            continue
        try:
            event = _event(component, zones)
            if event.at is None and event.uid in masters:
                raise _reason("a second component with the same UID")
        except AgendaError as error:
            parsed.bad.append(BadPart(component.line, error.log))
            continue
        parsed.dropped_alarms += event.dropped
        if event.at is None:
            masters[event.uid] = event
        else:
            changed.setdefault(event.uid, []).append(event)
    for uid in dict.fromkeys([*masters, *changed]):
        _take(parsed, zones, uid, masters.get(uid), changed.get(uid, []))
    parsed.bad.sort(key=lambda one: one.line)
    return parsed


def _reason(text: str) -> AgendaError:
    return AgendaError("agenda.file", text)


def _method(file: File) -> str:
    return next((line.value.strip().upper() for line in file.properties if line.name == "METHOD"), "")


def _default(file: File, default_zone: str) -> str:
    """X-WR-TIMEZONE, which many programs write, is the zone of floating times."""
    zone(default_zone)
    said = next((line.value for line in file.properties if line.name == "X-WR-TIMEZONE"), "")
    try:
        return Zones([], default_zone).name_of(said) if said else default_zone
    except AgendaError:
        return default_zone


# -- one component --------------------------------------------------------------------------------


def _event(component: Component, zones: Zones) -> _Event:
    if component.name != "VEVENT":
        raise _reason("no appointment but another component")
    if component.fault:
        raise _reason(component.fault)
    if component.one("EXRULE") is not None or len(component.all("RRULE")) > 1:
        raise AgendaError("agenda.rule", "more than one rule")
    begin = _single(component, "DTSTART", zones)
    if begin is None:
        raise AgendaError("agenda.date", "no DTSTART")
    uid = component.one("UID")
    alarms, dropped = _alarms(component, begin)
    return _Event(
        component=component,
        uid=_clean(uid.text, 500) if uid is not None and uid.text.strip() else _made_uid(component),
        at=_recurrence_id(component, zones),
        begin=begin,
        end=_end(component, begin, zones),
        alarms=alarms,
        dropped=dropped,
    )


def _single(component: Component, name: str, zones: Zones) -> When | None:
    line = component.one(name)
    return zones.time(line.value.strip(), line) if line is not None else None


def _made_uid(component: Component) -> str:
    """For a component without UID: the same again gives the same."""
    said = repr([(line.name, line.value) for line in component.lines if line.name != "DTSTAMP"])
    return hashlib.sha256(said.encode()).hexdigest()


def _recurrence_id(component: Component, zones: Zones) -> When | None:
    line = component.one("RECURRENCE-ID")
    if line is None:
        return None
    if line.params.get("RANGE"):
        raise AgendaError("agenda.changes", "RANGE is not supported")
    return zones.time(line.value.strip(), line)


def _end(component: Component, begin: When, zones: Zones) -> datetime:
    """The end as a wall in the zone of the beginning."""
    given = _single(component, "DTEND", zones)
    if given is not None:
        if given.all_day != begin.all_day:
            raise AgendaError("agenda.end", "a date and a time")
        end = given.within(begin.zone)
    elif (line := component.one("DURATION")) is not None:
        length = duration(line.value)
        if begin.all_day or length % DAY == timedelta(0):
            end = begin.wall + length  # RFC 5545 §3.3.6: days are days of the calendar
        else:
            place = zone(begin.zone)
            end = at_wall(instant(begin.wall, place) + length // timedelta(milliseconds=1), place)
    else:
        end = begin.wall
    return begin.wall + DAY if begin.all_day and end <= begin.wall else end


def _alarms(component: Component, begin: When) -> tuple[list[int], int]:
    """Minutes before the beginning; how many alarms, or things that they would do, were dropped."""
    minutes: list[int] = []
    dropped = 0
    for alarm in component.inside:
        if alarm.name != "VALARM":
            continue
        action, trigger = alarm.one("ACTION"), alarm.one("TRIGGER")
        lead = _lead(trigger, begin)
        if alarm.one("ATTACH") is not None:
            dropped += 1  # RFC 5545 §3.8.1.1: a sound or a program somewhere; never looked at
        if action is None or action.value.strip().upper() not in ("DISPLAY", "AUDIO") or lead is None:
            dropped += 1 if alarm.one("ATTACH") is None else 0
        elif lead not in minutes and len(minutes) < 10:
            minutes.append(lead)
    return minutes, dropped


def _lead(trigger: Line | None, begin: When) -> int | None:
    if trigger is None or trigger.params.get("RELATED", "START").upper() != "START":
        return None
    try:
        if trigger.params.get("VALUE", "").upper() == "DATE-TIME":
            place = zone(begin.zone or PARIS)
            lead = timedelta(milliseconds=instant(begin.wall, place) - utc_ms(trigger.value))
        else:
            lead = -duration(trigger.value)
    except AgendaError:
        return None
    return int(lead.total_seconds() // 60) if timedelta(0) <= lead <= MAX_REMINDER else None


def _clean(value: str, most: int, *, lines: bool = False) -> str:
    """A text of somebody else's as ours may be: without controls, cut where it is too long."""
    value = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n"))
    kept = [
        char if unicodedata.category(char) not in ("Cc", "Cs") or (lines and char in "\n\t") else " "
        for char in value[: most * 4]
    ]
    found = "".join(kept).strip()
    return found if len(found) <= most else found[: most - 1].rstrip() + "…"


def _texts(component: Component) -> tuple[str, str, str]:
    def text(name: str, most: int, *, lines: bool = False) -> str:
        line = component.one(name)
        return _clean(line.text, most, lines=lines) if line is not None else ""

    return text("SUMMARY", 200) or UNTITLED, text("LOCATION", 500), text("DESCRIPTION", 4_000, lines=True)


# -- an appointment out of its components ---------------------------------------------------------


def _take(parsed: Parsed, zones: Zones, uid: str, master: _Event | None, changed: list[_Event]) -> None:
    if master is None:  # invited to single occurrences only
        for one in changed:
            assert one.at is not None
            _keep(parsed, zones, one, f"{uid}#{one.at.wall.isoformat()}", [])
    else:
        _keep(parsed, zones, master, uid, changed)


def _keep(parsed: Parsed, zones: Zones, event: _Event, uid: str, changed: list[_Event]) -> None:
    component = event.component
    try:
        details, bad = _details(zones, event, changed)
        # What cannot be expanded, or never takes place, shows here and not when somebody looks.
        _first_slot(details)
        number = component.one("SEQUENCE")
        stamp = component.one("DTSTAMP")
        said = component.one("STATUS")
        secret = component.one("CLASS")
        organizer = component.one("ORGANIZER")
        parsed.found.append(
            Found(
                line=component.line,
                uid=uid,
                sequence=_number(number.value) if number is not None else 0,
                stamp=utc_ms(stamp.value) if stamp is not None else 0,
                status="cancelled" if said is not None and said.value.upper() == "CANCELLED" else "planned",
                hidden=secret is not None and secret.value.strip().upper() == "CONFIDENTIAL",
                organizer=_mail(organizer),
                details=details,
            )
        )
        parsed.bad += bad
    except AgendaError as error:
        parsed.bad.append(BadPart(component.line, error.log))


def _first_slot(details: Details) -> None:
    begin = instant(datetime.fromisoformat(details.begin), zone(details.zone or PARIS))
    slots(details, begin, begin + 1)


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _mail(line: Line | None) -> str:
    if line is None or not line.value.casefold().startswith("mailto:"):
        return ""
    return _clean(line.value[7:], 320).casefold()


def _details(zones: Zones, event: _Event, changed: list[_Event]) -> tuple[Details, list[BadPart]]:
    component, begin = event.component, event.begin
    rule = component.one("RRULE")
    repeated = rule is not None or component.one("RDATE") is not None
    name, first, last = begin.zone, begin.wall, event.end
    if name == "UTC" and not repeated:
        name = zones.time("20000101T000000", Line("X", {}, "")).zone  # shown in the zone of the file
        first, last = begin.within(name), When(event.end, False, "UTC").within(name)
    all_day = begin.all_day

    def shown(moment: datetime) -> str:
        return text_of(moment, all_day=all_day)

    def others(prop: str) -> list[str]:
        return [shown(_like(when, begin, name)) for line in component.all(prop) for when in zones.times(line)]

    title, place, notes = _texts(component)
    contact, known = component.one("CONTACT"), component.one("X-PASSERELLE-ID-NAT")
    organizer = component.one("ORGANIZER")
    who = _clean(contact.text, 200) if contact is not None else ""
    if not who and organizer is not None:
        who = _clean(organizer.params.get("CN", ""), 200)
    changes, bad = _changes(changed, begin, name)
    details = Details(
        title=title,
        begin=shown(first),
        end=shown(last),
        all_day=all_day,
        zone="" if all_day else name,
        place=place,
        notes=notes,
        professional=Professional(id_nat=_clean(known.text, 64) if known is not None else "", name=who),
        rule=rule.value if rule is not None else "",
        extra=others("RDATE"),
        excluded=others("EXDATE"),
        changes=changes,
        reminders=event.alarms,
    )
    return checked(details), bad


def _like(when: When, begin: When, name: str) -> datetime:
    """A date or time of the same appointment as a wall like its beginning: some programs exclude days of
    timed appointments, or times of all-day ones."""
    if begin.all_day:
        return when.wall.replace(hour=0, minute=0, second=0)
    if when.all_day:
        return datetime.combine(when.wall.date(), begin.wall.time())
    return when.within(name)


def _changes(changed: list[_Event], begin: When, name: str) -> tuple[list[Change], list[BadPart]]:
    found: dict[str, Change] = {}
    bad = []
    for one in changed:
        assert one.at is not None
        at = text_of(_like(one.at, begin, name), all_day=begin.all_day)
        said = one.component.one("STATUS")
        if said is not None and said.value.strip().upper() == "CANCELLED":
            found[at] = Change(at=at, cancelled=True)
            continue
        title, place, notes = _texts(one.component)
        if one.begin.all_day != begin.all_day or at in found:
            bad.append(BadPart(one.component.line, AgendaError("agenda.changes").log))
            continue
        end = When(one.end, one.begin.all_day, one.begin.zone)
        found[at] = Change(
            at=at,
            begin=text_of(one.begin.within(name), all_day=begin.all_day),
            end=text_of(end.within(name), all_day=begin.all_day),
            title=title,
            place=place,
            notes=notes,
        )
    return list(found.values()), bad
