"""Reading what people type as a measure. docs/dossier.md has the rules in words.

A text is read in one way only, or refused: no thousands are guessed, no decimals dropped, no unit invented
where two are likely. Digits are 0 to 9: those of other scripts are refused with a sentence, never mapped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from dossier.measures.errors import MeasureError
from dossier.measures.kinds import INFO, Kind, KindInfo, Quantity, Unit

LONGEST: Final = 40
_BLANKS: Final = dict.fromkeys(map(ord, "\u00a0\u202f\u2009\u2007\u2008\u200a\t"), " ")
# Signs of degrees that keyboards and phones write, and the fraction slash.
_SIGNS: Final = {
    0x00BA: "°",
    0x02DA: "°",
    0x2103: "°c",
    0x2109: "°f",
    0x2044: "/",
    0x2215: "/",
}
# Groups of three may be set apart by blanks; one comma or point stands before the decimals.
_NUMBER: Final = r"(?:\d{1,3}(?: \d{3})+|\d{1,6})(?:[.,]\d{1,6})?"
_ONE: Final = re.compile(rf"({_NUMBER}) ?([^\d.,].*)?", re.ASCII)
_TWO: Final = re.compile(rf"({_NUMBER}) ?(?:/|sur|over) ?({_NUMBER}) ?([^\d.,].*)?", re.ASCII)
_METRES: Final = re.compile(r"(\d) ?(?:m|mètres?|metres?) ?(\d\d)(?: ?cm)?", re.ASCII)
_KILOS: Final = re.compile(r"(\d{1,3}) ?(?:kg|kilos?) ?(\d{3})(?: ?(?:g|gr|grammes?))?", re.ASCII)
_HALF: Final = re.compile(r"(\d\d) ?° ?(\d)", re.ASCII)
_GRAMS: Final = re.compile(r"(\d{1,2}) ?(?:g|gr|grammes?) ?(\d\d)(?: ?/? ?(?:l|litre))?", re.ASCII)


def parse(kind: Kind, text: str, unit: str = "") -> Quantity:
    """Read ``text`` as a measure of ``kind``. ``unit`` (UCUM code, "" for none) is the one that the form
    proposes; a unit typed goes before it.

    Raises :class:`MeasureError` (``measure.number``, ``measure.unit``, ``measure.shape``). Whether the value
    is possible is for :mod:`dossier.measures.plausible` to say.
    """
    info = INFO[kind]
    if unit and unit not in {one.code for one in info.units}:
        raise _no_unit(info)
    typed = _tidied(text)
    special = _SPECIAL.get(kind)
    found = special(typed) if special is not None else None
    if found is None:
        found = _pressure(info, typed, unit) if len(info.parts) == 2 else _single(info, typed, unit)
    numbers, code = found
    return Quantity(kind, tuple(_digits(one, info.unit(code)) for one in numbers), code)


def quantity(kind: Kind, numbers: tuple[str, ...], unit: str) -> Quantity:
    """Take numbers that a machine gives: digits with a point, one for each part, in ``unit`` (UCUM). Raises
    as :func:`parse`."""
    info = INFO[kind]
    if unit not in {one.code for one in info.units}:
        raise _no_unit(info)
    if len(numbers) != len(info.parts):
        raise _no_shape(info)
    for one in numbers:
        if not re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", one, re.ASCII):
            raise _no_number()
    return Quantity(kind, tuple(_digits(one, info.unit(unit)) for one in numbers), unit)


_Found = tuple[tuple[str, ...], str]


def _tidied(text: str) -> str:
    if len(text) > LONGEST:
        raise _no_number()
    tidy = " ".join(text.translate(_BLANKS).translate(_SIGNS).split(" ")).strip().casefold()
    tidy = re.sub(" +", " ", tidy)
    if any(one.isnumeric() and not one.isascii() for one in tidy.replace("²", "")):
        raise MeasureError(
            "measure.number",
            "Écrivez le nombre avec les chiffres 0 à 9.",
            "Write the number with the digits 0 to 9.",
        )
    return tidy


def _single(info: KindInfo, typed: str, proposed: str) -> _Found:
    found = _ONE.fullmatch(typed)
    if found is None:
        raise _no_number()
    number, named = found[1], found[2]
    if named:
        return (number,), _unit(info, named).code
    return (number,), _bare(info, number, proposed)


def _bare(info: KindInfo, number: str, proposed: str) -> str:
    """The unit of a number alone."""
    if info.kind == "height" and proposed in ("", "cm") and _fraction(number) < 3:
        return "m"  # nobody is 1,75 cm tall
    if proposed:
        return proposed
    if info.unit_needed:
        units = ", ".join(unit.symbol for unit in info.units)
        raise MeasureError(
            "measure.unit",
            f"Indiquez l'unité lue sur l'appareil ou le résultat : {units}.",
            f"Give the unit that the device or the result tells: {units}.",
        )
    return info.units[0].code


def _pressure(info: KindInfo, typed: str, proposed: str) -> _Found:
    found = _TWO.fullmatch(typed)
    if found is None:
        raise _no_shape(info)
    numbers, named = (found[1], found[2]), found[3]
    if named:
        return numbers, _unit(info, named).code
    # 12/8 is said of centimetres, 120/80 of millimetres, whatever the form proposes.
    low = [_fraction(number) <= 30 for number in numbers]
    if all(low) or not any(low):
        return numbers, "cm[Hg]" if all(low) else "mm[Hg]"
    if proposed:
        return numbers, proposed
    raise _no_shape(info)


def _height(typed: str) -> _Found | None:
    found = _METRES.fullmatch(typed)
    return None if found is None else ((f"{found[1]}.{found[2]}",), "m")


def _weight(typed: str) -> _Found | None:
    found = _KILOS.fullmatch(typed)
    return None if found is None else ((f"{found[1]}.{found[2]}",), "kg")


def _degrees(typed: str) -> _Found | None:
    found = _HALF.fullmatch(typed)
    return None if found is None else ((f"{found[1]}.{found[2]}",), "Cel")


def _per_litre(typed: str) -> _Found | None:
    found = _GRAMS.fullmatch(typed)
    return None if found is None else ((f"{found[1]}.{found[2]}",), "g/L")


#: What is said with the unit in the middle: 1m75, 3 kg 250, 37°2, 1 g 05.
_SPECIAL: Final[dict[Kind, Callable[[str], _Found | None]]] = {
    "height": _height,
    "weight": _weight,
    "temperature": _degrees,
    "glycaemia": _per_litre,
    "cholesterol_total": _per_litre,
    "cholesterol_ldl": _per_litre,
    "cholesterol_hdl": _per_litre,
    "triglycerides": _per_litre,
}


def _unit(info: KindInfo, named: str) -> Unit:
    spelled = named.replace(" ", "").replace(".", "").strip()
    for unit in info.units:
        if spelled in unit.spellings:
            return unit
    raise _no_unit(info)


def _digits(number: str, unit: Unit) -> str:
    """Plain digits with a point, as many decimals as were typed."""
    whole, point, decimals = number.replace(" ", "").replace(",", ".").partition(".")
    if len(decimals) > unit.decimals:
        raise MeasureError(
            "measure.number",
            f"Trop de chiffres après la virgule : au plus {unit.decimals} en {unit.symbol}."
            if unit.decimals
            else "Écrivez un nombre entier.",
            f"Too many decimals: at most {unit.decimals} in {unit.symbol}."
            if unit.decimals
            else "Write a whole number.",
        )
    return (whole.lstrip("0") or "0") + point + decimals


def _fraction(number: str) -> Fraction:
    return Fraction(number.replace(" ", "").replace(",", "."))


def _no_number() -> MeasureError:
    return MeasureError(
        "measure.number",
        "Le nombre n'est pas lisible : écrivez par exemple 72,5, sans séparateur de milliers.",
        "The number cannot be read: write for instance 72.5, without separators of thousands.",
    )


def _no_shape(info: KindInfo) -> MeasureError:
    if len(info.parts) == 2:
        return MeasureError(
            "measure.shape",
            "Écrivez les deux nombres de la tension, dans la même unité : 12/8 ou 120/80.",
            "Write both numbers of the blood pressure, in one unit: 120/80 or 12/8.",
        )
    return MeasureError("measure.shape", "Écrivez un seul nombre.", "Write one number only.")


def _no_unit(info: KindInfo) -> MeasureError:
    units = ", ".join(unit.symbol for unit in info.units)
    return MeasureError(
        "measure.unit",
        f"Cette unité ne convient pas ; unités possibles : {units}.",
        f"This unit does not fit; units that do: {units}.",
    )
