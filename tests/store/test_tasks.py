"""Durable work queues."""

from __future__ import annotations

import pytest

from store import NotFoundError, Store, Tx, now_ms, operation, tasks


@operation("test.add_task")
def add(tx: Tx, *, due_at: int, dedupe: str = "") -> int:
    return tasks.add_task(
        tx,
        queue=tasks.RELAY,
        box_id=1,
        payload=b"p",
        due_at=due_at,
        subject_key="a@b",
        trace_id="t",
        dedupe=dedupe,
    )


LEASE = {"queue": tasks.RELAY, "owner": "w", "limit": 10}


def test_a_task_is_leased_once_until_its_lease_runs_out(store: Store) -> None:
    task_id = store.write(add, due_at=0)
    store.write(add, due_at=now_ms() + 3_600_000)
    first = store.write(tasks.lease, **LEASE, lease_ms=60_000)
    assert [(task.task_id, task.state, task.attempts) for task in first] == [(task_id, "leased", 1)]
    assert store.write(tasks.lease, **LEASE, lease_ms=60_000) == []
    store.write(tasks.retry, task_id=task_id, due_at=0, error="busy")
    assert store.write(tasks.lease, **LEASE, lease_ms=-1)[0].last_error == "busy"
    assert store.write(tasks.lease, **LEASE, lease_ms=60_000)[0].attempts == 3


def test_a_worker_that_starts_again_takes_back_what_it_had_leased(store: Store) -> None:
    task_id = store.write(add, due_at=0)
    lease = {**LEASE, "lease_ms": 60_000}
    for attempts in (1, 2, 3):
        assert store.write(tasks.lease, **lease)[0].attempts == attempts
        assert store.write(tasks.take_back, owner="somebody else") == 0
        assert store.write(tasks.take_back, owner="w") == 1
    assert store.write(tasks.lease, **lease)[0].attempts == 4
    # it may be what kills the worker: now the lease has to run out
    assert store.write(tasks.take_back, owner="w") == 0
    assert store.write(tasks.lease, **lease) == []
    assert store.write(tasks.finish, task_id=task_id) is True


def test_a_task_ends_once(store: Store) -> None:
    task_id = store.write(add, due_at=0)
    assert store.write(tasks.finish, task_id=task_id) is True
    assert store.write(tasks.finish, task_id=task_id) is False
    assert store.write(tasks.retry, task_id=task_id, due_at=0) is False
    assert store.read(tasks.pending, tasks.RELAY) == []


def test_dedupe_adds_once(store: Store) -> None:
    assert store.write(add, due_at=0, dedupe="x")
    assert store.write(add, due_at=0, dedupe="x") == 0
    assert len(store.read(tasks.pending, tasks.RELAY)) == 1


def test_an_administrator_steers(store: Store) -> None:
    task_id = store.write(add, due_at=0)
    assert store.write(tasks.steer, task_id=task_id, action="hold").state == "held"
    assert store.write(tasks.lease, **LEASE, lease_ms=1000) == []
    assert store.write(tasks.steer, task_id=task_id, action="release").state == "due"
    assert store.write(tasks.steer, task_id=task_id, action="drop").state == "dropped"
    with pytest.raises(NotFoundError):
        store.write(tasks.steer, task_id=task_id, action="release")
