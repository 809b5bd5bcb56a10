"""The right to answer, derived from the events that professionals' messages left."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, and_, bindparam, func, insert, select

from gateway.routing.tables import correspondence
from store import Prepared, Tx, new_id


class Contact(msgspec.Struct, frozen=True):
    """What an address did towards a patient until a moment.

    ``opened_at`` and ``ended_at`` are the numbers of the last such events, 0 for none: numbers grow with
    time, also within one millisecond.
    """

    contacted: bool = False
    opened_at: int = 0
    ended_at: int = 0


_last = Prepared(
    select(correspondence.c.effect, func.max(correspondence.c.event_id))
    .where(
        and_(
            correspondence.c.box_id == bindparam("box_id"),
            correspondence.c.address == bindparam("address"),
            correspondence.c.at <= bindparam("until"),
        )
    )
    .group_by(correspondence.c.effect)
)
_newest = Prepared(
    select(func.max(correspondence.c.event_id)).where(
        and_(
            correspondence.c.box_id == bindparam("box_id"),
            correspondence.c.address == bindparam("address"),
        )
    )
)
_insert = Prepared(insert(correspondence))
FOREVER = 2**62


def contact(conn: Connection, box_id: int, address: str, until: int = FOREVER) -> Contact:
    """How things stood between a patient's box and an address at ``until`` (ms)."""
    rows = _last.all(conn, {"box_id": box_id, "address": address.casefold(), "until": until})
    last: dict[str, int] = {row[0]: row[1] for row in rows}
    return Contact(contacted=bool(last), opened_at=last.get("opens", 0), ended_at=last.get("ends", 0))


def note(tx: Tx, *, box_id: int, address: str, author: str, effect: str, trace_id: str) -> None:
    """Keep one message's effect. An end reaches every contact that its author opened (Reply-To too)."""
    address, author = address.casefold(), author.casefold()
    addresses = {address}
    if effect == "ends":
        addresses |= set(
            tx.conn.execute(
                select(correspondence.c.address)
                .where(and_(correspondence.c.box_id == box_id, correspondence.c.author == author))
                .distinct()
            ).scalars()
        )
    for contacted in sorted(addresses):
        place = {"box_id": box_id, "address": contacted}
        newest = _newest.first(tx.conn, place)[0] or 0  # a clock that was set back reorders nothing
        _insert.run(
            tx.conn,
            {
                **place,
                "event_id": max(new_id(), newest + 1),
                "at": tx.now,
                "effect": effect,
                "author": author,
                "trace_id": trace_id,
            },
        )


def contacts(conn: Connection, box_id: int) -> list[tuple[str, Contact]]:
    """Every address that wrote to a patient, with how things stand."""
    addresses = conn.execute(
        select(correspondence.c.address).where(correspondence.c.box_id == box_id).distinct()
    ).scalars()
    return [(address, contact(conn, box_id, address)) for address in sorted(addresses)]
