"""Months, weeks and days as pages show them, on the clocks of Paris, and what takes place in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

from agenda import Occurrence
from webmail.formats import PARIS, midnight

DAY: Final = timedelta(days=1)
FIRST: Final = date(1901, 1, 1)
LAST: Final = date(2198, 12, 31)


def weeks_of(month: date) -> list[list[date]]:
    """The weeks, Monday first, that have a day of the month of ``month``."""
    first = month.replace(day=1)
    begin = first - first.weekday() * DAY
    found = []
    while begin <= first or (begin.month == first.month and begin.year == first.year):
        found.append([begin + number * DAY for number in range(7)])
        begin += 7 * DAY
    return found


def next_month(month: date, by: int = 1) -> date:
    """The first day of the month ``by`` months later."""
    year, index = divmod(month.year * 12 + month.month - 1 + by, 12)
    return date(year, index + 1, 1)


def span(first: date, last: date) -> tuple[int, int]:
    """From the beginning of a day until the end of another (ms)."""
    return midnight(first), midnight(last + DAY)


def days_of(one: Occurrence) -> tuple[date, date]:
    """The first and the last day on which something takes place, in Paris. What ends at midnight does not
    touch the day that begins then."""
    if one.all_day:
        return date.fromisoformat(one.begin), date.fromisoformat(one.end) - DAY
    first = datetime.fromtimestamp(one.since / 1000, PARIS).date()
    last = datetime.fromtimestamp(max(one.since, one.until - 1) / 1000, PARIS).date()
    return first, last


def by_day(found: Sequence[Occurrence], first: date, last: date) -> dict[date, list[Occurrence]]:
    """What takes place on each day from ``first`` to ``last``; all-day first, then by the clock."""
    days: dict[date, list[Occurrence]] = {
        first + number * DAY: [] for number in range((last - first).days + 1)
    }
    for one in sorted(found, key=lambda each: (not each.all_day, each.since, each.title)):
        begin, end = days_of(one)
        day = max(begin, first)
        while day <= min(end, last):
            days[day].append(one)
            day += DAY
    return days


def month_of(text: str, today: date) -> date:
    """The first day of the month that ``YYYY-MM`` writes; of today's where it writes none."""
    return day_of(f"{text}-01", today).replace(day=1)


def day_of(text: str, today: date) -> date:
    """The day that ``YYYY-MM-DD`` writes, within what calendars show; else today."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return today
    return found if FIRST <= found <= LAST and len(text) == 10 else today
