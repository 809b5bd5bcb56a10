"""What a patient's pages write down around a message of his: that it is being sent, drafts, receipts.

Invariants:
- whoever sends the same writing (its ``key``) at the same time is given the same moment and trace, so that
  both make the same octets, and the router takes the second for what it is: a duplicate;
- a draft is shown once: what it replaces goes in the transaction that keeps it, and nothing is kept of a
  writing that was sent.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

import msgspec
from sqlalchemy import select, update

import evidence
from gateway.routing import commit, system
from gateway.routing.model import RelayJob
from gateway.routing.tables import delivery
from store import NotFoundError, Tx, mail, operation

#: ms within which the same writing, sent again, is the same message.
_SAME: Final = 10 * 60 * 1000


class Sending(msgspec.Struct, frozen=True):
    """When (ms) and under which trace a writing is sent."""

    at: int
    trace_id: str


class Kept(msgspec.Struct, frozen=True):
    """What became of a draft: ``kept``; ``sent``, its writing has left, nothing is kept; ``again``, the
    folder changed since it was looked at, look once more."""

    outcome: Literal["kept", "sent", "again"]


def _mark(kind: str, key: str) -> bytes:
    return hashlib.sha256(f"{kind}\0{key}".encode()).digest()


@operation("routing.begin_sending")
def begin_sending(tx: Tx, *, box_id: int, key: str, trace_id: str) -> Sending:
    """The moment and the trace of a writing: those of who began to send it a moment ago, else these."""
    digest = _mark("sending", key)
    if commit.first_time(tx, box_id, digest, trace_id):
        return Sending(tx.now, trace_id)
    place = (delivery.c.box_id == box_id, delivery.c.digest == digest)
    at, kept = tx.conn.execute(select(delivery.c.at, delivery.c.trace_id).where(*place)).one()
    if tx.now - at < _SAME:
        return Sending(at, kept)
    tx.conn.execute(update(delivery).where(*place).values(at=tx.now, trace_id=trace_id))
    return Sending(tx.now, trace_id)


@operation("routing.end_sending")
def end_sending(
    tx: Tx, *, box_id: int, key: str, trace_id: str, drafts: list[int], answered: list[tuple[int, int]]
) -> None:
    """A writing was accepted: its drafts go, and what it answers is marked.

    :param drafts: UIDs in the folder of drafts. :param answered: (folder, UID) of the original.
    """
    commit.first_time(tx, box_id, _mark("sent", key), trace_id)
    folder = mail.special_folder(tx.conn, box_id, "\\Drafts")
    if folder is not None:
        _drop(tx, box_id, folder.folder_id, drafts)
    for folder_id, uid in answered:  # RFC 3501 §2.3.2
        mail.change_flags(tx, box_id=box_id, folder_id=folder_id, uids=[uid], mode="add", flags=mail.ANSWERED)


@operation("routing.keep_draft")
def keep_draft(
    tx: Tx, *, box_id: int, key: str, message: mail.NewMessage, replaces: list[int], uidnext: int
) -> Kept:
    """Show a draft in the folder of drafts instead of what it replaces (RFC 3501 §2.3.2: \\Draft).

    :param replaces: UIDs there. :param uidnext: of the folder, when these were looked for; -1: any.
    :raises NotFoundError, StoreError: there is no such folder, the box is closed or full; nothing is changed.
    """
    folder = mail.special_folder(tx.conn, box_id, "\\Drafts")
    if folder is None:
        raise NotFoundError("mailbox.folder", "there is no folder for drafts")
    sent = select(delivery.c.at).where(delivery.c.box_id == box_id, delivery.c.digest == _mark("sent", key))
    if tx.conn.execute(sent).first() is not None:
        return Kept("sent")
    if uidnext not in (-1, folder.uidnext):
        return Kept("again")
    _drop(tx, box_id, folder.folder_id, replaces)
    mail.append(tx, box_id=box_id, folder_id=folder.folder_id, message=message, flags=mail.DRAFT | mail.SEEN)
    return Kept("kept")


def _drop(tx: Tx, box_id: int, folder_id: int, uids: list[int]) -> None:
    if not uids:
        return
    mail.change_flags(tx, box_id=box_id, folder_id=folder_id, uids=uids, mode="add", flags=mail.DELETED)
    mail.expunge(tx, box_id=box_id, folder_id=folder_id, uids=uids)


@operation("routing.send_receipt")
def send_receipt(
    tx: Tx,
    *,
    box_id: int,
    key: str,
    places: list[tuple[int, int]],
    keywords: str,
    message: mail.NewMessage,
    job: RelayJob,
    local_box: int,
    detail: dict[str, str],
    rule: str,
    reader: str,
    original: str,
) -> bool:
    """Send a receipt for reading that the patient allowed, and mark what was read; once for each ``key``.

    :param places: (folder, UID) of what was read. :param message: sealed for ``local_box`` where the sender's
        mailbox is here, else for ``box_id``. :param rule: that let it go. :param detail: for the evidence.
    :return: False when it was sent before; nothing is done then.
    """
    if not commit.first_time(tx, box_id, _mark("receipt", key), job.trace_id):
        return False
    if local_box:
        mail.append(tx, box_id=local_box, folder_id=mail.INBOX_ID, message=message)
    else:
        system.put_in_queue(tx, box_id, message, job)
    evidence.record(
        tx,
        "delivered" if local_box else "accepted",
        trace_id=job.trace_id,
        message_id=job.header_message_id,
        recipient=job.recipient.address,
        rule=rule,
        sha256=job.sha256,
        detail=detail,
    )
    _prove_reading(tx, reader, original, job.recipient.address)
    for folder_id, uid in places:  # RFC 3503 §3.1
        mail.change_flags(
            tx, box_id=box_id, folder_id=folder_id, uids=[uid], mode="add", flags=0, keywords=keywords
        )
    return True


def _prove_reading(tx: Tx, reader: str, original: str, sender: str) -> None:
    """Bind the receipt to the delivery that it is about, where that is on record."""
    told = evidence.trace(tx.conn, original) if original and reader else []
    for one in told:
        if one.event == "delivered" and (one.sender, one.recipient) == (sender.casefold(), reader.casefold()):
            evidence.record(
                tx,
                "receipt",
                trace_id=one.trace_id,
                message_id=original,
                sender=reader,
                recipient=sender,
                detail={"about": "reading"},
            )
            return
