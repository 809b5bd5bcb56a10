"""Durable work queues: what is left to do after a message was accepted.

A task is added in the transaction that accepts a message, leased by a worker, and ended in the
transaction that records the outcome. A worker that dies lets its lease run out, and the task is due
again: work is done at least once, and the transaction that ends it happens once.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, and_, func, or_, select, update

from store.clock import new_id
from store.database import upsert
from store.errors import NotFoundError
from store.operations import Tx, operation
from store.schema import task

RELAY: Final = "relay"
FILING: Final = "filing"
INVITATIONS: Final = "invitations"
REMINDERS: Final = "reminders"
# a queue's number in notices (box_id 0)
QUEUES: Final = {RELAY: 1, FILING: 2, INVITATIONS: 3, REMINDERS: 4}
STATES: Final = ("due", "leased", "held", "done", "failed", "dropped")


class Task(msgspec.Struct, kw_only=True):
    """One piece of work. ``state``: due, leased, held (by an administrator), done, failed or dropped."""

    task_id: int
    queue: str
    box_id: int
    state: str
    due_at: int
    attempts: int
    created_at: int
    subject_key: str
    trace_id: str
    payload: bytes
    last_error: str


_columns = [task.c[name] for name in Task.__struct_fields__]
_lease_due = select(*_columns).where(task.c.state.in_(["due", "leased"])).order_by(task.c.due_at)


def add_task(
    tx: Tx,
    *,
    queue: str,
    box_id: int,
    payload: bytes,
    due_at: int,
    subject_key: str,
    trace_id: str,
    dedupe: str = "",
) -> int:
    """Add a task within a transaction; returns its id, or 0 when a task with ``dedupe`` exists already."""
    task_id = new_id()
    values = {
        "task_id": task_id,
        "queue": queue,
        "box_id": box_id,
        "state": "due",
        "due_at": due_at,
        "attempts": 0,
        "created_at": tx.now,
        "lease_owner": "",
        "subject_key": subject_key,
        "trace_id": trace_id,
        "payload": payload,
        "last_error": "",
        "dedupe": dedupe or None,
    }
    insert = upsert(task, values, ["dedupe"], update=False).returning(task.c.task_id)
    tx.notify(0, QUEUES[queue])
    return tx.conn.execute(insert).scalar_one_or_none() or 0


@operation("tasks.lease")
def lease(tx: Tx, *, queue: str, owner: str, limit: int, lease_ms: int) -> list[Task]:
    """Take up to ``limit`` tasks whose time has come, or whose lease ran out, for ``lease_ms``."""
    rows = tx.conn.execute(
        _lease_due.where(and_(task.c.queue == queue, task.c.due_at <= tx.now))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return []
    tx.conn.execute(
        update(task)
        .where(task.c.task_id.in_([row.task_id for row in rows]))
        .values(state="leased", lease_owner=owner, due_at=tx.now + lease_ms, attempts=task.c.attempts + 1)
    )
    tasks = [Task(**row._mapping) for row in rows]
    for leased in tasks:
        leased.state = "leased"
        leased.attempts += 1
    return tasks


@operation("tasks.take_back")
def take_back(tx: Tx, *, owner: str, attempts: int = 3) -> int:
    """A worker that was killed starts again: what it had leased is due now, not when its lease runs out.

    A task tried more often than ``attempts`` times is left to its lease, for it may be what kills the
    worker. ``owner`` must be the only worker of that name. Returns how many tasks became due.
    """
    leased = and_(task.c.state == "leased", task.c.lease_owner == owner, task.c.attempts <= attempts)
    values = {"state": "due", "due_at": tx.now, "lease_owner": ""}
    count = tx.conn.execute(update(task).where(leased).values(**values)).rowcount
    for queue in QUEUES.values():
        tx.notify(0, queue)
    return count


def _end(tx: Tx, task_id: int, states: tuple[str, ...], **values: object) -> bool:
    where = and_(task.c.task_id == task_id, or_(*(task.c.state == state for state in states)))
    return bool(tx.conn.execute(update(task).where(where).values(lease_owner="", **values)).rowcount)


def finish_task(tx: Tx, *, task_id: int, state: str = "done", note: str = "") -> bool:
    """End a task within a transaction. False when it had ended already: then undo nothing, do nothing."""
    return _end(tx, task_id, ("due", "leased", "held"), state=state, last_error=note)


@operation("tasks.finish")
def finish(tx: Tx, *, task_id: int, state: str = "done", note: str = "") -> bool:
    """:func:`finish_task` as an operation of its own."""
    return finish_task(tx, task_id=task_id, state=state, note=note)


@operation("tasks.retry")
def retry(tx: Tx, *, task_id: int, due_at: int, error: str = "", payload: bytes | None = None) -> bool:
    """Make a task due at ``due_at`` (ms); keeps ``error`` for the administrator."""
    values: dict[str, object] = {"state": "due", "due_at": due_at, "last_error": error}
    if payload is not None:
        values["payload"] = payload
    done = _end(tx, task_id, ("due", "leased", "held", "failed"), **values)
    for queue in QUEUES.values():
        tx.notify(0, queue)
    return done


@operation("tasks.steer")
def steer(tx: Tx, *, task_id: int, action: str, note: str = "") -> Task:
    """An administrator's hand: ``hold``, ``release`` or ``drop``. Returns the task as it is then.

    :raises NotFoundError: no such task, or not in a state that allows it.
    """
    changes: dict[str, tuple[tuple[str, ...], dict[str, object]]] = {
        "hold": (("due", "leased"), {"state": "held"}),
        "release": (("held",), {"state": "due", "due_at": tx.now}),
        "drop": (("due", "leased", "held", "failed"), {"state": "dropped"}),
    }
    states, values = changes[action]
    if not _end(tx, task_id, states, last_error=note, **values):
        raise NotFoundError("queue.task", f"no task {task_id} that can take {action}")
    for queue in QUEUES.values():
        tx.notify(0, queue)
    return by_id(tx.conn, task_id)


def by_id(conn: Connection, task_id: int) -> Task:
    """Raises :class:`NotFoundError` when there is none."""
    row = conn.execute(select(*_columns).where(task.c.task_id == task_id)).one_or_none()
    if row is None:
        raise NotFoundError("queue.task", f"no task {task_id}")
    return Task(**row._mapping)


def pending(conn: Connection, queue: str, limit: int = 100, state: str | None = None) -> list[Task]:
    """Tasks of a queue, soonest first; without ``state`` those that are not ended."""
    states = [state] if state else ["due", "leased", "held", "failed"]
    query = (
        select(*_columns)
        .where(and_(task.c.queue == queue, task.c.state.in_(states)))
        .order_by(task.c.due_at)
        .limit(limit)
    )
    return [Task(**row._mapping) for row in conn.execute(query)]


def depths(conn: Connection) -> dict[tuple[str, str], int]:
    """How many tasks of each (queue, state) are not ended; those that failed wait for somebody."""
    query = (
        select(task.c.queue, task.c.state, func.count())
        .where(task.c.state.in_(["due", "leased", "held", "failed"]))
        .group_by(task.c.queue, task.c.state)
    )
    return {(row[0], row[1]): row[2] for row in conn.execute(query)}


def of_trace(conn: Connection, trace_id: str) -> list[Task]:
    """Every task that came from one accepted message."""
    query = select(*_columns).where(task.c.trace_id == trace_id).order_by(task.c.created_at)
    return [Task(**row._mapping) for row in conn.execute(query)]


def unfinished_of_message(conn: Connection, box_id: int, trace_id: str) -> int:
    """How many relay tasks of one message are still to end."""
    query = select(task.c.task_id).where(
        and_(
            task.c.trace_id == trace_id,
            task.c.box_id == box_id,
            task.c.queue == RELAY,
            task.c.state.in_(["due", "leased", "held"]),
        )
    )
    return len(conn.execute(query).all())
