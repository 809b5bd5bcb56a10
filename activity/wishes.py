"""How often somebody wants to be told that something happened, and when he is told next. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from patients import calendar

#: ``at_once`` is after a short quiet time, and not more than once in an interval; ``none`` still tells of
#: broken glass.
Wish = Literal["at_once", "daily", "weekly", "none"]
WISHES: Final[tuple[Wish, ...]] = ("at_once", "daily", "weekly", "none")
_MONDAY: Final = 0
_SIX_HOURS_MS: Final = 6 * 3_600_000


class Cadence(msgspec.Struct, frozen=True, kw_only=True):
    """``quiet_ms``: from the first news to the notice; ``between_ms``: least time between two notices of
    ``at_once``; ``hour`` of the clock in Paris for the daily and the weekly one (Mondays)."""

    quiet_ms: int = 300_000
    between_ms: int = 4 * 3_600_000
    hour: int = 8


def due(wish: Wish, since: int, last_at: int | None, urgent: bool, cadence: Cadence) -> int | None:
    """When (ms) somebody is told of what began at ``since`` (ms); None: not at all.

    ``last_at`` is when he was told last; what is urgent waits for nothing.
    """
    if urgent:
        return since
    if wish == "at_once":
        return max(since + cadence.quiet_ms, (last_at or 0) + cadence.between_ms)
    if wish == "none":
        return None
    return _next(max(since, last_at or 0), cadence.hour, weekly=wish == "weekly")


def _next(moment: int, hour: int, *, weekly: bool) -> int:
    """The first ``hour`` o'clock in Paris after ``moment``; of a Monday when ``weekly``."""
    local = datetime.fromtimestamp(moment / 1000, calendar.PARIS)
    day = local.date()
    while True:
        found = datetime(day.year, day.month, day.day, hour, tzinfo=calendar.PARIS)
        if found > local and not (weekly and day.weekday() != _MONDAY):
            return int(found.timestamp() * 1000)
        day += timedelta(days=1)


def retry_in(failures: int) -> int:
    """How long (ms) to wait after so many failures in a row: a minute, doubled, six hours at most."""
    return min(60_000 << min(failures - 1, 16), _SIX_HOURS_MS)
