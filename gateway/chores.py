"""Works off a queue of small durable tasks: each is ended, tried again, or kept for somebody to look at.

Nothing is lost: what fails for now is tried again with growing pauses, what fails for good stays as failed
with its rule, and a worker that dies leaves leases that run out (or are taken back at its start).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from sqlalchemy.exc import OperationalError

from store import Notice, PasserelleError, Store, now_ms
from store.tasks import QUEUES, Task, finish, lease, retry

log = structlog.get_logger("chores")

_BATCH: Final = 16
_LEASE_MS: Final = 120_000
#: A task is begun while at least so much of its lease is left: after that another may take it.
_ENOUGH_MS: Final = 60_000
_IDLE_S: Final = 5.0
_PAUSE_MS: Final = 30_000
_PAUSE_MAX_MS: Final = 3_600_000
_ATTEMPTS: Final = 40

#: Does a task and ends it in its own transaction. What it raises decides: a refusal (5xx) fails the task.
Work = Callable[[Task], Awaitable[None]]


class Chores:
    """A worker of one queue. Any number, in any processes, may work at once."""

    def __init__(self, store: Store, queue: str, work: Work, *, owner: str) -> None:
        self._store = store
        self._queue = queue
        self._work = work
        self._owner = owner

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; a task under way is finished first."""
        wake = asyncio.Event()

        def heard(notice: Notice) -> None:
            if notice.box_id == 0 and notice.folder_id == QUEUES[self._queue]:
                wake.set()

        unsubscribe = self._store.subscribe(heard)
        waiting = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                wake.clear()
                try:
                    handled = await self.run_once()
                except PasserelleError as error:  # the writer is away: its tasks wait there
                    log.warning("chores_store_error", queue=self._queue, rule=error.rule)
                    handled = 0
                if not handled:
                    woken = asyncio.ensure_future(wake.wait())
                    await asyncio.wait([waiting, woken], timeout=_IDLE_S, return_when=asyncio.FIRST_COMPLETED)
                    woken.cancel()
        finally:
            waiting.cancel()
            unsubscribe()

    async def run_once(self) -> int:
        """Handle the tasks that are due, at most a handful; returns how many there were."""
        leased_at = now_ms()
        tasks = await self._store.awrite(
            lease, queue=self._queue, owner=self._owner, limit=_BATCH, lease_ms=_LEASE_MS
        )
        for task in tasks:
            if now_ms() - leased_at > _LEASE_MS - _ENOUGH_MS:
                break  # those before took long: the others are due again when the lease ends
            try:
                await self._work(task)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  # whatever it is, the task is kept
                await self._failed(task, error)
        return len(tasks)

    async def _failed(self, task: Task, error: Exception) -> None:
        note = error.rule if isinstance(error, PasserelleError) else f"chores.error: {type(error).__name__}"
        # RFC 5321 §4.2.1: 4yz may work later
        later = (isinstance(error, PasserelleError) and error.code < 500) or isinstance(
            error, (OSError, OperationalError)
        )
        log.warning("chore_failed", queue=self._queue, task=task.task_id, error=note, retry=later)
        with contextlib.suppress(PasserelleError):  # then the lease runs out and it is tried again
            if later and task.attempts < _ATTEMPTS:
                pause = min(_PAUSE_MS * 2 ** min(task.attempts - 1, 10), _PAUSE_MAX_MS)
                await self._store.awrite(retry, task_id=task.task_id, due_at=now_ms() + pause, error=note)
            else:
                await self._store.awrite(finish, task_id=task.task_id, state="failed", note=note)
