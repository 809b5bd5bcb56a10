"""App passwords: what a mail client presents to enter a box, a patient's or a professional's.

The secret is made here, never chosen: four letters that find the row (the selector), then 120 random bits.
Only its argon2id hash (RFC 9106) is kept. Hashing runs in threads of its own, two at a time, so that a
burst of wrong passwords delays sign-ins only. An unknown address, a closed box and a wrong secret cost the
same work and give the same answer.

Mail clients sign in again every few minutes. A secret found right is remembered for five minutes, as an
HMAC under a key that lives in this process only; each use still reads the row, so that revoking a
password, closing the box or destroying it counts at once.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
import re
import secrets
import time
import weakref
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type
from sqlalchemy import Connection, bindparam, select, update

from patients.errors import CredentialError
from patients.secrecy import app_password_shut
from patients.tables import credential, patient
from store import Store, Tx, mail, new_id, now_ms, operation

APP_PASSWORD: Final = "app-password"  # noqa: S105  # a kind of credential, not one
# No 0, 1, i, l, o: read aloud and typed on a phone without doubt. 31 letters, 4.95 bits each.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_UNSTORABLE: Final = re.compile("[\\x00\\ud800-\\udfff]")
_SELECTOR: Final = 4
_LENGTH: Final = 28
REMEMBERED_S: Final = 300.0
_REMEMBERED: Final = 20_000
#: How stale ``last_used_at`` may get, in ms: signing in is not worth a disk sync each time.
_TOUCH_AFTER: Final = 3_600_000

# OWASP's second recommended setting. The secret has 120 bits: the hash guards a stolen table, and no
# dictionary helps against it, so 19 MiB and two passes are ample.
_hasher: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
_pool: Final = ThreadPoolExecutor(2, "password")
_cache_key: Final = secrets.token_bytes(32)


@functools.cache
def _nobody() -> str:
    """What the secret given for an unknown address is compared with: the hash of one nobody knows."""
    return _hasher.hash(secrets.token_hex(16))


class Credential(msgspec.Struct, frozen=True):
    """An app password as lists show it; the secret cannot be had back. Times in ms."""

    box_id: int
    credential_id: int
    kind: str
    label: str
    created_at: int
    last_used_at: int | None
    revoked_at: int | None


class _Candidate(msgspec.Struct, frozen=True):
    box_id: int
    credential_id: int
    hash: bytes
    last_used_at: int | None


_caches: weakref.WeakKeyDictionary[Store, OrderedDict[bytes, float]] = weakref.WeakKeyDictionary()

_candidate: Final = select(
    credential.c.box_id,
    credential.c.credential_id,
    credential.c.hash,
    credential.c.last_used_at,
    credential.c.created_at,
).where(
    credential.c.box_id == bindparam("box_id"),
    credential.c.selector == bindparam("selector"),
    credential.c.kind == APP_PASSWORD,
    credential.c.revoked_at.is_(None),
)


_profile_state: Final = select(patient.c.state).where(patient.c.box_id == bindparam("box_id"))


def _normalise(secret: str) -> str:
    """A secret as typed: blanks and hyphens do not count, nor case."""
    return "".join(letter for letter in secret if letter not in " -\u00a0").casefold()


def new_secret() -> str:
    """A new secret in groups of four: ``"abcd-efgh-…"``, 28 letters."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(letters[place : place + 4] for place in range(0, _LENGTH, 4))


def add_app_password(store: Store, box_id: int, label: str) -> str:
    """Make an app password for a box; returns the secret, shown once. Blocking (hash and disk).

    Raises :class:`CredentialError` when there is no such box or it is closed.
    """
    while True:
        secret = new_secret()
        bare = _normalise(secret)
        if not store.read(_taken, box_id, bare[:_SELECTOR]):
            break
    store.write(
        insert_credential,
        box_id=box_id,
        credential_id=new_id(),
        label=label.strip()[:100],
        selector=bare[:_SELECTOR],
        hash_=_hasher.hash(bare).encode(),
    )
    return secret


async def check_app_password(store: Store, address: str, secret: str) -> int | None:
    """The box_id that ``address`` and ``secret`` open, or None. About 20 ms of a thread, 0.1 ms again."""
    bare = _normalise(secret)
    if len(bare) > 200 or not bare.isascii():
        bare = ""  # not one of ours; it still costs a hash
    if _UNSTORABLE.search(address):
        address = ""
    candidate = await store.aread(_candidate_of, address, bare[:_SELECTOR])
    loop = asyncio.get_running_loop()
    if candidate is None:
        await loop.run_in_executor(_pool, _verify, "", bare)
        return None
    cache = _caches.setdefault(store, OrderedDict())
    tag = _tag(candidate, bare)
    if cache.get(tag, 0.0) > time.monotonic():
        return candidate.box_id
    if not await loop.run_in_executor(_pool, _verify, candidate.hash.decode(), bare):
        return None
    cache[tag] = time.monotonic() + REMEMBERED_S
    while len(cache) > _REMEMBERED:
        cache.popitem(last=False)
    if now_ms() - (candidate.last_used_at or 0) > _TOUCH_AFTER:
        await store.awrite(touch_credential, box_id=candidate.box_id, credential_id=candidate.credential_id)
    return candidate.box_id


async def hash_secret(secret: str) -> bytes:
    """The argon2id hash of a secret that a person chose. About 20 ms of a thread."""
    hashed = await asyncio.get_running_loop().run_in_executor(_pool, _hasher.hash, secret.encode())
    return hashed.encode()


async def verify_secret(kept: bytes | None, secret: str) -> bool:
    """Whether ``secret`` is the one of the hash ``kept``; for None the same work, and false."""
    digest = "" if kept is None else kept.decode()
    good = await asyncio.get_running_loop().run_in_executor(_pool, _verify, digest, secret)
    return good and kept is not None


def app_passwords(conn: Connection, box_id: int) -> list[Credential]:
    """The app passwords of a box, revoked ones too, oldest first."""
    columns = [credential.c[name] for name in Credential.__struct_fields__]
    statement = select(*columns).where(credential.c.box_id == box_id, credential.c.kind == APP_PASSWORD)
    return [Credential(*row) for row in conn.execute(statement.order_by(credential.c.credential_id))]


def revoke_app_password(store: Store, box_id: int, credential_id: int) -> None:
    """Withdraw an app password; new sign-ins with it fail from now on. Blocking.

    Raises :class:`CredentialError` when there is none to withdraw.
    """
    store.write(revoke_credential, box_id=box_id, credential_id=credential_id)


@operation("patients.insert_credential")
def insert_credential(
    tx: Tx, *, box_id: int, credential_id: int, label: str, selector: str, hash_: bytes
) -> None:
    """Keep the hash of a new app password."""
    box = mail.box_by_id(tx.conn, box_id)
    if box is None or box.state != "open":
        raise CredentialError("credential.box", "no open mailbox to make a password for")
    tx.conn.execute(
        credential.insert().values(
            box_id=box_id,
            credential_id=credential_id,
            kind=APP_PASSWORD,
            label=label,
            selector=selector,
            hash=hash_,
            created_at=tx.now,
            last_used_at=None,
            revoked_at=None,
        )
    )


@operation("patients.touch_credential")
def touch_credential(tx: Tx, *, box_id: int, credential_id: int) -> None:
    """Note that a credential was used now."""
    tx.conn.execute(
        update(credential)
        .where(credential.c.box_id == box_id, credential.c.credential_id == credential_id)
        .values(last_used_at=tx.now)
    )


@operation("patients.revoke_credential")
def revoke_credential(tx: Tx, *, box_id: int, credential_id: int) -> None:
    """Withdraw a credential."""
    done = tx.conn.execute(
        update(credential)
        .where(
            credential.c.box_id == box_id,
            credential.c.credential_id == credential_id,
            credential.c.revoked_at.is_(None),
        )
        .values(revoked_at=tx.now)
    )
    if done.rowcount != 1:
        raise CredentialError("credential.unknown", "no such password, or it is withdrawn already")


def _taken(conn: Connection, box_id: int, selector: str) -> bool:
    """Whether a credential of the box, withdrawn or not, has this selector."""
    statement = select(credential.c.credential_id).where(
        credential.c.box_id == box_id, credential.c.selector == selector
    )
    return conn.scalar(statement) is not None


def _candidate_of(conn: Connection, address: str, selector: str) -> _Candidate | None:
    box = mail.box_by_address(conn, address.strip())
    asked = {"box_id": 0 if box is None else box.box_id, "selector": selector}
    row = conn.execute(_candidate, asked).one_or_none()
    state = conn.scalar(_profile_state, {"box_id": asked["box_id"]})
    # A patient whose profile is suspended, or not his yet, does not enter; other boxes have no profile.
    if box is None or box.state != "open" or state not in (None, "activated") or row is None:
        return None
    if state is not None and app_password_shut(conn, box.box_id, row.created_at, now_ms()):
        return None
    return _Candidate(*row[:-1])


def _tag(candidate: _Candidate, bare: str) -> bytes:
    material = b"%d/%d/%s" % (candidate.box_id, candidate.credential_id, bare.encode())
    return hmac.new(_cache_key, material, hashlib.sha256).digest()


def _verify(digest: str, bare: str) -> bool:
    try:
        return _hasher.verify(digest or _nobody(), bare.encode())
    except (VerificationError, InvalidHashError):
        return False
