"""How old the directory is, for the figures that are watched."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, and_, select

from annuaire.tables import current, generation
from store import Prepared

_applied: Final = Prepared(
    select(generation.c.source, generation.c.applied_at)
    .join(
        current,
        and_(current.c.source == generation.c.source, current.c.generation == generation.c.generation),
    )
    .where(generation.c.applied_at.is_not(None))
)


def directory_ages(conn: Connection, now: int) -> dict[str, int]:
    """For each source in use, how long ago (ms) its import was applied. A source never loaded is absent."""
    return {row[0]: now - row[1] for row in _applied.all(conn, {})}
