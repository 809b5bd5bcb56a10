"""Doses: an exact decimal and its unit. A comma and a point are the same; 2.5 never becomes 25 or 2.4999."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Final

import msgspec

from dossier.health.dates import Language
from dossier.health.errors import HealthError

#: Units by the spellings that are understood (small letters, no accents, singular); what stands is ours.
_SPELLINGS: Final = {
    "kg": ("kg",),
    "g": ("g", "gramme", "gram"),
    "mg": ("mg", "milligramme", "milligram"),
    "µg": ("µg", "μg", "ug", "mcg", "microgramme", "microgram"),
    "ng": ("ng",),
    "l": ("l", "litre", "liter"),
    "ml": ("ml", "millilitre", "milliliter", "cc"),
    "µl": ("µl", "μl", "ul"),
    "UI": ("ui", "iu", "unite", "unit", "u"),
    "MUI": ("mui", "miu"),
    "mmol": ("mmol",),
    "mEq": ("meq",),
    "MBq": ("mbq",),
    "GBq": ("gbq",),
    "%": ("%", "pour cent", "percent"),
    "mg/ml": ("mg/ml",),
    "µg/ml": ("µg/ml", "μg/ml", "ug/ml"),
    "mg/kg": ("mg/kg",),
    "µg/kg": ("µg/kg", "μg/kg", "ug/kg", "mcg/kg"),
    "UI/kg": ("ui/kg", "iu/kg"),
    "UI/ml": ("ui/ml", "iu/ml"),
    "mg/h": ("mg/h",),
    "µg/h": ("µg/h", "μg/h", "ug/h", "mcg/h"),
    "ml/h": ("ml/h",),
    "l/min": ("l/min",),
    "comprimé": ("comprime", "cp", "cpr", "tablet"),
    "gélule": ("gelule", "capsule"),
    "sachet": ("sachet",),
    "suppositoire": ("suppositoire", "suppository", "suppositories"),
    "ampoule": ("ampoule", "amp"),
    "injection": ("injection", "inj"),
    "goutte": ("goutte", "gtt", "drop"),
    "bouffée": ("bouffee", "puff"),
    "pulvérisation": ("pulverisation", "spray"),
    "application": ("application",),
    "patch": ("patch", "patche", "dispositif"),
    "cuillère à café": ("cuillere a cafe", "cac", "teaspoon"),
    "cuillère à soupe": ("cuillere a soupe", "cas", "tablespoon"),
    "mesure": ("mesure", "measure"),
    "dose": ("dose",),
}
UNITS: Final = tuple(_SPELLINGS)
_UNIT_OF: Final = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}
_COUNTED: Final = frozenset(UNITS[UNITS.index("comprimé") :])
_ENGLISH: Final = {
    "comprimé": "tablet",
    "gélule": "capsule",
    "suppositoire": "suppository",
    "goutte": "drop",
    "bouffée": "puff",
    "pulvérisation": "spray",
    "cuillère à café": "teaspoon",
    "cuillère à soupe": "tablespoon",
    "mesure": "measure",
    "UI": "IU",
    "MUI": "MIU",
    "UI/kg": "IU/kg",
    "UI/ml": "IU/ml",
}
MOST: Final = Decimal(100_000_000)
MOST_DECIMALS: Final = 6
_MOST_DIGITS: Final = 28
_DOSE: Final = re.compile(r"([0-9][0-9., ]*) *(.*)", re.DOTALL)
_AMOUNT: Final = re.compile(r"(?:\d+|\d{1,3}(?: \d{3})+)(?:[.,]\d+)?", re.ASCII)
_FRACTION: Final = re.compile(r"([13])/([234]) *(.+)", re.DOTALL)
_GROUPED: Final = re.compile(r"[1-9]\d{0,2}[.,]\d{3}", re.ASCII)


class Dose(msgspec.Struct, frozen=True):
    """How much at once: ``amount`` above 0, exact, without needless zeros; ``unit`` one of :data:`UNITS`.

    Raises :class:`HealthError` ``health.dose`` for an amount or a unit that cannot be.
    """

    amount: Decimal
    unit: str

    def __post_init__(self) -> None:
        if self.unit not in _SPELLINGS:
            raise _unit_error()
        if not self.amount.is_finite() or not 0 < self.amount <= MOST:
            raise HealthError(
                "health.dose",
                "a dose is more than nothing, and at most a hundred million",
                "Une dose est supérieure à zéro et ne dépasse pas cent millions.",
            )
        digits = self.amount.as_tuple().digits
        # Looked at as written: what rounds is more than 28 digits, and is no dose.
        if len(digits) > _MOST_DIGITS or -int(self.amount.normalize().as_tuple().exponent) > MOST_DECIMALS:
            raise HealthError(
                "health.dose",
                "a dose has at most six decimals",
                "Une dose s'écrit avec six décimales au plus.",
            )
        msgspec.structs.force_setattr(self, "amount", self.amount.normalize() + 0)

    def words(self, language: Language = "fr") -> str:
        """``2,5 mg``, ``2 comprimés``; in English ``2.5 mg``, ``2 tablets``. No needless zero, ever."""
        number = f"{self.amount:f}"
        unit = _ENGLISH.get(self.unit, self.unit) if language == "en" else self.unit
        if self.unit in _COUNTED and (self.amount >= 2 or (language == "en" and self.amount > 1)):
            unit = _plural(unit, language)
        return f"{number.replace('.', ',') if language == 'fr' else number} {unit}"


def parse_dose(text: str) -> Dose:
    """The dose in ``2,5 mg``, ``2.5mg``, ``1 000 UI``, ``0,125 mg``, ``1/2 comprimé``, ``2 comprimés``.

    A single point or comma before exactly three figures is refused after a figure other than 0: some read
    1.500 as one and a half, some as fifteen hundred. Raises :class:`HealthError` ``health.dose``.
    """
    folded = _folded(text)
    if found := _FRACTION.fullmatch(folded):
        amount = Decimal(found[1]) / Decimal(found[2])
        if -int(amount.as_tuple().exponent) > MOST_DECIMALS:  # a third
            raise _amount_error()
        return Dose(amount, _unit(found[3]))
    found = _DOSE.fullmatch(folded)
    number = found[1].strip() if found is not None else ""
    if found is None or not _AMOUNT.fullmatch(number):
        raise _amount_error()
    if _GROUPED.fullmatch(number):
        raise HealthError(
            "health.dose",
            "a point or comma before three figures can be read in two ways: write 1500, or 1.5",
            "Une virgule ou un point suivi de trois chiffres se lit de deux façons : écrivez 1500, ou 1,5.",
        )
    return Dose(Decimal(number.replace(" ", "").replace(",", ".")), _unit(found[2]))


def _unit(text: str) -> str:
    name = text.strip().rstrip(".")
    for candidate in (name, name.removesuffix("s"), name.removesuffix("(s)"), re.sub(r"s\b", "", name)):
        if candidate in _UNIT_OF:
            return _UNIT_OF[candidate]
    raise _unit_error()


def _folded(text: str) -> str:
    """Small letters without accents, every blank a plain one, ½ as 1/2."""
    spread = unicodedata.normalize("NFD", " ".join(text.replace("½", "1/2").split()))
    return "".join(one for one in spread if not unicodedata.combining(one)).casefold()


def _plural(unit: str, language: Language) -> str:
    if language == "en":
        return {"suppository": "suppositories", "patch": "patches"}.get(unit, f"{unit}s")
    first, blank, rest = unit.partition(" ")
    return f"{first}s{blank}{rest}"  # cuillères à café


def _amount_error() -> HealthError:
    return HealthError(
        "health.dose",
        "write a dose as a number and a unit, like 2.5 mg",
        "Écrivez une dose avec un nombre et une unité, comme 2,5 mg.",
    )


def _unit_error() -> HealthError:
    return HealthError(
        "health.dose",
        "this unit is not known here: mg, ml, UI, tablet, drop and others are",
        "Cette unité n'est pas connue ici : mg, ml, UI, comprimé, goutte… le sont.",
    )
