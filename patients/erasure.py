"""Destroying what a profile held: the key of its box, its ways in, its traits (R.1111-36 CSP).

What stays: the INS, the address and the box's row, so that neither is ever given to anybody again; state and
times; the history; the evidence, which names the address that messages were refused or delivered to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import delete, update

from patients.codes import forget_codes
from patients.tables import credential, patient
from store import Tx, mail

#: Called with the transaction and the box of a profile that is deleted.
Eraser = Callable[[Tx, int], None]
_erasers: Final[list[Eraser]] = []
#: Columns that a deletion empties.
TRAITS: Final = ("birth_name", "given_names", "used_name", "sex", "birth_date", "birth_place")


def erases(function: Eraser) -> Eraser:
    """Register what another room drops of a deleted profile's box, in the same transaction (a decorator)."""
    _erasers.append(function)
    return function


def erase(tx: Tx, ins: str, box_id: int | None) -> None:
    """Make the content of a profile unreadable for ever and empty its traits; part of an operation."""
    forget_codes(tx, [ins])
    if box_id is not None:
        mail.destroy_box_key(tx, box_id=box_id)
        tx.conn.execute(delete(credential).where(credential.c.box_id == box_id))
        for drop in _erasers:
            drop(tx, box_id)
    emptied = dict.fromkeys(TRAITS, "") | {"erase_at": None, "deleted_at": tx.now}
    tx.conn.execute(update(patient).where(patient.c.ins == ins).values(**emptied))
