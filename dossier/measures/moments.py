"""When a measure was taken: the instant, and the clock that its author looked at.

The instant orders; the clock is shown. 8 h 00 in La Réunion stays 8 h 00 wherever it is read, whatever time
zones and summer times are made of later: the offset is kept with the measure.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from dossier.measures import words
from dossier.measures.errors import MeasureError
from dossier.measures.words import Language

PARIS: Final = "Europe/Paris"
#: How far ahead of ours a clock may be.
TOLERANCE_MS: Final = 5 * 60_000
EARLIEST_YEAR: Final = 1900
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_SECOND: Final = timedelta(seconds=1)
_DAY_MS: Final = 86_400_000
_EPOCH_DAY: Final = _EPOCH.toordinal()
# 2026-03-01, 01/03/2026; then a time; then an offset as ISO 8601 writes it, or nothing.
_TEXT: Final = re.compile(
    r"(?:(\d{4})-(\d\d?)-(\d\d?)|(\d\d?)/(\d\d?)/(\d{4}))"
    r"(?:(?:[Tt]| |, ?| à )(\d\d?)(?::| ?h ?)(\d\d)(?::(\d\d)(?:\.(\d{1,3})\d*)?)?"
    r" ?([Zz]|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)


class Moment(msgspec.Struct, frozen=True):
    """``at`` in ms; ``offset`` of the author's clock, in seconds east of UTC; ``day_only``: no time was
    given, and ``at`` is when that day began."""

    at: int
    offset: int
    day_only: bool = False

    @property
    def local(self) -> datetime:
        """What the clock showed, without a zone."""
        zone = timezone(timedelta(seconds=self.offset))
        return (_EPOCH + timedelta(milliseconds=self.at)).astimezone(zone).replace(tzinfo=None)

    @property
    def day(self) -> date:
        return date.fromordinal(_EPOCH_DAY + wall(self) // _DAY_MS)

    def shown(self, language: Language) -> str:
        """``"1er mars 2026 à 8 h 00"``, ``"1 March 2026 at 08:00"``; the day alone where that was given."""
        text = words.day(self.day, language)
        if self.day_only:
            return text
        return f"{text} {'at' if language == 'en' else 'à'} {words.clock(self.local, language)}"

    @property
    def iso(self) -> str:
        """ISO 8601 with the offset as entered; the date alone where only that was given."""
        if self.day_only:
            return self.day.isoformat()
        zone = timezone(timedelta(seconds=self.offset - self.offset % 60))
        there = (_EPOCH + timedelta(milliseconds=self.at)).astimezone(zone)
        return there.isoformat(timespec="milliseconds" if self.at % 1000 else "seconds")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # no such zone; or a name that is a path
        raise MeasureError(
            "measure.moment", "Ce fuseau horaire n'existe pas.", "There is no such time zone."
        ) from None


def at_clock(local: datetime, zone: str = PARIS, *, fold: int = 0, day_only: bool = False) -> Moment:
    """The moment at which the clocks of ``zone`` showed ``local``; of a time that comes twice in autumn the
    first, or the second with ``fold=1``.

    Raises :class:`MeasureError` ``measure.moment``: no such zone; a time that summer time skips; out of
    reason.
    """
    if not EARLIEST_YEAR <= local.year <= 9998:
        raise _no_moment()
    aware = local.replace(tzinfo=_zone(zone), fold=fold)
    instant = aware.astimezone(UTC)
    if instant.astimezone(aware.tzinfo).replace(tzinfo=None, fold=0) != local.replace(tzinfo=None, fold=0):
        if not day_only:
            raise MeasureError(
                "measure.moment",
                "Cette heure n'existe pas ce jour-là : les horloges passent à l'heure d'été.",
                "That day has no such time: clocks go forward to summer time.",
            )
        aware = instant.astimezone(aware.tzinfo)  # midnight is skipped: the day begins when it is over
    return _moment(aware, day_only)


def _moment(aware: datetime, day_only: bool = False) -> Moment:
    offset = aware.utcoffset()
    assert offset is not None
    return Moment((aware.astimezone(UTC) - _EPOCH) // _MS, offset // _SECOND, day_only)


def on_day(of: date, zone: str = PARIS) -> Moment:
    """A day without a time. Raises as :func:`at_clock`."""
    return at_clock(datetime.combine(of, time()), zone, day_only=True)


def at_instant(at: int, zone: str = PARIS) -> Moment:
    """An instant (ms) as the clocks of ``zone`` show it. Raises as :func:`at_clock`."""
    try:
        return _moment((_EPOCH + timedelta(milliseconds=at)).astimezone(_zone(zone)))
    except OverflowError:
        raise _no_moment() from None


def parse(text: str, zone: str = PARIS) -> Moment:
    """Read ``2026-03-01T08:00+04:00``, ``2026-03-01 08:00`` and ``01/03/2026 8h00`` (clocks of ``zone``), or
    a day alone. Day and month stand in the French order. Raises :class:`MeasureError` ``measure.moment``.
    """
    found = _TEXT.fullmatch(" ".join(text.split()))
    if found is None:
        raise _no_moment()
    year, month, day, day_fr, month_fr, year_fr, hour, minute, second, fraction, offset = found.groups()
    try:
        of = date(int(year or year_fr), int(month or month_fr), int(day or day_fr))
        if hour is None:
            return on_day(of, zone)
        micro = int((fraction or "0").ljust(3, "0")) * 1000
        local = datetime.combine(of, time(int(hour), int(minute), int(second or 0), micro))
        if offset is None:
            return at_clock(local, zone)
        if not EARLIEST_YEAR <= local.year <= 9998:
            raise _no_moment()
        return _moment(local.replace(tzinfo=_fixed(offset)))
    except (ValueError, OverflowError):
        raise _no_moment() from None


def _fixed(text: str) -> timezone:
    if text in "Zz":
        return UTC
    sign = -1 if text[0] == "-" else 1
    hours, minutes = int(text[1:3]), int(text[-2:])
    if minutes > 59:
        raise ValueError(text)
    return timezone(sign * timedelta(hours=hours, minutes=minutes))


def _no_moment() -> MeasureError:
    return MeasureError(
        "measure.moment",
        "La date n'est pas lisible : écrivez par exemple 01/03/2026 8h00.",
        "The date cannot be read: write for instance 2026-03-01 08:00.",
    )


def check(moment: Moment, now: int, birth_date: str) -> None:
    """Raise :class:`MeasureError` ``measure.future`` or ``measure.before_birth`` where a measure cannot have
    been taken at ``moment``; ``birth_date`` is YYYY-MM-DD, "" where unknown."""
    if moment.at > now + TOLERANCE_MS:
        raise MeasureError(
            "measure.future",
            "La date est dans le futur : une mesure se note après avoir été prise.",
            "The date is in the future: a measure is noted once it was taken.",
        )
    if birth_date and moment.day < date.fromisoformat(birth_date):
        raise MeasureError(
            "measure.before_birth",
            "La date est antérieure à la naissance.",
            "The date is before the birth.",
        )


def end_of_day(moment: Moment) -> int:
    """The last instant (ms) of the author's day."""
    return (wall(moment) // _DAY_MS + 1) * _DAY_MS - 1 - moment.offset * 1000


def wall(moment: Moment) -> int:
    """What the clock showed, as ms of a clock that knows no zones: for plots by the author's days."""
    return moment.at + moment.offset * 1000


def wall_of(at: int, zone: str = PARIS) -> int:
    """The same of an instant in ``zone``."""
    return wall(at_instant(at, zone))


def months_between(birth: date, of: date) -> int:
    """Whole months of age on a day; never negative."""
    months = (of.year - birth.year) * 12 + of.month - birth.month
    return max(0, months - (of.day < birth.day))
