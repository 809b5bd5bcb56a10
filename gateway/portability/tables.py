"""What was taken over into a box, so that the same archive, or a later one, brings nothing twice."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, String, Table, delete, insert, select

import patients
from store import Tx, metadata, operation

taken_over: Final = Table(
    "portability_item",
    metadata,
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),
    Column("item", LargeBinary(32), primary_key=True),  # SHA-256 of what it is, whichever archive brought it
    Column("part", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
)


def first_time(tx: Tx, box_id: int, part: str, item: bytes) -> bool:
    """Note that an item is taken over; False when it was before."""
    if is_taken(tx.conn, box_id, item):
        return False
    tx.conn.execute(insert(taken_over).values(box_id=box_id, item=item, part=part, at=tx.now))
    return True


def is_taken(conn: Connection, box_id: int, item: bytes) -> bool:
    """Whether an item was taken over before."""
    query = select(taken_over.c.item).where(taken_over.c.box_id == box_id, taken_over.c.item == item)
    return conn.execute(query).first() is not None


@operation("portability.note_taken")
def note_taken(tx: Tx, *, box_id: int, part: str, item: bytes) -> None:
    """Note that an item was taken over."""
    first_time(tx, box_id, part, item)


@patients.erases
def drop_taken_over(tx: Tx, box_id: int) -> None:
    """Forget what was taken over into the box of a deleted profile."""
    tx.conn.execute(delete(taken_over).where(taken_over.c.box_id == box_id))
