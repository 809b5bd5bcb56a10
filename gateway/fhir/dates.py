"""FHIR dates: written with milliseconds and UTC, read with the precision that they have (FHIR R4 §2.24)."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

_DATE: Final = re.compile(
    r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?)?)?"
)


def instant(at: int) -> str:
    """A moment (ms) as FHIR writes it."""
    moment = datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{at % 1000:03d}Z"


def span(text: str) -> tuple[int, int] | None:
    """The moments [first, after) in ms that a date of any precision stands for; None for no date.

    Without a time zone it is UTC, as the store counts.
    """
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        if month is None:
            first, after = datetime(int(year), 1, 1, tzinfo=UTC), datetime(int(year) + 1, 1, 1, tzinfo=UTC)
        elif day is None:
            first = datetime(int(year), int(month), 1, tzinfo=UTC)
            after = first + timedelta(days=calendar.monthrange(int(year), int(month))[1])
        elif hour is None:
            first = datetime.combine(date(int(year), int(month), int(day)), datetime.min.time(), UTC)
            after = first + timedelta(days=1)
        else:
            first = datetime(
                int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC
            ) - _offset(zone or "Z")
            after = first + (timedelta(seconds=1) if second else timedelta(minutes=1))
    except (ValueError, OverflowError):
        return None
    begin, end = _ms(first), _ms(after)
    if fraction:
        begin += int(fraction[1:4].ljust(3, "0"))
        end = begin + 1
    return begin, end


def _offset(zone: str) -> timedelta:
    if zone == "Z":
        return timedelta()
    sign = -1 if zone[0] == "-" else 1
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 14 or minutes > 59:
        raise ValueError(zone)
    return sign * timedelta(hours=hours, minutes=minutes)


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
