"""Mail of the gateway's own: notifications and reports, put together here and stored like any other."""

from __future__ import annotations

import hashlib

from gateway.message import Indexer, MessageIndex, MessageMeta, encode_meta
from gateway.routing import commit
from gateway.routing.model import Recipient, RelayJob
from store import NotFoundError, Store, Tx, mail, now_ms, operation


def prepare(store: Store, box_id: int, raw: bytes) -> tuple[mail.NewMessage, MessageIndex]:
    """Seal a message of ours for a box, ready to be appended by an operation. Blocking.

    :param raw: a whole message with CRLF line ends, small.
    """
    indexer = Indexer()
    indexer.feed(raw)
    index = indexer.close()
    spool = store.spool()
    spool.write(raw)
    return store.new_message(box_id, spool, encode_meta(MessageMeta(prefix=b"", index=index))), index


def relay_job(
    message: mail.NewMessage, index: MessageIndex, recipient: str, trace_id: str, mail_from: str = ""
) -> RelayJob:
    """A job that sends a notification; its reverse-path is the null one by default (RFC 3461 §6.1)."""
    return RelayJob(
        mail_from=mail_from,
        recipient=Recipient(address=recipient, notify="NEVER"),
        message_id=message.message_id,
        header_message_id=index.facts.message_id,
        trace_id=trace_id,
        sha256=message.ref.sha256,
        received_at=now_ms(),
    )


def put_in_queue(tx: Tx, box_id: int, message: mail.NewMessage, job: RelayJob) -> None:
    """Hold a notification in the system box's outbox and queue it, within a transaction."""
    mail.append(tx, box_id=box_id, folder_id=mail.OUTBOX_ID, message=message, flags=mail.SEEN)
    commit.queue_relay(tx, box_id, job)


@operation("routing.send_notice")
def send_notice(
    tx: Tx, *, key: str, box_id: int, message: mail.NewMessage, job: RelayJob | None, local_box: int
) -> bool:
    """Send a notification of ours once for each ``key``: into a box here, or by relay from ``box_id``.

    False when it was sent before; nothing is done then. :raises NotFoundError: it has no recipient.
    """
    if job is None and not local_box:
        raise NotFoundError("notice.recipient", "a notice needs a recipient")
    digest = hashlib.sha256(key.encode()).digest()
    if not commit.first_time(tx, local_box or box_id, digest, job.trace_id if job else key):
        return False
    if local_box:
        mail.append(tx, box_id=local_box, folder_id=mail.INBOX_ID, message=message)
    elif job is not None:
        put_in_queue(tx, box_id, message, job)
    return True
