"""One line of an extraction as the tables keep it, or the reason it cannot be kept.

Two and a half million lines pass here: what repeats (places, codes, first names, domains) is worked out
once and remembered, up to a bound.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

import msgspec

from annuaire.layouts import Mapping
from annuaire.names import (
    fold,
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
#: Opens the words by which a search filters; nobody types it, and it is a letter to every tokenizer.
MARK: Final = "\u01c2"
_PERSON: Final = re.compile(r"[0-9][0-9A-Z/]{1,62}")
_DELIVERY_LINE: Final = re.compile(r"^(?:[0-9AB]{5}\s+)?(.*)$")
_YES: Final = frozenset({"o", "oui", "1", "true", "x"})
_LONGEST: Final = 255
_SHORTEST: Final = 16  # of the limits of texts that are checked line by line
_LIMITS: Final = {
    "address": 320, "structure": 60, "finess": 60, "siret": 60, "technical": 60, "profession": 8,
    "category": 8, "speciality": 16, "mode": 8, "role": 16, "genre": 16, "sector": 8, "postcode": 16,
    "department": 8, "civility": 16, "civil_title": 16,
}  # fmt: skip

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RowFaultError(ValueError):
    """Why a row is left out."""


def digest(*parts: str) -> int:
    """A 63-bit digest of ``parts``; the same parts give the same number on every machine."""
    text = "\x1f".join(parts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


class Memo(dict[K, V], Generic[K, V]):
    """What ``make`` gave for a key, remembered; forgets everything at ``limit`` keys."""

    def __init__(self, make: Callable[[K], V], limit: int = 100_000) -> None:
        super().__init__()
        self._make = make
        self._limit = limit

    def __missing__(self, key: K) -> V:
        if len(self) >= self._limit:
            self.clear()
        value = self[key] = self._make(key)
        return value


class MailboxRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A mailbox with one holder (person, structure, or person within a structure), as the table keeps it."""

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
    red_list: bool
    search: str


class Cells:
    """One row's cells by our names of fields; a column that the file lacks reads as empty."""

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


class _Fields:
    """Takes the named fields out of cells that end with an empty one."""

    def __init__(self, mapping: Mapping, *names: str) -> None:
        self._names = names
        self.of: Callable[[list[str]], tuple[str, ...]] = itemgetter(
            *(mapping.places.get(name, -1) for name in names)
        )

    def check(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """``values``, none of them too long. Raises :class:`RowFaultError`."""
        for name, value in zip(self._names, values, strict=True):
            if len(value) > _LIMITS.get(name, _LONGEST):
                raise RowFaultError(f"{name} longer than {_LIMITS.get(name, _LONGEST)} characters")
        return values


def search_mark(kind: str, value: str) -> str:
    """The word that a filter looks for; ``kind``: k(ind), p(rofession), d(épartement), t(own), c(ode)."""
    return f"{MARK}{kind}{''.join(words(value))}"


_WORDS: Final[Memo[str, dict[str, None]]] = Memo(lambda text: dict.fromkeys(words(text)))
_PLACES: Final[Memo[tuple[str, str, str, str], dict[str, None]]] = Memo(
    lambda place: dict.fromkeys(
        search_mark(kind, value) for kind, value in zip("ptcd", place, strict=True) if value
    )
)
_FAMILIES: Final[Memo[str, str]] = Memo(lambda name: " ".join(name.split()).upper())


class MailboxReader:
    """Reads lines of ``Extraction_Correspondance_MSSante`` into rows of ``source``."""

    def __init__(self, mapping: Mapping, source: str) -> None:
        self._source = source
        self._free = _Fields(
            mapping, "kind", "address", "id_kind", "identifier", "national", "structure_kind", "structure",
            "service", "family", "profession_label", "speciality_label", "legal_name", "trade_name",
            "delivery_line",
        )  # fmt: skip
        self._name = _Fields(mapping, "civility", "given")
        self._codes = _Fields(mapping, "profession", "speciality", "postcode", "department", "red_list")
        self._known_names: Memo[tuple[str, ...], str] = Memo(
            lambda name: person_name(*self._name.check(name), "")  # type: ignore[call-arg]  # of two fields
        )
        self._known_codes = Memo(self._codes.check)

    def __call__(self, cells: list[str]) -> tuple[Any, ...]:
        """The row: source, address … search, as in the table. Raises :class:`RowFaultError`."""
        free = self._free.of(cells)
        if max(map(len, free)) > _LIMITS["structure"]:
            self._free.check(free)
        (
            kind, address, id_kind, identifier, national, structure_kind, structure,
            service, family, profession_label, speciality_label, legal_name, trade_name, delivery,
        ) = free  # fmt: skip
        codes = self._codes.of(cells)
        profession, speciality, postcode, department, red_list = self._known_codes[codes]
        kind = kind.upper()
        if kind not in KINDS:
            raise RowFaultError(f"unknown type of mailbox {kind[:20]!r}")
        address = fold_address(address)
        if not valid_address(address):
            raise RowFaultError("not a mail address")
        id_nat = national_id(id_kind, identifier, national)
        if id_nat and not _PERSON.fullmatch(id_nat):
            raise RowFaultError("not a national identifier")
        struct = structure_id(structure_kind, structure) if structure else ""
        if not id_nat and not struct and kind != "PER":
            raise RowFaultError("neither person nor structure")
        found = _DELIVERY_LINE.match(delivery) if delivery else None
        town = found[1] if found else ""
        seen = dict.fromkeys(words(address))
        if kind == "PER" or (kind == "CAB" and family):
            first = self._known_names[self._name.of(cells)]
            name = f"{first} {_FAMILIES[family]}".strip()
            texts = (first, family, legal_name, trade_name, service, profession_label, speciality_label, town)
        else:
            name = structure_name(trade_name, legal_name, service)
            texts = ("", "", legal_name, trade_name, service, profession_label, speciality_label, town)
        for text in texts:
            if text:
                seen.update(_WORDS[text])
        if postcode:
            seen[postcode.casefold()] = None
        seen[f"{MARK}k{kind.lower()}"] = None
        seen.update(_PLACES[profession, town, postcode, department])
        return (
            self._source, address, id_nat, struct, kind, service, name, profession, speciality, town,
            postcode, department, fold(red_list) in _YES, " ".join(seen),
        )  # fmt: skip


def parse_mailbox(mapping: Mapping, cells: list[str]) -> MailboxRow:
    """One row out of cells that come from elsewhere than a file. Raises :class:`RowFaultError`."""
    if any("\x00" in cell for cell in cells):
        raise RowFaultError("a NUL character")
    trimmed = [cell.strip() for cell in cells]
    return MailboxRow(*MailboxReader(mapping, "")([*trimmed, ""])[1:])


class ActivityReader:
    """Reads lines of ``PS_LibreAcces_Personne_activite``: rows of activities, and the sites they name.

    :param intern: gives the id of a site's row for its content (digest, finess, siret … department).
    """

    def __init__(self, mapping: Mapping, intern: Callable[[tuple[Any, ...]], int]) -> None:
        self._intern = intern
        self._person = _Fields(
            mapping, "id_kind", "identifier", "national", "family", "given", "civility", "civil_title"
        )
        self._codes = _Fields(mapping, "profession", "category", "speciality", "mode", "role", "genre")
        self._site = _Fields(
            mapping, "finess", "siret", "technical", "trade_name", "legal_name", "sector", "town", "cedex",
            "postcode", "department",
        )  # fmt: skip
        self._known_codes = Memo(self._codes.check)
        self._known_sites: dict[int, int] = {}  # by hash: the texts of all sites would fill the memory

    def __call__(self, cells: list[str]) -> tuple[Any, ...]:
        """The row: id_nat, family … genre, site_id. Raises :class:`RowFaultError`."""
        person = self._person.of(cells)
        if max(map(len, person)) > _SHORTEST:
            self._person.check(person)
        id_kind, identifier, national, family, given, civility, title = person
        id_nat = national
        if not _PERSON.fullmatch(id_nat):
            id_nat = national_id(id_kind, identifier, national)
            if not _PERSON.fullmatch(id_nat):
                raise RowFaultError("no national identifier of a person")
        codes = self._known_codes[self._codes.of(cells)]
        place = self._site.of(cells)
        known = hash(place)
        site_id = self._known_sites.get(known)
        if site_id is None:
            site_id = self._known_sites[known] = self._read_site(self._site.check(place))
        return (id_nat, family, given, civility or title, *codes, site_id)

    def _read_site(self, values: tuple[str, ...]) -> int:
        finess, siret, technical, trade, legal, sector, town, cedex, postcode, department = values
        content = (
            structure_id("1", finess), structure_id("3", siret), "".join(technical.split()).upper(),
            structure_name(trade, legal, ""), sector.upper(), town or cedex, postcode, department,
        )  # fmt: skip
        return self._intern((digest(*content), *content)) if any(content) else 0
