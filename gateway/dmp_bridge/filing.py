"""Takes filing tasks to their end: filed, refused with the sender told, or parked for an administrator.

Nothing is ever lost: what fails for now is retried with growing pauses, what fails for a reason nobody
foresaw is parked with its error, and a worker that dies leaves a lease that runs out.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from gateway.dmp_bridge.codes import document_type
from gateway.dmp_bridge.errors import ArchiveError
from gateway.dmp_bridge.jobs import FilingJob, FilingReport, ReportJob, decode_job
from gateway.dmp_bridge.model import Attachment, Plan, Policy, Sender
from gateway.dmp_bridge.plan import plan_filing
from gateway.dmp_bridge.senders import sender_of
from gateway.dmp_bridge.settle import park, reported
from gateway.dmp_bridge.target import FilingRequest, FilingTarget
from gateway.message import MessageIndex, Part, attachments, decode_meta, decode_stream
from patients import Profile, profile
from store import (
    BodyReader,
    InvalidInputError,
    NotFoundError,
    Notice,
    PasserelleError,
    Store,
    faults,
    mail,
    now_ms,
)
from store.tasks import FILING, QUEUES, Task, lease, retry

log = structlog.get_logger("dmp_bridge")

MAX_ATTACHMENT: Final = 64 * 1024 * 1024
_BATCH: Final = 8
_IDLE_S: Final = 5.0

#: Tells the sender of a message what became of its documents. May be called twice with the same
#: ``FilingReport.key`` after a crash; it must then do nothing the second time.
Report = Callable[[FilingReport], Awaitable[None]]


class SuspendedError(InvalidInputError):
    """The recipient's profile is suspended: an administrator decides about the filing."""


class FilingWorker:
    """Works on the queue ``filing``. Any number of workers, in any processes, may do so at once.

    :param report: see :data:`Report`. :param owner: names this worker in leases.
    :raises BridgeError: ``codes.type`` when the policy's default type is not in JDV_J66.
    """

    def __init__(
        self, store: Store, target: FilingTarget, report: Report, *, owner: str, policy: Policy | None = None
    ) -> None:
        self._store = store
        self._target = target
        self._report = report
        self._owner = owner
        self._policy = policy or Policy()
        document_type(self._policy.default_type)  # a wrong setting shows at start

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; a task that is under way is finished first."""
        wake = asyncio.Event()

        def heard(notice: Notice) -> None:
            if notice.box_id == 0 and notice.folder_id == QUEUES[FILING]:
                wake.set()

        unsubscribe = self._store.subscribe(heard)
        try:
            while not stop.is_set():
                wake.clear()
                try:
                    handled = await self.run_once()
                except PasserelleError as error:  # the writer is away: its tasks wait there
                    log.warning("filing_store_error", rule=error.rule)
                    handled = 0
                if not handled:
                    await _first(stop, wake, _IDLE_S)
        finally:
            unsubscribe()

    async def run_once(self) -> int:
        """Handle the tasks that are due, at most a handful; returns how many there were."""
        tasks = await self._store.awrite(
            lease, queue=FILING, owner=self._owner, limit=_BATCH, lease_ms=self._policy.lease_ms
        )
        for task in tasks:
            await self._handle(task)
        return len(tasks)

    async def _handle(self, task: Task) -> None:
        try:
            job = decode_job(task.payload)
            if isinstance(job, ReportJob):
                await self._report(job.report)
                faults.point("filing.reported")
                await self._store.awrite(reported, task_id=task.task_id, report=job.report)
            else:
                await self._file(task, job)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the task is kept
            await self._failed(task, error)

    async def _file(self, task: Task, job: FilingJob) -> None:
        request = await self._store.in_thread(self._request, task, job)
        faults.point("filing.planned")
        report = await self._target.file(request)
        faults.point("filing.filed")
        log.info(
            "filing_done",
            trace_id=job.trace_id,
            task=task.task_id,
            filed=sum(line.outcome in ("filed", "replaced") for line in report.lines),
            code=report.code,
        )

    def _request(self, task: Task, job: FilingJob) -> FilingRequest:
        """Load the message and plan. Blocking."""

        def load(
            conn: Connection,
        ) -> tuple[mail.StoredMessage | None, mail.Box | None, Profile | None, Sender]:
            found = self._store.messages(conn, task.box_id, [job.message_id]).get(job.message_id)
            box = mail.box_by_id(conn, task.box_id)
            return found, box, profile(conn, job.ins), sender_of(conn, job.sender)

        message, box, patient, sender = self._store.read(load)
        if message is None or box is None:
            raise NotFoundError("filing.message", "the message to file from is no longer in the mailbox")
        if patient is not None and patient.state == "suspended":
            raise SuspendedError("filing.suspended", "the profile of the recipient is suspended")
        if patient is not None and patient.box_id != task.box_id:
            patient = None  # the box is not his: nothing of it may reach his record
        index = decode_meta(message.meta).index
        plan = self._plan(index, self._store.open_body(message), job, patient, sender)
        return FilingRequest(task.task_id, task.box_id, job, box.address, sender, plan)

    def _plan(
        self, index: MessageIndex, body: BodyReader, job: FilingJob, patient: Profile | None, sender: Sender
    ) -> Plan:
        return plan_filing(
            [attachment_of(part, body) for part in attachments(index.root)],
            patient=patient,
            sender=sender,
            subject=index.facts.subject,
            received_at=job.received_at,
            y=self._policy.for_sender(job.sender),
            default_type=self._policy.default_type,
        )

    async def _failed(self, task: Task, error: Exception) -> None:
        """Retry what may work later, park what will not."""
        if isinstance(error, PasserelleError) and error.rule == "filing.ended":
            return
        note = _note(error)
        # RFC 5321 §4.2.1: 4yz may work later; what the writing process raised arrives as the base class
        ours = isinstance(error, PasserelleError) and error.code < 500
        transient = ours or isinstance(error, (OSError, OperationalError))
        log.warning("filing_failed", trace_id=task.trace_id, task=task.task_id, error=note, retry=transient)
        with contextlib.suppress(PasserelleError):  # then the lease runs out and it is tried again
            if transient and task.attempts < self._policy.attempts:
                pause = min(self._policy.retry_ms * 2 ** (task.attempts - 1), self._policy.retry_max_ms)
                await self._store.awrite(retry, task_id=task.task_id, due_at=now_ms() + pause, error=note)
            else:
                await self._store.awrite(park, task_id=task.task_id, note=note)


def attachment_of(part: Part, body: BodyReader) -> Attachment:
    """An attachment of a stored message, read when it is wanted."""

    def load() -> bytes:
        data = bytearray()
        for chunk in decode_stream(body.chunks(part.body_start, part.size), part.encoding):
            data += chunk
            if len(data) > MAX_ATTACHMENT:
                raise ArchiveError("plan.size", "an attachment is larger than 64 MiB")
        return bytes(data)

    return Attachment(
        media=part.media,
        filename=part.filename,
        load=load,
        charset=part.params.get("charset", ""),
        inline=part.disposition != "attachment" and part.content_id != "",
    )


def _note(error: Exception) -> str:
    """The error as the administrator sees it: rule and text of ours, or type and place. No data of the
    message: an unforeseen exception's own text may hold some."""
    if isinstance(error, PasserelleError):
        return f"{error.rule}: {error.log}"
    if isinstance(error, msgspec.MsgspecError):
        return "filing.payload: the task's payload cannot be read"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"filing.error: {type(error).__name__}{where}"


async def _first(stop: asyncio.Event, wake: asyncio.Event, seconds: float) -> None:
    """Wait until one of both is set, at most ``seconds``."""
    waits = [asyncio.ensure_future(event.wait()) for event in (stop, wake)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
