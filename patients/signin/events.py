"""The history of sign-ins that a patient is shown."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, func, select

from patients.signin.tables import event
from store import Tx, new_id

EventKind = Literal[
    "account_made",
    "code_sent",
    "code_refused",
    "signed_in",
    "signed_out",
    "stepped_up",
    "session_revoked",
    "password_refused",
    "password_changed",
    "account_reset",
    "passkey_added",
    "passkey_removed",
    "passkey_cloned",
    "contact_changed",
    "unlocked",
    "factor_reset",
]
KEPT_MS: Final = 365 * 86_400_000


class SignInEvent(msgspec.Struct, frozen=True):
    """What happened when (ms), by which means, on which device (as that called itself)."""

    at: int
    kind: EventKind
    method: str
    device: str


def note(tx: Tx, ins: str, kind: EventKind, method: str = "", device: str = "") -> None:
    """Write an event into a person's history; part of an operation."""
    last = tx.conn.scalar(select(func.max(event.c.event_id)).where(event.c.ins == ins)) or 0
    tx.conn.execute(
        event.insert().values(
            ins=ins,
            event_id=max(new_id(), last + 1),
            at=tx.now,
            kind=kind,
            method=method,
            device=plain(device),
        )
    )


def events_of(conn: Connection, ins: str, limit: int = 100) -> list[SignInEvent]:
    """The latest events of a person, newest first."""
    columns = [event.c[name] for name in SignInEvent.__struct_fields__]
    rows = conn.execute(
        select(*columns).where(event.c.ins == ins).order_by(event.c.event_id.desc()).limit(limit)
    )
    return [SignInEvent(*row) for row in rows]


def plain(label: str) -> str:
    """A device's or a passkey's name as it is kept: printable, one line, at most 80 characters."""
    kept = "".join(letter if letter.isprintable() else " " for letter in label)
    return " ".join(kept.split())[:80]
