"""Writing what happened to a record, and reading it back.

Invariants: who is given something reads it after its entry is committed, never before; an entry is in the
evidence by its digest, so none can be changed or dropped unnoticed; a refusal is an entry too.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, not_, or_, select

import evidence
import patients
from activity.errors import ActivityError
from activity.keeping import Kept
from activity.model import Activity, Actor, Asked, Counts, Details, Entry, Kind, What
from activity.tables import activity
from store import Store, Tx, new_id, operation

_details: Final = msgspec.msgpack.Decoder(Details)
_PLAIN: Final = [name for name in Activity.__struct_fields__ if name != "details"]
_EVERYTHING: Final = Asked()


def person(conn: Connection, box_id: int, ins: str, at: int | None = None) -> Actor:
    """Who ``ins`` is to a box: the patient, or who represents him now or at ``at`` (ms).

    Raises :class:`ActivityError` ``actor.stranger``: neither.
    """
    if patients.reader(conn, ins, box_id, at).viewer == "stranger":
        raise ActivityError("actor.stranger", "who signed in neither is the patient nor represents him")
    owner, found = patients.profile_by_box(conn, box_id), patients.profile(conn, ins)
    return Actor(
        by="patient" if owner is not None and owner.ins == ins else "representative",
        ident=ins,
        name=found.name if found is not None else "",
    )


# -- writing --------------------------------------------------------------------------------------


def entry(
    store: Store,
    box_id: int,
    actor: Actor,
    what: What,
    *,
    kind: Kind = "record",
    subject: str = "",
    rule: str = "",
    more: dict[str, str] | None = None,
) -> Entry:
    """Make an entry of the journal and seal what it tells. Blocking the first time for a box.

    Write it with :func:`note` in the transaction that does the thing, or with :func:`record` before what was
    asked for is given. Raises :class:`StoreError` when the box has no key.
    """
    activity_id = new_id()
    details = Details(
        name="" if actor.operator else actor.name,
        profession=actor.profession,
        organisation=actor.organisation,
        reason=actor.reason,
        more=(more or {}) | ({"for": actor.ident} if actor.operator else {}),
    )
    return Entry(
        activity_id=activity_id,
        box_id=box_id,
        by="operator" if actor.operator else actor.by,
        ident=actor.operator or actor.ident,
        structure=actor.structure,
        what=what,
        kind=kind,
        subject=subject,
        rule=rule,
        purpose=actor.purpose,
        sealed=store.sealer(box_id).seal(msgspec.msgpack.encode(details), _place(activity_id)),
    )


def _place(activity_id: int) -> str:
    return f"activity:{activity_id}"


def note(tx: Tx, entry: Entry) -> None:
    """Write an entry within a transaction."""
    evidence.hold(tx)
    owner = patients.profile_by_box(tx.conn, entry.box_id)
    detail: dict[str, str] = {"what": entry.what, "by": entry.by}
    if entry.purpose != "normal":
        detail["purpose"] = entry.purpose
    number = evidence.record(
        tx,
        "activity",
        trace_id=str(entry.activity_id),
        recipient=owner.ins if owner is not None else "",
        rule=entry.rule,
        sha256=digest(entry, tx.now),
        detail=detail,
    )
    values = msgspec.structs.asdict(entry) | {"at": tx.now, "evidence_seq": number}
    tx.conn.execute(insert(activity).values(**values))
    tx.notify(entry.box_id, 0)


def digest(entry: Entry, at: int) -> bytes:
    """What the evidence keeps of an entry: SHA-256 over all its fields and its moment."""
    return hashlib.sha256(msgspec.msgpack.encode((at, *msgspec.structs.astuple(entry)))).digest()


@operation("activity.record")
def record(tx: Tx, *, entry: Entry) -> None:
    """Write one entry by itself: of something read, or refused."""
    note(tx, entry)


@patients.erases
def erase_journal(tx: Tx, box_id: int) -> None:
    """The profile is deleted for good: its journal goes; the evidence keeps the digests."""
    tx.conn.execute(delete(activity).where(activity.c.box_id == box_id))


# -- reading --------------------------------------------------------------------------------------


def entries(
    conn: Connection,
    store: Store,
    box_id: int,
    asked: Asked = _EVERYTHING,
    *,
    since: int = 0,
    until: int | None = None,
    before: int = 0,
    limit: int = 500,
    without: Kept | None = None,
) -> list[Activity]:
    """The journal of a box in [``since``, ``until``) (ms), newest first, at most ``limit``.

    :param before: the ``activity_id`` that the last page ended with: what is older than it.
    :param without: what is left out; see :func:`activity.kept`.

    Raises :class:`StoreError` when the box's key is gone.
    """
    query = select(activity).where(_those(box_id, asked, since, until, without))
    if before:
        at = conn.scalar(
            select(activity.c.at).where(activity.c.box_id == box_id, activity.c.activity_id == before)
        )
        if at is None:
            return []
        older = and_(activity.c.at == at, activity.c.activity_id < before)
        query = query.where(activity.c.at <= at, or_(activity.c.at < at, older))
    query = query.order_by(activity.c.at.desc(), activity.c.activity_id.desc()).limit(limit)
    sealer = store.sealer(box_id)
    return [
        Activity(
            **{name: getattr(row, name) for name in _PLAIN},
            details=_details.decode(sealer.open(row.sealed, _place(row.activity_id))),
        )
        for row in conn.execute(query)
    ]


def subjects(
    conn: Connection,
    box_id: int,
    asked: Asked,
    *,
    since: int = 0,
    until: int | None = None,
    without: Kept | None = None,
) -> set[str]:
    """The ids that the same question of :func:`entries` is about, without its limit; nothing is opened."""
    query = select(activity.c.subject).where(_those(box_id, asked, since, until, without))
    return {one for one in conn.execute(query.distinct()).scalars() if one}


def counts(
    conn: Connection,
    box_id: int,
    asked: Asked = _EVERYTHING,
    *,
    since: int = 0,
    until: int | None = None,
    without: Kept | None = None,
) -> Counts:
    """How many entries the same question of :func:`entries` finds, without its limit."""
    query = (
        select(activity.c.by, activity.c.rule, activity.c.purpose, func.count())
        .where(_those(box_id, asked, since, until, without))
        .group_by(activity.c.by, activity.c.rule, activity.c.purpose)
    )
    found = Counts()
    for by, rule, purpose, count in conn.execute(query):
        found.entries += count
        found.by[by] = found.by.get(by, 0) + count
        found.refused += count if rule else 0
        found.glass_broken += count if purpose == "break_glass" else 0
    return found


def _those(
    box_id: int, asked: Asked, since: int, until: int | None, without: Kept | None
) -> ColumnElement[bool]:
    where: list[Any] = [activity.c.box_id == box_id, activity.c.at >= since]
    if until is not None:
        where.append(activity.c.at < until)
    if asked.after_seq:
        where.append(activity.c.evidence_seq > asked.after_seq)
    if asked.upto_seq:
        where.append(activity.c.evidence_seq <= asked.upto_seq)
    if asked.by:
        where.append(activity.c.by.in_(asked.by))
    if asked.ident:
        where.append(activity.c.ident == asked.ident)
    if asked.what:
        where.append(activity.c.what.in_(asked.what))
    if asked.kind:
        where.append(activity.c.kind == asked.kind)
    if asked.subject:
        where.append(activity.c.subject == asked.subject)
    if asked.refused:
        where.append(activity.c.rule != "")
    for kind, ids in (without or {}).items():
        where.append(not_(and_(activity.c.kind == kind, activity.c.subject.in_(sorted(ids)))))
    return and_(*where)
