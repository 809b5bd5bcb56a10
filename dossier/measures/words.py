"""Numbers, quantities and dates as people write them, in French and in English."""

from __future__ import annotations

from datetime import date, datetime
from fractions import Fraction
from typing import Final, Literal

from dossier.measures.kinds import INFO, Context, Quantity, Shown

Language = Literal["fr", "en"]
#: Between a number and its unit: the line does not break there.
NBSP: Final = "\u00a0"
_MONTHS: Final = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "en": "January February March April May June July August September October November December",
}
_SHORT: Final = {
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
}
_CONTEXTS: Final[dict[Context, tuple[str, str]]] = {
    "": ("", ""),
    "fasting": ("à jeun", "fasting"),
    "after_meal": ("après un repas", "after a meal"),
}


def plain(value: Fraction, decimals: int) -> str:
    """``value`` with that many decimals and a point; halves go away from zero."""
    scale = 10**decimals
    whole = (abs(value.numerator) * scale * 2 + value.denominator) // (value.denominator * 2)
    digits = f"{whole:0{decimals + 1}d}"
    sign = "-" if value < 0 and whole else ""
    return sign + (f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits)


def number(digits: str, language: Language) -> str:
    """Plain digits as a reader of ``language`` writes them: the comma in French."""
    return digits.replace(".", ",") if language == "fr" else digits


def quantity(entered: Quantity, language: Language) -> str:
    """What was entered, as entered: ``"72,5 kg"``, ``"12/8 cmHg"``, ``"7/10"``."""
    return _with_unit(entered.kind, list(entered.numbers), entered.unit, language)


def converted(entered: Quantity, unit: str, language: Language) -> str:
    """The same in another unit of the kind, rounded to what is shown of it. Raises :class:`KeyError`."""
    if unit == entered.unit:
        return quantity(entered, language)
    return value(entered.kind, entered.within(unit), unit, language)


def value(kind: Shown, numbers: tuple[Fraction, ...], unit: str, language: Language) -> str:
    """Computed numbers in ``unit``, rounded to what is shown of it."""
    places = decimals(kind, unit)
    return _with_unit(kind, [plain(one, places) for one in numbers], unit, language)


def decimals(kind: Shown, unit: str) -> int:
    """How many decimals of a computed number are shown."""
    info = INFO[kind]
    if unit == info.units[0].code:
        return info.decimals
    return {"m": 2, "mmol/L": 1, "g": 0, "mg/dL": 0, "cm[Hg]": 1}.get(unit, 1)


def _with_unit(kind: Shown, digits: list[str], unit: str, language: Language) -> str:
    joined = "/".join(number(one, language) for one in digits)
    symbol = INFO[kind].unit(unit).symbol
    return joined + symbol if symbol.startswith("/") else f"{joined}{NBSP}{symbol}"


def context(code: Context, language: Language) -> str:
    """``"à jeun"``; empty for none."""
    return _CONTEXTS[code][language == "en"]


def day(of: date, language: Language, *, short: bool = False, year: bool = True) -> str:
    """``"1er mars 2026"``, ``"1 March 2026"``; ``short`` abbreviates the month."""
    month = (_SHORT if short else _MONTHS)[language].split()[of.month - 1]
    first = "1er" if language == "fr" and of.day == 1 else str(of.day)
    return f"{first}{NBSP}{month}" + (f"{NBSP}{of.year}" if year else "")


def month(of: date, language: Language, *, short: bool = True, year: bool = True) -> str:
    """``"mars 2026"``."""
    name = (_SHORT if short else _MONTHS)[language].split()[of.month - 1]
    return f"{name}{NBSP}{of.year}" if year else name


def clock(of: datetime, language: Language) -> str:
    """``"8 h 05"``, ``"08:05"``."""
    if language == "en":
        return f"{of.hour:02d}:{of.minute:02d}"
    return f"{of.hour}{NBSP}h{NBSP}{of.minute:02d}"
