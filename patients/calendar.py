"""Periods of the scheme, counted in the civil calendar of metropolitan France.

Moments are ms since the epoch, UTC. A period of days, months or years ends at the same time of the clock
in Paris, whatever summer time did between: never an hour early, never twice.
"""

from __future__ import annotations

from calendar import isleap, monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

PARIS: Final = ZoneInfo("Europe/Paris")
#: From the notice to the opening when the person neither activated nor objected (R.1111-28 CSP).
NOTICE_DAYS: Final = 42
#: How long the content of a closed profile is kept (R.1111-36 CSP).
ARCHIVE_YEARS: Final = 10
#: At most this long from a request to the deletion (R.1111-36 CSP).
DELETION_MONTHS: Final = 3
MAJORITY_YEARS: Final = 18
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def opens_at(notified_at: int) -> int:
    """When a profile notified at ``notified_at`` (ms) may be opened: six weeks later, to the millisecond."""
    return _ms(_local(notified_at) + timedelta(days=NOTICE_DAYS))


def notified_before(now: int) -> int:
    """The last moment (ms) of a notice whose six weeks may be over at ``now``, give or take summer time.

    For choosing rows by an index; :func:`opens_at` decides.
    """
    return now - (NOTICE_DAYS * 24 - 1) * 3_600_000


def archived_until(closed_at: int) -> int:
    """When the archive of a profile closed at ``closed_at`` (ms) is to be destroyed: ten years later."""
    moment = _local(closed_at)
    return _ms(_at(anniversary(moment.date(), ARCHIVE_YEARS), moment))


def latest_deletion(asked_at: int) -> int:
    """The last moment (ms) at which a deletion asked for at ``asked_at`` may be done: three months later."""
    moment = _local(asked_at)
    months = moment.month - 1 + DELETION_MONTHS
    year, month = moment.year + months // 12, months % 12 + 1
    return _ms(_at(date(year, month, min(moment.day, monthrange(year, month)[1])), moment))


def anniversary(day: date, years: int) -> date:
    """``day`` some years later; of 29 February, 1 March where that year has none: never early."""
    if (day.month, day.day) == (2, 29) and not isleap(day.year + years):
        return date(day.year + years, 3, 1)
    return day.replace(year=day.year + years)


def today(now: int) -> date:
    """The date in Paris at ``now`` (ms)."""
    return _local(now).date()


def hour(now: int) -> int:
    """The hour of the clock in Paris at ``now`` (ms), 0 to 23."""
    return _local(now).hour


def age(birth_date: str, now: int) -> int:
    """Whole years of someone born on ``birth_date`` (YYYY-MM-DD) at ``now`` (ms); never negative."""
    born, day = date.fromisoformat(birth_date), today(now)
    years = day.year - born.year
    return max(0, years - (day < anniversary(born, years))) if years > 0 else 0


def of_age_at(birth_date: str) -> int:
    """The moment (ms) at which someone comes of age: midnight in Paris on the eighteenth birthday."""
    day = anniversary(date.fromisoformat(birth_date), MAJORITY_YEARS)
    return _ms(datetime(day.year, day.month, day.day, tzinfo=PARIS))


def month_of(moment: int) -> str:
    """``YYYY-MM`` in Paris, for figures by month."""
    return _local(moment).strftime("%Y-%m")


def _local(moment: int) -> datetime:
    return (_EPOCH + timedelta(milliseconds=moment)).astimezone(PARIS)


def _at(day: date, clock: datetime) -> datetime:
    """``day`` at the time of ``clock``; of a time that comes twice, the first."""
    return datetime.combine(day, clock.time(), PARIS)


def _ms(moment: datetime) -> int:
    # Arithmetic on an aware datetime keeps the time of the clock; a time that summer time skips is read
    # with the offset before the change (PEP 495), which is the later of the two readings: never early.
    return (moment.astimezone(UTC) - _EPOCH) // _MS
