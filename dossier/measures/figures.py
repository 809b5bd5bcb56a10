"""What figures count of measures: when what kind was added, in which box. Nothing of what it says."""

from __future__ import annotations

from sqlalchemy import Subquery, select

from dossier.measures.tables import measure


def counts(since: int, until: int) -> Subquery:
    """Rows (box_id, added_at, kind) of measures that patients, or who represents them, added in [``since``,
    ``until``) (ms), for joining.

    Removed ones count: they were added.
    """
    by_users = measure.c.by.in_(("patient", "representative"))
    return (
        select(measure.c.box_id, measure.c.added_at, measure.c.kind)
        .where(measure.c.added_at >= since, measure.c.added_at < until, by_users)
        .subquery("measures_added")
    )
