"""Time zones as an iCalendar object defines them (RFC 5545 §3.6.5): by the rule that holds since 2000.

Made here because the library's dates of summer time are an hour late.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from icalendar import Component, Timezone, TimezoneDaylight, TimezoneStandard, vRecur

_FIRST: Final = 2000
_COMPARED: Final = 2037
_LAST: Final = 2100
_BASE: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # a wall time
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class _Shift(msgspec.Struct, frozen=True):
    """At ``wall`` (by the offset before) the offset goes from ``before`` to ``after``."""

    wall: datetime
    before: timedelta
    after: timedelta


@lru_cache(maxsize=64)
def timezone(name: str) -> Timezone:
    """The VTIMEZONE of an IANA name."""
    place = ZoneInfo(name)
    found = Timezone()
    found.add("tzid", name)
    shifts = _shifts(place, _FIRST, _COMPARED)
    ways = {(one.before, one.after) for one in shifts}
    rules = [_rule([one for one in shifts if (one.before, one.after) == way], way) for way in sorted(ways)]
    whole = [rule for rule in rules if rule is not None]
    if len(whole) == len(rules) == 2:
        for rule in whole:
            found.add_component(rule)
        return found
    start = _offset(place, datetime(_FIRST, 1, 1, tzinfo=UTC))
    found.add_component(_observance(_BASE, start, start))
    for one in _shifts(place, _FIRST, _LAST) if shifts else ():
        found.add_component(_observance(one.wall, one.before, one.after))
    return found


def _observance(wall: datetime, before: timedelta, after: timedelta) -> Component:
    part = TimezoneDaylight() if after > before else TimezoneStandard()
    part.add("dtstart", wall)  # RFC 5545 §3.6.5: local time, by the offset before
    part.add("tzoffsetfrom", before)
    part.add("tzoffsetto", after)
    return part


def _rule(shifts: list[_Shift], way: tuple[timedelta, timedelta]) -> Component | None:
    """One observance for all years, where they follow one rule: the last Sunday of March at two."""
    walls = [one.wall for one in shifts]
    alike = {(wall.month, wall.weekday(), wall.time()) for wall in walls}
    if len(walls) != _COMPARED - _FIRST + 1 or len(alike) != 1:
        return None
    ((month, weekday, clock),) = alike
    counts = {(wall.day - 1) // 7 + 1 for wall in walls}
    if all(wall.day + 7 > monthrange(wall.year, wall.month)[1] for wall in walls):
        ordinal, day = -1, monthrange(1970, month)[1]
        while datetime(1970, month, day).weekday() != weekday:  # noqa: DTZ001  # a date
            day -= 1
    elif len(counts) == 1:
        ordinal = counts.pop()
        day = 7 * ordinal - 6
        while datetime(1970, month, day).weekday() != weekday:  # noqa: DTZ001  # a date
            day += 1
    else:
        return None
    part = _observance(datetime.combine(datetime(1970, month, day), clock), *way)  # noqa: DTZ001  # a wall time
    part.add("rrule", vRecur(FREQ="YEARLY", BYMONTH=month, BYDAY=f"{ordinal}{_WEEKDAYS[weekday]}"))
    return part


def _shifts(place: ZoneInfo, first: int, last: int) -> list[_Shift]:
    """Every change of the offset from year ``first`` to ``last``."""
    found = []
    day = datetime(first, 1, 1, tzinfo=UTC)
    before = _offset(place, day)
    while day.year <= last:
        day += timedelta(days=1)
        if (after := _offset(place, day)) == before:
            continue
        low, high = day - timedelta(days=1), day
        while high - low > timedelta(minutes=1):
            middle = low + (high - low) / 2
            middle = middle.replace(second=0, microsecond=0)
            low, high = (middle, high) if _offset(place, middle) == before else (low, middle)
        if high.year <= last:
            found.append(_Shift((high + before).replace(tzinfo=None), before, after))
        before = after
    return found


def _offset(place: ZoneInfo, moment: datetime) -> timedelta:
    offset = moment.astimezone(place).utcoffset()
    assert offset is not None
    return offset
