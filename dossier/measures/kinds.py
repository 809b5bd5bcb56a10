"""The kinds of measures: names, units, conversions, codes.

Units are written as UCUM writes them, kinds have the codes of LOINC under which FHIR names them. Conversions
are exact fractions: ``canonical = number × factor + shift``. Nothing here is a binary fraction.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Final, Literal, get_args

import msgspec

#: What is kept. The body mass index is computed (:mod:`dossier.measures.bmi`), never kept.
Kind = Literal[
    "weight",
    "height",
    "waist",
    "temperature",
    "blood_pressure",
    "heart_rate",
    "glycaemia",
    "cholesterol_total",
    "cholesterol_ldl",
    "cholesterol_hdl",
    "triglycerides",
    "pain",
]
#: What is drawn: the kinds kept, and the index.
Shown = Literal[Kind, "bmi"]
Context = Literal["", "fasting", "after_meal"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Unit(msgspec.Struct, frozen=True):
    """A unit of one kind. ``decimals``: the most that are taken of what is typed.

    ``spellings`` are other ways to type it, casefolded, without blanks and dots.
    """

    code: str  # UCUM
    symbol: str
    factor: Fraction
    decimals: int
    spellings: frozenset[str] = frozenset()
    shift: Fraction = Fraction(0)

    def canonical(self, number: Fraction) -> Fraction:
        return number if self.itself else number * self.factor + self.shift

    def number(self, canonical: Fraction) -> Fraction:
        if self.itself:
            return canonical
        return (canonical - self.shift) * Fraction(self.factor.denominator, self.factor.numerator)

    @property
    def itself(self) -> bool:
        """Whether this is the canonical unit."""
        return self.factor == 1 and not self.shift


class Part(msgspec.Struct, frozen=True):
    """One number of a kind: its names, and its LOINC code where the kind has several."""

    code: str
    french: str
    english: str
    loinc: str


class KindInfo(msgspec.Struct, frozen=True):
    """What holds of one kind. ``units[0]`` is the canonical one; ``decimals`` those of a computed number."""

    kind: Shown
    french: str
    english: str
    units: tuple[Unit, ...]
    parts: tuple[Part, ...]
    loinc: str
    decimals: int
    contexts: tuple[Context, ...] = ("",)
    unit_needed: bool = False  # a number alone may mean two things

    def unit(self, code: str) -> Unit:
        """The unit ``code`` of this kind. Raises :class:`KeyError`: it has no such unit."""
        for unit in self.units:
            if unit.code == code:
                return unit
        raise KeyError(code)

    def named(self, language: str) -> str:
        """The kind's name in French, or English where ``language`` is ``"en"``."""
        return self.english if language == "en" else self.french


_ONE: Final = Fraction(1)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_INCH_CM: Final = Fraction(254, 100)  # exact since 1959
_POUND_KG: Final = Fraction(45359237, 100_000_000)  # exact since 1959
# A centimetre of mercury is ten millimetres of it.
_LITRES_MG_DL: Final = Fraction(1, 100)


def _per_mole(grams: str) -> Fraction:
    """g/L of one mmol/L, from the molar mass in g/mol."""
    return Fraction(grams) * Fraction(1, 1000)


def _blood(mole: Fraction) -> tuple[Unit, ...]:
    return (
        Unit("g/L", "g/L", _ONE, 3, _words("g/l g gr/l grammes/litre grammes/l")),
        Unit("mmol/L", "mmol/L", mole, 3, _words("mmol/l mmol mmoles/l millimoles/l")),
        Unit("mg/dL", "mg/dL", _LITRES_MG_DL, 1, _words("mg/dl mg/100ml")),
    )


# Molar masses as laboratories convert by: glucose C6H12O6, cholesterol C27H46O, triolein C57H104O6.
_GLUCOSE: Final = _blood(_per_mole("180.156"))
_CHOLESTEROL: Final = _blood(_per_mole("386.65"))
_TRIGLYCERIDES: Final = _blood(_per_mole("885.4"))


def _single(loinc: str) -> tuple[Part, ...]:
    return (Part("value", "", "", loinc),)


_ALL: Final[tuple[KindInfo, ...]] = (
    KindInfo(
        kind="weight",
        french="Poids",
        english="Weight",
        units=(
            Unit("kg", "kg", _ONE, 3, _words("kg kgs kilo kilos kilogramme kilogrammes kilograms")),
            Unit("g", "g", Fraction(1, 1000), 0, _words("g gr gramme grammes grams")),
            Unit("[lb_av]", "lb", _POUND_KG, 2, _words("lb lbs livre livres pound pounds")),
        ),
        parts=_single("29463-7"),
        loinc="29463-7",
        decimals=1,
    ),
    KindInfo(
        kind="height",
        french="Taille",
        english="Height",
        units=(
            Unit("cm", "cm", _ONE, 2, _words("cm cms centimètre centimètres centimetres centimeters")),
            Unit("m", "m", Fraction(100), 3, _words("m mètre mètres metre metres meters")),
            Unit("[in_i]", "in", _INCH_CM, 2, _words("in inch inches pouces po")),
        ),
        parts=_single("8302-2"),
        loinc="8302-2",
        decimals=0,
    ),
    KindInfo(
        kind="waist",
        french="Tour de taille",
        english="Waist",
        units=(
            Unit("cm", "cm", _ONE, 2, _words("cm cms centimètre centimètres centimetres centimeters")),
            Unit("[in_i]", "in", _INCH_CM, 2, _words("in inch inches pouces po")),
        ),
        parts=_single("8280-0"),
        loinc="8280-0",
        decimals=0,
    ),
    KindInfo(
        kind="temperature",
        french="Température",
        english="Temperature",
        units=(
            Unit("Cel", "°C", _ONE, 2, _words("°c c ° celsius °celsius degrés degré degrees")),
            Unit(
                "[degF]",
                "°F",
                Fraction(5, 9),
                2,
                _words("°f f fahrenheit °fahrenheit"),
                shift=Fraction(-160, 9),
            ),
        ),
        parts=_single("8310-5"),
        loinc="8310-5",
        decimals=1,
    ),
    KindInfo(
        kind="blood_pressure",
        french="Tension artérielle",
        english="Blood pressure",
        units=(
            Unit("mm[Hg]", "mmHg", _ONE, 1, _words("mmhg mm mm[hg]")),
            Unit("cm[Hg]", "cmHg", Fraction(10), 1, _words("cmhg cm cm[hg]")),
        ),
        parts=(
            Part("systolic", "systolique", "systolic", "8480-6"),
            Part("diastolic", "diastolique", "diastolic", "8462-4"),
        ),
        loinc="85354-9",
        decimals=0,
    ),
    KindInfo(
        kind="heart_rate",
        french="Fréquence cardiaque",
        english="Heart rate",
        units=(
            Unit(
                "/min",
                "bpm",
                _ONE,
                1,
                _words(
                    "bpm /min batt/min battements/min battements puls/min pulsations/min pulsations beats/min"
                ),
            ),
        ),
        parts=_single("8867-4"),
        loinc="8867-4",
        decimals=0,
    ),
    KindInfo(
        kind="glycaemia",
        french="Glycémie",
        english="Blood glucose",
        units=_GLUCOSE,
        parts=_single("2339-0"),
        loinc="2339-0",
        decimals=2,
        contexts=("", "fasting", "after_meal"),
        unit_needed=True,
    ),
    KindInfo(
        kind="cholesterol_total",
        french="Cholestérol total",
        english="Total cholesterol",
        units=_CHOLESTEROL,
        parts=_single("2093-3"),
        loinc="2093-3",
        decimals=2,
        contexts=("", "fasting"),
        unit_needed=True,
    ),
    KindInfo(
        kind="cholesterol_ldl",
        french="Cholestérol LDL",
        english="LDL cholesterol",
        units=_CHOLESTEROL,
        parts=_single("2089-1"),
        loinc="2089-1",
        decimals=2,
        contexts=("", "fasting"),
        unit_needed=True,
    ),
    KindInfo(
        kind="cholesterol_hdl",
        french="Cholestérol HDL",
        english="HDL cholesterol",
        units=_CHOLESTEROL,
        parts=_single("2085-9"),
        loinc="2085-9",
        decimals=2,
        contexts=("", "fasting"),
        unit_needed=True,
    ),
    KindInfo(
        kind="triglycerides",
        french="Triglycérides",
        english="Triglycerides",
        units=_TRIGLYCERIDES,
        parts=_single("2571-8"),
        loinc="2571-8",
        decimals=2,
        contexts=("", "fasting"),
        unit_needed=True,
    ),
    KindInfo(
        kind="pain",
        french="Douleur",
        english="Pain",
        units=(Unit("{score}", "/10", _ONE, 0, _words("/10 sur10 outof10 {score}")),),
        parts=_single("72514-3"),
        loinc="72514-3",
        decimals=0,
    ),
    KindInfo(
        kind="bmi",
        french="Indice de masse corporelle",
        english="Body mass index",
        units=(Unit("kg/m2", "kg/m²", _ONE, 1, _words("kg/m2 kg/m²")),),
        parts=_single("39156-5"),
        loinc="39156-5",
        decimals=1,
    ),
)
#: Every kind, and the index.
INFO: Final[dict[Shown, KindInfo]] = {info.kind: info for info in _ALL}


@lru_cache(maxsize=4096)
def _exact(number: str) -> Fraction:
    return Fraction(number)


class Quantity(msgspec.Struct, frozen=True):
    """What was entered: ``numbers`` in plain digits with a point ("72.50"), as many as the kind has parts,
    and the UCUM code of their unit. Made by :mod:`dossier.measures.parsing`."""

    kind: Kind
    numbers: tuple[str, ...]
    unit: str

    @property
    def canonical(self) -> tuple[Fraction, ...]:
        """The numbers in the kind's canonical unit, exactly."""
        unit = INFO[self.kind].unit(self.unit)
        return tuple(unit.canonical(_exact(number)) for number in self.numbers)

    def within(self, unit: str) -> tuple[Fraction, ...]:
        """The numbers in another unit of the kind, exactly. Raises :class:`KeyError`."""
        if unit == self.unit:
            return tuple(_exact(number) for number in self.numbers)
        wanted = INFO[self.kind].unit(unit)
        return tuple(wanted.number(number) for number in self.canonical)
