"""Generations: what was imported when, and which one look-ups read at a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import msgspec
from sqlalchemy import BigInteger, Connection, FromClause, Select, bindparam, func, literal_column, select

from annuaire.tables import current, generation
from store import InvalidInputError, Prepared

_STAMP: Final = re.compile(
    r"(?<![0-9])(20[0-9]{2})(0[1-9]|1[0-2])([0-3][0-9])([0-2][0-9])([0-5][0-9])(?![0-9])"
)


class Generation(msgspec.Struct, frozen=True):
    """One import. Times in ms; ``applied_at`` is None for one that was never put in use.

    ``state``: loading, current, old, undo (given up, being undone), dropped, pruned (its rows forgotten).
    """

    source: str
    generation: int
    state: str
    file_name: str
    file_date: int | None
    sha256: str
    row_count: int
    bad_rows: int
    started_at: int
    applied_at: int | None


_columns = [generation.c[name] for name in Generation.__struct_fields__]
_current: Final = Prepared(select(current.c.source, current.c.generation).order_by(current.c.source))


def generations(conn: Connection, source: str = "") -> list[Generation]:
    """The imports of ``source``, or of all sources; newest first."""
    statement = select(*_columns).order_by(generation.c.started_at.desc(), generation.c.generation.desc())
    if source:
        statement = statement.where(generation.c.source == source)
    return [Generation(**row._mapping) for row in conn.execute(statement)]


def in_use(conn: Connection) -> tuple[tuple[str, int], ...]:
    """The (source, generation) pairs that look-ups read now. One statement, a few µs."""
    return tuple(_current.all(conn, {}))


def numbers_at(conn: Connection, at: int | None = None) -> dict[str, int]:
    """The generation of each source that look-ups read now, or read at the moment ``at`` (ms)."""
    return dict(in_use(conn)) if at is None else dict(_past.all(conn, {"at": at}))


def current_generation(conn: Connection, source: str) -> int:
    """The generation of ``source`` in use, 0 when nothing was ever loaded."""
    number: int | None = conn.scalar(select(current.c.generation).where(current.c.source == source))
    return number or 0


def current_import(conn: Connection, source: str) -> Generation | None:
    """The import of ``source`` that is in use."""
    wanted = generation.c.source == source, generation.c.generation == current_generation(conn, source)
    row = conn.execute(select(*_columns).where(*wanted)).one_or_none()
    return None if row is None else Generation(**row._mapping)


def past(at: object) -> FromClause:
    """The (source, generation) pairs that look-ups read at the moment ``at`` (ms, or a bound parameter)."""
    # Generations of a source are put in use in the order of their numbers.
    statement: Select[tuple[str, int]] = (
        select(generation.c.source, func.max(generation.c.generation).label("generation"))
        .where(generation.c.applied_at <= at)
        .group_by(generation.c.source)
    )
    return statement.subquery("at_that_time")


def check_reach(conn: Connection, at: int) -> None:
    """Refuse a moment of which the history was pruned already. Raises :class:`InvalidInputError`."""
    if _pruned.first(conn, {"at": at}) is not None:
        raise InvalidInputError("annuaire.history", "the directory's history does not reach back that far")


def date_of_name(name: str) -> int | None:
    """The moment (ms) that a file's name states as AAAAMMJJhhmm, e.g. ``…_202608260530.txt``; else None."""
    found = _STAMP.search(name)
    if found is None:
        return None
    try:
        moment = datetime(*(int(part) for part in found.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]  # five groups
    except ValueError:
        return None
    return round(moment.timestamp() * 1000)


_past: Final = Prepared(select(past(bindparam("at", type_=BigInteger))))
_numbers: Final = past(bindparam("at", type_=BigInteger))
_pruned: Final = Prepared(
    select(generation.c.generation)
    .join(
        _numbers,
        (_numbers.c.source == generation.c.source) & (_numbers.c.generation == generation.c.generation),
    )
    .where(generation.c.state == literal_column("'pruned'"))
    .limit(1)
)
