"""What a page says of its own: labels, dates, and absent values (HL7 nullFlavor), in French and English."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

Language = Literal["fr", "en"]

LABELS: Final[dict[str, tuple[str, str]]] = {
    "date": ("Date du document", "Date of the document"),
    "act": ("Date de l'acte", "Date of the act"),
    "version": ("Version", "Version"),
    "patient": ("Patient", "Patient"),
    "ins": ("Matricule INS", "INS number"),
    "used": ("Nom utilisé", "Name in use"),
    "born": ("Naissance", "Birth"),
    "place": ("Lieu de naissance (code COG)", "Place of birth (COG code)"),
    "sex": ("Sexe", "Sex"),
    "author": ("Auteur", "Author"),
    "signed": ("Validé par", "Signed by"),
    "kept": ("Conservé par", "Kept by"),
    "recipient": ("Destinataire", "Recipient"),
    "notes": ("Notes", "Notes"),
    "cut": (
        "La suite de ce document est trop longue pour être affichée ici : téléchargez le document.",
        "The rest of this document is too long to be shown here: download the document.",
    ),
    "file": ("Le contenu de ce document est un fichier joint", "This document holds a file"),
    "nothing": ("Ce document n'a pas de contenu à afficher.", "This document has nothing to show."),
    "image": ("image", "image"),
    "not_shown": ("image non affichée", "image not shown"),
    "attached": ("fichier joint", "attached file"),
}
SEXES: Final = {
    "M": ("masculin", "male"),
    "F": ("féminin", "female"),
    "U": ("indéterminé", "undetermined"),
    "UN": ("indéterminé", "undetermined"),
    "UNK": ("indéterminé", "undetermined"),
}
#: HL7 v3 NullFlavor; the volet "Structuration minimale" §nullFlavor allows UNK, NASK, ASKU, NAV and MSK.
_NULLS: Final = {
    "NI": ("non renseigné", "no information"),
    "UNK": ("inconnu", "unknown"),
    "NASK": ("non demandé", "not asked"),
    "ASKU": ("demandé, mais inconnu", "asked but unknown"),
    "NAV": ("indisponible pour le moment", "temporarily unavailable"),
    "MSK": ("masqué", "masked"),
    "NA": ("sans objet", "not applicable"),
    "OTH": ("autre", "other"),
    "NP": ("absent", "not present"),
    "NINF": ("moins l'infini", "negative infinity"),
    "PINF": ("plus l'infini", "positive infinity"),
    "QS": ("quantité suffisante", "sufficient quantity"),
    "TRC": ("traces", "trace"),
}
_PARIS: Final = ZoneInfo("Europe/Paris")
_UTC: Final = ("+0000", "-0000")
_TIME: Final = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.\d+)?([+-]\d{4})?")


def word(key: str, language: Language) -> str:
    """A label."""
    return LABELS[key][language == "en"]


def sex(code: str, language: Language) -> str:
    """A code of administrative gender in words; "" for one that is not known."""
    return SEXES[code][language == "en"] if code in SEXES else ""


def absent(flavor: str, language: Language) -> str:
    """Why a value is not there."""
    return _NULLS.get(flavor, _NULLS["NI"])[language == "en"]


def _in_france(year: str, month: str, day: str, hour: str, minute: str) -> list[str]:
    try:
        there = datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=UTC)
        return there.astimezone(_PARIS).strftime("%Y %m %d %H %M").split()
    except (ValueError, OverflowError):  # no such day: shown as it stands
        return [year, month, day, hour, minute]


def moment(value: str, language: Language) -> str:
    """An HL7 time to the minute, by the clock of who wrote it; "" for anything else.

    Nobody's clock on the wall shows UTC: that is told by the clock of France."""
    match = _TIME.fullmatch(value.strip())
    if match is None:
        return ""
    year, month, day, hour, minute, _, zone = match.groups()
    if hour and zone in _UTC:
        year, month, day, hour, minute = _in_france(year, month, day, hour, minute or "00")
    date = "/".join(part for part in (day, month, year) if part)
    if hour is None:
        return date
    at = {"fr": " à ", "en": " at "}[language]
    return f"{date}{at}{hour}:{minute or '00'}"
