"""What the directory said before: how a row came, changed and went, and whether someone was ever listed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, or_, select

from annuaire.names import fold_address, storable, structure_id
from annuaire.tables import activity, generation, mailbox, site

_BOX_KEY: Final = ("address", "id_nat", "struct_id", "kind", "service")
_BOX_FIELDS: Final = ("name", "profession", "speciality", "town", "postcode", "department", "red_list")
_ACTIVITY_KEY: Final = ("id_nat", "profession", "category", "speciality", "mode", "role", "genre")
_ACTIVITY_FIELDS: Final = ("family", "given", "civility")
_SITE_FIELDS: Final = ("finess", "siret", "technical", "name", "sector", "town", "postcode", "department")


class Change(msgspec.Struct, frozen=True):
    """What one import changed. ``applied_at`` in ms; ``what``: appeared, changed or gone, in words.

    ``subject`` names the row: the address of a mailbox, or the person and profession of an activity.
    """

    applied_at: int
    file_name: str
    source: str
    subject: str
    what: str


class Known(msgspec.Struct, frozen=True):
    """Whether someone is listed, and was. Times in ms.

    ``since``: when an import first brought it, of the history that is kept; None when none ever did.
    ``gone_at``: when the import without it was put in use; None while it is listed. Listed before and
    gone since (a person: struck off): ``since`` and ``gone_at`` are set.
    """

    listed: bool
    since: int | None = None
    gone_at: int | None = None


class _Version(msgspec.Struct, frozen=True):
    source: str
    begins: int
    ends: int
    key: tuple[Any, ...]
    subject: str
    fields: dict[str, Any]


_Applied = dict[tuple[str, int], tuple[int, str]]


def history(conn: Connection, which: str) -> list[Change]:
    """Everything imports changed about an address, an IdNat, RPPS, ADELI, FINESS or SIRET; oldest first."""
    found = _versions(conn, which)
    applied = _applied(conn)
    news: dict[tuple[str, int], list[_Version]] = defaultdict(list)
    olds: dict[tuple[str, int], list[_Version]] = defaultdict(list)
    for one in found:
        if (one.source, one.begins) in applied:
            news[one.source, one.begins].append(one)
            if (one.source, one.ends) in applied:
                olds[one.source, one.ends].append(one)
    changes = [
        Change(applied[place][0], applied[place][1], place[0], subject, what)
        for place in news.keys() | olds.keys()
        for subject, what in _told(olds[place], news[place])
    ]
    return sorted(changes, key=lambda change: (change.applied_at, change.source, change.subject, change.what))


def address_known(conn: Connection, address: str, at: int | None = None) -> Known:
    """Whether ``address`` is listed, now or at the moment ``at`` (ms), and was before."""
    return _known(conn, mailbox, mailbox.c.address == fold_address(address), at)


def person_known(conn: Connection, id_nat: str, at: int | None = None) -> Known:
    """Whether a person (IdNat_PS) has an activity, now or at the moment ``at`` (ms), and had one before."""
    return _known(conn, activity, activity.c.id_nat == storable(id_nat), at) if id_nat else Known(False)


def _known(conn: Connection, table: Table, which: ColumnElement[bool], at: int | None) -> Known:
    applied = _applied(conn)
    spans = []
    for row in conn.execute(select(table).where(which)):
        source = getattr(row, "source", "activities")
        begins = applied.get((source, row.from_generation))
        ends = applied.get((source, row.until_generation))
        if begins is not None and (at is None or begins[0] <= at):
            spans.append((begins[0], ends[0] if ends is not None and (at is None or ends[0] <= at) else None))
    if not spans:
        return Known(False)
    since = min(begins for begins, _ in spans)
    gone = [ends for _, ends in spans if ends is not None]
    return Known(True, since) if len(gone) < len(spans) else Known(False, since, max(gone))


def _applied(conn: Connection) -> _Applied:
    """(source, generation) to (when it was put in use, its file); imports never put in use are left out."""
    rows = conn.execute(
        select(
            generation.c.source, generation.c.generation, generation.c.applied_at, generation.c.file_name
        ).where(generation.c.applied_at.is_not(None))
    )
    return {(row.source, row.generation): (row.applied_at, row.file_name) for row in rows}


def _versions(conn: Connection, which: str) -> list[_Version]:
    which = storable(which.strip())
    if "@" in which:
        return _boxes(conn, mailbox.c.address == fold_address(which))
    bare = "".join(which.split()).upper()
    people = [bare, f"8{bare}", f"0{bare}"]
    structures = [bare, structure_id("", bare), structure_id("3", bare)]
    if not bare:
        return []
    found = _boxes(conn, or_(mailbox.c.id_nat.in_(people), mailbox.c.struct_id.in_(structures)))
    return found + _activities(conn, activity.c.id_nat.in_(people))


def _boxes(conn: Connection, which: ColumnElement[bool]) -> list[_Version]:
    rows = conn.execute(select(mailbox).where(which).order_by(mailbox.c.entry_id)).mappings()
    return [
        _version(row, row["source"], _BOX_KEY, row["address"], {name: row[name] for name in _BOX_FIELDS})
        for row in rows
    ]


def _activities(conn: Connection, which: ColumnElement[bool]) -> list[_Version]:
    places = [site.c[name].label(f"site_{name}") for name in _SITE_FIELDS]
    rows = conn.execute(
        select(activity, *places)
        .select_from(activity.outerjoin(site, site.c.entry_id == activity.c.site_id))
        .where(which)
        .order_by(activity.c.entry_id)
    ).mappings()
    found = []
    for row in rows:
        fields = {name: row[name] for name in _ACTIVITY_FIELDS}
        fields |= {f"structure {name}": row[f"site_{name}"] or "" for name in _SITE_FIELDS}
        subject = f"{row['id_nat']}, profession {row['profession']}"
        found.append(_version(row, "activities", _ACTIVITY_KEY, subject, fields))
    return found


def _version(
    row: Mapping[Any, Any], source: str, key: tuple[str, ...], subject: str, fields: dict[str, Any]
) -> _Version:
    return _Version(
        source,
        row["from_generation"],
        row["until_generation"],
        tuple(row[name] for name in key),
        subject,
        fields,
    )


def _told(olds: Iterable[_Version], news: Iterable[_Version]) -> list[tuple[str, str]]:
    """One import's changes: rows of one key are one row that changed; what is over came or went."""
    before: dict[tuple[Any, ...], list[_Version]] = defaultdict(list)
    for one in olds:
        before[one.key].append(one)
    told = []
    for one in news:
        same = before[one.key]
        # Of several the one that differs least: a person may do the same at two places.
        old = min(same, key=lambda other: len(_differences(other, one)), default=None)
        if old is None:
            told.append(
                (one.subject, "appeared: " + ", ".join(f"{n} {v}" for n, v in one.fields.items() if v))
            )
            continue
        same.remove(old)
        if different := _differences(old, one):
            told.append((one.subject, "changed: " + ", ".join(different)))
    told += [(one.subject, "gone") for rest in before.values() for one in rest]
    return told


def _differences(old: _Version, new: _Version) -> list[str]:
    return [
        f"{name} {old.fields[name] or 'nothing'} -> {value or 'nothing'}"
        for name, value in new.fields.items()
        if old.fields[name] != value
    ]
