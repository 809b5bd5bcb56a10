"""A clock that jumped is noticed before it opens profiles early, or dates notices in the past.

The latest moment that a bulk step saw is kept. A clock far ahead of it opens nothing: six weeks would seem
over that are not. A clock behind it dates no notice: its six weeks would seem older than they are. What is
wrong by less than the leap allowed cannot be told from a gateway that was stopped.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select, update

from patients.errors import ClockError
from patients.tables import patient_clock
from store import Tx, operation

DAY_MS: Final = 86_400_000
#: How far the clock may be ahead of the last bulk step before somebody must say that it is right.
LEAP_MS: Final = 3 * DAY_MS
#: How far it may be behind: what a correction by NTP may do.
BEHIND_MS: Final = 60_000
_NAME: Final = "bulk"


def not_ahead(tx: Tx, leap_ms: int) -> None:
    """Check before opening that the clock did not leap, and note the time; part of an operation.

    Raises :class:`ClockError` (``patient.clock``).
    """
    seen = _seen(tx)
    if seen and tx.now > seen + leap_ms:
        days = (tx.now - seen) // DAY_MS
        raise ClockError(
            "patient.clock",
            f"the clock is {days} days ahead of the last run: was the gateway stopped, or is it wrong?",
        )
    _note(tx, seen)


def not_behind(tx: Tx) -> None:
    """Check before dating notices that the clock did not go back, and note the time; part of an operation.

    Raises :class:`ClockError` (``patient.clock``).
    """
    seen = _seen(tx)
    if tx.now < seen - BEHIND_MS:
        minutes = (seen - tx.now) // 60_000
        raise ClockError(
            "patient.clock",
            f"the clock is {minutes} minutes behind the last run: notices would be dated early",
        )
    _note(tx, seen)


@operation("patients.trust_clock")
def trust_clock(tx: Tx) -> None:
    """Somebody says that the clock is right now, whatever was seen before."""
    _note(tx, _seen(tx), anyway=True)


def _seen(tx: Tx) -> int:
    return tx.conn.scalar(select(patient_clock.c.seen_at)) or 0


def _note(tx: Tx, seen: int, *, anyway: bool = False) -> None:
    if not seen:
        tx.conn.execute(patient_clock.insert().values(name=_NAME, seen_at=tx.now))
    elif tx.now > seen or anyway:
        tx.conn.execute(update(patient_clock).values(seen_at=tx.now))
