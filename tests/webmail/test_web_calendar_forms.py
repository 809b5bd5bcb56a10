"""Days, hours and recurrence as forms write them; the grid of a month against the agenda itself."""

from __future__ import annotations

import calendar as reference
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agenda
from agenda import Details
from agenda.check import checked
from agenda.recurrence import parse_rule
from webmail.calendar import grid
from webmail.calendar.clocks import Fault, clock_typed, day_typed
from webmail.calendar.forms import FIELDS, REMINDERS, ZONES, details_from, typed_of
from webmail.calendar.repeats import EVERY, Ends, Repeat, repeat_from, repeat_of, rule_of, values_of

PARIS = ZoneInfo("Europe/Paris")
days = st.dates(date(1950, 1, 1), date(2150, 12, 31))


@st.composite
def repeats(draw: st.DrawFn) -> Repeat:
    every = draw(st.sampled_from([one for one in EVERY if one]))
    ends: Ends = draw(st.sampled_from(["jamais", "le", "apres"]))
    weekdays = draw(st.sets(st.integers(0, 6))) if every == "semaine" else set()
    return Repeat(
        every=every,
        apart=draw(st.integers(1, 99)),
        weekdays=tuple(sorted(weekdays)),
        ends=ends,
        until=draw(days) if ends == "le" else None,
        times=draw(st.integers(1, 500)) if ends == "apres" else 0,
    )


@given(repeats())
def test_a_recurrence_comes_back_from_its_rule(asked: Repeat) -> None:
    rule = rule_of(asked)
    parse_rule(rule)  # the agenda takes it
    assert repeat_of(rule) == asked
    begin = asked.until or date(2026, 1, 1)
    shown = repeat_from(values_of(asked), [str(one) for one in asked.weekdays], begin)
    assert shown == asked


@given(st.text(alphabet="FREQ=WEKLYDAI;BCOUNT0123456789,MOTUINRVAS-+", max_size=60))
def test_any_rule_is_told_or_left_alone(rule: str) -> None:
    found = repeat_of(rule)
    assert found.every in EVERY or found.every == "autre"


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY;BYDAY=2TU",
        "FREQ=WEEKLY;BYDAY=MO;WKST=SU",
        "FREQ=DAILY;UNTIL=20260101T120000Z",
        "FREQ=YEARLY;BYMONTH=3",
        "FREQ=HOURLY;COUNT=3",
        "FREQ=DAILY;UNTIL=20261340",
    ],
)
def test_a_rule_that_the_form_cannot_say_is_kept(rule: str) -> None:
    assert repeat_of(rule).every == "autre"
    before = Details(title="X", begin="2026-03-02T09:00:00", end="2026-03-02T10:00:00", rule=rule)
    typed = typed_of(before)
    assert details_from(typed.values, typed.weekdays, typed.reminders, before=before).details == before
    without = details_from({**typed.values, "repete": ""}, before=before).details
    assert without is not None
    assert without.rule == ""


zones = st.sampled_from(sorted(ZONES))
texts = st.text("abcé '’;,:1-", max_size=20)


@st.composite
def details(draw: st.DrawFn) -> Details:
    first, all_day = draw(st.dates(date(1950, 1, 1), date(2100, 1, 1))), draw(st.booleans())
    minutes = draw(st.integers(0, 24 * 60 - 1))
    if all_day:
        begin = first.isoformat()
        end = (first + timedelta(days=draw(st.integers(1, 300)))).isoformat()
    else:
        start = datetime.combine(first, datetime.min.time()) + timedelta(minutes=minutes)
        stop = start + timedelta(minutes=draw(st.integers(1, 5000)))
        begin, end = start.isoformat(timespec="seconds"), stop.isoformat(timespec="seconds")
    asked = draw(st.one_of(st.just(Repeat()), repeats()))
    if asked.until is not None and asked.until < first:
        asked = Repeat()
    return Details(
        title="T" + draw(texts).strip(),
        begin=begin,
        end=end,
        all_day=all_day,
        zone="" if all_day else draw(zones),
        place=draw(texts).strip(),
        notes=draw(texts).strip(),
        professional=agenda.Professional(name=draw(texts).strip()),
        rule=rule_of(asked),
        reminders=sorted(draw(st.sets(st.sampled_from(sorted(REMINDERS))))),
        shared=draw(st.booleans()),
    )


@given(details())
def test_an_appointment_shown_and_sent_again_is_the_same(one: Details) -> None:
    shown = typed_of(one)
    again = details_from(shown.values, shown.weekdays, shown.reminders, before=one)
    assert again.details == one
    fresh = details_from(shown.values, shown.weekdays, shown.reminders)
    assert fresh.details == one
    assert checked(one) == one


odd = st.text("09:-/.hT é\u00a0٣😀\x00<>&", max_size=12)


@given(st.dictionaries(st.sampled_from(FIELDS), odd), st.lists(odd, max_size=4))
def test_nothing_typed_breaks_the_form(values: dict[str, str], ticked: list[str]) -> None:
    found = details_from(values, ticked, ticked)
    assert (found.details is None) == bool(found.faults)
    assert set(found.faults) <= set(FIELDS)
    for name, text in values.items():
        assert found.values[name] == text


def test_single_changes_go_when_the_times_do() -> None:
    gone = agenda.Change(at="2026-03-09T09:00:00", cancelled=True)
    one = Details(
        title="X", begin="2026-03-02T09:00:00", end="2026-03-02T10:00:00", rule="FREQ=WEEKLY", changes=[gone]
    )
    typed = typed_of(one)
    same = details_from({**typed.values, "lieu": "Ici"}, before=one).details
    assert same is not None
    assert same.changes == [gone]
    other = details_from({**typed.values, "debut": "10:00", "fin_heure": "11:00"}, before=one).details
    assert other is not None
    assert other.changes == []


@pytest.mark.parametrize("text", ["2026-05-12", "12/05/2026", "12.5.2026", " 12/5/2026 "])
def test_days_as_people_write_them(text: str) -> None:
    assert day_typed(text, "jour") == date(2026, 5, 12)


@pytest.mark.parametrize(
    "text", ["", "30/02/2026", "demain", "2026-13-01", "12/05/26", "1/1/0001", "٣/٣/٢٠٢٦"]
)
def test_days_that_are_none(text: str) -> None:
    with pytest.raises(Fault) as fault:
        day_typed(text, "jour")
    assert fault.value.field == "jour"


@pytest.mark.parametrize("text", ["14:30", "14h30", "14 h 30", "14:30:00", "14H30"])
def test_hours_as_people_write_them(text: str) -> None:
    assert clock_typed(date(2026, 5, 12), text, "debut").isoformat() == "2026-05-12T14:30:00"


@pytest.mark.parametrize("text", ["", "25:00", "14:60", "midi", "-1:00", "1430", "٣:٠٠"])
def test_hours_that_are_none(text: str) -> None:
    with pytest.raises(Fault):
        clock_typed(date(2026, 5, 12), text, "debut")


# -- the grid -------------------------------------------------------------------------------------


@given(st.dates(grid.FIRST, grid.LAST))
def test_the_grid_is_that_of_the_calendar(day: date) -> None:
    weeks = grid.weeks_of(day)
    assert weeks == reference.Calendar(firstweekday=0).monthdatescalendar(day.year, day.month)


@given(st.dates(grid.FIRST, grid.LAST), st.integers(-30, 30))
def test_months_before_and_after(day: date, by: int) -> None:
    there = grid.next_month(day, by)
    assert there.day == 1
    assert (there.year * 12 + there.month) - (day.year * 12 + day.month) == by


@given(st.dates(date(1950, 1, 1), date(2150, 12, 30)))
def test_a_day_begins_at_its_midnight_and_ends_at_the_next(day: date) -> None:
    since, until = grid.span(day, day)
    assert datetime.fromtimestamp(since / 1000, PARIS).date() == day
    assert datetime.fromtimestamp((until - 1) / 1000, PARIS).date() == day
    assert datetime.fromtimestamp(until / 1000, PARIS).date() == day + timedelta(days=1)
    assert (until - since) % 3_600_000 == 0


def _occurrences(one: Details, first: date, last: date) -> dict[date, list[agenda.Occurrence]]:
    made = agenda.Appointment(
        box_id=1, appointment_id=1, version=1, at=0, status="planned", source="patient", by="patient",
        ident="1", uid="x", hidden=False, details=checked(one),
    )  # fmt: skip
    found = agenda.occurrences_of(made, *grid.span(first, last))
    return grid.by_day(found, first, last)


def test_nine_o_clock_stays_nine_over_both_changes_of_the_clocks() -> None:
    daily = Details(title="X", begin="2026-03-20T09:00:00", end="2026-03-20T09:30:00", rule="FREQ=DAILY")
    for month in (date(2026, 3, 1), date(2026, 10, 1)):
        weeks = grid.weeks_of(month)
        first, last = weeks[0][0], weeks[-1][-1]
        days = _occurrences(daily, first, last)
        expected = [day for week in weeks for day in week if day >= date(2026, 3, 20)]
        assert [day for day, found in days.items() if found] == expected
        assert all(found[0].begin[11:16] == "09:00" for found in days.values() if found)


def test_the_last_night_of_a_year_is_on_both_days_and_midnight_is_not_the_next() -> None:
    night = Details(title="X", begin="2026-12-31T22:00:00", end="2027-01-01T02:00:00")
    days = _occurrences(night, date(2026, 12, 28), date(2027, 1, 3))
    assert [day for day, found in days.items() if found] == [date(2026, 12, 31), date(2027, 1, 1)]
    evening = Details(title="X", begin="2026-12-31T22:00:00", end="2027-01-01T00:00:00")
    days = _occurrences(evening, date(2026, 12, 28), date(2027, 1, 3))
    assert [day for day, found in days.items() if found] == [date(2026, 12, 31)]
    whole = Details(title="X", begin="2026-12-31", end="2027-01-02", all_day=True, zone="")
    days = _occurrences(whole, date(2026, 12, 28), date(2027, 1, 3))
    assert [day for day, found in days.items() if found] == [date(2026, 12, 31), date(2027, 1, 1)]


def test_what_is_far_away_is_on_the_day_it_is_in_paris() -> None:
    far = Details(title="X", begin="2026-06-01T20:00:00", end="2026-06-01T21:00:00", zone="Pacific/Tahiti")
    days = _occurrences(far, date(2026, 5, 30), date(2026, 6, 4))
    assert [day for day, found in days.items() if found] == [date(2026, 6, 2)]


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-00", "2026-13", "abcd-ef", "1800-01", "9999-12", "2026-1"]
)
def test_a_month_that_is_none_is_today_s(text: str) -> None:
    assert grid.month_of(text, date(2026, 5, 12)) == date(2026, 5, 1)
