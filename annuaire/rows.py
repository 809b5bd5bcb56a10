"""One line of an extraction as the tables keep it, or the reason it cannot be kept."""

from __future__ import annotations

import hashlib
import re
from typing import Final

import msgspec

from annuaire.layouts import Mapping
from annuaire.names import (
    fold_address,
    national_id,
    person_name,
    structure_id,
    structure_name,
    valid_address,
    words,
)

#: R257 TypeBAL. APP boxes are not published but a local file may list them.
KINDS: Final = frozenset({"PER", "ORG", "APP", "CAB"})
_PERSON: Final = re.compile(r"[0-9][0-9A-Z/]{1,62}")
_DELIVERY_LINE: Final = re.compile(r"^(?:[0-9AB]{5}\s+)?(.*)$")


class MailboxRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A published mailbox with one holder (person, structure, or a person within a structure)."""

    address: str
    id_nat: str
    struct_id: str
    kind: str
    service: str
    name: str
    profession: str
    speciality: str
    town: str
    postcode: str
    department: str
    search: str
    digest: int


class ActivityRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One activity of a professional: who, which profession, where, in which sector."""

    id_nat: str
    activity_key: int
    family: str
    given: str
    civility: str
    profession: str
    category: str
    speciality: str
    mode: str
    role: str
    genre: str
    struct_finess: str
    struct_siret: str
    struct_technical: str
    structure_name: str
    sector: str
    town: str
    postcode: str
    department: str
    digest: int


class RowFaultError(ValueError):
    """Why a row is left out."""


def digest(*parts: str) -> int:
    """A 63-bit digest of ``parts``; the same parts give the same number on every machine."""
    text = "\x1f".join(parts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


class _Cells:
    def __init__(self, mapping: Mapping, cells: list[str]) -> None:
        self._places = mapping.places
        self._cells = cells

    def __call__(self, field: str, longest: int = 255) -> str:
        place = self._places.get(field)
        text = "" if place is None else self._cells[place].strip()
        if "\x00" in text:
            raise RowFaultError("a NUL character")
        if len(text) > longest:
            raise RowFaultError(f"{field} longer than {longest} characters")
        return text


def parse_mailbox(mapping: Mapping, cells: list[str]) -> MailboxRow:
    """A line of ``Extraction_Correspondance_MSSante``. Raises :class:`RowFaultError` with the reason."""
    cell = _Cells(mapping, cells)
    kind = cell("kind").upper()
    if kind not in KINDS:
        raise RowFaultError(f"unknown type of mailbox {kind[:20]!r}")
    address = fold_address(cell("address", 320))
    if not valid_address(address):
        raise RowFaultError("not a mail address")
    id_nat = national_id(cell("id_kind"), cell("identifier"), cell("national"))
    if id_nat and not _PERSON.fullmatch(id_nat):
        raise RowFaultError("not a national identifier")
    struct = structure_id(cell("structure_kind"), cell("structure", 60))
    if not id_nat and not struct and kind != "PER":
        raise RowFaultError("neither person nor structure")
    service = cell("service")
    if kind == "PER" or (kind == "CAB" and cell("family")):
        name = person_name(cell("civility"), cell("given"), cell("family"))
    else:
        name = structure_name(cell("trade_name"), cell("legal_name"), service)
    delivery = _DELIVERY_LINE.match(cell("delivery_line"))
    town = delivery[1] if delivery else ""
    kept = (
        name,
        cell("profession", 8),
        cell("speciality", 16),
        town,
        cell("postcode", 16),
        cell("department", 8),
    )
    seen = (
        address.replace("@", " "), name, cell("legal_name"), cell("trade_name"), service,
        cell("profession_label"), cell("speciality_label"), town, kept[4],
    )  # fmt: skip
    search = " ".join(dict.fromkeys(word for text in seen for word in words(text)))
    return MailboxRow(address, id_nat, struct, kind, service, *kept, search, digest(*kept, search))


def parse_activity(mapping: Mapping, cells: list[str]) -> ActivityRow:
    """A line of ``PS_LibreAcces_Personne_activite``. Raises :class:`RowFaultError` with the reason."""
    cell = _Cells(mapping, cells)
    id_nat = national_id(cell("id_kind"), cell("identifier"), cell("national"))
    if not _PERSON.fullmatch(id_nat):
        raise RowFaultError("no national identifier of a person")
    profession = cell("profession", 8)
    finess = structure_id("1", cell("finess", 60))
    siret = structure_id("3", cell("siret", 60))
    technical = "".join(cell("technical", 60).split()).upper()
    sector = cell("sector", 8).upper()
    family, given = cell("family"), cell("given")
    # What tells two activities of one person apart; the rest may change without making a new one.
    key = (
        finess or siret or technical or structure_id("1", cell("finess_legal", 60)),
        profession,
        cell("category", 8),
        cell("speciality", 16),
        cell("mode", 8),
        cell("role", 16),
        cell("genre", 16),
        sector,
    )
    kept = (family, given, cell("civility", 16) or cell("civil_title", 16), *key[1:7])
    place = (
        finess,
        siret,
        technical,
        structure_name(cell("trade_name"), cell("legal_name"), ""),
        sector,
        cell("town") or cell("cedex"),
        cell("postcode", 16),
        cell("department", 8),
    )
    return ActivityRow(id_nat, digest(*key), *kept, *place, digest(*kept, *place))
