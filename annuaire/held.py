"""What is in use, as an import compares with it: some 120 octets a row."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, bindparam, select

from annuaire.card_tables import card, skill
from annuaire.ops import of_source
from annuaire.tables import activity, mailbox, site
from store import Prepared

_SLICE: Final = 500
_PART: Final = 10_000


class Kind(msgspec.Struct, frozen=True):
    """How the rows of a source are compared.

    ``anchor``: the indexed column by which a row is sought. ``key``: the columns that stay when a row
    changes. ``label``: the columns that tell a person which row is meant.
    """

    table: Table
    anchor: str
    key: tuple[str, ...]
    label: tuple[str, ...]

    @property
    def content(self) -> list[str]:
        """The columns that follow entry id, generations and line."""
        return [column.name for column in self.table.columns][4:]


_BOXES: Final = Kind(
    mailbox, "address", ("address", "id_nat", "struct_id", "kind", "service"), ("address", "name")
)
KINDS: Final = {
    "mailboxes": _BOXES,
    "local": _BOXES,
    "activities": Kind(
        activity,
        "id_nat",
        ("id_nat", "profession", "category", "speciality", "mode", "role", "genre"),
        ("id_nat", "given", "family"),
    ),
    "cards": Kind(card, "id_nat", ("id_nat", "number"), ("id_nat", "number")),
    "skills": Kind(skill, "id_nat", ("id_nat", "profession", "kind", "code"), ("id_nat", "code")),
}


class Held:
    """Rows in use. ``seen`` marks, place by place, those that the new file still has."""

    def __init__(self) -> None:
        self.by_line: dict[int, int] = {}  # digest to place
        self.entries = array("i")
        self.sites = array("i")
        self.seen = bytearray()

    def unseen(self) -> Iterator[int]:
        """The places not marked."""
        place = self.seen.find(0)
        while place >= 0:
            yield place
            place = self.seen.find(0, place + 1)


def read_held(conn: Connection, source: str, number: int) -> Held:
    """The rows of ``source`` in generation ``number``."""
    table = KINDS[source].table
    columns = [table.c.line, table.c.entry_id]
    if "site_id" in table.c:
        columns.append(table.c.site_id)
    return _read(conn, table, columns, source, number)


def read_held_sites(conn: Connection, number: int) -> Held:
    """The sites that activities of generation ``number`` name."""
    return _read(conn, site, [site.c.digest, site.c.entry_id], "activities", number)


def _read(conn: Connection, table: Table, columns: list[Any], source: str, number: int) -> Held:
    held = Held()
    if not number:
        return held
    statement = select(*columns).where(
        table.c.from_generation <= bindparam("number"),
        table.c.until_generation > bindparam("number"),
        of_source(table, source),
    )
    rows = Prepared(statement).each(conn, {"number": number})
    while part := list(itertools.islice(rows, _PART)):
        digests, entries, *sites = zip(*part, strict=True)
        first = len(held.entries)
        held.by_line.update(zip(digests, range(first, first + len(digests)), strict=True))
        held.entries.extend(entries)
        if sites:
            held.sites.extend(sites[0])
    held.seen = bytearray(len(held.entries))
    return held


def same_rows(
    conn: Connection, source: str, number: int, anchors: Sequence[str]
) -> dict[tuple[Any, ...], int]:
    """The rows in use under any of ``anchors``: content to entry id."""
    kind = KINDS[source]
    table = kind.table
    statement = select(table.c.entry_id, *(table.c[name] for name in kind.content)).where(
        table.c[kind.anchor].in_(bindparam("anchors", expanding=True)),
        table.c.from_generation <= number,
        table.c.until_generation > number,
        of_source(table, source),
    )
    found: dict[tuple[Any, ...], int] = {}
    for start in range(0, len(anchors), _SLICE):
        for entry, *content in conn.execute(statement, {"anchors": anchors[start : start + _SLICE]}):
            found[tuple(content)] = entry
    return found


def rows_of(
    conn: Connection, source: str, columns: tuple[str, ...], entries: Sequence[int]
) -> list[tuple[Any, ...]]:
    """The named columns of rows by entry id, in the order of their ids."""
    table = KINDS[source].table
    statement = (
        select(*(table.c[name] for name in columns))
        .where(table.c.entry_id.in_(bindparam("entries", expanding=True)))
        .order_by(table.c.entry_id)
    )
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(entries), _SLICE):
        part = list(entries[start : start + _SLICE])
        found += [tuple(row) for row in conn.execute(statement, {"entries": part})]
    return found
