"""Times of the clock on a wall, and the moments they are."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from agenda.errors import AgendaError

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2199
PARIS: Final = "Europe/Paris"
DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_SHAPE: Final = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?)?", re.ASCII)
#: Without those that are whatever the machine is set to.
ZONES: Final = frozenset(available_timezones()) - {"localtime", "posixrules", "Factory"}


def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises :class:`AgendaError` ``agenda.zone``."""
    if name not in ZONES:
        raise AgendaError("agenda.zone")
    return ZoneInfo(name)


def wall(text: str, *, all_day: bool) -> datetime:
    """The wall time that ``text`` writes (midnight of an all-day date), without a zone.

    Raises :class:`AgendaError` ``agenda.date``.
    """
    if not _SHAPE.fullmatch(text) or ("T" in text) == all_day:
        raise AgendaError("agenda.date")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise AgendaError("agenda.date") from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise AgendaError("agenda.date")
    return found


def text_of(moment: datetime, *, all_day: bool) -> str:
    """The reverse of :func:`wall`."""
    return moment.date().isoformat() if all_day else moment.replace(tzinfo=None).isoformat(timespec="seconds")


def instant(moment: datetime, place: ZoneInfo) -> int:
    """The moment (ms) of a wall time. One that comes twice is the first of both; one that summer time skips
    is read with the offset before the change (RFC 5545 §3.3.5)."""
    return (moment.replace(tzinfo=place, fold=0).astimezone(UTC) - _EPOCH) // _MS


def at_wall(ms: int, place: ZoneInfo) -> datetime:
    """The wall time at a moment."""
    return (_EPOCH + ms * _MS).astimezone(place).replace(tzinfo=None)


def month(day: date | datetime) -> int:
    """A month as a number that counts on."""
    return day.year * 12 + day.month - 1
