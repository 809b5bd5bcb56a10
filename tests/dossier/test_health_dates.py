"""Partial dates: reading what people write, saying it back, order, and what cannot be."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier.health.dates import MONTHS, PartialDate, check_date, check_span, parse_date
from dossier.health.errors import HealthError

days = st.dates(date(1850, 1, 1), date(2199, 12, 31)).map(
    lambda one: PartialDate(one.year, one.month, one.day)
)
months = days.map(lambda one: PartialDate(one.year, one.month))
years = days.map(lambda one: PartialDate(one.year))
partial = st.one_of(days, months, years)
TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2019", "2019"),
        ("2019-05", "2019-05"),
        ("2019-5-7", "2019-05-07"),
        ("05/2019", "2019-05"),
        ("12/05/2019", "2019-05-12"),
        ("12.5.2019", "2019-05-12"),
        (" 12 05 2019 ", "2019-05-12"),
        ("1er février 1970", "1970-02-01"),
        ("1ER FEVRIER 1970", "1970-02-01"),
        ("août 2003", "2003-08"),
        ("aout 2003", "2003-08"),
        ("3 déc. 2003", "2003-12-03"),
        ("12 May 2019", "2019-05-12"),
        ("June 2001", "2001-06"),
        ("29/02/2024", "2024-02-29"),
    ],
)
def test_what_people_write(text: str, iso: str) -> None:
    assert str(parse_date(text)) == iso


@pytest.mark.parametrize(
    "text",
    [
        "", "hier", "30/02/2019", "2019-02-30", "29/02/2023", "31/04/2020", "13/2019", "00/2019", "0/5/2019",
        "2019-00", "2019-13", "1849", "2200", "19", "12/05/19", "2019-05-12T10:00", "12 ju 2019", "jui 2019",
        "2019/05/12", "٢٠١٩", "12/05/2019 14h",
    ],
)  # fmt: skip
def test_what_is_no_date_is_told_in_both_languages(text: str) -> None:
    with pytest.raises(HealthError) as caught:
        parse_date(text)
    assert caught.value.rule == "health.date"
    assert caught.value.french.endswith(".")
    assert caught.value.peer.isascii()


@given(partial)
def test_every_date_is_read_back_as_it_is_said(one: PartialDate) -> None:
    for text in (str(one), one.words("fr"), one.words("en"), one.words("fr").upper()):
        assert parse_date(text) == one
    stroke = "/".join(reversed(str(one).split("-")))
    assert parse_date(stroke) == one


@given(partial, partial, partial)
def test_dates_are_in_one_order(one: PartialDate, two: PartialDate, three: PartialDate) -> None:
    assert (one < two) + (two < one) + (one == two) == 1
    if one < two < three:
        assert one < three
    if one.latest < two.earliest:
        assert one < two
    assert one.earliest <= one.latest


@given(st.integers(), st.integers(-2, 15), st.integers(-2, 35))
def test_only_days_of_the_calendar_are_dates(year: int, month: int, day: int) -> None:
    try:
        made = PartialDate(year, month, day)
    except HealthError as error:
        assert error.rule == "health.date"
        if 1850 <= year <= 2199 and month >= 1 and day >= 1:
            with pytest.raises(ValueError):
                date(year, month, day)
    else:
        assert made.earliest.year == year


def test_the_words() -> None:
    assert PartialDate(2020, 3, 1).words() == "1er mars 2020"
    assert PartialDate(2020, 3, 1).words("en") == "1 March 2020"
    assert PartialDate(2020, 8).words() == "août 2020"
    assert PartialDate(1999).words() == "1999"
    assert {len(names) for names in MONTHS.values()} == {12}


def test_what_may_be_right_passes() -> None:
    for good in (PartialDate(1969), PartialDate(1969, 6), PartialDate(1969, 6, 15), PartialDate(2026, 11)):
        check_date(good, born="1969-06-15", today=TODAY)
    check_date(PartialDate(2026), born="", today=TODAY)
    check_date(PartialDate(2031, 2), born="1969-06-15", today=TODAY, future=True)
    check_date(None, born="1969-06-15", today=TODAY)
    check_span(PartialDate(2019, 5, 12), PartialDate(2019))
    check_span(None, PartialDate(2019))


@pytest.mark.parametrize(
    "bad", [PartialDate(1968), PartialDate(1969, 5), PartialDate(1969, 6, 14), PartialDate(2027),
            PartialDate(2026, 12), PartialDate(2026, 11, 23)]
)  # fmt: skip
def test_earlier_and_later_are_refused(bad: PartialDate) -> None:
    with pytest.raises(HealthError):
        check_date(bad, born="1969-06-15", today=TODAY)


def test_an_end_before_its_beginning_is_refused() -> None:
    with pytest.raises(HealthError):
        check_span(PartialDate(2019, 5, 12), PartialDate(2019, 5, 11))
    with pytest.raises(HealthError):
        check_span(PartialDate(2019, 5), PartialDate(2018))
