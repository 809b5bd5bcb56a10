"""How dates, times and sizes are written for people, in both languages. Moments are ms since the epoch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from webmail.languages import Language

PARIS: Final = ZoneInfo("Europe/Paris")
_NARROW: Final = "\u202f"
_MONTHS: Final[dict[Language, tuple[str, ...]]] = {
    "fr": (
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ),
    "en": (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
}
_SHORT: Final = (
    "janv.",
    "févr.",
    "mars",
    "avr.",
    "mai",
    "juin",
    "juil.",
    "août",
    "sept.",
    "oct.",
    "nov.",
    "déc.",
)
_DAYS: Final[dict[Language, tuple[str, ...]]] = {
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}


def midnight(day: date) -> int:
    """When a day begins in Paris (ms)."""
    return int(datetime.combine(day, time(), PARIS).timestamp()) * 1000


def there(at: int) -> datetime:
    """A moment on the clocks of France."""
    return datetime.fromtimestamp(at / 1000, PARIS)


def day(at: int | date, *, language: Language = "fr", weekday: bool = False) -> str:
    """``1er mars 2026``, ``1 March 2026``."""
    when = at if isinstance(at, date) else there(at)
    number = "1er" if when.day == 1 and language == "fr" else str(when.day)
    text = f"{number} {_MONTHS[language][when.month - 1]} {when.year}"
    return f"{_DAYS[language][when.weekday()]} {text}" if weekday else text


def clock(at: int, *, language: Language = "fr") -> str:
    """``9 h 05`` (no-break spaces), ``09:05``."""
    when = there(at)
    return (
        f"{when.hour}\u00a0h\u00a0{when.minute:02}"
        if language == "fr"
        else f"{when.hour:02}:{when.minute:02}"
    )


def moment(at: int, *, language: Language = "fr") -> str:
    """``1er mars 2026 à 9 h 05``."""
    return f"{day(at, language=language)} {'à' if language == 'fr' else 'at'} {clock(at, language=language)}"


def briefly(at: int, *, now: int | None = None, language: Language = "fr") -> str:
    """For lists: the clock today, the day and month this year, the date otherwise."""
    when = there(at)
    today = datetime.now(PARIS) if now is None else there(now)
    if when.date() == today.date():
        return clock(at, language=language)
    if (today.date() - when.date()).days == 1:
        return "hier" if language == "fr" else "yesterday"
    if when.year == today.year:
        return f"{when.day} {_MONTHS[language][when.month - 1]}"
    return f"{when.day:02}/{when.month:02}/{when.year}"


def month(at: date, *, language: Language = "fr") -> str:
    """``mars 2026``."""
    return f"{_MONTHS[language][at.month - 1]} {at.year}"


def weekday(at: date, *, language: Language = "fr") -> str:
    """``lundi``."""
    return _DAYS[language][at.weekday()]


def day_number(at: int, *, language: Language = "fr") -> str:
    """``1``, as on a tear-off calendar."""
    return str(there(at).day)


def short_month(at: int, *, language: Language = "fr") -> str:
    """``mars``, ``nov.``; ``Mar``, ``Nov``."""
    number = there(at).month - 1
    return _SHORT[number] if language == "fr" else _MONTHS[language][number][:3]


def iso(at: int, *, language: Language = "fr") -> str:
    """For ``<time datetime>``."""
    return there(at).isoformat(timespec="minutes")


def size(octets: int, *, language: Language = "fr") -> str:
    """``1,4 Mo``, ``1.4 MB``: decimal, as shops and systems count."""
    unit = "o" if language == "fr" else "B"
    value = float(octets)
    for prefix in ("", "k", "M"):
        if value < 1000 or prefix == "M":
            break
        value /= 1000
    text = f"{value:.0f}" if not prefix or value >= 10 else f"{value:.1f}"
    return f"{text.replace('.', ',') if language == 'fr' else text}{_NARROW}{prefix}{unit}"


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "day": day,
    "clock": clock,
    "moment": moment,
    "briefly": briefly,
    "month": month,
    "weekday": weekday,
    "day_number": day_number,
    "short_month": short_month,
    "iso": iso,
    "filesize": size,
}
