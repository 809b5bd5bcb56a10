"""When a measure was taken: time zones, summer time, days without a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier.measures import MeasureError, Moment, moments

ZONES = [
    "Europe/Paris",
    "Indian/Reunion",
    "America/Cayenne",
    "Pacific/Noumea",
    "America/St_Johns",
    "America/Sao_Paulo",
]
NBSP = "\u00a0"
EARLY = datetime.fromisoformat("1901-01-01")


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def at(text: str, zone: str = "Europe/Paris", fold: int = 0) -> Moment:
    return moments.at_clock(datetime.fromisoformat(text), zone, fold=fold)


def test_eight_o_clock_stays_eight_o_clock() -> None:
    there = at("2026-07-01T08:00", "Indian/Reunion")
    assert there.at == utc("2026-07-01T04:00")
    assert there.shown("fr").replace(NBSP, " ") == "1er juillet 2026 à 8 h 00"
    assert there.shown("en").replace(NBSP, " ") == "1 July 2026 at 08:00"
    assert there.iso == "2026-07-01T08:00:00+04:00"
    assert moments.parse(there.iso, "Pacific/Noumea") == there


def test_the_day_is_that_of_its_author() -> None:
    late = at("2026-01-31T23:30", "America/Cayenne")
    assert late.day == date(2026, 1, 31)
    assert moments.at_instant(late.at).day == date(2026, 2, 1)  # in Paris it was the next


def test_the_hour_that_comes_twice() -> None:
    first, second = at("2026-10-25T02:30"), at("2026-10-25T02:30", fold=1)
    assert second.at - first.at == 3_600_000
    assert first.local == second.local == datetime.fromisoformat("2026-10-25T02:30")
    assert (first.iso, second.iso) == ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00")
    assert moments.parse(second.iso) == second
    assert moments.parse("2026-10-25 02:30") == first


def test_the_hour_that_summer_time_skips() -> None:
    for text in ("2026-03-29T02:00", "2026-03-29T02:59:59"):
        with pytest.raises(MeasureError) as caught:
            at(text)
        assert caught.value.rule == "measure.moment"
        assert "été" in caught.value.french
    assert at("2026-03-29T03:00").at - at("2026-03-29T01:59").at == 60_000
    assert at("2026-03-29T02:30", "Indian/Reunion").at == utc("2026-03-28T22:30")


def test_a_day_alone() -> None:
    day = moments.parse("01/03/2026")
    assert (day.day_only, day.at, day.day) == (True, utc("2026-02-28T23:00"), date(2026, 3, 1))
    assert day.shown("fr").replace(NBSP, " ") == "1er mars 2026"
    assert day.iso == "2026-03-01"
    assert moments.parse(day.iso) == day
    # in São Paulo of 2018 this day began at one o'clock
    late = moments.on_day(date(2018, 11, 4), "America/Sao_Paulo")
    assert late.local == datetime.fromisoformat("2018-11-04T01:00")


@pytest.mark.parametrize(
    "text",
    ["2026-03-01T08:05", "2026-03-01 08:05", "01/03/2026 08:05", "1/3/2026 8h05", "01/03/2026 à 8 h 05",
     " 01/03/2026,  8:05 ", "2026-03-01T08:05:00.000", "2026-03-01T07:05Z", "2026-03-01T08:05+01:00",
     "2026-03-01T08:05+0100", "2026-03-01T02:05-05:00"],
)  # fmt: skip
def test_ways_to_write_a_moment(text: str) -> None:
    assert moments.parse(text).at == utc("2026-03-01T07:05")


@pytest.mark.parametrize(
    "text",
    ["", "hier", "2026-02-30", "31/02/2026", "2026-13-01", "2026-03-01 24:00", "2026-03-01 8", "03/2026",
     "1/3/26", "2026-03-01T08:05+25:00", "2026-03-01T08:05+01:75", "2026-03-01 08:60", "٢٠٢٦-٠٣-٠١",
     "1899-12-31", "0000-01-01",
     "9999-12-31", "2026-03-01 2026-03-01", "2026-03-01T08:05Zx", "0001-01-01T00:00+14:00"],
)  # fmt: skip
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(MeasureError) as caught:
        moments.parse(text)
    assert caught.value.rule == "measure.moment"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "/etc/localtime", "Europe", "a\0b"])
def test_what_is_no_zone(zone: str) -> None:
    with pytest.raises(MeasureError):
        moments.parse("2026-03-01 08:00", zone)
    with pytest.raises(MeasureError):
        moments.at_instant(0, zone)


def test_not_in_the_future_not_before_birth() -> None:
    now = utc("2026-03-01T12:00")
    moments.check(moments.at_instant(now + moments.TOLERANCE_MS), now, "2026-03-01")
    for moment, rule in (
        (moments.at_instant(now + moments.TOLERANCE_MS + 1), "measure.future"),
        (moments.parse("2026-03-02"), "measure.future"),
        (at("2026-02-28T23:59"), "measure.before_birth"),
    ):
        with pytest.raises(MeasureError) as caught:
            moments.check(moment, now, "2026-03-01")
        assert caught.value.rule == rule
    # born in Nouméa on the first of March, when it was still February in Paris
    moments.check(at("2026-03-01T00:30", "Pacific/Noumea"), now, "2026-03-01")
    moments.check(moments.parse("2026-03-01"), now, "2026-03-01")


@given(
    st.datetimes(EARLY, EARLY + 199 * timedelta(days=365)), st.sampled_from(ZONES), st.sampled_from([0, 1])
)
def test_a_clock_is_shown_as_it_was_read(local: datetime, zone: str, fold: int) -> None:
    local = local.replace(microsecond=local.microsecond // 1000 * 1000)
    try:
        found = moments.at_clock(local, zone, fold=fold)
    except MeasureError:  # skipped by summer time: one second of the clock never was
        there = local.replace(tzinfo=ZoneInfo(zone))
        assert there.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local
        return
    assert found.local == local
    assert found.at == moments.at_instant(found.at, zone).at
    assert moments.wall(found) == (local - datetime.fromisoformat("1970-01-01")) // timedelta(milliseconds=1)
    if found.offset % 60 == 0:  # offsets of before 1911 have seconds, which ISO 8601 cannot write
        assert moments.parse(found.iso, "Asia/Tokyo") == found
    end = moments.Moment(moments.end_of_day(found), found.offset)
    assert end.local.date() == local.date()
    assert moments.Moment(end.at + 1, found.offset).local.date() == local.date() + timedelta(days=1)


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_none(text: str) -> None:
    try:
        assert moments.parse(text).local.year >= moments.EARLIEST_YEAR
    except MeasureError as error:
        assert error.rule == "measure.moment"


def test_months_of_age() -> None:
    assert moments.months_between(date(2024, 2, 29), date(2025, 2, 28)) == 11
    assert moments.months_between(date(2024, 2, 29), date(2025, 3, 1)) == 12
    assert moments.months_between(date(2026, 1, 1), date(2025, 1, 1)) == 0
