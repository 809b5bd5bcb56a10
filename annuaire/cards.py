"""The file of cards, and the two public extractions that only tell more about a person: their rows.

``Porteurs_CPS_CPF`` says which card a professional holds, until when, and since when it is opposed;
``PS_LibreAcces_SavoirFaire`` his specialities; ``PS_LibreAcces_Dipl_AutExerc`` his diplomas, of which
nothing is kept.
"""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from annuaire.layouts import Mapping
from annuaire.names import national_id
from annuaire.rows import Cells, RowFaultError, digest

_NUMBER: Final = re.compile(r"[0-9A-Z]{4,32}")
_PERSON: Final = re.compile(r"[0-9][0-9A-Z/]{1,62}")
_RPPS: Final = re.compile(r"[0-9]{11}")
_CODE: Final = re.compile(r"[0-9A-Z]{1,16}")
#: Published as AAAAMMJJ; copies and other years' files write it otherwise, a time may follow.
_DAYS: Final = (
    re.compile(r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})(?:[0-9]{6})?"),
    re.compile(r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})(?:[T ].*)?"),
    re.compile(r"(?P<d>[0-9]{2})/(?P<m>[0-9]{2})/(?P<y>[0-9]{4})(?: .*)?"),
)


class CardRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A card and who holds it; days in ms (0:00 UTC), 0 for none. ``kind`` in G02 where coded."""

    id_nat: str
    number: str
    kind: str
    begins: int
    ends: int
    opposed: int
    digest: int


class SkillRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A speciality (savoir-faire) of a professional: its type (R01's table) and code."""

    id_nat: str
    profession: str
    kind: str
    code: str
    label: str
    digest: int


def card_number(text: str) -> str:
    """A card's number as the file writes it; certificates put its issuer and a slash before it."""
    return "".join(text.rpartition("/")[2].split()).upper()


def parse_card(mapping: Mapping, cells: list[str]) -> CardRow:
    """A line of ``Porteurs_CPS_CPF``. Raises :class:`RowFaultError` with the reason."""
    cell = Cells(mapping, cells)
    number = card_number(cell("number", 64))
    if not _NUMBER.fullmatch(number):
        raise RowFaultError("not a card number")
    identifier = cell("identifier", 64)
    id_nat = national_id("8" if _RPPS.fullmatch(identifier) else "", identifier, cell("national", 64))
    if not _PERSON.fullmatch(id_nat):
        raise RowFaultError("no national identifier of a person")
    try:
        begins, ends, opposed = (_day(cell(field, 32)) for field in ("begins", "ends", "opposed"))
    except ValueError as error:
        raise RowFaultError(f"a day of the card: {error}") from None
    if begins and ends and ends < begins:
        raise RowFaultError("the card ends before it begins")
    kept = (cell("kind", 8), begins, ends, opposed)
    return CardRow(id_nat, number, *kept, digest(*map(str, kept)))


def parse_skill(mapping: Mapping, cells: list[str]) -> SkillRow:
    """A line of ``PS_LibreAcces_SavoirFaire``. Raises :class:`RowFaultError` with the reason."""
    cell = Cells(mapping, cells)
    id_nat = _holder(cell)
    code = cell("code", 16).upper()
    if not _CODE.fullmatch(code):
        raise RowFaultError("no code of a savoir-faire")
    label = cell("label")
    return SkillRow(id_nat, cell("profession", 8), cell("kind", 16), code, label, digest(label))


def check_diploma(mapping: Mapping, cells: list[str]) -> None:
    """Judge a line of ``PS_LibreAcces_Dipl_AutExerc``. Raises :class:`RowFaultError` with the reason."""
    cell = Cells(mapping, cells)
    _holder(cell)
    if not cell("diploma", 32) and not cell("permit", 32):
        raise RowFaultError("neither diploma nor permit")


def _holder(cell: Cells) -> str:
    id_nat = national_id(cell("id_kind"), cell("identifier"), cell("national"))
    if not _PERSON.fullmatch(id_nat):
        raise RowFaultError("no national identifier of a person")
    return id_nat


@functools.lru_cache(maxsize=16_384)
def _day(text: str) -> int:
    """A day in ms (0:00 UTC); 0 for none. Raises ValueError."""
    if not text.strip("0"):
        return 0
    found = next((match for form in _DAYS if (match := form.fullmatch(text))), None)
    if found is None:
        raise ValueError("not a date")
    moment = datetime(int(found["y"]), int(found["m"]), int(found["d"]), tzinfo=UTC)
    return int(moment.timestamp()) * 1000
