"""What the support does for a person, what ends by itself, and what goes when a profile is deleted."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, delete, select, update

from patients.erasure import erases
from patients.guardians import hands_over
from patients.signin.accounts import drop_factors
from patients.signin.contacts import forget_cards, keep_contact
from patients.signin.events import KEPT_MS, note
from patients.signin.facts import Channel
from patients.signin.tables import account, contact, device, event, flow, passkey, session, throttle
from patients.signin.throttle import Bucket, refund
from patients.tables import patient
from store import Tx, operation

_DAY_MS = 86_400_000


class Access(msgspec.Struct, frozen=True):
    """What the support sees of an account: no identifier, no destination. Times in ms."""

    ins: str
    channel: Channel
    terms: str
    created_at: int
    password_at: int
    sessions: int
    passkeys: int


class Tidied(msgspec.Struct, frozen=True):
    """How many rows had ended."""

    flows: int
    throttles: int
    sessions: int
    devices: int
    events: int


def access(conn: Connection, ins: str) -> Access | None:
    """The account of a person, or None."""
    columns = [account.c[name] for name in Access.__struct_fields__[:5]]
    row = conn.execute(select(*columns).where(account.c.ins == ins)).one_or_none()
    if row is None:
        return None
    live = select(session.c.session_id).where(session.c.ins == ins, session.c.revoked_at.is_(None))
    keys = select(passkey.c.passkey_id).where(passkey.c.ins == ins, passkey.c.revoked_at.is_(None))
    return Access(
        row[0],
        row[1],
        row[2],
        row[3],
        row[4],
        sessions=len(conn.execute(live).all()),
        passkeys=len(conn.execute(keys).all()),
    )


@operation("patients.signin.unlock")
def unlock(tx: Tx, *, ins: str) -> bool:
    """Forget the tries counted against a person (codes sent, wrong codes, activation), if he is known."""
    known = tx.conn.scalar(select(patient.c.ins).where(patient.c.ins == ins)) is not None
    if known:
        refund(tx, [Bucket(kind, (ins,)) for kind in ("send", "pin", "person")])
        note(tx, ins, "unlocked")
    return known


@operation("patients.signin.reset_factors")
def reset_factors(tx: Tx, *, ins: str) -> bool:
    """End every session, device, passkey, and the password: the person activates anew with his card.

    Returns whether there was an account.
    """
    there = tx.conn.execute(
        update(account).where(account.c.ins == ins).values(password=b"", password_at=tx.now)
    ).rowcount
    if there:
        drop_factors(tx, ins)
        note(tx, ins, "factor_reset")
    return bool(there)


@operation("patients.signin.set_contact")
def set_contact(tx: Tx, *, ins: str, channel: Channel, to: str) -> None:
    """Replace where a person's codes go, after the support has identified him by its own means."""
    keep_contact(tx, ins, {channel: to}, proven=True)
    tx.conn.execute(update(account).where(account.c.ins == ins).values(channel=channel, live_flow=None))
    note(tx, ins, "contact_changed", channel)


@operation("patients.signin.tidy")
def tidy(tx: Tx) -> Tidied:
    """Drop what has ended: flows, counts; sessions after a month, events and devices after a year."""
    month, year = tx.now - 30 * _DAY_MS, tx.now - KEPT_MS
    statements = (
        delete(flow).where(flow.c.expires_at <= tx.now),
        delete(throttle).where(throttle.c.until <= tx.now),
        delete(session).where((session.c.expires_at <= month) | (session.c.revoked_at <= month)),
        delete(device).where(device.c.used_at <= year),
        delete(event).where(event.c.at <= year),
    )
    return Tidied(*(tx.conn.execute(one).rowcount for one in statements))


@erases
def forget_person(tx: Tx, box_id: int) -> None:
    """A profile is deleted for good: nothing of how its owner signed in stays."""
    ins = tx.conn.scalar(select(patient.c.ins).where(patient.c.box_id == box_id))
    if ins is None:
        return
    forget_cards(tx, ins)
    _forget_access(tx, ins)
    tx.conn.execute(delete(event).where(event.c.ins == ins))


@hands_over
def forget_access(tx: Tx, ins: str) -> None:
    """A person comes of age: what others signed in with for him is void, and their contacts are not his."""
    _forget_access(tx, ins)
    note(tx, ins, "factor_reset")


def _forget_access(tx: Tx, ins: str) -> None:
    for table in (account, contact, device, passkey, session):
        tx.conn.execute(delete(table).where(table.c.ins == ins))
