"""Private subscriptions: an address nobody guesses, so that a phone shows the agenda.

Who has the address reads the feed, and a phone's calendar tells its maker what it shows. So the address is
told once and kept as a digest only, ends when it is revoked or when the right of who opened it ends, and by
default says when the person is busy, and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, and_, func, insert, select, update

import activity
import patients
from activity import Actor, Entry
from agenda.access import who, who_is
from agenda.appointments import appointments
from agenda.check import text
from agenda.errors import AgendaError
from agenda.ics_write import calendar_of
from agenda.model import Appointment, Feed, Shows
from agenda.rows import recheck
from agenda.tables import agenda_feed, appointment
from store import Sealer, Store, Tx, new_id, now_ms, operation

MAX_FEEDS: Final = 20
#: Octets of a token: 256 bits.
TOKEN: Final = 32
TOKEN_LENGTH: Final = 43  # of base64url
DAY_MS: Final = 86_400_000
REFRESH: Final = timedelta(hours=1)
#: Later than any clock: a moment that is told to nobody.
NEVER: Final = 2**62
_NAMES: Final[dict[Shows, str]] = {"busy": "Mon agenda (occupé)", "full": "Mon agenda"}


class Served(msgspec.Struct, frozen=True):
    """What a feed gives: the calendar, and when it changed last (ms), :data:`NEVER` where nobody says."""

    body: bytes
    changed_at: int


class NewFeed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed ready to be written."""

    feed_id: int
    token_hash: bytes
    shows: Shows
    sealed: bytes


def digest_of(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


def _place(feed_id: int) -> str:
    return f"feed:{feed_id}"


# -- opening and revoking -------------------------------------------------------------------------


def open_feed(
    store: Store, box_id: int, actor: Actor, *, label: str = "", shows: Shows = "busy"
) -> tuple[Feed, str]:
    """Open a feed; returns it and its token, which is told this once. Blocking.

    It shows what ``actor`` sees at each fetch, and ends with his right to see it. Operators open one as the
    patient: their actor must not be the one who keeps it, so this is for patients and representatives.

    :param label: which device it is for, at most 80 characters.
    :raises AgendaError: ``agenda.feed`` (twenty are open), ``agenda.text``, ``agenda.refused``,
        ``agenda.closed``.
    """
    asker = store.read(who_is, box_id, actor, writes=True)
    if asker.seer not in ("self", "representative"):
        raise AgendaError("agenda.refused")
    return _open(store, box_id, actor, label, shows)


def open_feed_for(
    store: Store, box_id: int, operator: Actor, ins: str, *, label: str = "", shows: Shows = "busy"
) -> tuple[Feed, str]:
    """The same by an operator, at the request of ``ins``: the patient or who represents him. Blocking.

    The feed is that person's; the journal tells that an operator opened it. Raises as :func:`open_feed`.
    """
    store.read(who, box_id, "patient", ins, writes=True)
    return _open(store, box_id, operator, label, shows, holder=ins)


def _open(
    store: Store, box_id: int, actor: Actor, label: str, shows: Shows, holder: str = ""
) -> tuple[Feed, str]:
    token = secrets.token_urlsafe(TOKEN)
    feed_id = new_id()
    label = text(label, 80)
    new = NewFeed(
        feed_id=feed_id,
        token_hash=digest_of(token),
        shows=shows,
        sealed=store.sealer(box_id).seal(label.encode(), _place(feed_id)),
    )
    entry = activity.entry(
        store, box_id, actor, "feed_opened", kind="feed", subject=str(feed_id), more={"shows": shows}
    )
    store.write(put_feed, new=new, entry=entry, holder=holder or actor.ident)
    return store.read(_feed, store, box_id, feed_id), token


def revoke_feed(store: Store, box_id: int, actor: Actor, feed_id: int) -> None:
    """End a feed: from now on its address leads nowhere. Blocking. Again changes nothing.

    Anybody who acts for the patient may, whoever opened it. Raises :class:`AgendaError` ``agenda.feed`` (no
    such feed), ``agenda.refused``, ``agenda.closed``.
    """
    asker = store.read(who_is, box_id, actor, writes=True)
    if asker.seer == "professional":
        raise AgendaError("agenda.refused")
    entry = activity.entry(store, box_id, actor, "feed_revoked", kind="feed", subject=str(feed_id))
    store.write(end_feed, feed_id=feed_id, entry=entry)


@operation("agenda.put_feed")
def put_feed(tx: Tx, *, new: NewFeed, entry: Entry, holder: str) -> None:
    """Keep a feed of ``holder`` (INS). Raises ``agenda.feed`` when there are twenty."""
    who(tx.conn, entry.box_id, "patient", holder, writes=True)
    live = and_(agenda_feed.c.box_id == entry.box_id, agenda_feed.c.revoked_at.is_(None))
    if (tx.conn.scalar(select(func.count()).select_from(agenda_feed).where(live)) or 0) >= MAX_FEEDS:
        raise AgendaError("agenda.feed")
    values = msgspec.structs.asdict(new) | {
        "box_id": entry.box_id,
        "created_at": tx.now,
        "by": "patient" if entry.by == "operator" else entry.by,
        "ident": holder,
        "used_day": 0,
        "revoked_at": None,
    }
    tx.conn.execute(insert(agenda_feed).values(**values))
    activity.note(tx, entry)


@operation("agenda.end_feed")
def end_feed(tx: Tx, *, feed_id: int, entry: Entry) -> None:
    """Revoke a feed. Raises ``agenda.feed`` when there is none."""
    recheck(tx, entry)
    mine = and_(agenda_feed.c.box_id == entry.box_id, agenda_feed.c.feed_id == feed_id)
    row = tx.conn.execute(select(agenda_feed.c.revoked_at).where(mine)).one_or_none()
    if row is None:
        raise AgendaError("agenda.feed")
    if row.revoked_at is None:
        tx.conn.execute(update(agenda_feed).where(mine).values(revoked_at=tx.now))
        activity.note(tx, entry)


@operation("agenda.used_feed")
def used_feed(tx: Tx, *, box_id: int, feed_id: int, day: int) -> None:
    """Keep on which day (days since the epoch) a feed was fetched last."""
    mine = and_(agenda_feed.c.box_id == box_id, agenda_feed.c.feed_id == feed_id)
    tx.conn.execute(update(agenda_feed).where(mine, agenda_feed.c.used_day < day).values(used_day=day))


# -- reading --------------------------------------------------------------------------------------


def feeds(conn: Connection, store: Store, box_id: int, actor: Actor) -> list[Feed]:
    """The feeds of an agenda, oldest first, revoked ones included; labels only for the patient's side.

    Raises :class:`AgendaError` ``agenda.refused``, ``agenda.closed``.
    """
    asker = who_is(conn, box_id, actor)
    if asker.seer == "professional":
        raise AgendaError("agenda.refused")
    sealer = store.sealer(box_id)
    query = select(agenda_feed).where(agenda_feed.c.box_id == box_id).order_by(agenda_feed.c.feed_id)
    return [_opened(row, sealer) for row in conn.execute(query)]


def _feed(conn: Connection, store: Store, box_id: int, feed_id: int) -> Feed:
    query = select(agenda_feed).where(agenda_feed.c.box_id == box_id, agenda_feed.c.feed_id == feed_id)
    return _opened(conn.execute(query).one(), store.sealer(box_id))


def _opened(row: Row[Any], sealer: Sealer) -> Feed:
    return Feed(
        feed_id=row.feed_id,
        created_at=row.created_at,
        by=row.by,
        ident=row.ident,
        shows=row.shows,
        label=sealer.open(row.sealed, _place(row.feed_id)).decode(),
        used_day=row.used_day,
        revoked_at=row.revoked_at,
    )


def serve_feed(store: Store, token: str) -> Served | None:
    """What the feed of a token gives now; None for an unknown, revoked or ended one, all alike. Blocking.

    It is not in the journal: a phone asks every hour. The day it was used last is kept.
    """
    today = now_ms() // DAY_MS

    def load(conn: Connection) -> tuple[Row[Any], list[Appointment], int] | None:
        row = _live(conn, token)
        if row is None:
            return None
        actor = Actor(by=row.by, ident=row.ident)
        try:
            found = appointments(conn, store, row.box_id, actor)
        except AgendaError:
            return None
        if patients.reader(conn, row.ident, row.box_id).viewer != "self":
            return row, found, NEVER  # the moment would tell of what is hidden from him
        # Of all versions: what is removed or hidden changes the feed too.
        newest = select(func.max(appointment.c.at)).where(appointment.c.box_id == row.box_id)
        return row, found, max(row.created_at, conn.scalar(newest) or 0)

    loaded = store.read(load)
    if loaded is None:
        return None
    row, found, changed_at = loaded
    body = calendar_of(found, shows=row.shows, name=_NAMES[row.shows], refresh=REFRESH)
    if row.used_day < today:
        store.write(used_feed, box_id=row.box_id, feed_id=row.feed_id, day=today)
    return Served(body, changed_at)


def _live(conn: Connection, token: str) -> Row[Any] | None:
    """The row of a token that still counts. The index compares digests, never the secret itself."""
    if len(token) != TOKEN_LENGTH:
        return None
    digest = digest_of(token)
    row = conn.execute(select(agenda_feed).where(agenda_feed.c.token_hash == digest)).one_or_none()
    if row is None or row.revoked_at is not None or not hmac.compare_digest(bytes(row.token_hash), digest):
        return None
    owner = patients.profile_by_box(conn, row.box_id)
    # One opened before a representative lost his right, or before the patient came of age, may be his.
    if owner is None or row.created_at <= patients.trusted_since(conn, owner.ins, now_ms()):
        return None
    return row
