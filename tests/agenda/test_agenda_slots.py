"""When appointments take place: zones, summer time, leap days, and a slow oracle of its own."""

# ruff: noqa: DTZ001  # wall times have no zone

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from agenda.check import checked
from agenda.model import Change, Details
from agenda.slots import due_of, next_due, slots, window
from agenda.walls import month
from tests.agenda.agenda_support import DAY, HOUR, MINUTE, details, ms, refused

ZONES = ["Europe/Paris", "Indian/Reunion", "America/Guadeloupe", "Australia/Lord_Howe", "UTC"]


def begins(found: Details, since: str = "2020-01-01", until: str = "2040-01-01") -> list[str]:
    return [
        datetime.fromtimestamp(one.since / 1000, UTC).isoformat()[:16]
        for one in slots(found, ms(since), ms(until))
    ]


def test_the_wall_time_stays_when_summer_time_comes() -> None:
    paris = checked(details(begin="2026-03-27T09:00", end="2026-03-27T09:30", rule="FREQ=DAILY;COUNT=4"))
    assert begins(paris) == ["2026-03-27T08:00", "2026-03-28T08:00", "2026-03-29T07:00", "2026-03-30T07:00"]
    reunion = checked(
        details(begin="2026-03-27T09:00", end="", zone="Indian/Reunion", rule="FREQ=DAILY;COUNT=4")
    )
    assert {one[11:] for one in begins(reunion)} == {"05:00"}
    guadeloupe = checked(details(begin="2026-10-24T09:00", end="", zone="America/Guadeloupe"))
    assert begins(guadeloupe) == ["2026-10-24T13:00"]


def test_an_hour_that_is_skipped_and_one_that_comes_twice() -> None:
    """RFC 5545 §3.3.5: the offset before the gap; of two, the first. A dose is taken once, never missed."""
    night = checked(details(begin="2026-03-28T02:30", end="2026-03-28T03:00", rule="FREQ=DAILY;COUNT=3"))
    assert begins(night) == ["2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T00:30"]
    autumn = checked(details(begin="2026-10-24T02:30", end="2026-10-24T03:30", rule="FREQ=DAILY;COUNT=3"))
    assert begins(autumn) == ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"]
    # the exact duration of the first applies to all
    assert {one.until - one.since for one in slots(autumn, ms("2026-10-01"), ms("2026-11-01"))} == {HOUR}
    hourly = checked(details(begin="2026-03-29T01:00", end="", rule="FREQ=HOURLY;COUNT=4"))
    found = [one.since for one in slots(hourly, ms("2026-03-28"), ms("2026-03-31"))]
    assert len(found) == len(set(found)) == 3  # 02:00 and 03:00 are one moment


def test_leap_days_and_ends_of_months() -> None:
    leap = checked(details(begin="2024-02-29", end="", all_day=True, rule="FREQ=YEARLY"))
    assert [one.begin for one in slots(leap, ms("2024-01-01"), ms("2033-01-01"))] == [
        "2024-02-29",
        "2028-02-29",
        "2032-02-29",
    ]
    ends = checked(details(begin="2026-01-31T10:00", end="", rule="FREQ=MONTHLY;COUNT=4"))
    assert [one.begin[:10] for one in slots(ends, ms("2026-01-01"), ms("2027-01-01"))] == [
        "2026-01-31",
        "2026-03-31",
        "2026-05-31",
        "2026-07-31",
    ]


def test_until_is_inclusive_however_it_is_written() -> None:
    for until in ("20260304T080000Z", "20260304T090000", "20260304"):
        found = checked(details(rule=f"FREQ=DAILY;UNTIL={until}"))
        assert len(begins(found)) == 3, until
    assert len(begins(checked(details(rule="FREQ=DAILY;UNTIL=20260304T075959Z")))) == 2


def test_all_day_days_are_the_readers() -> None:
    day = checked(details(begin="2026-07-14", end="", all_day=True))
    (paris,) = slots(day, ms("2026-07-13"), ms("2026-07-16"))
    assert (paris.since, paris.until) == (ms("2026-07-13T22:00"), ms("2026-07-14T22:00"))
    (reunion,) = slots(day, ms("2026-07-13"), ms("2026-07-16"), days_of="Indian/Reunion")
    assert (reunion.since, reunion.until) == (ms("2026-07-13T20:00"), ms("2026-07-14T20:00"))
    assert slots(day, ms("2026-07-14T22:00"), ms("2026-07-16")) == []
    assert len(slots(day, ms("2026-07-14T21:59"), ms("2026-07-16"))) == 1


def test_changed_excluded_and_extra_ones() -> None:
    found = checked(
        details(
            rule="FREQ=WEEKLY;COUNT=4",
            extra=["2026-03-04T15:00"],
            excluded=["2026-03-09T09:00"],
            changes=[
                Change(
                    at="2026-03-16T09:00", begin="2026-04-01T18:00", end="2026-04-01T19:00", title="Autre"
                ),
                Change(at="2026-03-23T09:00", cancelled=True),
            ],
        )
    )
    listed = slots(found, ms("2026-03-01"), ms("2026-05-01"))
    assert [(one.begin[5:16], bool(one.change and one.change.cancelled)) for one in listed] == [
        ("03-02T09:00", False),
        ("03-04T15:00", False),
        ("03-23T09:00", True),
        ("04-01T18:00", False),
    ]
    # moved into the window from outside, and out of it
    assert [one.at for one in slots(found, ms("2026-04-01"), ms("2026-04-02"))] == ["2026-03-16T09:00:00"]
    assert slots(found, ms("2026-03-16"), ms("2026-03-17")) == []


@st.composite
def appointments(draw: st.DrawFn) -> Details:
    day = draw(st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)))
    first = day.replace(minute=draw(st.sampled_from([0, 30])), second=0, microsecond=0)
    length = timedelta(minutes=draw(st.sampled_from([0, 30, 60, 26 * 60])))
    rule = draw(
        st.sampled_from(
            [
                "",
                "FREQ=DAILY",
                "FREQ=DAILY;INTERVAL=3;COUNT=20",
                "FREQ=WEEKLY;BYDAY=MO,TH,SU",
                "FREQ=MONTHLY;BYDAY=-1SU",
                "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=9",
                "FREQ=YEARLY",
            ]
        )
    )
    return checked(
        Details(
            title="x",
            begin=first.isoformat(),
            end=(first + length).isoformat(),
            zone=draw(st.sampled_from(ZONES)),
            rule=rule,
            reminders=draw(st.lists(st.sampled_from([0, 15, 60, 1_440, 10_080]), max_size=3)),
        )
    )


def oracle(one: Details) -> list[int]:
    """Beginnings until 2029 by dateutil and datetime alone."""
    first = datetime.fromisoformat(one.begin)
    walls = [first]
    if one.rule:
        for wall in rrulestr(one.rule, dtstart=first):
            if wall >= datetime(2029, 1, 1):
                break
            walls.append(wall)
    if "COUNT" in one.rule and walls[1:2] != [first]:
        walls = walls[: int(one.rule.partition("COUNT=")[2])]
    place = ZoneInfo(one.zone)
    return sorted({round(wall.replace(tzinfo=place).timestamp() * 1000) for wall in walls})


@settings(max_examples=150, deadline=None)
@given(appointments(), st.integers(-30, 1_000), st.integers(1, 400))
def test_as_a_slow_oracle_finds_them(one: Details, skip: int, days: int) -> None:
    since = ms("2025-01-01") + skip * DAY
    until = min(since + days * DAY, ms("2028-12-30"))
    if since >= until:
        return
    found = slots(one, since, until)
    length = found[0].until - found[0].since if found else 0
    expected = [at for at in oracle(one) if at < until and (at + length > since or at >= since)]
    assert [each.since for each in found] == expected
    low, high = window(one)
    for each in found:
        begin = datetime.fromtimestamp(each.since / 1000, UTC)
        assert low <= month(begin) and (high is None or month(begin) <= high)


@settings(max_examples=80, deadline=None)
@given(appointments(), st.integers(0, 900))
def test_reminders_follow_the_occurrences(one: Details, skip: int) -> None:
    since = ms("2025-01-01") + skip * DAY
    until = since + 20 * DAY
    expected = sorted(
        {
            (at - minutes * MINUTE, at)
            for at in oracle(one)
            for minutes in one.reminders
            if since <= at - minutes * MINUTE < until
        }
    )
    assert due_of(one, since, until) == expected
    if expected:
        assert next_due(one, since) == expected[0][0]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"title": " "}, "agenda.title"),
        ({"title": "x" * 201}, "agenda.title"),
        ({"title": "a\x00b"}, "agenda.title"),
        ({"notes": "x" * 4_001}, "agenda.text"),
        ({"place": "a\x1bb"}, "agenda.text"),
        ({"begin": "2026-02-30T09:00"}, "agenda.date"),
        ({"begin": "2026-03-02T24:00"}, "agenda.date"),
        ({"begin": "2026-03-02"}, "agenda.date"),
        ({"begin": "1789-07-14T09:00", "end": ""}, "agenda.date"),
        ({"begin": "2200-01-01T09:00", "end": ""}, "agenda.date"),
        ({"begin": "02/03/2026 09:00"}, "agenda.date"),
        ({"end": "2026-03-02T08:59"}, "agenda.end"),
        ({"end": "2027-03-04T09:00"}, "agenda.end"),
        ({"begin": "2026-03-02", "end": "2026-03-02", "all_day": True}, "agenda.end"),
        ({"zone": "Paris"}, "agenda.zone"),
        ({"zone": "../../etc/passwd"}, "agenda.zone"),
        ({"rule": "FREQ=NEVER"}, "agenda.rule"),
        ({"begin": "2026-03-02", "end": "", "all_day": True, "rule": "FREQ=DAILY;BYHOUR=8"}, "agenda.rule"),
        ({"reminders": [-5]}, "agenda.reminder"),
        ({"reminders": [40_321]}, "agenda.reminder"),
        ({"reminders": list(range(11))}, "agenda.reminder"),
        ({"extra": ["2026-01-01T00:00"] * 501}, "agenda.changes"),
        ({"changes": [Change(at="2026-03-02T09:00", cancelled=True)] * 2}, "agenda.changes"),
    ],
)
def test_impossible_values_are_refused_with_a_sentence(changes: dict[str, object], rule: str) -> None:
    assert refused(lambda: checked(details(**changes))) == rule


def test_checked_is_the_same_again() -> None:
    one = checked(
        details(title=" e\N{COMBINING ACUTE ACCENT}té ", rule="freq=daily;count=2;", reminders=[60, 5, 60])
    )
    assert (one.title, one.rule, one.reminders) == ("été", "FREQ=DAILY;COUNT=2", [5, 60])
    assert checked(one) == one
