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
    valid_domain,
    words,
)

#: R257 TypeBAL. APP boxes are not published but a local file may list them.
KINDS: Final = frozenset({"PER", "ORG", "APP", "CAB"})
#: Opens the words by which a search filters; nobody types it, and it is a letter to every tokenizer.
MARK: Final = "\u01c2"
_PERSON: Final = re.compile(r"[0-9][0-9A-Z/]{1,62}")
#: The commonest forms of what is read, already as it is kept: an IdNat_PP, an address.
_PUBLISHED: Final = re.compile(r"[0-9]{2,63}", re.ASCII)
_PLAIN: Final = re.compile(r"([a-z0-9._-]{1,64})@([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.ASCII)
_LOCAL_WORDS: Final = re.compile(r"[a-z0-9]+").findall
_DELIVERY_LINE: Final = re.compile(r"^(?:[0-9AB]{5}\s+)?(.*)$")
_YES: Final = frozenset({"o", "oui", "1", "true", "x"})
_LONGEST: Final = 255
_LONG_LINE: Final = 4096
_MOST_TAILS: Final = 500_000
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
        self.names = names
        self._longest = [(name, _LIMITS.get(name, _LONGEST)) for name in names]
        self._shortest = min(longest for _, longest in self._longest)
        self.of: Callable[[list[str]], tuple[str, ...]] = itemgetter(
            *(mapping.places.get(name, -1) for name in names)
        )

    def check(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """``values`` trimmed, none of them too long. Raises :class:`RowFaultError`."""
        trimmed = tuple(map(str.strip, values))
        if max(map(len, trimmed)) > self._shortest:
            for (name, longest), value in zip(self._longest, trimmed, strict=True):
                if len(value) > longest:
                    raise RowFaultError(f"{name} longer than {longest} characters")
        return trimmed


def search_mark(kind: str, value: str) -> str:
    """The word that a filter looks for; ``kind``: k(ind), p(rofession), d(épartement), t(own), c(ode)."""
    return f"{MARK}{kind}{''.join(words(value))}"


_WORDS: Final[Memo[str, dict[str, None]]] = Memo(lambda text: dict.fromkeys(words(text)))
_FAMILIES: Final[Memo[str, tuple[str, dict[str, None]]]] = Memo(
    lambda name: (" ".join(name.split()).upper(), _WORDS[name])
)
_DOMAINS: Final[Memo[str, dict[str, None] | None]] = Memo(
    lambda domain: dict.fromkeys(words(domain)) if valid_domain(domain) else None
)


class MailboxReader:
    """Reads lines of ``Extraction_Correspondance_MSSante`` into rows of ``source``."""

    def __init__(self, mapping: Mapping, source: str) -> None:
        self._source = source
        self._free = _Fields(
            mapping, "address", "id_kind", "identifier", "national", "structure_kind", "structure",
            "family", "service", "legal_name", "trade_name",
        )  # fmt: skip
        self._name = _Fields(mapping, "civility", "given")
        self._shared = _Fields(
            mapping, "kind", "profession", "profession_label", "speciality", "speciality_label",
            "delivery_line", "postcode", "department", "red_list",
        )  # fmt: skip
        self._known_names: Memo[tuple[str, ...], str] = Memo(
            lambda name: person_name(*self._name.check(name), "")  # type: ignore[call-arg]  # of two fields
        )
        self._known_shared = Memo(self._read_shared)

    def __call__(self, cells: list[str]) -> tuple[Any, ...]:
        """The row: source, address … search, as in the table. Raises :class:`RowFaultError`."""
        kind, profession, speciality, town, postcode, department, red, shared = self._known_shared[
            self._shared.of(cells)
        ]
        free = self._free.check(self._free.of(cells))
        address, id_kind, identifier, national, structure_kind, structure, family, service, legal, trade = (
            free
        )
        address, seen = _read_address(address)
        id_nat = national
        if not _PUBLISHED.fullmatch(national):
            id_nat = national_id(id_kind, identifier, national)
            if id_nat and not _PERSON.fullmatch(id_nat):
                raise RowFaultError("not a national identifier")
        struct = structure_id(structure_kind, structure) if structure else ""
        if not id_nat and not struct and kind != "PER":
            raise RowFaultError("neither person nor structure")
        if kind == "PER" or (kind == "CAB" and family):
            first = self._known_names[self._name.of(cells)]
            last, family_words = _FAMILIES[family]
            name = f"{first} {last}".strip()
            seen |= _WORDS[first]
            seen |= family_words
        else:
            name = structure_name(trade, legal, service)
        for text in (legal, trade, service):
            if text:
                seen |= _WORDS[text]
        seen |= shared
        return (
            self._source, address, id_nat, struct, kind, service, name, profession, speciality, town,
            postcode, department, red, " ".join(seen),
        )  # fmt: skip

    def _read_shared(self, values: tuple[str, ...]) -> tuple[Any, ...]:
        """What many rows have in common, and the words that it brings."""
        kind, profession, label, speciality, speciality_label, delivery, postcode, department, red_list = (
            self._shared.check(values)
        )
        kind = kind.upper()
        if kind not in KINDS:
            raise RowFaultError(f"unknown type of mailbox {kind[:20]!r}")
        found = _DELIVERY_LINE.match(delivery)
        town = found[1] if found else ""
        seen = [*words(label), *words(speciality_label), *words(town)]
        if postcode:
            seen.append(postcode.casefold())
        seen.append(f"{MARK}k{kind.lower()}")
        marks = (("p", profession), ("t", town), ("c", postcode), ("d", department))
        seen += [search_mark(mark, value) for mark, value in marks if value]
        red = fold(red_list) in _YES
        return kind, profession, speciality, town, postcode, department, red, dict.fromkeys(seen)


def _read_address(address: str) -> tuple[str, dict[str, None]]:
    """An address folded, and its words. Raises :class:`RowFaultError`."""
    lowered = address.lower()
    if found := _PLAIN.fullmatch(lowered):
        local, domain = found.groups()
        domain_words = _DOMAINS[domain]
        if domain_words is not None:
            return lowered, dict.fromkeys(_LOCAL_WORDS(local)) | domain_words
    address = fold_address(address)
    if not valid_address(address):
        raise RowFaultError("not a mail address")
    return address, dict.fromkeys(words(address))


def parse_mailbox(mapping: Mapping, cells: list[str]) -> MailboxRow:
    """One row out of cells that come from elsewhere than a file. Raises :class:`RowFaultError`."""
    if any("\x00" in cell for cell in cells):
        raise RowFaultError("a NUL character")
    return MailboxRow(*MailboxReader(mapping, "")([*cells, ""])[1:])


class ActivityReader:
    """Reads lines of ``PS_LibreAcces_Personne_activite``: rows of activities, and the sites they name.

    :param intern: gives the id of a site's row for its content (digest, finess, siret … department).
    :param cells: takes a line apart, see :meth:`annuaire.extraction.Extraction.cells`.
    """

    def __init__(
        self,
        mapping: Mapping,
        intern: Callable[[tuple[Any, ...]], int],
        cells: Callable[[bytes], list[str]],
    ) -> None:
        self._intern = intern
        self._cells = cells
        self._person = _Fields(
            mapping, "id_kind", "identifier", "national", "family", "given", "civility", "civil_title"
        )
        self._codes = _Fields(mapping, "profession", "category", "speciality", "mode", "role", "genre")
        self._site = _Fields(
            mapping, "finess", "siret", "technical", "trade_name", "legal_name", "sector", "town", "cedex",
            "postcode", "department",
        )  # fmt: skip
        self._known_codes = Memo(self._codes.check)
        # By hash: the texts of all sites would fill the memory.
        self._known_sites: dict[int, int] = {}
        # What follows the columns of the person stands in many lines: by hash, what the row has of it.
        self._tails: dict[int, tuple[Any, ...]] = {}
        places = mapping.places
        self._heads = 1 + max(places.get(name, -1) for name in self._person.names)
        others = [places[name] for name in self._codes.names + self._site.names if name in places]
        self._most_tails = _MOST_TAILS if min(others) >= self._heads else 0
        self._last_head: list[bytes] = []
        self._last_name: tuple[str, ...] = ()

    def __call__(self, line: bytes) -> tuple[Any, ...]:
        """The row: id_nat, family … genre, site_id. Raises :class:`RowFaultError`."""
        *head, tail = line.split(b"|", self._heads)
        known = hash(tail)
        rest = self._tails.get(known)
        if rest is None or len(line) > _LONG_LINE:
            row = self._read_row(self._cells(line))
            if len(self._tails) < self._most_tails:
                self._tails[known] = row[4:]
            self._last_head, self._last_name = head, row[:4]
            return row
        if head != self._last_head:  # a person's activities follow one another
            try:
                text = b"|".join(head).decode("utf-8")
            except UnicodeDecodeError:
                raise RowFaultError("not UTF-8") from None
            if "\x00" in text:
                raise RowFaultError("a NUL character")
            self._last_name = self._read_person(self._person.of([*text.split("|"), ""]))
            self._last_head = head
        return (*self._last_name, *rest)

    def _read_row(self, cells: list[str]) -> tuple[Any, ...]:
        name = self._read_person(self._person.of(cells))
        codes = self._known_codes[self._codes.of(cells)]
        place = self._site.of(cells)
        known = hash(place)
        site_id = self._known_sites.get(known)
        if site_id is None:
            site_id = self._known_sites[known] = self._read_site(self._site.check(place))
        return (*name, *codes, site_id)

    def _read_person(self, values: tuple[str, ...]) -> tuple[str, ...]:
        id_kind, identifier, national, family, given, civility, title = self._person.check(values)
        if not _PERSON.fullmatch(national):
            national = national_id(id_kind, identifier, national)
            if not _PERSON.fullmatch(national):
                raise RowFaultError("no national identifier of a person")
        return national, family, given, civility or title

    def _read_site(self, values: tuple[str, ...]) -> int:
        finess, siret, technical, trade, legal, sector, town, cedex, postcode, department = values
        content = (
            structure_id("1", finess), structure_id("3", siret), "".join(technical.split()).upper(),
            structure_name(trade, legal, ""), sector.upper(), town or cedex, postcode, department,
        )  # fmt: skip
        return self._intern((digest(*content), *content)) if any(content) else 0
