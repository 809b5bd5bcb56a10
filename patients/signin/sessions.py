"""Sessions: what a signed-in browser holds. Only a digest of its token is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, select, update

from patients.signin.events import note, plain
from patients.signin.keys import tag
from patients.signin.outgrown import still_his
from patients.signin.tables import device as devices
from patients.signin.tables import session
from patients.tables import patient
from store import Store, Tx, new_id, now_ms, operation, upsert

Method = Literal["password", "passkey", "federated"]
#: How stale ``seen_at`` may get (ms): a page view is not worth a disk sync.
TOUCH_MS: Final = 60_000
STEP_UP_MS: Final = 10 * 60_000


class Lifetimes(msgspec.Struct, frozen=True):
    """How long a session lasts unused, and at all (ms)."""

    idle_ms: int = 15 * 60_000
    absolute_ms: int = 12 * 3_600_000


class Session(msgspec.Struct, frozen=True):
    """A session as the person is shown it; the token cannot be had back. Times in ms."""

    session_id: int
    ins: str
    method: Method
    device: str
    created_at: int
    seen_at: int
    expires_at: int
    stepped_at: int | None
    revoked_at: int | None


_columns: Final = [session.c[name] for name in Session.__struct_fields__]


def alive(found: Session, lifetimes: Lifetimes, now: int) -> bool:
    """Whether a session lets in: not revoked, not too long unused, not too old."""
    return (
        found.revoked_at is None
        and found.created_at <= now < found.expires_at
        and now - found.seen_at < lifetimes.idle_ms
    )


def stepped_up(found: Session, now: int) -> bool:
    """Whether the person proved a second time, in the last ten minutes, that it is he."""
    return found.stepped_at is not None and 0 <= now - found.stepped_at < STEP_UP_MS


async def current(store: Store, token: str, lifetimes: Lifetimes) -> Session | None:
    """The session of ``token``, or None when it does not let in (any more); notes that it was used."""
    found = await store.aread(_by_tag, tag(store.home, "session", token))
    now = now_ms()
    if found is None or not alive(found, lifetimes, now):
        return None
    if now - found.seen_at > TOUCH_MS:
        await store.awrite(touch_session, session_id=found.session_id)
    return found


def standing(conn: Connection, home: Path, token: str, lifetimes: Lifetimes, now: int) -> Session | None:
    """The session of ``token`` if it lets in at ``now`` (ms); looking at it does not keep it alive."""
    found = _by_tag(conn, tag(home, "session", token))
    return found if found is not None and alive(found, lifetimes, now) else None


def sessions_of(conn: Connection, ins: str) -> list[Session]:
    """The sessions of a person that were not revoked, newest first; look at them with :func:`alive`."""
    statement = select(*_columns).where(session.c.ins == ins, session.c.revoked_at.is_(None))
    return [Session(*row) for row in conn.execute(statement.order_by(session.c.session_id.desc()))]


def _by_tag(conn: Connection, key: bytes) -> Session | None:
    # A profile suspended or closed meanwhile lets nobody in, nor does what a former representative opened.
    statement = (
        select(*_columns)
        .join(patient, patient.c.ins == session.c.ins)
        .where(session.c.session_tag == key, patient.c.state == "activated")
    )
    row = conn.execute(statement).one_or_none()
    found = Session(*row) if row else None
    return found if found and still_his(conn, found.ins, found.created_at, now_ms()) else None


def open_session(
    tx: Tx, ins: str, method: Method, token: str, device: str, device_token: str, lifetimes: Lifetimes
) -> Session:
    """Keep a new session; both factors (or a passkey) were proven. Part of an operation."""
    opened = Session(
        session_id=new_id(),
        ins=ins,
        method=method,
        device=plain(device),
        created_at=tx.now,
        seen_at=tx.now,
        expires_at=tx.now + lifetimes.absolute_ms,
        stepped_at=tx.now,
        revoked_at=None,
    )
    tx.conn.execute(
        session.insert().values(session_tag=tag(tx.home, "session", token), **msgspec.structs.asdict(opened))
    )
    row = {"device_tag": tag(tx.home, "device", device_token, ins), "ins": ins, "used_at": tx.now}
    tx.conn.execute(upsert(devices, row, ["device_tag"]))
    note(tx, ins, "signed_in", method, opened.device)
    return opened


@operation("patients.signin.touch_session")
def touch_session(tx: Tx, *, session_id: int) -> None:
    """Note that a session is in use."""
    tx.conn.execute(update(session).where(session.c.session_id == session_id).values(seen_at=tx.now))


@operation("patients.signin.revoke_session")
def revoke_session(tx: Tx, *, ins: str, session_id: int, signed_out: bool = False) -> bool:
    """End a session of ``ins``; whether there was one to end."""
    ended = tx.conn.execute(
        update(session)
        .where(session.c.session_id == session_id, session.c.ins == ins, session.c.revoked_at.is_(None))
        .values(revoked_at=tx.now)
        .returning(session.c.device)
    ).one_or_none()
    if ended is not None:
        note(tx, ins, "signed_out" if signed_out else "session_revoked", device=ended[0])
    return ended is not None


@operation("patients.signin.revoke_sessions")
def revoke_sessions(tx: Tx, *, ins: str, but: int = 0) -> int:
    """End all sessions of a person, but one; returns how many."""
    statement = update(session).where(
        session.c.ins == ins, session.c.session_id != but, session.c.revoked_at.is_(None)
    )
    many = tx.conn.execute(statement.values(revoked_at=tx.now)).rowcount
    if many:
        note(tx, ins, "session_revoked")
    return many
