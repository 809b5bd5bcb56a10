"""What figures count of the record: when what was filed, by whom, into which box. Nothing of what it says."""

from __future__ import annotations

from sqlalchemy import Subquery, select

from dossier.tables import document


def filings(since: int, until: int) -> Subquery:
    """Rows (box_id, filed_at, depositor) of documents filed in [``since``, ``until``) (ms), for joining.

    Replaced and deleted ones count: they were filed.
    """
    return (
        select(document.c.box_id, document.c.filed_at, document.c.depositor)
        .where(document.c.filed_at >= since, document.c.filed_at < until)
        .subquery("filings")
    )
