"""What is hidden from legal representatives leaves no line in the history that they read."""

from __future__ import annotations

import agenda
import dossier
import patients
from activity import Actor
from agenda import Found
from gateway.message import Indexer, MessageMeta, encode_meta
from store import Store, Tx, mail, operation, tasks
from tests.agenda.agenda_support import CHILD, DOCTOR, MOTHER, OPERATOR, actor, box, details


def told(store: Store, ins: str) -> list[str]:
    """What ``ins`` reads of the child's history, besides who read it."""
    lines = dossier.history_for(store, box(store, CHILD), actor(store, ins, CHILD))
    return [one.what for one in lines if one.what != "history_read"]


def test_hidden_appointments_leave_no_line(store: Store) -> None:
    theirs, child = box(store, CHILD), actor(store, CHILD)
    agenda.add(store, theirs, child, details())
    assert told(store, MOTHER) == ["appointment_added"]
    secret = agenda.add(store, theirs, DOCTOR, details(title="Secret"), hidden=True).appointment_id
    shown = agenda.add(store, theirs, DOCTOR, details(title="Plus tard caché")).appointment_id
    assert told(store, MOTHER) == ["appointment_added"] * 2
    agenda.change(store, theirs, DOCTOR, shown, details(), hidden=True)
    agenda.remove(store, theirs, DOCTOR, secret)
    for who in (MOTHER, CHILD):  # who set up a minor's sign-in is not known
        assert told(store, who) == ["appointment_added"]
    support = dossier.history_for(store, theirs, OPERATOR)  # it is handed to whoever asks for a minor
    assert [one.what for one in support if one.what != "history_read"] == ["appointment_added"]
    mother = actor(store, MOTHER, CHILD)
    assert store.read(dossier.history_counts, store, theirs, mother).by.get("professional") is None


@operation("test.invitation_task")
def invitation_task(tx: Tx, *, box_id: int) -> int:
    return tasks.add_task(
        tx, queue=tasks.INVITATIONS, box_id=box_id, payload=b"", due_at=0, subject_key="", trace_id="t"
    )


def invite(store: Store, box_id: int, uid: str, *, hidden: bool = False, message_id: int = 0) -> None:
    sender = Actor(by="professional", ident=DOCTOR.ident, name=DOCTOR.name, address="doc@pro.test")
    one = Found(
        line=1, uid=uid, sequence=0, stamp=0, status="planned", hidden=hidden, organizer="", details=details()
    )
    agenda.receive(
        store, task_id=store.write(invitation_task, box_id=box_id), box_id=box_id, message_id=message_id,
        trace_id="t", sender=sender, received_at=0, found=[one], cancel=False,
    )  # fmt: skip


def delivered(store: Store, box_id: int) -> int:
    raw = b"From: doc@pro.test\r\nSubject: x\r\n\r\nx\r\n"
    spool, indexer = store.spool(), Indexer()
    spool.write(raw)
    indexer.feed(raw)
    message = store.new_message(box_id, spool, encode_meta(MessageMeta(prefix=b"", index=indexer.close())))
    store.write(mail.append, box_id=box_id, folder_id=mail.INBOX_ID, message=message)
    return message.message_id


def test_hidden_invitations_leave_no_line(store: Store) -> None:
    theirs = box(store, CHILD)
    mother = actor(store, MOTHER, CHILD)
    invite(store, theirs, "plain")
    invite(store, theirs, "secret", hidden=True)
    carrier = delivered(store, theirs)
    invite(store, theirs, "carried", message_id=carrier)

    def listed() -> list[str]:
        return [one.uid for one in store.read(agenda.invitations, store, theirs, mother)]

    assert listed() == ["plain", "carried"]
    assert told(store, MOTHER) == ["proposal_received"] * 2
    [row] = store.read(mail.message_rows, theirs, [carrier])
    store.write(
        patients.set_secret, box_id=theirs, kind="message", item=row.sha256, event="hide",
        by="professional", actor=DOCTOR.ident,
    )  # fmt: skip
    assert listed() == ["plain"]  # an invitation is hidden with its message
    assert told(store, MOTHER) == ["proposal_received"]
