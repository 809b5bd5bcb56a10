"""Periods in the civil calendar of Paris: never early, whatever summer time and leap years do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patients import calendar
from tests.patients.patients_support import DAY, HOUR, paris

moments = st.integers(paris("1990-01-01 00:00"), paris("2080-01-01 00:00"))
SIX_WEEKS = 42 * DAY


def wall(moment: int) -> datetime:
    """The clock in Paris, computed another way: by the offset that the zone has at that moment."""
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)
    offset = utc.astimezone(calendar.PARIS).utcoffset()
    assert offset is not None
    return (utc + offset).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("notified", "opens"),
    [
        ("2026-01-15 10:00:00", "2026-02-26 10:00:00"),
        ("2026-02-20 10:00:00", "2026-04-03 10:00:00"),  # summer time came: an hour less has passed
        ("2026-09-20 10:00:00", "2026-11-01 10:00:00"),  # and went: an hour more
        ("2026-02-15 02:30:00", "2026-03-29 03:30:00"),  # half past two does not come that night
        ("2026-09-13 02:30:00", "2026-10-25 02:30:00"),  # it comes twice: at the first
        ("2026-11-30 23:59:59", "2027-01-11 23:59:59"),
        ("2028-01-31 12:00:00", "2028-03-13 12:00:00"),  # over 29 February
        ("2027-01-31 12:00:00", "2027-03-14 12:00:00"),
    ],
)
def test_six_weeks(notified: str, opens: str) -> None:
    assert calendar.opens_at(paris(notified)) == paris(opens)


@given(moments)
def test_six_weeks_of_any_moment(notified: int) -> None:
    opens = calendar.opens_at(notified)
    assert opens - notified - SIX_WEEKS in (-HOUR, 0, HOUR)
    before, after = wall(notified), wall(opens)
    assert after.date() == before.date() + timedelta(days=42)
    assert after.time() == before.time() or after - before == timedelta(days=42, hours=1)  # the skipped hour
    # the index that chooses rows leaves out nobody who is due
    assert calendar.notified_before(opens) >= notified


@given(moments, st.integers(0, 10 * DAY))
def test_who_was_told_later_is_opened_no_earlier(notified: int, later: int) -> None:
    # but for the hour that comes twice, whose two readings are told apart by nothing on the clock
    assert calendar.opens_at(notified + later) >= calendar.opens_at(notified) - HOUR


@pytest.mark.parametrize(
    ("closed", "until"),
    [
        ("2026-05-04 08:15", "2036-05-04 08:15"),
        ("2028-02-29 08:15", "2038-03-01 08:15"),
        ("2026-12-31 23:59", "2036-12-31 23:59"),
    ],
)
def test_ten_years(closed: str, until: str) -> None:
    assert calendar.archived_until(paris(closed)) == paris(until)


@given(moments)
def test_ten_years_of_any_moment(closed: int) -> None:
    before, after = wall(closed), wall(calendar.archived_until(closed))
    assert after.year == before.year + 10
    assert (after.month, after.day) == (before.month, before.day) or (before.month, before.day) == (2, 29)
    assert abs((after - before).total_seconds() / 86400 - 3652.5) <= 1.6


@pytest.mark.parametrize(
    ("asked", "latest"),
    [
        ("2026-01-15 10:00", "2026-04-15 10:00"),
        ("2026-11-30 10:00", "2027-02-28 10:00"),
        ("2027-11-30 10:00", "2028-02-29 10:00"),
        ("2026-10-31 10:00", "2027-01-31 10:00"),
        ("2026-12-31 10:00", "2027-03-31 10:00"),
    ],
)
def test_three_months(asked: str, latest: str) -> None:
    assert calendar.latest_deletion(paris(asked)) == paris(latest)


@given(moments)
def test_three_months_of_any_moment(asked: int) -> None:
    assert 88 * DAY < calendar.latest_deletion(asked) - asked < 93 * DAY


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        ("2008-05-04", "2026-05-03 23:59", 17),
        ("2008-05-04", "2026-05-04 00:00", 18),
        ("2008-02-29", "2026-02-28 23:59", 17),
        ("2008-02-29", "2026-03-01 00:00", 18),
        ("2008-02-29", "2028-02-29 00:00", 20),
        ("2026-05-04", "2026-01-01 00:00", 0),
        ("1926-12-31", "2026-12-30 00:00", 99),
    ],
)
def test_ages(born: str, on: str, age: int) -> None:
    assert calendar.age(born, paris(on)) == age


@given(st.dates(date(1930, 1, 1), date(2060, 12, 31)))
def test_majority_is_the_first_moment_of_being_eighteen(born: date) -> None:
    moment = calendar.of_age_at(born.isoformat())
    assert calendar.age(born.isoformat(), moment) == 18
    assert calendar.age(born.isoformat(), moment - 1) == 17


def test_days_and_months_are_those_of_paris() -> None:
    moment = int(datetime(2026, 12, 31, 23, 30, tzinfo=UTC).timestamp() * 1000)
    assert (calendar.month_of(moment), calendar.today(moment).isoformat()) == ("2027-01", "2027-01-01")
    assert calendar.hour(moment) == 0
