"""How often things may be tried. Sources are stopped first: strangers lock nobody out for long.

A bucket counts tries in a window that begins with the first one. Tries are counted before anything is looked
at, in one transaction, whether or not there is such a person.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import delete, select

from patients.signin.keys import tag
from patients.signin.tables import throttle
from store import Tx, upsert

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS


class Limit(msgspec.Struct, frozen=True):
    """At most ``tries`` in ``window_ms``."""

    tries: int
    window_ms: int


#: What is counted, and how often it may be. ``source…`` are of one network, the others of all together.
LIMITS: Final[Mapping[str, Limit]] = {
    "source": Limit(300, HOUR_MS),  # beginnings of any kind; an operator's address may be a thousand persons'
    "source-person": Limit(10, 15 * MINUTE_MS),  # from a network, against one identifier or number
    "card": Limit(20, HOUR_MS),
    "person": Limit(20, HOUR_MS),
    "identifier": Limit(50, 15 * MINUTE_MS),  # known devices do not count here, and are not stopped here
    "device": Limit(10, 15 * MINUTE_MS),
    "send": Limit(6, HOUR_MS),  # codes sent to a person
    "pin": Limit(15, 24 * HOUR_MS),  # wrong codes after a right password: only its owner gets here
    "federated": Limit(300, HOUR_MS),
}


class Bucket(msgspec.Struct, frozen=True):
    """A limit and what it is counted for."""

    kind: str
    whom: tuple[str, ...]


class Window(msgspec.Struct, frozen=True):
    """Tries counted so far, and when (ms) they are forgotten."""

    tries: int
    until: int


def counted(window: Window | None, limit: Limit, now: int) -> tuple[Window, int]:
    """The window after one more try, and how long (ms) to wait when it is one too many; 0: go on.

    Refused tries are not counted: waiting is not made longer by trying.
    """
    if window is None or window.until <= now:
        return Window(1, now + limit.window_ms), 0
    if window.tries >= limit.tries:
        return window, window.until - now
    return Window(window.tries + 1, window.until), 0


def network(address: str) -> str:
    """What counts as one source: an IPv4 address, the /64 of an IPv6 one, or the text itself."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)


def charge(tx: Tx, buckets: Sequence[Bucket]) -> int:
    """Count a try in every bucket, and say how long (ms) to wait; 0: go on. Part of an operation.

    When one bucket is full none is charged.
    """
    tags = {_tag(tx, bucket): bucket for bucket in buckets}
    statement = select(throttle.c.bucket_tag, throttle.c.tries, throttle.c.until)
    mine = statement.where(throttle.c.bucket_tag.in_(list(tags))).order_by(throttle.c.bucket_tag)
    rows = tx.conn.execute(mine.with_for_update())  # other nodes' writers wait, in one order
    held = {bytes(row[0]): Window(row[1], row[2]) for row in rows}
    after = {key: counted(held.get(key), LIMITS[bucket.kind], tx.now) for key, bucket in tags.items()}
    wait = max((wait for _, wait in after.values()), default=0)
    if wait:
        return wait
    for key, (window, _) in after.items():
        row = {"bucket_tag": key, "tries": window.tries, "until": window.until}
        tx.conn.execute(upsert(throttle, row, ["bucket_tag"]))
    return 0


def waiting(tx: Tx, bucket: Bucket) -> int:
    """How long (ms) a bucket is full; 0: it is not. Nothing is counted. Part of an operation."""
    statement = select(throttle.c.tries, throttle.c.until).where(throttle.c.bucket_tag == _tag(tx, bucket))
    row = tx.conn.execute(statement).one_or_none()
    return counted(Window(*row) if row else None, LIMITS[bucket.kind], tx.now)[1]


def refund(tx: Tx, buckets: Sequence[Bucket]) -> None:
    """Forget what was counted in buckets; part of an operation."""
    keys = [_tag(tx, bucket) for bucket in buckets]
    tx.conn.execute(delete(throttle).where(throttle.c.bucket_tag.in_(keys)))


def _tag(tx: Tx, bucket: Bucket) -> bytes:
    return tag(tx.home, f"throttle {bucket.kind}", *bucket.whom)
