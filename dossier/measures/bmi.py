"""The body mass index: computed from a weight and the last height known at that moment, never kept.

Of adults it is told how the World Health Organization names it; of children it is a number, for their
doctor's curves to judge. A height grows old: of an adult one since the seventeenth birthday, of a child one
of the last six months (one month below two years), else there is no index.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import Final, Literal

import msgspec

from dossier.measures.model import Measure
from dossier.measures.moments import Moment, end_of_day, months_between

Corpulence = Literal["underweight", "normal", "overweight", "obesity_1", "obesity_2", "obesity_3"]
_ADULT_MONTHS: Final = 18 * 12
_GROWN_MONTHS: Final = 17 * 12
_INFANT_MONTHS: Final = 24
# Upper bounds, not included (WHO, adults).
_CLASSES: Final[tuple[tuple[Fraction, Corpulence], ...]] = (
    (Fraction("18.5"), "underweight"),
    (Fraction(25), "normal"),
    (Fraction(30), "overweight"),
    (Fraction(35), "obesity_1"),
    (Fraction(40), "obesity_2"),
)
CORPULENCES: Final[dict[Corpulence, tuple[str, str]]] = {
    "underweight": ("insuffisance pondérale", "underweight"),
    "normal": ("corpulence normale", "normal weight"),
    "overweight": ("surpoids", "overweight"),
    "obesity_1": ("obésité (classe 1)", "obesity (class 1)"),
    "obesity_2": ("obésité (classe 2)", "obesity (class 2)"),
    "obesity_3": ("obésité (classe 3)", "obesity (class 3)"),
}


class Bmi(msgspec.Struct, frozen=True):
    """The index at the moment of a weight, in kg/m², exactly. ``corpulence`` is None for minors, and where
    the age is not known. ``weight_id`` and ``height_id``: the measures that it comes from."""

    value: Fraction
    moment: Moment
    corpulence: Corpulence | None
    weight_id: int
    height_id: int


def indices(weights: Sequence[Measure], heights: Sequence[Measure], birth_date: str) -> list[Bmi]:
    """The index at each weight that has a height; both oldest first. ``birth_date``: YYYY-MM-DD, "" where
    unknown.

    A height taken later on the day of the weight counts as known.
    """
    born = date.fromisoformat(birth_date) if birth_date else None
    taken = [height.taken_at for height in heights]
    tall = [height.quantity.canonical[0] for height in heights]
    found = []
    for weight in weights:
        known = bisect_right(taken, end_of_day(weight.moment))
        if not known:
            continue
        height = heights[known - 1]
        if born is not None and not _fits(born, weight.moment.day, height.moment.day):
            continue
        value = index(weight.quantity.canonical[0], tall[known - 1])
        adult = born is not None and months_between(born, weight.moment.day) >= _ADULT_MONTHS
        corpulence = corpulence_of(value) if adult else None
        found.append(Bmi(value, weight.moment, corpulence, weight.measure_id, height.measure_id))
    return found


def index(kilograms: Fraction, centimetres: Fraction) -> Fraction:
    """kg/m², exactly."""
    high, low = centimetres.numerator, centimetres.denominator
    return Fraction(kilograms.numerator * 10_000 * low * low, kilograms.denominator * high * high)


def corpulence_of(value: Fraction) -> Corpulence:
    """What the index of an adult is called."""
    return next((name for bound, name in _CLASSES if value < bound), "obesity_3")


def _fits(born: date, weighed: date, measured: date) -> bool:
    age = months_between(born, weighed)
    if age >= _ADULT_MONTHS:
        return months_between(born, measured) >= _GROWN_MONTHS
    return months_between(measured, weighed) < (1 if age < _INFANT_MONTHS else 6)
