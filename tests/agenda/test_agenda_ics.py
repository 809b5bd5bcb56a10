"""iCalendar files of phones and office programs, hostile ones, and what we write ourselves."""

# ruff: noqa: DTZ001  # wall times have no zone

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from icalendar import Calendar

import agenda
from agenda import Appointment, Change, Details, Professional
from agenda.check import checked
from agenda.ics_read import read_calendar
from agenda.ics_write import calendar_of
from agenda.ics_zones import timezone
from agenda.slots import slots
from store import Store
from tests.agenda.agenda_support import (
    MOTHER,
    OPERATOR,
    STRANGER,
    actor,
    box,
    details,
    journal,
    ms,
    refused,
    seen,
)


def calendar(*lines: str, head: tuple[str, ...] = ()) -> bytes:
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *head, *lines, "END:VCALENDAR", ""]
    ).encode()


def event(*lines: str, uid: str = "1@x") -> tuple[str, ...]:
    return ("BEGIN:VEVENT", f"UID:{uid}", "SUMMARY:Rendez-vous chez X", *lines, "END:VEVENT")


def appointment(found: Details, number: int = 1, **changes: object) -> Appointment:
    given: dict[str, object] = {
        "box_id": 7,
        "appointment_id": number,
        "version": 3,
        "at": ms("2026-01-15"),
        "status": "planned",
        "source": "patient",
        "by": "patient",
        "ident": MOTHER,
        "uid": f"uid-{number}",
        "hidden": False,
        "details": found,
    }
    return Appointment(**(given | changes))  # type: ignore[arg-type]  # of a test


def when(found: Details, since: str = "2024-01-01", until: str = "2031-01-01") -> list[tuple[int, int, str]]:
    return [
        (one.since, one.until, one.change.title if one.change is not None else found.title)
        for one in slots(found, ms(since), ms(until))
        if one.change is None or not one.change.cancelled
    ]


# -- what programs write --------------------------------------------------------------------------

OUTLOOK = calendar(
    "BEGIN:VTIMEZONE",
    "TZID:Romance Standard Time",
    "BEGIN:STANDARD",
    "DTSTART:16010101T030000",
    "TZOFFSETFROM:+0200",
    "TZOFFSETTO:+0100",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
    "END:STANDARD",
    "BEGIN:DAYLIGHT",
    "DTSTART:16010101T020000",
    "TZOFFSETFROM:+0100",
    "TZOFFSETTO:+0200",
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
    "END:DAYLIGHT",
    "END:VTIMEZONE",
    *event(
        'ORGANIZER;CN="Dr ESSAI, Anne":mailto:Anne.Essai@hopital.test',
        'DTSTART;TZID="Romance Standard Time":20260325T090000',
        'DTEND;TZID="Romance Standard Time":20260325T093000',
        "RRULE:FREQ=WEEKLY;COUNT=3;BYDAY=WE",
        "EXDATE;TZID=Romance Standard Time:20260401T090000",
        "LOCATION:Salle 3\\, bâtiment B\\; 2e étage",
        "DESCRIPTION:Une première ligne\\net une deuxième qui est assez longue pour être p",
        " liée au milieu d'un mot",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER:-PT15M",
        "END:VALARM",
        "BEGIN:VALARM",
        "ACTION:EMAIL",
        "TRIGGER:-P1D",
        "ATTENDEE:mailto:victim@example.test",
        "END:VALARM",
        "BEGIN:VALARM",
        "ACTION:PROCEDURE",
        "TRIGGER:-P1D",
        "ATTACH:file:///bin/sh",
        "END:VALARM",
    ),
    *(
        "BEGIN:VEVENT", "UID:1@x", "SUMMARY:Déplacé",
        "RECURRENCE-ID;TZID=Romance Standard Time:20260408T090000",
        "DTSTART;TZID=Romance Standard Time:20260409T100000", "DURATION:PT45M", "END:VEVENT",
    ),
    head=("METHOD:REQUEST",),
)  # fmt: skip


def test_outlook() -> None:
    parsed = read_calendar(OUTLOOK)
    (one,) = parsed.found
    assert (parsed.method, parsed.bad, parsed.dropped_alarms) == ("REQUEST", [], 2)
    assert one.organizer == "anne.essai@hopital.test"
    assert one.details.zone == "Europe/Paris"
    assert one.details.place == "Salle 3, bâtiment B; 2e étage"
    assert one.details.notes.endswith("deuxième qui est assez longue pour être pliée au milieu d'un mot")
    assert one.details.professional.name == "Dr ESSAI, Anne"
    assert one.details.reminders == [15]
    # summer time began on 29 March: 9:00 stays 9:00
    assert when(one.details) == [
        (ms("2026-03-25T08:00"), ms("2026-03-25T08:30"), "Rendez-vous chez X"),
        (ms("2026-04-09T08:00"), ms("2026-04-09T08:45"), "Déplacé"),
    ]


@pytest.mark.parametrize(
    ("lines", "zone", "begins"),
    [
        (("DTSTART:20260701T090000",), "Europe/Paris", "2026-07-01T07:00"),  # floating
        (("DTSTART:20260701T090000Z",), "Europe/Paris", "2026-07-01T09:00"),
        (("DTSTART;VALUE=DATE:20260701",), "", "2026-06-30T22:00"),
        (("DTSTART:20260701",), "", "2026-06-30T22:00"),  # without VALUE, as some do
        (("DTSTART;TZID=Indian/Reunion:20260701T090000",), "Indian/Reunion", "2026-07-01T05:00"),
        (("DTSTART;TZID=europe/paris:20260701T090000",), "Europe/Paris", "2026-07-01T07:00"),
        (
            ("DTSTART;TZID=/freeassociation.sourceforge.net/America/Guadeloupe:20260701T090000",),
            "America/Guadeloupe",
            "2026-07-01T13:00",
        ),
        (
            ("DTSTART;TZID=/mozilla.org/20050126_1/America/Argentina/Ushuaia:20260701T090000",),
            "America/Argentina/Ushuaia",
            "2026-07-01T12:00",
        ),
        (("DTSTART;TZID=SA Western Standard Time:20260701T090000",), "America/La_Paz", "2026-07-01T13:00"),
        (("DTSTART:20260701T090000Z", "RRULE:FREQ=DAILY;COUNT=2"), "UTC", "2026-07-01T09:00"),
    ],
)
def test_times_and_zones(lines: tuple[str, ...], zone: str, begins: str) -> None:
    (one,) = read_calendar(calendar(*event(*lines))).found
    assert one.details.zone == zone
    assert when(one.details)[0][0] == ms(begins)


def test_a_zone_of_the_files_own_is_known_by_its_offsets() -> None:
    own = (
        "BEGIN:VTIMEZONE",
        "TZID:Chez nous",
        "BEGIN:STANDARD",
        "TZOFFSETTO:+0400",
        "END:STANDARD",
        "END:VTIMEZONE",
    )
    parsed = read_calendar(calendar(*own, *event("DTSTART;TZID=Chez nous:20260701T090000")))
    assert parsed.found[0].details.zone == "Indian/Reunion"
    parsed = read_calendar(calendar(*event("DTSTART;TZID=Nulle part:20260701T090000")))
    assert parsed.found == [] and "agenda.zone" not in parsed.bad[0].reason and parsed.bad[0].line == 4


def test_the_zone_of_a_google_calendar() -> None:
    data = calendar(*event("DTSTART:20260701T090000"), head=("X-WR-TIMEZONE:Indian/Mayotte",))
    assert read_calendar(data).found[0].details.zone == "Indian/Mayotte"


def test_a_bad_component_is_told_and_the_others_are_kept() -> None:
    data = calendar(
        *event("DTSTART:20260701T090000", uid="good"),
        *event("DTSTART:20261301T090000", uid="bad-date"),
        *event("SEQUENCE:1", uid="no-start"),
        *event("DTSTART:20260701T090000", "RRULE:FREQ=SECONDLY", uid="bomb"),
        *event("DTSTART:20260701T090000", "RRULE:FREQ=DAILY;COUNT=2000000000", uid="bomb 2"),
        *event("DTSTART:20260701T090000", "DTEND:20260701T080000", uid="backwards"),
        *event("DTSTART:20260701T090000", uid="good"),
        "BEGIN:VTODO", "UID:todo", "END:VTODO",
        *event("DTSTART:20260702T090000", uid="last"),
    )  # fmt: skip
    parsed = read_calendar(data)
    assert [one.uid for one in parsed.found] == ["good", "last"]
    assert len(parsed.bad) == 7
    assert all("bad-date" not in one.reason for one in parsed.bad)
    assert [one.line for one in parsed.bad] == sorted(one.line for one in parsed.bad)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"BEGIN:VEVENT\r\nEND:VEVENT\r\n",
        b"x" * (4 * 1024 * 1024 + 1),
        b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 100_000,
    ],
)
def test_what_is_no_calendar(data: bytes) -> None:
    assert refused(lambda: read_calendar(data)) == "agenda.file"


def test_hostile_sizes_are_bounded() -> None:
    long = calendar(*event("DTSTART:20260701T090000", "DESCRIPTION:" + "a" * 3_000_000))
    assert "too long" in read_calendar(long).bad[0].reason
    lines = calendar(*event("DTSTART:20260701T090000", *["ATTENDEE:mailto:a@b.c"] * 3_000))
    assert "lines" in read_calendar(lines).bad[0].reason
    many = calendar(*(line for number in range(5_010) for line in event("DTSTART:20260701", uid=str(number))))
    parsed = read_calendar(many)
    assert (len(parsed.found), len(parsed.bad)) == (5_000, 10)
    text = calendar(*event("DTSTART:20260701T090000", "LOCATION:" + "b" * 5_000, "DESCRIPTION:a\\nb\x07c"))
    (one,) = read_calendar(text).found
    assert len(one.details.place) == 500 and one.details.place.endswith("…")
    assert one.details.notes == "a\nb c"


def test_only_the_time_of_a_sound_is_kept() -> None:
    alarm = ("BEGIN:VALARM", "ACTION:AUDIO", "ATTACH:https://evil.test/a.wav", "TRIGGER:-PT5M", "END:VALARM")
    absolute = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER;VALUE=DATE-TIME:20260701T060000Z", "END:VALARM")
    after = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:PT5M", "END:VALARM")
    parsed = read_calendar(calendar(*event("DTSTART:20260701T090000", *alarm, *absolute, *after)))
    assert parsed.found[0].details.reminders == [5, 60]
    assert parsed.dropped_alarms == 2


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
@example(b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:\nEND:VEVENT\nEND:VCALENDAR")
@example(b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;TZID=:99999999T999999\nRRULE:;\nEND:VEVENT")
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    for whole in (data, calendar(*event("DTSTART:20260701T090000")).replace(b"chez X", data)):
        try:
            read_calendar(whole)
        except agenda.AgendaError as error:
            assert error.rule == "agenda.file"


VALUES = [
    "",
    "20260701",
    "20260701T090000Z",
    "19000101",
    "21991231T235959",
    "-P1D",
    "PT0S",
    "P9W",
    "1;2",
    "FREQ=DAILY",
]
NAMES = [
    "DTSTART",
    "DTEND",
    "DURATION",
    "RRULE",
    "RDATE",
    "EXDATE",
    "RECURRENCE-ID",
    "SEQUENCE",
    "STATUS",
    "CLASS",
]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.sampled_from(["", ";VALUE=DATE", ";TZID=Europe/Paris"]),
            st.sampled_from(VALUES),
        ),
        max_size=8,
    )
)
def test_any_mix_of_properties_is_taken_or_told(lines: list[tuple[str, str, str]]) -> None:
    parsed = read_calendar(calendar(*event(*(f"{name}{param}:{value}" for name, param, value in lines))))
    assert len(parsed.found) + len(parsed.bad) >= 1
    for one in parsed.found:
        assert checked(one.details) == one.details


# -- what we write --------------------------------------------------------------------------------


def test_what_is_written_is_rfc_5545() -> None:
    one = appointment(
        checked(
            details(
                title="Consultation d'ophtalmologie avec un titre qui est assez long pour être plié, oui",
                rule="FREQ=WEEKLY;UNTIL=20260501",
                reminders=[30],
                place="a, b; c\\d",
                notes="x\ny",
                excluded=["2026-03-09T09:00"],
                professional=Professional(id_nat="810001234567", name="Dr ESSAI"),
            )
        ),
        hidden=True,
    )
    data = calendar_of([one], name="Agenda")
    assert data == calendar_of([one], name="Agenda")  # the same bytes again
    assert data.replace(b"\r\n", b"").count(b"\n") == 0  # RFC 5545 §3.1
    assert max(len(line) for line in data.split(b"\r\n")) <= 75
    parsed = Calendar.from_ical(data)
    (written,) = parsed.walk("VEVENT")
    assert str(written["UID"]) == "uid-1" and written["SEQUENCE"] == 2
    assert written["DTSTART"].params["TZID"] == "Europe/Paris"
    assert [str(zone["TZID"]) for zone in parsed.walk("VTIMEZONE")] == ["Europe/Paris"]
    # RFC 5545 §3.3.10: in UTC where the beginning has a zone: the end of the day in Paris
    assert written["RRULE"]["UNTIL"] == [datetime(2026, 5, 1, 21, 59, 59, tzinfo=UTC)]
    assert written["EXDATE"].dts[0].dt == datetime(2026, 3, 9, 9, tzinfo=ZoneInfo("Europe/Paris"))
    assert str(written["CLASS"]) == "CONFIDENTIAL"
    assert b"DTSTAMP:20260115T000000Z" in data


def test_a_busy_calendar_tells_when_and_nothing_else() -> None:
    change = Change(at="2026-03-09T09:00", begin="2026-03-10T09:00", end="2026-03-10T10:00", title="Onco 2")
    one = appointment(
        checked(
            details(title="Oncologie", place="Hôpital", notes="à jeun", rule="FREQ=WEEKLY;COUNT=3",
                    changes=[change], reminders=[60],
                    professional=Professional(id_nat="99123", name="Dr ESSAI"))
        ),
        uid="oncologie@hopital.test",
    )  # fmt: skip
    text = calendar_of([one], shows="busy").decode()
    for word in ("Onco", "onco", "pital", "jeun", "ESSAI", "99123"):
        assert word not in text
    assert text.count("SUMMARY:Rendez-vous\r\n") == 2
    full, busy = (read_calendar(calendar_of([one], shows=kind)).found[0] for kind in ("full", "busy"))  # type: ignore[arg-type]  # a kind
    assert [each[:2] for each in when(full.details)] == [each[:2] for each in when(busy.details)]


@pytest.mark.parametrize(
    "name", ["Europe/Paris", "Indian/Reunion", "America/Miquelon", "Africa/Casablanca", "Australia/Lord_Howe"]
)
def test_the_zones_that_are_written_are_those_of_the_clock(name: str) -> None:
    """Each change of the offset as zoneinfo has it, by the wall time before (RFC 5545 §3.6.5)."""
    place, changes = ZoneInfo(name), []
    for part in timezone(name).subcomponents:
        before, after = part["TZOFFSETFROM"].td, part["TZOFFSETTO"].td
        walls = [part["DTSTART"].dt]
        if "RRULE" in part:
            rule = rrulestr(part["RRULE"].to_ical().decode(), dtstart=walls[0])
            walls = rule.between(datetime(2000, 1, 1), datetime(2037, 1, 1))
        changes += [(wall, before, after) for wall in walls if 2000 <= wall.year < 2037]
    for wall, before, after in changes:
        at = (wall - before).replace(tzinfo=UTC)
        assert (at - timedelta(minutes=1)).astimezone(place).utcoffset() == before
        assert at.astimezone(place).utcoffset() == after
    noons = [datetime(2000, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(37 * 365)]
    offsets = [noon.astimezone(place).utcoffset() for noon in noons]
    assert len(changes) == sum(one != two for one, two in pairwise(offsets))


TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=60).filter(str.strip)


@st.composite
def anything(draw: st.DrawFn) -> Details:
    all_day = draw(st.booleans())
    day = draw(st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31))).replace(microsecond=0)
    zone = draw(
        st.sampled_from(["Europe/Paris", "Indian/Reunion", "America/Guadeloupe", "UTC", "Pacific/Noumea"])
    )
    rule = draw(
        st.sampled_from(
            [
                "",
                "FREQ=DAILY;COUNT=9",
                "FREQ=WEEKLY;BYDAY=MO,FR;UNTIL=20280101",
                "FREQ=MONTHLY;BYDAY=-1SU",
                "FREQ=YEARLY",
            ]
        )
    )

    def text(moment: datetime) -> str:
        return moment.date().isoformat() if all_day else moment.isoformat()

    later = [
        text(day.replace(year=2028, month=month, day=3))
        for month in draw(st.sets(st.integers(1, 12), max_size=3))
    ]
    changes = []
    if rule == "FREQ=DAILY;COUNT=9" and draw(st.booleans()):
        at, begin = text(day + timedelta(days=2)), text(day.replace(year=2028))
        changes = [Change(at=at, begin=begin, title=draw(TEXT))]
    return checked(
        Details(
            title=draw(TEXT),
            begin=text(day),
            end="",
            all_day=all_day,
            zone="" if all_day else zone,
            place=draw(TEXT),
            notes=draw(st.text(st.characters(exclude_categories=("Cc", "Cs")) | st.just("\n"), max_size=200)),
            rule=rule,
            extra=later,
            excluded=later[:1],
            changes=changes,
            reminders=draw(st.lists(st.integers(0, 40_320), max_size=3)),
        )
    )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(anything())
def test_what_is_written_is_read_back_the_same(one: Details) -> None:
    parsed = read_calendar(calendar_of([appointment(one)]))
    assert parsed.bad == []
    (found,) = parsed.found
    assert when(found.details) == when(one)
    for name in ("title", "place", "notes", "reminders", "all_day"):
        assert getattr(found.details, name) == getattr(one, name)


# -- into an agenda -------------------------------------------------------------------------------


def test_the_same_file_again_changes_nothing(store: Store) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    report = agenda.import_calendar(store, mine, me, OUTLOOK, dry_run=True)
    assert report.added == 1 and seen(store, MOTHER, me) == []
    report = agenda.import_calendar(store, mine, me, OUTLOOK)
    assert (report.added, report.dropped_alarms) == (1, 2)
    report = agenda.import_calendar(store, mine, me, OUTLOOK)
    assert (report.added, report.changed, report.unchanged) == (0, 0, 1)
    newer = OUTLOOK.replace(b"Rendez-vous chez X", b"Rendez-vous chez Y")
    assert agenda.import_calendar(store, mine, me, newer).changed == 1
    assert [one[20:] for one in seen(store, MOTHER, me)] == ["Rendez-vous chez Y", "Déplacé"]
    assert journal(store, MOTHER) == ["calendar_imported", "calendar_imported"]


def test_a_whole_agenda_goes_out_and_comes_in_elsewhere(store: Store) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    agenda.add(store, mine, me, details(rule="FREQ=WEEKLY;COUNT=3", reminders=[60]))
    agenda.add(
        store, mine, me, details(title="Secret", begin="2026-05-01", end="", all_day=True), hidden=True
    )
    one = agenda.add(store, mine, me, details(title="Annulé", begin="2026-06-01T09:00", end=""))
    agenda.cancel(store, mine, me, one.appointment_id)
    data = agenda.export_calendar(store, mine, OPERATOR)
    assert journal(store, MOTHER)[-1] == "calendar_exported"
    there = box(store, STRANGER)
    report = agenda.import_calendar(store, there, actor(store, STRANGER), data)
    assert (report.added, report.bad_count) == (3, 0)
    assert seen(store, STRANGER, actor(store, STRANGER)) == seen(store, MOTHER, me)
    again = agenda.export_calendar(store, there, OPERATOR)
    ours, theirs = (re.sub(rb"(DTSTAMP|LAST-MODIFIED|SEQUENCE):\S+", b"", one) for one in (data, again))
    assert ours == theirs
    single = agenda.export_calendar(store, mine, me, appointment_id=one.appointment_id)
    assert single.count(b"BEGIN:VEVENT") == 1
