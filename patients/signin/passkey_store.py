"""Passkeys as they are kept, and the operations of the ceremonies of :mod:`patients.signin.passkeys`."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, select, update

from patients.signin import flows
from patients.signin.accounts import identifier_of
from patients.signin.events import note, plain
from patients.signin.outgrown import still_his
from patients.signin.sessions import Lifetimes, Session, open_session
from patients.signin.tables import account, passkey
from patients.signin.throttle import Bucket, charge
from patients.tables import patient
from store import Tx, new_id, now_ms, operation, upsert

CEREMONY_MS: Final = 5 * 60_000
MOST_PASSKEYS: Final = 10


class Passkey(msgspec.Struct, frozen=True):
    """A passkey as lists show it. Times in ms; ``cloned_at``: its counter went back, it opens nothing."""

    passkey_id: int
    ins: str
    name: str
    sign_count: int
    backed_up: bool
    created_at: int
    used_at: int | None
    revoked_at: int | None
    cloned_at: int | None


class Held(msgspec.Struct, frozen=True):
    """What a ceremony needs of a passkey that may enter."""

    passkey_id: int
    ins: str
    public_key: bytes
    sign_count: int
    user_handle: bytes


class Owner(msgspec.Struct, frozen=True):
    """Who makes a new passkey: his handle, his identifier, and the credentials that he has already."""

    user_handle: bytes
    identifier: str
    credentials: list[bytes]


class Challenge(msgspec.Struct):
    """The state of a ceremony; ``ins`` is "" where the passkey itself will tell."""

    challenge: bytes
    ins: str = ""
    session_id: int = 0


@operation("patients.signin.begin_ceremony")
def begin_ceremony(tx: Tx, *, token: str, challenge: bytes, source: str) -> int:
    """Keep the challenge of a sign-in; returns how long to wait (ms), 0: go on."""
    wait = charge(tx, [Bucket("source", (source,))])
    if not wait:
        flows.begin(tx, token, "passkey", Challenge(challenge), CEREMONY_MS)
    return wait


@operation("patients.signin.begin_passkey")
def begin_passkey(tx: Tx, *, token: str, challenge: bytes, ins: str, session_id: int) -> Owner | None:
    """Keep the challenge of a registration; None: no account, or passkeys enough."""
    handle = tx.conn.scalar(select(account.c.user_handle).where(account.c.ins == ins))
    statement = select(passkey.c.credential).where(passkey.c.ins == ins, passkey.c.revoked_at.is_(None))
    held = [bytes(row[0]) for row in tx.conn.execute(statement)]
    if handle is None or len(held) >= MOST_PASSKEYS:
        return None
    flows.begin(tx, token, "passkey-new", Challenge(challenge, ins, session_id), CEREMONY_MS)
    return Owner(bytes(handle), identifier_of(tx, ins), held)


@operation("patients.signin.take_challenge")
def take_challenge(tx: Tx, *, token: str, registration: bool) -> Challenge | None:
    """The challenge of a ceremony, which is thereby used up, whatever comes of it."""
    return flows.take(tx, token, "passkey-new" if registration else "passkey", Challenge)


@operation("patients.signin.add_passkey")
def add_passkey(
    tx: Tx,
    *,
    ins: str,
    credential: bytes,
    public_key: bytes,
    sign_count: int,
    backed_up: bool,
    name: str,
) -> int | None:
    """Keep a new passkey; returns its number, None when the credential is known already."""
    number = new_id()
    row = {
        "credential": credential,
        "passkey_id": number,
        "ins": ins,
        "name": plain(name) or "passkey",
        "public_key": public_key,
        "sign_count": sign_count,
        "backed_up": backed_up,
        "created_at": tx.now,
        "used_at": None,
        "revoked_at": None,
        "cloned_at": None,
    }
    made = tx.conn.execute(upsert(passkey, row, ["credential"], update=False)).rowcount
    if made != 1:
        return None
    note(tx, ins, "passkey_added", "passkey", str(row["name"]))
    return number


def held_passkey(conn: Connection, credential: bytes) -> Held | None:
    """The passkey of a credential, when it may enter."""
    statement = (
        select(
            passkey.c.passkey_id,
            passkey.c.ins,
            passkey.c.public_key,
            passkey.c.sign_count,
            account.c.user_handle,
            passkey.c.created_at,
        )
        .join(account, account.c.ins == passkey.c.ins)
        .join(patient, patient.c.ins == passkey.c.ins)
        .where(
            passkey.c.credential == credential,
            passkey.c.revoked_at.is_(None),
            passkey.c.cloned_at.is_(None),
            patient.c.state == "activated",
        )
    )
    row = conn.execute(statement).one_or_none()
    if row is None or not still_his(conn, row[1], row[5], now_ms()):
        return None
    return Held(row[0], row[1], bytes(row[2]), row[3], bytes(row[4]))


@operation("patients.signin.enter_passkey")
def enter_passkey(
    tx: Tx,
    *,
    credential: bytes,
    seen_count: int,
    sign_count: int,
    session_token: str,
    device_token: str,
    device_label: str,
    lifetimes: Lifetimes,
) -> Session | None:
    """Open a session by a passkey whose answer was verified against ``seen_count``; None: it moved since."""
    held = held_passkey(tx.conn, credential)
    if held is None or held.sign_count != seen_count:
        return None
    moved = tx.conn.execute(
        update(passkey)
        .where(passkey.c.passkey_id == held.passkey_id, passkey.c.sign_count == seen_count)
        .values(sign_count=sign_count, used_at=tx.now)
    )
    if moved.rowcount != 1:
        return None
    return open_session(tx, held.ins, "passkey", session_token, device_label, device_token, lifetimes)


@operation("patients.signin.mark_cloned")
def mark_cloned(tx: Tx, *, passkey_id: int) -> None:
    """A signature was good and its counter went back: two devices hold this passkey; it is void."""
    statement = update(passkey).where(passkey.c.passkey_id == passkey_id, passkey.c.cloned_at.is_(None))
    row = tx.conn.execute(statement.values(cloned_at=tx.now).returning(passkey.c.ins, passkey.c.name)).first()
    if row:
        note(tx, row[0], "passkey_cloned", "passkey", row[1])


@operation("patients.signin.remove_passkey")
def remove_passkey(tx: Tx, *, ins: str, passkey_id: int) -> bool:
    """Withdraw a passkey of ``ins``; whether there was one to withdraw."""
    statement = update(passkey).where(
        passkey.c.passkey_id == passkey_id, passkey.c.ins == ins, passkey.c.revoked_at.is_(None)
    )
    row = tx.conn.execute(statement.values(revoked_at=tx.now).returning(passkey.c.name)).first()
    if row:
        note(tx, ins, "passkey_removed", "passkey", row[0])
    return row is not None


def passkeys_of(conn: Connection, ins: str) -> list[Passkey]:
    """The passkeys of a person, withdrawn ones too, oldest first."""
    columns = [passkey.c[name] for name in Passkey.__struct_fields__]
    rows = conn.execute(select(*columns).where(passkey.c.ins == ins).order_by(passkey.c.passkey_id))
    return [Passkey(*row) for row in rows]
