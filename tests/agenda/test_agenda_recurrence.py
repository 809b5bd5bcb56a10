"""Recurrence rules against dateutil, which expands by another algorithm, and what is refused."""

# ruff: noqa: DTZ001  # wall times have no zone

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from agenda.check import checked
from agenda.recurrence import ends_at, parse_rule, starts
from tests.agenda.agenda_support import details, refused

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
UNTIL = datetime(2030, 1, 1)


@st.composite
def rules(draw: st.DrawFn) -> str:
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={freq}"]
    parts.append(f"INTERVAL={draw(st.integers(1, 5))}")
    parts += draw(st.sampled_from([[], ["COUNT=1"], ["COUNT=7"], ["COUNT=30"], ["UNTIL=20290305T101500"]]))
    some = False
    if draw(st.booleans()):
        some = True
        months = draw(st.sets(st.integers(1, 12), min_size=1, max_size=3))
        parts.append("BYMONTH=" + ",".join(map(str, months)))
    numbers = draw(st.sets(st.sampled_from([1, 2, 13, 28, 29, 30, 31, -1, -2, -31]), max_size=3))
    if freq != "WEEKLY" and numbers:
        some = True
        parts.append("BYMONTHDAY=" + ",".join(map(str, numbers)))
    days = draw(st.sets(st.sampled_from(DAYS), max_size=4))
    if days:
        some = True
        # dateutil intersects plain days with numbered ones, RFC 5545 unites them: never both in one rule
        ordinal = freq == "MONTHLY" or (freq == "YEARLY" and not numbers)
        if ordinal and draw(st.booleans()):
            days = {f"{draw(st.sampled_from([1, 2, 5, -1]))}{day}" for day in days}
        parts.append("BYDAY=" + ",".join(sorted(days)))
    if draw(st.integers(0, 4)) == 0:
        some = True
        parts.append("BYHOUR=8,20")
    # dateutil's first week begins with DTSTART; for RFC 5545 it is a week all the same
    if some and freq != "WEEKLY" and draw(st.integers(0, 4)) == 0:
        parts.append("BYSETPOS=" + draw(st.sampled_from(["1", "-1", "1,-1", "2"])))
    parts.append("WKST=" + draw(st.sampled_from(DAYS)))
    return ";".join(parts)


@settings(max_examples=120, deadline=None)
@given(
    rules(),
    st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31)),
    st.integers(0, 2_000),
)
@example("FREQ=YEARLY", datetime(2024, 2, 29, 10, 15), 0)
@example("FREQ=MONTHLY", datetime(2026, 1, 31, 10, 15), 0)
@example("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=14", datetime(2026, 1, 31, 10, 15), 200)
@example("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", datetime(2026, 3, 1, 10, 15), 100)
def test_as_dateutil_expands(text: str, day: datetime, later: int) -> None:
    first = day.replace(hour=10, minute=15, second=0, microsecond=0)
    rule = parse_rule(text)
    mine = list(starts(rule, first, None, datetime(1999, 1, 1), UNTIL))
    # A rule that never matches would have dateutil walk to the year 9999.
    assume(len(mine) > 1 or "COUNT=1;" in text)
    theirs = list(takewhile(lambda one: one < UNTIL, rrulestr(text, dtstart=first))) if len(mine) > 1 else []
    if first not in theirs:  # RFC 5545 §3.8.5.3: DTSTART counts, also where the rule does not give it
        theirs = [first, *theirs][: rule.count or None]
    assert mine == theirs
    since = first + timedelta(days=later)
    assert list(starts(rule, first, None, since, UNTIL)) == [one for one in theirs if one >= since]


def test_plain_and_numbered_days_are_united() -> None:
    rule = parse_rule("FREQ=MONTHLY;BYDAY=MO,1FR;COUNT=6")
    found = starts(rule, datetime(2026, 6, 1, 9), None, datetime(2026, 1, 1), datetime(2027, 1, 1))
    assert [one.day for one in found] == [1, 5, 8, 15, 22, 29]


def test_hours_are_counted() -> None:
    rule = parse_rule("FREQ=HOURLY;INTERVAL=8;COUNT=4")
    found = list(starts(rule, datetime(2026, 6, 1, 6), None, datetime(2026, 6, 1, 12), datetime(2027, 1, 1)))
    assert found == [datetime(2026, 6, 1, 14), datetime(2026, 6, 1, 22), datetime(2026, 6, 2, 6)]


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=3",
        "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=7",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3",
    ],
)
def test_what_never_comes_ends(text: str) -> None:
    """Counted in periods, not in time: the walk stops long before the year 9999."""
    rule = parse_rule(text)
    first = datetime(1900, 1, 1, 9)
    assert list(starts(rule, first, None, first, datetime(2199, 1, 1))) == [first]
    assert ends_at(rule, first, None) in (None, first)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;COUNT=3",
        "FREQ=HOURLY",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=999999999",
        "FREQ=DAILY;COUNT=3;UNTIL=20270101",
        "FREQ=DAILY;UNTIL=20271301",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=1000000",
        "FREQ=DAILY;INTERVAL=٣",
        "FREQ=DAILY;BYDAY=1MO",
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=MONTHLY;BYDAY=XX",
        "FREQ=MONTHLY;BYSETPOS=1",
        "FREQ=YEARLY;BYWEEKNO=20",
        "FREQ=YEARLY;BYYEARDAY=100",
        "FREQ=YEARLY;BYMONTH=13",
        "FREQ=DAILY;BYSECOND=1,2,3",
        "FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6;BYMINUTE=0,5,10,15,20,25,30",
        "FREQ=DAILY;FREQ=DAILY",
        "DAILY",
        "FREQ=DAILY;X=" + "9" * 100,
    ],
)
def test_refused(text: str) -> None:
    assert refused(lambda: parse_rule(text)) == "agenda.rule"


@given(st.text(alphabet="FREQDAILY=;COUNT0123456789,-+BYMONTHDSUZ \N{ARABIC-INDIC DIGIT TWO}", max_size=80))
def test_nothing_but_a_refusal_comes_of_any_text(text: str) -> None:
    try:
        rule = parse_rule(text)
    except Exception as error:  # noqa: BLE001  # any other kind fails below
        assert type(error).__name__ == "AgendaError"
    else:
        list(starts(rule, datetime(2026, 1, 1), None, datetime(2026, 1, 1), datetime(2026, 2, 1)))


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=HOURLY;COUNT=5000;BYMONTH=1;BYMONTHDAY=1;BYHOUR=0",
        "FREQ=DAILY;COUNT=5000;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=DAILY;COUNT=2;BYMONTH=2;BYMONTHDAY=30",
        f"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={','.join(map(str, range(24)))};BYMINUTE=0,1;"
        "BYSETPOS=366;COUNT=5000",
    ],
)
def test_a_count_that_is_reached_too_late_is_refused(rule: str) -> None:
    """Each look walks such a rule from its beginning: seconds, for every appointment of a file."""
    assert refused(lambda: checked(details(rule=rule, begin="1900-01-01T00:00", end=""))) == "agenda.rule"


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;COUNT=5000;BYDAY=MO,TU,WE,TH,FR",
        "FREQ=HOURLY;INTERVAL=8;COUNT=5000",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=20",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=600",
    ],
)
def test_long_counts_that_people_write_are_taken(rule: str) -> None:
    assert checked(details(rule=rule)).rule == rule
