"""What a measure cannot be, and what it seldom is, by age.

The limits are ours: no référentiel gives any. Beyond ``possible`` nobody has lived, or no device reads: such
a value is refused, for it would be a slip of unit or of finger. Outside ``usual`` it is taken and flagged, so
that a page asks again. They judge what was typed, never the person.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Final

import msgspec

from dossier.measures import words
from dossier.measures.errors import MeasureError
from dossier.measures.kinds import INFO, Kind, Quantity
from dossier.measures.moments import months_between


class Range(msgspec.Struct, frozen=True):
    """Numbers from ``low`` to ``high``, both included, in the canonical unit."""

    low: Fraction
    high: Fraction

    def holds(self, number: Fraction) -> bool:
        return self.low <= number <= self.high


class Limits(msgspec.Struct, frozen=True):
    """The limits of each part of a kind for ages below ``months``."""

    months: int
    possible: tuple[Range, ...]
    usual: tuple[Range, ...]


_OLDEST: Final = 12 * 200


def _ranges(text: str) -> tuple[Range, ...]:
    return tuple(Range(*map(Fraction, one.split("–"))) for one in text.split())


def _bands(*rows: tuple[int, str, str]) -> tuple[Limits, ...]:
    return tuple(Limits(months, _ranges(possible), _ranges(usual)) for months, possible, usual in rows)


# below how many months of age, possible, usual
LIMITS: Final[dict[Kind, tuple[Limits, ...]]] = {
    "weight": _bands(
        (1, "0.2–13", "1.5–5.5"),
        (12, "0.3–30", "2–13"),
        (36, "2–60", "6–20"),
        (72, "4–120", "10–35"),
        (144, "6–250", "14–80"),
        (216, "10–400", "25–130"),
        (_OLDEST, "15–650", "35–200"),
    ),
    "height": _bands(
        (1, "20–65", "42–57"),
        (12, "25–100", "45–85"),
        (36, "40–130", "62–105"),
        (72, "50–150", "80–125"),
        (144, "55–210", "95–165"),
        (216, "60–250", "120–200"),
        (_OLDEST, "50–275", "140–205"),
    ),
    "waist": _bands((216, "15–350", "30–120"), (_OLDEST, "30–400", "55–150")),
    "temperature": _bands((_OLDEST, "20–46", "35–41")),
    "blood_pressure": _bands(
        (12, "20–250 10–200", "50–115 25–75"),
        (144, "25–300 10–200", "70–135 35–90"),
        (_OLDEST, "30–350 10–250", "85–180 45–110"),
    ),
    "heart_rate": _bands(
        (12, "20–350", "80–200"),
        (144, "15–350", "55–170"),
        (_OLDEST, "15–350", "40–150"),
    ),
    "glycaemia": _bands((_OLDEST, "0.05–30", "0.6–2.5")),
    "cholesterol_total": _bands((_OLDEST, "0.1–20", "1–3.5")),
    "cholesterol_ldl": _bands((_OLDEST, "0.02–20", "0.3–2.8")),
    "cholesterol_hdl": _bands((_OLDEST, "0.02–3", "0.25–1.2")),
    "triglycerides": _bands((_OLDEST, "0.05–150", "0.3–5")),
    "pain": _bands((_OLDEST, "0–10", "0–10")),
}


def limits(kind: Kind, months: int | None) -> Limits:
    """Those of an age in months; of an unknown one (None), the widest of all ages."""
    bands = LIMITS[kind]
    if months is not None:
        return next((band for band in bands if months < band.months), bands[-1])
    return Limits(
        _OLDEST, _widest([band.possible for band in bands]), _widest([band.usual for band in bands])
    )


def _widest(bands: list[tuple[Range, ...]]) -> tuple[Range, ...]:
    return tuple(
        Range(min(one.low for one in parts), max(one.high for one in parts))
        for parts in zip(*bands, strict=True)
    )


def unusual(entered: Quantity, birth_date: str, day: date) -> bool:
    """Whether to ask again, of a measure taken on ``day`` by someone born on ``birth_date`` (YYYY-MM-DD, ""
    where unknown).

    Raises :class:`MeasureError`: ``measure.impossible``, ``measure.pressure`` (the lower number is not
    lower).
    """
    months = months_between(date.fromisoformat(birth_date), day) if birth_date else None
    found, numbers = limits(entered.kind, months), entered.canonical
    info = INFO[entered.kind]
    for part, number, possible in zip(info.parts, numbers, found.possible, strict=True):
        if not possible.holds(number):
            raise _impossible(entered.kind, part.french, part.english, possible)
    if entered.kind == "blood_pressure" and numbers[1] >= numbers[0]:
        raise MeasureError(
            "measure.pressure",
            "Le second nombre de la tension (diastolique) doit être plus petit que le premier (systolique).",
            "The second number of a blood pressure (diastolic) must be smaller than the first (systolic).",
        )
    return not all(usual.holds(number) for usual, number in zip(found.usual, numbers, strict=True))


def _impossible(kind: Kind, part_fr: str, part_en: str, possible: Range) -> MeasureError:
    info = INFO[kind]
    symbol = info.units[0].symbol
    low, high = _tidy(possible.low), _tidy(possible.high)
    french = f"{info.french} {part_fr}".strip()
    english = f"{info.english} {part_en}".strip()
    if symbol.startswith("/"):
        return MeasureError(
            "measure.impossible",
            f"{french} : indiquez un nombre entier de {low} à {high}.",
            f"{english}: give a whole number from {low} to {high}.",
        )
    low_fr, high_fr = words.number(low, "fr"), words.number(high, "fr")
    return MeasureError(
        "measure.impossible",
        f"{french} : en dessous de {low_fr} {symbol} ou au-dessus de {high_fr} {symbol}, la valeur n'est pas"
        " possible à cet âge ; vérifiez le nombre et l'unité.",
        f"{english}: below {low} {symbol} or above {high} {symbol} a value is not possible at this age;"
        " check number and unit.",
    )


def _tidy(number: Fraction) -> str:
    text = words.plain(number, 2)
    return text.rstrip("0").rstrip(".")
