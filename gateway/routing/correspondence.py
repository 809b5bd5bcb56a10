"""The right to answer, derived from the events that professionals' messages left.

Invariants:
- a message opens the addresses that it names for answers, and its author's end takes back what his own
  messages opened, nobody else's: in a thread of several professionals each is a contact of his own;
- the end that a mailbox itself sends closes it, whoever opened it;
- within one box and address events are ordered by their number, also within a millisecond and when the
  clock was set back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, and_, bindparam, func, insert, select

from gateway.routing.tables import correspondence
from store import Prepared, Tx, new_id

FOREVER: Final = 2**62


class Contact(msgspec.Struct, frozen=True):
    """What was done for or against the right to write to an address, until a moment.

    ``opened_at`` and ``ended_at`` are the numbers of the events that decide, 0 for none: the address may be
    answered when it was opened after it was ended. ``since``: when it was opened (ms), 0 for never.
    """

    contacted: bool = False
    opened_at: int = 0
    ended_at: int = 0
    since: int = 0

    @property
    def open(self) -> bool:
        """Whether it may be answered, as far as correspondence tells."""
        return self.opened_at > self.ended_at


def _last_events(*conditions: Any) -> Select[Any]:
    """(address, author, effect, number, ms) of the last events of a box, by address."""
    columns = (correspondence.c.address, correspondence.c.author, correspondence.c.effect)
    return (
        select(*columns, func.max(correspondence.c.event_id), func.max(correspondence.c.at))
        .where(
            and_(
                correspondence.c.box_id == bindparam("box_id"),
                correspondence.c.at <= bindparam("until"),
                *conditions,
            )
        )
        .group_by(*columns)
    )


_of_address: Final = Prepared(_last_events(correspondence.c.address == bindparam("address")))
_of_box: Final = Prepared(_last_events().order_by(correspondence.c.address))
_newest: Final = Prepared(
    select(func.max(correspondence.c.event_id)).where(
        and_(
            correspondence.c.box_id == bindparam("box_id"),
            correspondence.c.address == bindparam("address"),
        )
    )
)
_opened_by: Final = Prepared(
    select(correspondence.c.address)
    .where(
        and_(
            correspondence.c.box_id == bindparam("box_id"),
            correspondence.c.author == bindparam("author"),
            correspondence.c.effect == "opens",
        )
    )
    .distinct()
)
_insert: Final = Prepared(insert(correspondence))


def contact(conn: Connection, box_id: int, address: str, until: int = FOREVER) -> Contact:
    """How things stood between a patient's box and an address at ``until`` (ms)."""
    address = address.casefold()
    return _judged(_of_address.all(conn, {"box_id": box_id, "address": address, "until": until}), address)


def contacts(conn: Connection, box_id: int, until: int = FOREVER) -> list[tuple[str, Contact]]:
    """Every address that wrote to a patient, or that a message named for answers, with how things stood."""
    rows = _of_box.all(conn, {"box_id": box_id, "until": until})
    return [(address, _judged(list(own), address)) for address, own in groupby(rows, lambda row: row[0])]


def _judged(rows: Sequence[Any], address: str) -> Contact:
    """The last events of one address, author by author, made one answer."""
    opened: dict[str, tuple[int, int]] = {}
    ended: dict[str, int] = {}
    for _, author, effect, number, at in rows:
        if effect == "opens":
            opened[author] = (number, at)
        elif effect == "ends":
            ended[author] = number
    own = ended.get(address, 0)  # the mailbox's own word ends what anybody opened
    ends = {author: max(ended.get(author, 0), own) for author in opened}
    standing = [author for author, (number, _) in opened.items() if number > ends[author]]
    if not opened:
        return Contact(contacted=bool(rows), ended_at=max(ended.values(), default=0))
    author = max(standing or opened, key=lambda one: opened[one])
    return Contact(True, opened[author][0], ends[author], opened[author][1])


def note(tx: Tx, *, box_id: int, contacts: Iterable[str], author: str, effect: str, trace_id: str) -> None:
    """Keep one message's effect on the addresses that it names for answers.

    An end names nobody new: it reaches the author's own address and every one that his messages opened.
    """
    author = author.casefold()
    addresses = {address.casefold() for address in contacts}
    if effect == "ends":
        rows = _opened_by.all(tx.conn, {"box_id": box_id, "author": author})
        addresses = {author, *(row[0] for row in rows)}
    for address in sorted(addresses):
        place = {"box_id": box_id, "address": address}
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
