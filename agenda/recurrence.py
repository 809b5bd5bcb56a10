"""Recurrence rules in wall time (RFC 5545 §3.3.10), expanded period by period and never without bound.

The expansion is ours because the libraries' walks to the year 9999 when a rule never matches; the tests
hold it against theirs. Taken: FREQ from HOURLY to YEARLY, INTERVAL, COUNT, UNTIL, WKST, BYMONTH,
BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE, BYSETPOS. Not taken, and told: SECONDLY, MINUTELY, BYSECOND, BYYEARDAY,
BYWEEKNO.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from agenda.errors import AgendaError
from agenda.walls import DAY, LAST_YEAR

Freq = Literal["HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]
MAX_COUNT: Final = 5_000
MAX_INTERVAL: Final = 1_000
MAX_TIMES: Final = 48  # a day
#: A rule that gives nothing for so many periods has ended: 30 February never comes.
BARREN: Final = 15_000
#: Periods that a rule with COUNT may need until it ends.
MAX_COST: Final = 2 * MAX_COUNT
_FREQ: Final[tuple[Freq, ...]] = ("HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BYDAY: Final = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d{1,4}", re.ASCII)
_UNTIL: Final = re.compile(r"\d{8}(T\d{6}Z?)?", re.ASCII)
_LAST: Final = datetime(LAST_YEAR, 12, 31, 23, 59, 59)  # noqa: DTZ001  # a wall time


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed rule. ``until`` as the text of RFC 5545; ``days`` are (ordinal or 0, Monday = 0)."""

    freq: Freq
    interval: int = 1
    count: int = 0  # 0: none
    until: str = ""
    week_start: int = 0
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    days: tuple[tuple[int, int], ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()

    @property
    def endless(self) -> bool:
        return not self.count and not self.until


def parse_rule(text: str) -> Rule:
    """The rule that ``FREQ=…;…`` writes. Raises :class:`AgendaError` ``agenda.rule``."""
    fields: dict[str, str] = {}
    for part in text.strip().upper().rstrip(";").split(";"):
        name, _, value = part.partition("=")
        if not value or name in fields or len(fields) > 12:
            raise AgendaError("agenda.rule", "parts")
        fields[name] = value
    asked, until = fields.pop("FREQ", ""), fields.pop("UNTIL", "")
    freq = next((one for one in _FREQ if one == asked), None)
    if freq is None or (until and not _UNTIL.fullmatch(until)):
        raise AgendaError("agenda.rule", "FREQ or UNTIL")
    rule = Rule(
        freq=freq,
        interval=_one(fields.pop("INTERVAL", "1"), 1, MAX_INTERVAL),
        count=_one(fields.pop("COUNT"), 1, MAX_COUNT) if "COUNT" in fields else 0,
        until=until,
        week_start=_weekday(fields.pop("WKST", "MO")),
        months=_numbers(fields.pop("BYMONTH", ""), 1, 12),
        month_days=_numbers(fields.pop("BYMONTHDAY", ""), 1, 31, signed=True),
        days=_days(fields.pop("BYDAY", "")),
        hours=_numbers(fields.pop("BYHOUR", ""), 0, 23),
        minutes=_numbers(fields.pop("BYMINUTE", ""), 0, 59),
        positions=_numbers(fields.pop("BYSETPOS", ""), 1, 366, signed=True),
    )
    if fields:
        raise AgendaError("agenda.rule", "a part that is not supported")
    _consistent(rule)
    _until_parts(rule)
    return rule


def _consistent(rule: Rule) -> None:
    ordinals = any(ordinal for ordinal, _ in rule.days)
    wrong = (
        (rule.count and rule.until)  # RFC 5545 §3.3.10: not both
        or (ordinals and rule.freq not in ("MONTHLY", "YEARLY"))
        or (ordinals and rule.freq == "MONTHLY" and any(abs(ordinal) > 5 for ordinal, _ in rule.days))
        or (ordinals and rule.freq == "YEARLY" and rule.month_days)
        or (rule.freq == "WEEKLY" and rule.month_days)
        or (rule.freq == "HOURLY" and (rule.endless or rule.positions or rule.minutes))
        or (
            rule.positions and not (rule.days or rule.month_days or rule.months or rule.hours or rule.minutes)
        )
        or max(len(rule.hours), 1) * max(len(rule.minutes), 1) > MAX_TIMES
    )
    if wrong:
        raise AgendaError("agenda.rule", "a combination that RFC 5545 forbids, or too much")


def _one(text: str, least: int, most: int) -> int:
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise AgendaError("agenda.rule", "a number")
    return int(text)


def _numbers(text: str, least: int, most: int, *, signed: bool = False) -> tuple[int, ...]:
    found = [int(one) if _NUMBER.fullmatch(one) else most + 1 for one in text.split(",")] if text else []
    if any(not least <= (abs(one) if signed else one) <= most for one in found):
        raise AgendaError("agenda.rule", "a number")
    return tuple(sorted(set(found)))


def _weekday(text: str) -> int:
    if text not in _WEEKDAYS:
        raise AgendaError("agenda.rule", "a day")
    return _WEEKDAYS.index(text)


def _days(text: str) -> tuple[tuple[int, int], ...]:
    found = set()
    for one in text.split(",") if text else ():
        match = _BYDAY.fullmatch(one)
        if match is None or (match[1] and not 1 <= abs(int(match[1])) <= 53):
            raise AgendaError("agenda.rule", "a day")
        found.add((int(match[1] or 0), _weekday(match[2])))
    return tuple(sorted(found))


def _until_parts(rule: Rule) -> datetime | None:
    if not rule.until:
        return None
    try:
        if "T" not in rule.until:
            return datetime.combine(datetime.strptime(rule.until, "%Y%m%d"), time(23, 59, 59))  # noqa: DTZ007
        found = datetime.strptime(rule.until.rstrip("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007  # told apart by Z
    except ValueError:
        raise AgendaError("agenda.rule", "UNTIL") from None
    return found.replace(tzinfo=UTC) if rule.until.endswith("Z") else found


def last_wall(rule: Rule, place: ZoneInfo | None) -> datetime | None:
    """UNTIL as a wall time of the zone, inclusive; None without one. Of an all-day rule the zone is None."""
    found = _until_parts(rule)
    if found is None or found.tzinfo is None:
        return found
    try:
        return found.astimezone(place or UTC).replace(tzinfo=None)
    except OverflowError:
        raise AgendaError("agenda.rule", "UNTIL") from None


def starts(
    rule: Rule, first: datetime, place: ZoneInfo | None, since: datetime, until: datetime
) -> Iterator[datetime]:
    """The wall times in [``since``, ``until``) at which ``rule`` has something begin, in their order.

    ``first`` (DTSTART) is one of them and counts, whether the rule gives it or not.
    """
    ends = last_wall(rule, place)
    horizon = min(_LAST, until if ends is None else min(until, ends + timedelta(seconds=1)))
    left = rule.count or MAX_COUNT * 100
    # RFC 5545 §3.8.5.3: DTSTART counts as the first occurrence
    if since <= first < until:
        yield first
    left -= 1
    barren = 0
    skip = 0 if rule.count else _before(rule, first, since)
    for found in _periods(rule, first, skip, horizon):
        barren = 0 if found else barren + 1
        if barren > BARREN:
            return
        for one in found:
            if one <= first:
                continue
            if one >= horizon or left <= 0:
                return
            left -= 1
            if one >= since:
                yield one


def gives(rule: Rule, first: datetime) -> bool:
    """Whether the rule by itself has something begin at ``first`` (DTSTART)."""
    return first in next(_periods(rule, first, 0, _LAST), [])


def ends_at(rule: Rule, first: datetime, place: ZoneInfo | None) -> datetime | None:
    """A wall time after which nothing begins any more, or None where there is no end, or none in sight."""
    if rule.endless:
        return None
    ends = last_wall(rule, place)
    if ends is not None:
        return max(first, ends)
    last, seen = first, 1
    for periods, found in enumerate(_periods(rule, first, 0, _LAST)):
        if periods > MAX_COST:
            return None
        for one in found:
            if one > first:
                if seen == rule.count:
                    return last
                seen, last = seen + 1, one
    return last


def affordable(rule: Rule, first: datetime) -> bool:
    """Whether a rule with COUNT is cheap to walk from its beginning, as each look at it has to."""
    if not rule.count:
        return True
    times = max(len(rule.hours), 1) * max(len(rule.minutes), 1)
    days = {"YEARLY": 366, "MONTHLY": 31, "WEEKLY": 7, "DAILY": 1, "HOURLY": 1}[rule.freq]
    each = 1 + (days * times // 10 if rule.positions else 0)  # all are made, then some are picked
    left, cost = rule.count, 0
    for found in _periods(rule, first, 0, _LAST):
        cost += each
        left -= len(found)
        if cost > MAX_COST:
            return False
        if left <= 0:
            return True
    return True


def _before(rule: Rule, first: datetime, since: datetime) -> int:
    """How many periods may be passed over to reach ``since``."""
    days = (since.date() - first.date()).days
    passed = {
        "HOURLY": days * 24 - 24,
        "DAILY": days,
        "WEEKLY": days // 7,
        "MONTHLY": (since.year - first.year) * 12 + since.month - first.month,
        "YEARLY": since.year - first.year,
    }[rule.freq]
    return max(0, passed // rule.interval - 1)


def _periods(rule: Rule, first: datetime, skip: int, horizon: datetime) -> Iterator[list[datetime]]:
    """What each period gives, sorted, from the ``skip``-th on, until one begins after ``horizon``."""
    times = _times(rule, first)
    number = skip
    while True:
        step = number * rule.interval
        number += 1
        try:
            if rule.freq == "HOURLY":
                hour = first + timedelta(hours=step)
                begins, found = hour, [hour] if _fits_hour(rule, hour) else []
            else:
                begin, days = _days_of(rule, first.date(), step)
                begins = datetime.combine(begin, time())
                found = [datetime.combine(day, clock) for day in days for clock in times]
        except (OverflowError, ValueError):  # beyond the year 9999
            return
        if begins > horizon:
            return
        yield _picked(found, rule.positions) if rule.positions else found


def _times(rule: Rule, first: datetime) -> list[time]:
    hours, minutes = rule.hours or (first.hour,), rule.minutes or (first.minute,)
    return [time(hour, minute, first.second) for hour in hours for minute in minutes]


def _fits_hour(rule: Rule, hour: datetime) -> bool:
    return _fits(rule, hour.date()) and (not rule.hours or hour.hour in rule.hours)


def _fits(rule: Rule, day: date) -> bool:
    """Whether a day passes BYMONTH, BYMONTHDAY and BYDAY (weekdays only)."""
    if rule.months and day.month not in rule.months:
        return False
    if rule.month_days:
        length = monthrange(day.year, day.month)[1]
        if day.day not in rule.month_days and day.day - length - 1 not in rule.month_days:
            return False
    return not rule.days or any(weekday == day.weekday() for _, weekday in rule.days)


def _days_of(rule: Rule, first: date, step: int) -> tuple[date, list[date]]:
    """The first day of a period, and its days that the rule gives."""
    if rule.freq == "DAILY":
        day = first + step * DAY
        return day, [day] if _fits(rule, day) else []
    if rule.freq == "WEEKLY":
        begin = first - ((first.weekday() - rule.week_start) % 7) * DAY + step * 7 * DAY
        wanted = {weekday for _, weekday in rule.days} or {first.weekday()}
        week = [begin + number * DAY for number in range(7)]
        return begin, [
            day for day in week if day.weekday() in wanted and (not rule.months or day.month in rule.months)
        ]
    if rule.freq == "MONTHLY":
        year, index = divmod(first.year * 12 + first.month - 1 + step, 12)
        begin = date(year, index + 1, 1)
        skipped = rule.months and begin.month not in rule.months
        return begin, [] if skipped else _month_days(rule, begin, first)
    begin = date(first.year + step, 1, 1)
    return begin, _year_days(rule, begin.year, first)


def _year_days(rule: Rule, year: int, first: date) -> list[date]:
    if not rule.months and rule.days and not rule.month_days:
        return _of_weekdays(rule.days, date(year, 1, 1), date(year, 12, 31))
    if not rule.months and not rule.days and not rule.month_days:
        months: tuple[int, ...] = (first.month,)
    else:
        months = rule.months or tuple(range(1, 13))
    return [day for number in months for day in _month_days(rule, date(year, number, 1), first)]


def _month_days(rule: Rule, begin: date, first: date) -> list[date]:
    length = monthrange(begin.year, begin.month)[1]
    last = begin.replace(day=length)
    if not rule.month_days and not rule.days:
        # RFC 5545 §3.3.10: a date that does not exist is passed over, not moved
        return [begin.replace(day=first.day)] if first.day <= length else []
    if not rule.month_days:
        return _of_weekdays(rule.days, begin, last)
    numbers = {number if number > 0 else length + 1 + number for number in rule.month_days}
    days = [begin.replace(day=number) for number in sorted(numbers) if 1 <= number <= length]
    if not rule.days:
        return days
    fitting = set(_of_weekdays(rule.days, begin, last))
    return [day for day in days if day in fitting]


def _of_weekdays(days: tuple[tuple[int, int], ...], begin: date, last: date) -> list[date]:
    """Days between two (inclusive) that are, say, a Monday, or the second or last Monday of them."""
    found = set()
    for ordinal, weekday in days:
        one = begin + ((weekday - begin.weekday()) % 7) * DAY
        alike = [one + number * 7 * DAY for number in range((last - one).days // 7 + 1)]
        if ordinal == 0:
            found.update(alike)
        elif abs(ordinal) <= len(alike):
            found.add(alike[ordinal - 1 if ordinal > 0 else ordinal])
    return sorted(found)


def _picked(found: list[datetime], positions: tuple[int, ...]) -> list[datetime]:
    """RFC 5545 §3.3.10, BYSETPOS: the n-th of the period, from its beginning or its end."""
    count = len(found)
    wanted = {place - 1 if place > 0 else count + place for place in positions}
    return [one for number, one in enumerate(found) if number in wanted]
