"""The one transaction that ends (or puts off) a relayed recipient: task, evidence, report, outbox.

All in one operation, so that a crash leaves either all of it or none: the sender's report appears exactly
once, however often the message itself was sent again.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import msgspec

import evidence
from certs import Signing
from gateway.message import MessageIndex
from gateway.routing import prepare
from gateway.routing.model import RelayJob
from gateway.smtp.client import Outcome
from gateway.smtp.dsn import DsnAction, DsnRecipient, build_dsn, wanted
from gateway.smtp.signed import signed_or_not
from store import PasserelleError, Store, Tx, mail, new_id, now_ms, operation, tasks
from store.tasks import Task

_Write = Callable[[mail.NewMessage | None], Awaitable[bool]]


class RelayEnd(msgspec.Struct, kw_only=True):
    """What is written down about one recipient. ``event`` is one of the evidence room's."""

    task_id: int
    box_id: int
    event: evidence.Event
    trace_id: str
    message_id: int
    header_message_id: str
    sender: str
    recipient: str
    rule: str
    sha256: bytes
    note: str
    host: str
    status: str


def _rule_in(reply: str) -> str:
    """The rule that a reply names at its end, as Passerelle's own do."""
    found = re.search(r"\[([a-z0-9_]+\.[a-z0-9_]+)\]$", reply)
    return found[1] if found else ""


@operation("smtp.relay_end")
def relay_end(tx: Tx, *, end: RelayEnd, report: mail.NewMessage | None) -> bool:
    """End a recipient for good. False when it had ended already; nothing is done then."""
    state = "done" if end.event == "relayed" else "failed"
    if not tasks.finish_task(tx, task_id=end.task_id, state=state, note=end.note):
        return False
    _prove(tx, end, report)
    if report is not None:
        mail.append(tx, box_id=end.box_id, folder_id=mail.INBOX_ID, message=report)
    if not tasks.unfinished_of_message(tx.conn, end.box_id, end.trace_id):
        mail.take_from_outbox(tx, end.box_id, end.message_id)
    return True


@operation("smtp.relay_delay")
def relay_delay(
    tx: Tx, *, end: RelayEnd, report: mail.NewMessage | None, due_at: int, payload: bytes
) -> bool:
    """Put a recipient off until ``due_at`` (ms), and tell the sender when there is a report."""
    if not tasks.retry(tx, task_id=end.task_id, due_at=due_at, error=end.note, payload=payload):
        return False
    _prove(tx, end, report)
    if report is not None:
        mail.append(tx, box_id=end.box_id, folder_id=mail.INBOX_ID, message=report)
    return True


@operation("smtp.drop_relay")
def drop_relay(tx: Tx, *, task_id: int) -> bool:
    """An administrator gives a recipient up: no report, but evidence of the failure.

    :raises NotFoundError: no such task, or it has ended.
    """
    task = tasks.steer(tx, task_id=task_id, action="drop", note="dropped by an administrator")
    job = msgspec.msgpack.decode(task.payload, type=RelayJob)
    evidence.record(
        tx,
        "failed",
        trace_id=task.trace_id,
        message_id=job.header_message_id,
        sender=job.mail_from,
        recipient=job.recipient.address,
        rule="relay.dropped",
        sha256=job.sha256,
    )
    if not tasks.unfinished_of_message(tx.conn, task.box_id, task.trace_id):
        mail.take_from_outbox(tx, task.box_id, job.message_id)
    return True


def _prove(tx: Tx, end: RelayEnd, report: mail.NewMessage | None) -> None:
    detail = {"host": end.host, "status": end.status, "report": "yes" if report is not None else "no"}
    evidence.record(
        tx,
        end.event,
        trace_id=end.trace_id,
        message_id=end.header_message_id,
        sender=end.sender,
        recipient=end.recipient,
        rule=end.rule,
        sha256=end.sha256,
        detail=detail,
    )


class Ledger:
    """Writes outcomes down, with the report that the sender asked for or must have.

    :param sender: whom reports come from. :param signing: signs them; None: they are not signed.
    """

    def __init__(self, store: Store, hostname: str, sender: str = "", signing: Signing | None = None) -> None:
        self._store = store
        self._signing = signing
        self._hostname = hostname
        self._sender = sender

    async def relayed(self, task: Task, job: RelayJob, outcome: Outcome, index: MessageIndex | None) -> bool:
        """The peer took it. It reports success itself when it offers DSN (RFC 3461 §5.2.2)."""
        report = None
        if not outcome.dsn_offered:
            report = await self._report(task, job, outcome, "relayed", index)
        return await self._end(task, job, outcome, "relayed", report)

    async def failed(self, task: Task, job: RelayJob, outcome: Outcome, index: MessageIndex | None) -> bool:
        """Refused for good, or given up."""
        report = await self._report(task, job, outcome, "failed", index)
        return await self._end(task, job, outcome, "failed", report)

    async def delayed(
        self, task: Task, job: RelayJob, outcome: Outcome, index: MessageIndex, *, due_at: int, until: int
    ) -> bool:
        """Not yet, and the sender wants to know; told once."""
        report = await self._report(task, job, outcome, "delayed", index, until)
        payload = msgspec.msgpack.encode(msgspec.structs.replace(job, delay_told=True))
        end = self._words(task, job, outcome, "delayed")
        return await self._with_or_without(
            report,
            lambda kept: self._store.awrite(
                relay_delay, end=end, report=kept, due_at=due_at, payload=payload
            ),
        )

    async def _end(
        self,
        task: Task,
        job: RelayJob,
        outcome: Outcome,
        event: evidence.Event,
        report: mail.NewMessage | None,
    ) -> bool:
        end = self._words(task, job, outcome, event)
        return await self._with_or_without(
            report, lambda kept: self._store.awrite(relay_end, end=end, report=kept)
        )

    async def _with_or_without(self, report: mail.NewMessage | None, write: _Write) -> bool:
        try:
            return await write(report)
        except PasserelleError:
            if report is None:
                raise
            # The sender's own box is closed or full: the end is recorded, with report "no".
            return await write(None)

    def _words(self, task: Task, job: RelayJob, outcome: Outcome, event: evidence.Event) -> RelayEnd:
        return RelayEnd(
            task_id=task.task_id,
            box_id=task.box_id,
            event=event,
            trace_id=job.trace_id,
            message_id=job.message_id,
            header_message_id=job.header_message_id,
            sender=job.mail_from,
            recipient=job.recipient.address,
            rule=outcome.rule,
            sha256=job.sha256,
            note=outcome.reply[:500],
            host=outcome.host,
            status=outcome.status,
        )

    async def _report(
        self,
        task: Task,
        job: RelayJob,
        outcome: Outcome,
        action: DsnAction,
        index: MessageIndex | None,
        until: int = 0,
    ) -> mail.NewMessage | None:
        if not wanted(job.mail_from, job.recipient.notify, action):
            return None
        raw = build_dsn(
            hostname=self._hostname,
            sender=self._sender,
            mail_from=job.mail_from,
            report_id=f"{new_id():x}.dsn",
            now=now_ms(),
            arrival=job.received_at,
            recipients=[
                DsnRecipient(
                    address=job.recipient.address,
                    action=action,
                    status=outcome.status,
                    orcpt=job.recipient.orcpt,
                    rule=_rule_in(outcome.reply) or outcome.rule,
                    diagnostic=outcome.reply,
                    remote=outcome.host,
                    retry_until=until,
                )
            ],
            header=index.header if index is not None else b"",
            envid=job.envid,
            message_id=job.header_message_id,
        )
        try:
            message, _ = await self._store.in_thread(self._prepare, task.box_id, raw)
        except PasserelleError:
            return None  # the sender's box is gone, and its key with it
        return message

    def _prepare(self, box_id: int, raw: bytes) -> tuple[mail.NewMessage, MessageIndex]:
        return prepare(self._store, box_id, signed_or_not(raw, self._signing))
