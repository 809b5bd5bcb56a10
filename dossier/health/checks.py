"""What an item must be before it is kept: clean texts of some length, dates and figures that can be."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Any, Final

import msgspec

from dossier.health.dates import PartialDate, check_date, check_span
from dossier.health.errors import HealthError
from dossier.health.items import (
    CAN_BE_NONE,
    Contact,
    FamilyHistory,
    Illness,
    Item,
    NoneKnown,
    Treatment,
    Vaccination,
    Wish,
)

LONGEST: Final = 200
LONGEST_TEXT: Final = 2_000
MOST_DISEASES: Final = 12
MOST_DOSES: Final = 20
OLDEST: Final = 125
_LONG: Final = frozenset({"note", "text"})
_NO_TEXT: Final = frozenset({"Cc", "Co", "Cn", "Cs"})
#: What turns the direction of writing, so that a text reads otherwise than it is.
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_PHONE: Final = re.compile(r"\+?[0-9]{3,15}", re.ASCII)
_CODES: Final = {
    "CIM-10": re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z+*]{1,5})?", re.ASCII),
    "SNOMED CT": re.compile(r"[1-9][0-9]{5,17}", re.ASCII),
}
#: IdNat_PS: a figure for its kind, then the number (Annexe of the extraction: 8 RPPS, 0 ADELI…).
_ID_NAT: Final = re.compile(r"[0-9][0-9A-Z/]{3,40}", re.ASCII)
_UNIQUE_ID: Final = re.compile(r"[0-9]+(?:\.[0-9]+)+(?:\^[\x21-\x7e]{1,64})?", re.ASCII)


def checked(item: Item, *, born: str, today: date) -> Item:
    """The item with its texts cleaned, if it can be of somebody born on ``born`` (YYYY-MM-DD, "" unknown).

    Raises :class:`HealthError`: ``health.text``, ``health.date``, ``health.value``.
    """
    values: dict[str, Any] = {}
    for name in item.__struct_fields__:
        value = getattr(item, name)
        if isinstance(value, str):
            values[name] = clean_text(value, LONGEST_TEXT if name in _LONG else LONGEST, lines=name in _LONG)
        elif isinstance(value, list):
            values[name] = [word for one in value if (word := clean_text(one))]
    clean = msgspec.structs.replace(item, **values)
    empty = [name for name in clean.needed if not getattr(clean, name)]
    if empty:
        raise HealthError("health.text", f"the {empty[0]} is missing", "Il manque le nom ou le texte.")
    _check_dates(clean, born, today)
    return _checked_values(clean)


def clean_text(text: str, longest: int = LONGEST, *, lines: bool = False) -> str:
    """Text in one form of Unicode, without control characters and needless blanks; line ends with ``lines``.

    Raises :class:`HealthError` ``health.text``: too long, or no text.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise HealthError("health.text", "this is no text", "Ce texte est illisible.") from None
    kept = [" ".join(_shown(line).split()) for line in unicodedata.normalize("NFC", text).splitlines()]
    cleaned = ("\n" if lines else " ").join(kept).strip()
    if len(cleaned) > longest:
        raise HealthError(
            "health.text",
            f"this text is longer than {longest} characters",
            f"Ce texte dépasse {longest} caractères.",
        )
    return cleaned


def _shown(line: str) -> str:
    blank = (" " if unicodedata.category(one) in _NO_TEXT or one in _TURNING else one for one in line)
    return "".join(blank)


def _check_dates(item: Item, born: str, today: date) -> None:
    for name in item.__struct_fields__:
        value = getattr(item, name)
        if value is None or isinstance(value, PartialDate):
            check_date(value, born=born, today=today, future=name in ("next_due", "until"))
    if isinstance(item, Illness | Treatment):
        check_span(item.begin, item.end)
    if isinstance(item, Vaccination):
        check_span(item.date, item.next_due)


def _checked_values(item: Item) -> Item:
    if isinstance(item, Illness):
        pattern = _CODES.get(item.system)
        code = item.code.upper().replace(" ", "")
        if (pattern is None and code) or (pattern is not None and not pattern.fullmatch(code)):
            raise _value_error(
                "this is no code of CIM-10 or SNOMED CT", "Ce n'est pas un code CIM-10 ou SNOMED CT."
            )
        return msgspec.structs.replace(item, code=code)
    if isinstance(item, Vaccination):
        if not 0 <= item.number <= MOST_DOSES or len(item.diseases) > MOST_DISEASES:
            raise _value_error("no vaccine has that many doses", "Aucun vaccin n'a autant de doses.")
        if item.giver_id and not _ID_NAT.fullmatch(item.giver_id):
            raise _value_error(
                "this is no identifier of a professional", "Ce n'est pas un identifiant de professionnel."
            )
    if isinstance(item, FamilyHistory) and not 0 <= (item.onset_age or 0) <= OLDEST:
        raise _value_error("nobody has that age", "Personne n'a cet âge.")
    if isinstance(item, Contact) and item.phone:
        phone = re.sub(r"[ .()/-]", "", item.phone)
        if not _PHONE.fullmatch(phone):
            raise _value_error("this is no telephone number", "Ce n'est pas un numéro de téléphone.")
        return msgspec.structs.replace(item, phone=phone)
    if isinstance(item, Wish):
        if item.document and not _UNIQUE_ID.fullmatch(item.document):
            raise _value_error(
                "this is no id of a document", "Ce n'est pas un identifiant de document du dossier."
            )
        if not (item.answer or item.where or item.document or item.text):
            raise HealthError("health.text", "nothing is said here", "Rien n'est dit ici.")
    if isinstance(item, NoneKnown) and item.of not in CAN_BE_NONE:
        raise _value_error(
            "this section has no such answer", "Cette rubrique n'admet pas la réponse « aucun »."
        )
    return item


def _value_error(english: str, french: str) -> HealthError:
    return HealthError("health.value", english, french)
