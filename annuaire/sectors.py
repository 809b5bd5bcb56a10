"""The sectors of activity of a structure, for figures by sector."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Connection, FromClause, and_, bindparam, select

from annuaire.generations import check_reach, past
from annuaire.names import storable
from annuaire.tables import current, named, site
from store import Prepared


def _of_structure(numbers: FromClause) -> Prepared:
    number = select(numbers.c.generation).where(numbers.c.source == "activities").scalar_subquery()
    listed = and_(site.c.from_generation <= number, site.c.until_generation > number)
    named_so = named(bindparam("struct_id"))
    return Prepared(select(site.c.sector).where(listed, named_so, site.c.sector != "").distinct())


_now: Final = _of_structure(current)
_then: Final = _of_structure(past(bindparam("at", type_=BigInteger)))


def sectors(conn: Connection, struct_id: str, at: int | None = None) -> list[str]:
    """The sectors (R02) that activities name for a structure (Struct_IdNat), now or at ``at`` (ms), in order.

    Raises :class:`~store.InvalidInputError` for a moment before the history that is kept.
    """
    if not struct_id:
        return []
    asked = {"struct_id": storable(struct_id)}
    if at is None:
        return sorted(row[0] for row in _now.all(conn, asked))
    check_reach(conn, at)
    return sorted(row[0] for row in _then.all(conn, {**asked, "at": at}))
