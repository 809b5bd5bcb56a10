"""Dates as people remember them: a year, a month of a year, or a day."""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from datetime import date
from functools import total_ordering
from typing import Final, Literal

import msgspec

from dossier.health.errors import HealthError

Language = Literal["fr", "en"]
MONTHS: Final[dict[Language, tuple[str, ...]]] = {
    "fr": (
        "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre",
        "novembre", "décembre",
    ),
    "en": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
        "November", "December",
    ),
}  # fmt: skip
FIRST_YEAR: Final = 1850
LAST_YEAR: Final = 2199
_ISO: Final = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
_FRENCH: Final = re.compile(r"(?:(?:(\d{1,2})[/. -])?(\d{1,2})[/. -])?(\d{4})", re.ASCII)
_WORDS: Final = re.compile(r"(?:(\d{1,2})(?:er|st|nd|rd|th)? +)?([a-z]+)\.? +(\d{4})", re.ASCII)


@total_ordering
class PartialDate(msgspec.Struct, frozen=True):
    """A year, with its month or not (0), with its day or not (0).

    Ordered as a list is read: what is less exact comes before what is more exact within it (2019, 2019-05,
    2019-05-12, 2020). Raises :class:`HealthError` ``health.date`` when there is no such date.
    """

    year: int
    month: int = 0
    day: int = 0

    def __post_init__(self) -> None:
        good = FIRST_YEAR <= self.year <= LAST_YEAR and 0 <= self.month <= 12 and self.day >= 0
        if not good or (self.day and not self.month) or self.day > self._last_day():
            raise HealthError("health.date", "there is no such date", "Cette date n'existe pas.")

    def _last_day(self) -> int:
        return monthrange(self.year, self.month)[1] if self.month else 31

    def __lt__(self, other: PartialDate) -> bool:
        return (self.year, self.month, self.day) < (other.year, other.month, other.day)

    def __str__(self) -> str:
        """ISO 8601, as far as known: ``2019``, ``2019-05``, ``2019-05-12``."""
        parts = [f"{self.year:04d}", *(f"{part:02d}" for part in (self.month, self.day) if part)]
        return "-".join(parts)

    @property
    def earliest(self) -> date:
        """The first day that it may be."""
        return date(self.year, self.month or 1, self.day or 1)

    @property
    def latest(self) -> date:
        """The last day that it may be."""
        return date(self.year, self.month or 12, self.day or self._last_day())

    def words(self, language: Language = "fr") -> str:
        """As a sentence says it: ``12 mai 2019``, ``mai 2019``, ``2019``; ``12 May 2019``."""
        if not self.month:
            return str(self.year)
        text = f"{MONTHS[language][self.month - 1]} {self.year}"
        if not self.day:
            return text
        return f"{'1er' if language == 'fr' and self.day == 1 else self.day} {text}"


def parse_date(text: str) -> PartialDate:
    """The date in ``2019``, ``2019-05-12``, ``12/05/2019``, ``05/2019``, ``12 mai 2019``, ``May 2019``…

    Day before month wherever figures are written with strokes, dots or blanks, as in France. Raises
    :class:`HealthError` ``health.date``: not understood, or no such date (30 February).
    """
    plain = _plain(text)
    if found := _ISO.fullmatch(plain):
        return _date(*found.groups())
    if found := _FRENCH.fullmatch(plain):
        return _date(*reversed(found.groups()))
    if found := _WORDS.fullmatch(plain):
        day, name, year = found.groups()
        if month := _month(name):
            return _date(year, str(month), day)
    raise HealthError(
        "health.date",
        "write a date like 2019, 05/2019 or 12/05/2019",
        "Écrivez une date comme 2019, 05/2019 ou 12/05/2019.",
    )


def check_date(value: PartialDate | None, *, born: str, today: date, future: bool = False) -> None:
    """See that a date may be one of somebody born on ``born`` (YYYY-MM-DD, "" for unknown).

    A date that is not exact passes when it may be right. Raises :class:`HealthError` ``health.date``.
    """
    if value is None:
        return
    if born and value.latest < date.fromisoformat(born):
        raise HealthError(
            "health.date", "this date is before the birth", "Cette date est antérieure à la naissance."
        )
    if not future and value.earliest > today:
        raise HealthError("health.date", "this date is in the future", "Cette date est dans le futur.")


def check_span(begin: PartialDate | None, end: PartialDate | None) -> None:
    """See that an end may come after its beginning. Raises :class:`HealthError` ``health.date``."""
    if begin is not None and end is not None and end.latest < begin.earliest:
        raise HealthError(
            "health.date", "the end is before the beginning", "La date de fin est antérieure au début."
        )


def _date(year: str | None, month: str | None, day: str | None) -> PartialDate:
    if (month is not None and int(month) == 0) or (day is not None and int(day) == 0):
        raise HealthError("health.date", "there is no such date", "Cette date n'existe pas.")
    return PartialDate(int(year or 0), int(month or 0), int(day or 0))


def _plain(text: str) -> str:
    """Without accents, in small letters, single blanks."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(one for one in spread if not unicodedata.combining(one)).split())


def _month(name: str) -> int:
    """1 to 12 for a month's name in either language, or its beginning where that is enough; else 0."""
    for names in MONTHS.values():
        for number, full in enumerate(names, 1):
            plain = _plain(full)
            if name == plain or (len(name) >= 3 and plain.startswith(name) and _alone(name, names)):
                return number
    return 0


def _alone(start: str, names: tuple[str, ...]) -> bool:
    return sum(_plain(name).startswith(start) for name in names) == 1
