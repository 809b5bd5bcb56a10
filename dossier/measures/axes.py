"""The axes of a plot: round numbers upwards, and days, months or years along, as a calendar has them.

Time is that of the authors' clocks (:func:`dossier.measures.moments.wall`): it knows neither zones nor summer
time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Final, Literal

import msgspec

from dossier.measures import words
from dossier.measures.words import Language

DAY_MS: Final = 86_400_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


class Tick(msgspec.Struct, frozen=True):
    """A mark: where (a number, or ms of a clock), and what stands there."""

    at: Fraction
    label: str


# -- numbers --------------------------------------------------------------------------------------


def numbers(low: Fraction, high: Fraction, most: int, language: Language) -> list[Tick]:
    """Round numbers of which the first is not above ``low`` and the last not below ``high``; about ``most``.

    Steps are 1, 2 or 5 times a power of ten. ``low`` is below ``high``.
    """
    step = _step(high - low, most)
    first = low.numerator * step.denominator // (low.denominator * step.numerator)
    last = -(-high.numerator * step.denominator // (high.denominator * step.numerator))
    places = 0
    while (step * 10**places).denominator != 1:
        places += 1
    return [
        Tick(step * count, words.number(words.plain(step * count, places), language))
        for count in range(first, last + 1)
    ]


def _step(span: Fraction, most: int) -> Fraction:
    ten = Fraction(1, 10**6)
    while True:
        for factor in (1, 2, 5):
            if ten * factor * most >= span:
                return ten * factor
        ten *= 10


# -- time -----------------------------------------------------------------------------------------


class _Step(msgspec.Struct, frozen=True):
    unit: Literal["hour", "day", "month", "year"]
    count: int
    about_ms: int


_STEPS: Final = (
    *(_Step("hour", count, count * 3_600_000) for count in (1, 3, 6, 12)),
    *(_Step("day", count, count * DAY_MS) for count in (1, 2, 7, 14)),
    *(_Step("month", count, count * 30 * DAY_MS) for count in (1, 2, 3, 6)),
    *(_Step("year", count, count * 365 * DAY_MS) for count in (1, 2, 5, 10, 20, 50, 100)),
)


def times(since: int, until: int, most: int, language: Language) -> list[Tick]:
    """At most ``most`` marks (2 or more) within [``since``, ``until``], in ms of a clock."""
    for step in _STEPS:
        if (until - since) // step.about_ms > most:
            continue
        found = [at for at in _marks(step, _clock(since)) if since <= at]
        if len(found := [at for at in found if at <= until]) <= most:
            return [
                Tick(Fraction(at), _label(step, _clock(at), place == 0, language))
                for place, at in enumerate(found)
            ]
    return []


def _marks(step: _Step, start: datetime) -> list[int]:
    """Marks from some time before ``start`` on: enough for any plot, for who asks bounds them by the span."""
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    if step.unit in ("hour", "day"):
        if step.unit == "day" and step.count >= 7:
            midnight -= timedelta(days=midnight.weekday())
        first = _ms(midnight)
        return [first + count * step.about_ms for count in range(_MANY)]
    months = step.count * (12 if step.unit == "year" else 1)
    number = midnight.year * 12 + midnight.month - 1
    number -= number % months
    return [_ms(day) for day in _months(number, months)]


_MANY: Final = 200


def _months(number: int, every: int) -> Iterator[datetime]:
    for count in range(_MANY):
        year, month = divmod(number + count * every, 12)
        if 1 <= year <= 9999:
            yield datetime(year, month + 1, 1, tzinfo=UTC)


def _label(step: _Step, at: datetime, first: bool, language: Language) -> str:
    if step.unit == "hour" and at.hour:
        if language == "en":
            return words.clock(at, language)
        return f"{at.hour}{words.NBSP}h"
    if step.unit in ("hour", "day"):
        return words.day(at.date(), language, short=True, year=False)
    if step.unit == "month":
        return words.month(at.date(), language, year=first or at.month == 1)
    return str(at.year)


def _clock(wall: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=wall)


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // _MS


def day_of(wall: int) -> date:
    """The day that a clock showed."""
    return _clock(wall).date()


# -- from numbers to the page ---------------------------------------------------------------------


def scale(low: Fraction, high: Fraction, start: int, length: int) -> Callable[[Fraction | int], int]:
    """A function from [``low``, ``high``] to [``start``, ``start + length``], whole; a negative length goes
    up."""
    span = high - low
    # (number - low) × length ÷ span, in whole numbers: it is asked of each of thousands of points
    shift, scaled = low.numerator, low.denominator
    factor, over = length * span.denominator, span.numerator * scaled

    def place(number: Fraction | int) -> int:
        part = (number.numerator * scaled - shift * number.denominator) * factor
        return start + part // (number.denominator * over)

    return place
