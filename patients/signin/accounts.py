"""Accounts: what a person signs in with. Parts of operations, and plain reads."""

from __future__ import annotations

import os

import msgspec
from sqlalchemy import delete, select, update

from patients.signin.contacts import Destination, destination_of
from patients.signin.events import note
from patients.signin.facts import Channel
from patients.signin.keys import seal, tag, unseal
from patients.signin.outgrown import still_his
from patients.signin.passwords import fold_identifier
from patients.signin.sessions import revoke_sessions
from patients.signin.tables import account, device, passkey
from patients.tables import patient
from store import Tx, operation


class Found(msgspec.Struct, frozen=True):
    """An account that an identifier names; ``usable`` while its profile is activated and it is his own."""

    ins: str
    password: bytes
    usable: bool


def by_identifier(tx: Tx, identifier: str) -> Found | None:
    """The account of an identifier, any case."""
    statement = (
        select(account.c.ins, account.c.password, patient.c.state, account.c.password_at)
        .join(patient, patient.c.ins == account.c.ins)
        .where(account.c.identifier_tag == _identifier_tag(tx, identifier))
    )
    row = tx.conn.execute(statement).one_or_none()
    ins, set_at = (row[0], row[3]) if row else ("", 0)
    own = still_his(tx.conn, ins, set_at, tx.now)
    return Found(ins, bytes(row[1]), row[2] == "activated" and own) if row else None


def channel_of(tx: Tx, ins: str) -> Channel | None:
    """How a person with an account and an activated profile gets his codes; None: he has them not."""
    statement = (
        select(account.c.channel, account.c.password_at)
        .join(patient, patient.c.ins == account.c.ins)
        .where(account.c.ins == ins, patient.c.state == "activated")
    )
    row = tx.conn.execute(statement).one_or_none()
    own = still_his(tx.conn, ins, row[1] if row else 0, tx.now)
    channel: Channel | None = row[0] if row and own else None
    return channel


def identifier_of(tx: Tx, ins: str) -> str:
    """The identifier of a person, "" without an account."""
    sealed = tx.conn.scalar(select(account.c.sealed_identifier).where(account.c.ins == ins))
    return "" if sealed is None else unseal(tx.home, ins.encode(), sealed).decode()


def put_account(tx: Tx, ins: str, identifier: str, password: bytes, channel: Channel, terms: str) -> bool:
    """Make the account of a person, or make it anew; false when the identifier is another person's.

    An account made anew ends every session, and forgets devices and passkeys.
    """
    key = _identifier_tag(tx, identifier)
    taken = tx.conn.scalar(select(account.c.ins).where(account.c.identifier_tag == key))
    if taken is not None and taken != ins:
        return False
    values = {
        "identifier_tag": key,
        "sealed_identifier": seal(tx.home, ins.encode(), fold_identifier(identifier).encode()),
        "password": password,
        "password_at": tx.now,
        "channel": channel,
        "terms": terms,
        "terms_at": tx.now,
        "live_flow": None,
    }
    again = tx.conn.execute(update(account).where(account.c.ins == ins).values(**values)).rowcount
    if again:
        drop_factors(tx, ins)
    else:
        tx.conn.execute(
            account.insert().values(ins=ins, user_handle=os.urandom(32), created_at=tx.now, **values)
        )
    note(tx, ins, "account_reset" if again else "account_made")
    return True


def drop_factors(tx: Tx, ins: str) -> None:
    """End a person's sessions, forget his devices, withdraw his passkeys, void the code under way."""
    revoke_sessions(tx, ins=ins)
    tx.conn.execute(delete(device).where(device.c.ins == ins))
    tx.conn.execute(
        update(passkey).where(passkey.c.ins == ins, passkey.c.revoked_at.is_(None)).values(revoked_at=tx.now)
    )
    tx.conn.execute(update(account).where(account.c.ins == ins).values(live_flow=None))


@operation("patients.signin.account_password")
def account_password(tx: Tx, *, ins: str) -> tuple[str, bytes] | None:
    """The identifier and the password's hash of a person, to change it; None without an account."""
    kept = tx.conn.scalar(select(account.c.password).where(account.c.ins == ins))
    return None if kept is None else (identifier_of(tx, ins), bytes(kept))


@operation("patients.signin.change_password")
def change_password(tx: Tx, *, ins: str, password: bytes, session_id: int) -> list[Destination]:
    """Keep a new password's hash; every other session ends. Returns whom to tell."""
    tx.conn.execute(
        update(account)
        .where(account.c.ins == ins)
        .values(password=password, password_at=tx.now, live_flow=None)
    )
    revoke_sessions(tx, ins=ins, but=session_id)
    note(tx, ins, "password_changed")
    channel = channel_of(tx, ins)
    to = destination_of(tx, ins, channel) if channel else None
    return [to] if to else []


def _identifier_tag(tx: Tx, identifier: str) -> bytes:
    return tag(tx.home, "identifier", fold_identifier(identifier))
