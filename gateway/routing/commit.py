"""The one transaction that accepts a message: everything in it is on the disk before 250, or nothing is."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete

import evidence
from gateway.routing import correspondence
from gateway.routing.model import FilingJob, InvitationJob, RelayJob
from gateway.routing.tables import delivery
from store import Prepared, Tx, mail, operation, tasks, upsert

_note_delivery = Prepared(
    upsert(delivery, dict.fromkeys(delivery.c.keys()), ["box_id", "digest"], update=False).returning(
        delivery.c.box_id
    )
)


class Delivery(msgspec.Struct, kw_only=True):
    """A copy for a box here. ``digest`` tells a repeated delivery; ``effect`` see the rules, "" for none, and
    ``contacts`` are the addresses that it names for answers."""

    box_id: int
    recipient: str
    rule: str
    digest: bytes
    message: mail.NewMessage
    effect: str = ""
    contacts: tuple[str, ...] = ()
    author: str = ""
    filing: FilingJob | None = None
    invitation: InvitationJob | None = None


class Relay(msgspec.Struct, kw_only=True):
    """Copies for other operators, held in the sender's box until the last one ended."""

    box_id: int
    message: mail.NewMessage
    digests: list[bytes]
    jobs: list[RelayJob]
    rules: list[str]


class Report(msgspec.Struct, kw_only=True):
    """A report to the sender on what was delivered (RFC 3461 §5.2.1): to a box here, or by relay."""

    box_id: int
    message: mail.NewMessage
    job: RelayJob | None


class Accepted(msgspec.Struct, kw_only=True):
    """How many copies were delivered here, queued for others, and known already."""

    delivered: int = 0
    queued: int = 0
    duplicates: int = 0


@operation("routing.accept")
def accept(
    tx: Tx,
    *,
    trace_id: str,
    message_id: str,
    sender: str,
    sha256: bytes,
    detail: dict[str, str],
    deliveries: list[Delivery],
    relay: Relay | None,
    sent: Delivery | None,
    report: Report | None,
) -> Accepted:
    """Deliver here, queue for others, open or end correspondence, leave filing tasks and evidence.

    :raises NotFoundError, StoreError: a box closed or filled up since it was checked; nothing is done.
    """
    result = Accepted()

    def prove(event: evidence.Event, recipient: str, rule: str) -> None:
        evidence.record(
            tx,
            event,
            trace_id=trace_id,
            message_id=message_id,
            sender=sender,
            recipient=recipient,
            rule=rule,
            sha256=sha256,
            detail=detail,
        )

    for copy in deliveries:
        if not first_time(tx, copy.box_id, copy.digest, trace_id):
            prove("duplicate", copy.recipient, copy.rule)
            result.duplicates += 1
            continue
        _deliver(tx, copy, trace_id)
        prove("delivered", copy.recipient, copy.rule)
        result.delivered += 1
    if report is not None and result.delivered:
        folder_id = mail.INBOX_ID if report.job is None else mail.OUTBOX_ID
        mail.append(tx, box_id=report.box_id, folder_id=folder_id, message=report.message)
        if report.job is not None:
            queue_relay(tx, report.box_id, report.job)
    if relay is not None:
        for recipient, rule in _queue(tx, relay, sent, result):
            prove("accepted", recipient, rule)
    elif sent is not None and result.delivered:
        folder_id = _sent_folder(tx, sent.box_id)
        mail.append(tx, box_id=sent.box_id, folder_id=folder_id, message=sent.message, flags=mail.SEEN)
    return result


def _deliver(tx: Tx, copy: Delivery, trace_id: str) -> None:
    mail.append(tx, box_id=copy.box_id, folder_id=mail.INBOX_ID, message=copy.message)
    if copy.effect:
        correspondence.note(
            tx,
            box_id=copy.box_id,
            contacts=copy.contacts,
            author=copy.author,
            effect=copy.effect,
            trace_id=trace_id,
        )
    if copy.filing is not None:
        tasks.add_task(
            tx,
            queue=tasks.FILING,
            box_id=copy.box_id,
            payload=msgspec.msgpack.encode(copy.filing),
            due_at=tx.now,
            subject_key=copy.recipient,
            trace_id=trace_id,
        )
    if copy.invitation is not None:
        tasks.add_task(
            tx,
            queue=tasks.INVITATIONS,
            box_id=copy.box_id,
            payload=msgspec.msgpack.encode(copy.invitation),
            due_at=tx.now,
            subject_key=copy.recipient,
            trace_id=trace_id,
        )


def _queue(tx: Tx, relay: Relay, sent: Delivery | None, result: Accepted) -> list[tuple[str, str]]:
    """Hold the message in the outbox, queue its copies; returns (recipient, rule) of the new ones."""
    fresh = [
        (job, rule)
        for job, digest, rule in zip(relay.jobs, relay.digests, relay.rules, strict=True)
        if first_time(tx, relay.box_id, digest, job.trace_id)
    ]
    result.duplicates += len(relay.jobs) - len(fresh)
    result.queued = len(fresh)
    if not fresh:
        return []
    mail.append(tx, box_id=relay.box_id, folder_id=mail.OUTBOX_ID, message=relay.message, flags=mail.SEEN)
    if sent is not None:
        folder_id = _sent_folder(tx, relay.box_id)
        mail.show_also(
            tx,
            box_id=relay.box_id,
            folder_id=folder_id,
            message=relay.message,
            flags=mail.SEEN,
            internal_date=tx.now,
        )
    for job, _ in fresh:
        queue_relay(tx, relay.box_id, job)
    return [(job.recipient.address, rule) for job, rule in fresh]


def queue_relay(tx: Tx, box_id: int, job: RelayJob) -> None:
    """Leave a message of ``box_id`` (already in its outbox) for the relay, within a transaction."""
    tasks.add_task(
        tx,
        queue=tasks.RELAY,
        box_id=box_id,
        payload=msgspec.msgpack.encode(job),
        due_at=tx.now,
        subject_key=job.recipient.address,
        trace_id=job.trace_id,
    )


def _sent_folder(tx: Tx, box_id: int) -> int:
    folder = mail.special_folder(tx.conn, box_id, "\\Sent")
    return folder.folder_id if folder else mail.INBOX_ID


def first_time(tx: Tx, box_id: int, digest: bytes, trace_id: str) -> bool:
    """Note a delivery within a transaction; False when the same one was noted before."""
    values = {"box_id": box_id, "digest": digest, "trace_id": trace_id, "at": tx.now}
    return _note_delivery.first(tx.conn, values) is not None


@operation("routing.refused")
def refused(tx: Tx, *, trace_id: str, sender: str, recipient: str, rule: str, detail: dict[str, str]) -> None:
    """Keep evidence of a refusal: the sender was told with the same rule."""
    evidence.record(
        tx, "refused", trace_id=trace_id, sender=sender, recipient=recipient, rule=rule, detail=detail
    )


@operation("routing.forget_deliveries")
def forget_deliveries(tx: Tx, *, before: int) -> int:
    """Drop the memory of deliveries older than ``before`` (ms); a repeat after that is a new message."""
    return tx.conn.execute(delete(delivery).where(delivery.c.at < before)).rowcount
