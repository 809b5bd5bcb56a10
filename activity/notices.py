"""Who is to be told that something happened: one row for each person and box, worked off like a queue.

Invariants: news is what the evidence holds beyond a mark; the mark and the rows it makes move in one
transaction, so that a crash loses none. Who sends holds a lease: two processes never tell the same twice,
and a death between sending and writing it down repeats one notice at most.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection, Row, and_, delete, func, or_, select, update

import evidence
import patients
from activity.errors import ActivityError
from activity.journal import entry as new_entry
from activity.journal import note
from activity.model import Actor, Entry
from activity.tables import notice, notice_mark
from activity.wishes import Cadence, Wish, due, retry_in
from store import Store, Tx, operation, upsert

#: How a turn ended: told; nothing that he may see; no address of his is proven; he represents nobody here.
Outcome = Literal["sent", "nothing", "unreachable", "gone"]
_SEEN: Final = "seen"


class News(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened in a box, of which ``ins`` is to be told: record ``seq`` of the evidence, at ``at``
    (ms)."""

    box_id: int
    ins: str
    seq: int
    at: int
    mail: bool = False
    urgent: bool = False


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What stands of one person and one box. Times in ms; see :mod:`activity.tables`."""

    box_id: int
    ins: str
    wish: Wish = "at_once"
    news_seq: int = 0
    told_seq: int = 0
    since: int | None = None
    mail_since: int | None = None
    urgent: bool = False
    due_at: int | None = None
    last_at: int | None = None
    quota_level: int = 0
    failures: int = 0
    error: str = ""
    owner: str = ""
    leased_until: int = 0

    @property
    def waits(self) -> bool:
        """Whether there is something that he was not told."""
        return self.news_seq > self.told_seq


def _opened(row: Row[Any]) -> Notice:
    values = dict(row._mapping)
    return Notice(**(values | {"urgent": bool(values["urgent"])}))


# -- reading --------------------------------------------------------------------------------------


def notice_of(conn: Connection, box_id: int, ins: str) -> Notice:
    """What stands of ``ins`` and a box; without a row: nothing to tell, and the wish of everybody."""
    query = select(notice).where(notice.c.box_id == box_id, notice.c.ins == ins)
    row = conn.execute(query).one_or_none()
    return Notice(box_id=box_id, ins=ins) if row is None else _opened(row)


def notices_of(conn: Connection, box_id: int) -> list[Notice]:
    """What stands of everybody who is told of a box."""
    query = select(notice).where(notice.c.box_id == box_id).order_by(notice.c.ins)
    return [_opened(row) for row in conn.execute(query)]


def notice_counts(conn: Connection) -> dict[str, int]:
    """How many notices ended how since ever (:data:`Outcome`, ``failed``), and how many ``wait`` now."""
    query = select(notice_mark.c.name, notice_mark.c.value).where(notice_mark.c.name != _SEEN)
    found = dict.fromkeys(("sent", "failed", "nothing", "unreachable"), 0)
    found |= {row[0]: row[1] for row in conn.execute(query)}
    found["wait"] = conn.scalar(select(func.count()).where(notice.c.due_at.is_not(None))) or 0
    return found


# -- what somebody wishes --------------------------------------------------------------------------


def set_wish(store: Store, box_id: int, actor: Actor, wish: Wish, *, ins: str = "") -> None:
    """Keep how often somebody is to be told of a box, and write that into the journal. Blocking.

    :param ins: whose wish, when an operator writes it down for him; otherwise the actor's own.

    Raises :class:`ActivityError` ``actor.stranger``: he neither is the patient nor represents him.
    """
    who = ins if actor.by == "operator" else actor.ident
    made = new_entry(store, box_id, actor, "notices_changed", more={"wish": wish})
    store.write(choose, entry=made, ins=who, wish=wish)


@operation("activity.choose")
def choose(tx: Tx, *, entry: Entry, ins: str, wish: Wish) -> None:
    """The operation of :func:`set_wish`. What waits is looked at again: it may be due, or not any more."""
    evidence.hold(tx)
    if patients.reader(tx.conn, ins, entry.box_id).viewer == "stranger":
        raise ActivityError("actor.stranger", "who is told neither is the patient nor represents him")
    held = notice_of(tx.conn, entry.box_id, ins)
    due_at = tx.now if held.waits else None
    changed = msgspec.structs.replace(held, wish=wish, due_at=due_at, failures=0)
    _keep(tx, changed)
    note(tx, entry)


# -- news -----------------------------------------------------------------------------------------


@operation("activity.begin_notices")
def begin_notices(tx: Tx) -> int:
    """Up to which record the evidence was looked through; the first time: all there is, nobody is told."""
    found: int | None = tx.conn.scalar(select(notice_mark.c.value).where(notice_mark.c.name == _SEEN))
    if found is not None:
        return found
    head, _ = evidence.hold(tx)
    tx.conn.execute(upsert(notice_mark, {"name": _SEEN, "value": head}, ["name"], update=False))
    return head


@operation("activity.take_news")
def take_news(tx: Tx, *, after: int, upto: int, news: list[News], cadence: Cadence) -> bool:
    """The evidence was looked through from record ``after`` to ``upto``: keep who is to be told of what.

    False, and nothing is kept, when another process was faster.
    """
    evidence.hold(tx)  # on PostgreSQL: whoever changes rows here does it alone
    mine = and_(notice_mark.c.name == _SEEN, notice_mark.c.value == after)
    if tx.conn.execute(update(notice_mark).where(mine).values(value=upto)).rowcount != 1:
        return False
    held: dict[tuple[int, str], Notice] = {}
    for one in news:
        key = (one.box_id, one.ins)
        held[key] = _with(held.get(key) or notice_of(tx.conn, *key), one, cadence)
    for row in held.values():
        _keep(tx, row)
    return True


def _with(row: Notice, news: News, cadence: Cadence) -> Notice:
    if news.seq <= row.news_seq:
        return row
    since = news.at if not row.waits or row.since is None else min(row.since, news.at)
    urgent = news.urgent or (row.urgent and row.waits)
    due_at = due(row.wish, since, row.last_at, urgent, cadence)
    if row.failures and not (news.urgent and not row.urgent):
        due_at = max(due_at or 0, row.due_at or 0)  # the pause after a failure is kept
    mail_since = row.mail_since if row.waits else None
    if news.mail:
        mail_since = news.at if mail_since is None else min(mail_since, news.at)
    return msgspec.structs.replace(
        row,
        news_seq=news.seq,
        told_seq=news.seq if due_at is None else row.told_seq,
        since=since,
        mail_since=mail_since,
        urgent=urgent,
        due_at=due_at,
    )


def _keep(tx: Tx, row: Notice) -> None:
    tx.conn.execute(upsert(notice, msgspec.structs.asdict(row), ["box_id", "ins"]))


# -- telling --------------------------------------------------------------------------------------


@operation("activity.claim_notices")
def claim_notices(tx: Tx, *, owner: str, lease_ms: int, limit: int, cadence: Cadence) -> list[Notice]:
    """Take up to ``limit`` notices that are due, for ``lease_ms``: nobody else sends them meanwhile."""
    evidence.hold(tx)
    free = notice.c.leased_until < tx.now
    query = select(notice).where(notice.c.due_at <= tx.now, free).order_by(notice.c.due_at).limit(limit)
    taken = []
    for found in tx.conn.execute(query).all():
        row = _opened(found)
        moment = due(row.wish, row.since or tx.now, row.last_at, row.urgent, cadence)
        if moment is None or moment > tx.now:  # the wish was changed meanwhile
            told = row.news_seq if moment is None else row.told_seq
            _keep(tx, msgspec.structs.replace(row, due_at=moment, told_seq=told))
            continue
        where = and_(notice.c.box_id == row.box_id, notice.c.ins == row.ins, free)
        lease = {"owner": owner, "leased_until": tx.now + lease_ms}
        if tx.conn.execute(update(notice).where(where).values(**lease)).rowcount == 1:
            taken.append(msgspec.structs.replace(row, **lease))
    return taken


@operation("activity.end_notice")
def end_notice(tx: Tx, *, taken: Notice, outcome: Outcome, quota_level: int, cadence: Cadence) -> bool:
    """A claimed notice ended: he was told up to the news it was claimed with, or there was nothing to tell.

    False, and nothing is kept, when the lease had run out and another process took it.
    """
    evidence.hold(tx)
    row = notice_of(tx.conn, taken.box_id, taken.ins)
    if row.owner != taken.owner or row.leased_until != taken.leased_until:
        return False
    _count(tx, outcome)
    if outcome == "gone":
        tx.conn.execute(delete(notice).where(notice.c.box_id == row.box_id, notice.c.ins == row.ins))
        return True
    last_at = tx.now if outcome == "sent" else row.last_at
    ended = msgspec.structs.replace(
        row,
        told_seq=taken.news_seq,
        last_at=last_at,
        quota_level=quota_level,
        failures=0,
        error="",
        owner="",
        leased_until=0,
        urgent=row.urgent and not taken.urgent,
    )
    if ended.waits:  # came while this one was sent
        moment = due(ended.wish, row.since or tx.now, last_at, ended.urgent, cadence)
        ended = msgspec.structs.replace(ended, due_at=moment)
    else:
        ended = msgspec.structs.replace(ended, since=None, mail_since=None, urgent=False, due_at=None)
    _keep(tx, ended)
    return True


@operation("activity.fail_notice")
def fail_notice(tx: Tx, *, taken: Notice, rule: str) -> None:
    """A claimed notice could not be sent: it is tried again, later each time."""
    evidence.hold(tx)
    row = notice_of(tx.conn, taken.box_id, taken.ins)
    if row.owner != taken.owner or row.leased_until != taken.leased_until:
        return
    _count(tx, "failed")
    failures = row.failures + 1
    changed = {"failures": failures, "error": rule, "due_at": tx.now + retry_in(failures)}
    _keep(tx, msgspec.structs.replace(row, owner="", leased_until=0, **changed))


@operation("activity.release_notices")
def release_notices(tx: Tx, *, owner: str) -> int:
    """Free what ``owner`` had claimed when it was killed; how many."""
    mine = and_(notice.c.owner == owner, notice.c.leased_until > 0)
    return tx.conn.execute(update(notice).where(mine).values(owner="", leased_until=0)).rowcount


def _count(tx: Tx, name: str) -> None:
    where = notice_mark.c.name == name
    if not tx.conn.execute(update(notice_mark).where(where).values(value=notice_mark.c.value + 1)).rowcount:
        tx.conn.execute(upsert(notice_mark, {"name": name, "value": 1}, ["name"]))


@patients.erases
def forget_notices(tx: Tx, box_id: int) -> None:
    """The profile is deleted for good: nobody is told anything of it any more."""
    owner = patients.profile_by_box(tx.conn, box_id)
    his = notice.c.ins == owner.ins if owner is not None else notice.c.box_id == box_id
    tx.conn.execute(delete(notice).where(or_(notice.c.box_id == box_id, his)))
