"""What figures count of the chain: messages by their moment, sender and recipient."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Subquery, select

from evidence.chain import Event
from evidence.tables import evidence


def flows(events: Sequence[Event], since: int, until: int) -> Subquery:
    """Rows (at, trace_id, sender, recipient) of records in [``since``, ``until``) (ms), for joining.

    Records without a sender (reports, receipts) are left out: nobody wrote them.
    """
    return (
        select(evidence.c.at, evidence.c.trace_id, evidence.c.sender, evidence.c.recipient)
        .where(
            evidence.c.at >= since,
            evidence.c.at < until,
            evidence.c.event.in_(events),
            evidence.c.sender != "",
        )
        .subquery("flows")
    )
