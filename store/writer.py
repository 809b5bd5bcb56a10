"""The one writer: a thread that runs operations in groups, one durable commit for each group.

Invariants:
- an answer is given only after the segments named in the group are synced and the transaction is
  committed with ``synchronous=FULL``: what is answered is on the disk;
- notices go out after the commit, never before;
- a sync that fails ends the process, and recovery at the next start cuts off what was not committed;
- a member that raises spoils nobody else: the group is rolled back and its members run singly.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from store import faults, segments
from store.clock import now_ms
from store.errors import PasserelleError, StoreError
from store.operations import Notice, Operation, Tx

log = structlog.get_logger("store")

MAX_GROUP = 256
EXIT_DISK = 74  # EX_IOERR of sysexits.h


class Job:
    """One call of an operation. ``done(job)`` is called in the writer's thread when it has ended."""

    __slots__ = ("done", "error", "kwargs", "operation", "result")

    def __init__(
        self, operation: Operation[Any], kwargs: dict[str, Any], done: Callable[[Job], None]
    ) -> None:
        self.operation = operation
        self.kwargs = kwargs
        self.done = done
        self.result: Any = None
        self.error: PasserelleError | None = None


class Writer:
    """Runs jobs on the single writing connection.

    :param engine: see :func:`store.database.writing_engine`.
    :param announce: called in the writer's thread with the notices of a commit.
    :param after_group: called in the writer's thread when all jobs of a group were told their end.
    """

    def __init__(
        self,
        engine: Engine,
        home: Path,
        announce: Callable[[list[Notice]], None],
        after_group: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._home = home
        self._segments = home / "segments"
        self._announce = announce
        self._after_group = after_group
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._closed = False
        self.groups = 0
        self.jobs = 0

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> None:
        if self._closed:
            job.error = StoreError("store.closed", "the store is closing")
            job.done(job)
            return
        self._queue.put(job)

    def close(self) -> None:
        """Finish what was submitted, then stop."""
        self._closed = True
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        connection = self._engine.connect()
        try:
            while True:
                group, more = self._gather()
                if group:
                    if connection.invalidated:
                        connection.close()
                        connection = self._engine.connect()
                    self._run_group(connection, group)
                if not more:
                    return
        finally:
            connection.close()

    def _gather(self) -> tuple[list[Job], bool]:
        first = self._queue.get()
        if first is None:
            return [], False
        group = [first]
        while len(group) < MAX_GROUP:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return group, False
            group.append(job)
        return group, True

    def _run_group(self, connection: Connection, group: list[Job]) -> None:
        try:
            notices = self._commit(connection, group)
        except segments.SyncFailedError as error:
            # A second sync could succeed without the data: nothing more may be promised by this process.
            log.critical("disk_sync_failed", error=str(error), consequence="the gateway stops")
            os._exit(EXIT_DISK)
        except Exception as error:  # noqa: BLE001  # any failure of a member, known or not
            if len(group) > 1:
                for job in group:
                    self._run_group(connection, [job])
                return
            group[0].error = _as_store_error(group[0], error)
            notices = []
        self.groups += 1
        self.jobs += len(group)
        if notices:
            self._announce(notices)
        for job in group:
            job.done(job)
        self._after_group()

    def _commit(self, connection: Connection, group: list[Job]) -> list[Notice]:
        tx = Tx(connection, self._home, now_ms())
        with connection.begin():
            for job in group:
                job.result = job.operation.function(tx, **job.kwargs)
            faults.point("writer.before_sync")
            for segment in tx.segments:
                segments.sync(self._segments, segment)
            faults.point("writer.before_commit")
        faults.point("writer.after_commit")
        return [Notice(box_id, folder_id, modseq) for (box_id, folder_id), modseq in tx.notices.items()]


def _as_store_error(job: Job, error: Exception) -> PasserelleError:
    if isinstance(error, PasserelleError):
        return error
    # An exception's text may quote values of a row: only its type is logged (no health data in logs).
    detail = type(error.orig).__name__ if isinstance(error, DBAPIError) else type(error).__name__
    log.error("operation_failed", operation=job.operation.name, error=detail, where=_where(error))
    return StoreError("store.failed", f"the store could not run {job.operation.name}: {detail}")


def _where(error: Exception) -> str:
    place = error.__traceback__
    names = []
    while place is not None:
        names.append(f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}")
        place = place.tb_next
    return " > ".join(name for name in names if not name.startswith(("base.py", "default.py")))[-200:]
