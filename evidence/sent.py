"""What one sender's messages came to: the look-up of who asks for his own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from sqlalchemy import Connection, or_, select

from evidence.chain import Event, Record, trace_of
from evidence.tables import evidence

#: How a message comes in, one record for each recipient; what follows bears the same trace id.
_INTAKE: Final[tuple[Event, ...]] = ("accepted", "delivered", "duplicate", "refused")


class Cursor(NamedTuple):
    """Where a page ended: the moment (ms) and the number of the oldest record that it counted."""

    at: int
    seq: int


class SentPage(NamedTuple):
    """``traces``: all records of each message, newest message first; ``after``: None at the end."""

    traces: list[list[Record]]
    after: Cursor | None


def sent_by(
    conn: Connection,
    addresses: Iterable[str],
    since: int,
    until: int,
    limit: int,
    after: Cursor | None = None,
) -> SentPage:
    """The messages that came from these reverse-paths (folded), with everything recorded of each.

    :param since: the first moment (ms), ``until`` the one after the last. :param limit: messages at most.
    :param after: where the page before ended.

    A refusal is a message of its own here: it bears no Message-ID, for its content was never read.
    """
    begin = after or Cursor(until, 0)
    heads: list[tuple[int, int, str]] = []
    for address in dict.fromkeys(addresses):
        heads += _heads(conn, address, since, begin, limit + 1)
    heads.sort(reverse=True)
    traces = [trace_of(conn, trace_id) for _, _, trace_id in heads[:limit]]
    return SentPage(traces, _oldest(traces[-1]) if traces and len(heads) > limit else None)


def _heads(
    conn: Connection, address: str, since: int, begin: Cursor, most: int
) -> list[tuple[int, int, str]]:
    """(at, seq, trace_id) of the newest record of ``most`` messages of one address; each may have many."""
    found: dict[str, tuple[int, int, str]] = {}
    at, seq = begin
    while len(found) < most:
        query = (
            select(evidence.c.at, evidence.c.seq, evidence.c.trace_id)
            .where(
                evidence.c.sender == address,
                evidence.c.at >= since,
                evidence.c.at <= at,
                or_(evidence.c.at < at, evidence.c.seq < seq),
                evidence.c.event.in_(_INTAKE),
            )
            .order_by(evidence.c.at.desc(), evidence.c.seq.desc())
            .limit(2 * most)
        )
        rows = conn.execute(query).all()
        for row in rows:
            at, seq = row.at, row.seq
            found.setdefault(row.trace_id, (at, seq, row.trace_id))
        if len(rows) < 2 * most:
            break
    return list(found.values())[:most]


def _oldest(trace: list[Record]) -> Cursor:
    """The next page begins before the first record of this message's coming in."""
    return Cursor(*min((one.at, one.seq) for one in trace if one.event in _INTAKE))
