"""Invitations: what a professional's message asked for, waiting for the patient's yes or no.

An invitation is never an appointment by itself. Who sent the first one (the trusted mailbox, not the
ORGANIZER that a file may name as it likes) is the only one who changes or cancels it (RFC 5546 §6.1); a
change of an accepted one waits for an answer again, and meanwhile the appointment stays as it was accepted.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Row, and_, func, insert, select, update

import activity
import patients
from activity import Actor, Entry
from agenda.access import who_is
from agenda.appointments import new_appointment, next_version
from agenda.errors import AgendaError
from agenda.ics_read import Found
from agenda.model import Appointment, Details, InvitationStatus
from agenda.rows import NewRow, opened, present, put_rows, recheck, sealed_row, uid_digest
from agenda.tables import agenda_invitation
from store import Sealer, Store, Tx, new_id, operation, tasks

#: Of one sender waiting in one box; what comes beyond is left in its message.
MAX_OPEN: Final = 50


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed of an invitation: its UID, whether it says that the appointment is cancelled, what for,
    and whether its sender keeps it from legal representatives."""

    uid: str
    details: Details
    hidden: bool


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation. ``update``: of an appointment that was accepted before."""

    invitation_id: int
    sender: str
    sequence: int
    stamp: int
    status: InvitationStatus
    received_at: int
    message_id: int
    trace_id: str
    appointment_id: int | None
    uid: str
    hidden: bool
    details: Details

    @property
    def update(self) -> bool:
        return self.appointment_id is not None


class NewInvitation(msgspec.Struct, frozen=True, kw_only=True):
    """One that came in a message, ready to be written; ``cancelled``: METHOD:CANCEL, or its STATUS."""

    invitation_id: int
    uid_digest: bytes
    sequence: int
    stamp: int
    cancelled: bool
    sealed: bytes
    #: Of the appointment that was accepted: what takes its place when this cancels it.
    cancelling: NewRow | None


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """All of one message, and the task that brought it."""

    task_id: int
    box_id: int
    message_id: int
    trace_id: str
    sender: str
    received_at: int
    invitations: list[NewInvitation]
    note: str


_told: Final = msgspec.msgpack.Decoder(Told)


def _place(invitation_id: int) -> str:
    return f"invitation:{invitation_id}"


# -- receiving ------------------------------------------------------------------------------------


def receive(
    store: Store,
    *,
    task_id: int,
    box_id: int,
    message_id: int,
    trace_id: str,
    sender: Actor,
    received_at: int,
    found: list[Found],
    cancel: bool,
    note: str = "",
) -> int:
    """Keep the invitations of a message and end its task, in one transaction. Blocking.

    :param sender: the professional, with the trusted ``address`` that the gateway proved.
    :param cancel: the method is CANCEL: nothing is asked, something is called off.
    :returns: how many were new, changed or called off; those older than what is known, and those of
        another sender's, change nothing.
    """
    known = {row.uid_digest: row for row in store.read(_rows, box_id)}
    made: list[NewInvitation] = []
    entries: list[Entry] = []
    for one in found:
        digest = uid_digest(box_id, one.uid)
        before = known.get(digest)
        gone = cancel or one.status == "cancelled"
        invitation_id = before.invitation_id if before is not None else new_id()
        told = Told(uid=one.uid, details=one.details, hidden=one.hidden)
        if gone and before is not None:
            told = _told.decode(store.sealer(box_id).open(before.sealed, _place(invitation_id)))
        made.append(
            NewInvitation(
                invitation_id=invitation_id,
                uid_digest=digest,
                sequence=one.sequence,
                stamp=one.stamp,
                cancelled=gone,
                sealed=store.sealer(box_id).seal(msgspec.msgpack.encode(told), _place(invitation_id)),
                cancelling=_cancelling(store, box_id, sender, before) if gone else None,
            )
        )
        what: activity.What = "proposal_withdrawn" if gone else "proposal_received"
        entries.append(
            activity.entry(store, box_id, sender, what, kind="proposal", subject=str(invitation_id))
        )
    received = Received(
        task_id=task_id,
        box_id=box_id,
        message_id=message_id,
        trace_id=trace_id,
        sender=sender.address.casefold(),
        received_at=received_at,
        invitations=made,
        note=note,
    )
    return store.write(take_in, received=received, entries=entries)


def _rows(conn: Connection, box_id: int) -> list[Row[Any]]:
    return list(conn.execute(select(agenda_invitation).where(agenda_invitation.c.box_id == box_id)))


def _cancelling(store: Store, box_id: int, sender: Actor, before: Row[Any] | None) -> NewRow | None:
    """The accepted appointment, called off; None where there is none, or the patient removed it."""
    if before is None or before.appointment_id is None:
        return None
    row = store.read(present, box_id, before.appointment_id)
    if row is None or row.status != "planned":
        return None
    one = opened(row, store.sealer(box_id))
    return sealed_row(store, next_version(one, sender, one.details, status="cancelled"))


@operation("agenda.take_in")
def take_in(tx: Tx, *, received: Received, entries: list[Entry]) -> int:
    """Keep what a message brought, and end its task: when it ended already, nothing is done.

    Raises :class:`AgendaError` ``agenda.changed``: the appointment that is to be called off changed since;
    the task is to be tried again.
    """
    if not tasks.finish_task(tx, task_id=received.task_id, state="done", note=received.note):
        return 0
    count = 0
    for new, entry in zip(received.invitations, entries, strict=True):
        if _take_one(tx, received, new):
            activity.note(tx, entry)
            count += 1
    if count:
        tx.notify(received.box_id, 0)
    return count


def _take_one(tx: Tx, received: Received, new: NewInvitation) -> bool:
    mine = and_(
        agenda_invitation.c.box_id == received.box_id, agenda_invitation.c.uid_digest == new.uid_digest
    )
    before = tx.conn.execute(select(agenda_invitation).where(mine)).one_or_none()
    values: dict[str, object] = {
        "sequence": new.sequence,
        "stamp": new.stamp,
        "received_at": received.received_at,
        "message_id": received.message_id,
        "trace_id": received.trace_id,
        "sealed": new.sealed,
    }
    if before is None:
        if new.cancelled or _waiting(tx, received) >= MAX_OPEN:
            return False  # nothing was asked: nothing is called off
        values |= {
            "box_id": received.box_id,
            "invitation_id": new.invitation_id,
            "uid_digest": new.uid_digest,
            "sender": received.sender,
            "status": "open",
            "appointment_id": None,
        }
        tx.conn.execute(insert(agenda_invitation).values(**values))
        return True
    # RFC 5546 §2.1.5: a greater SEQUENCE, or the same one with a later DTSTAMP
    newer = (new.sequence, new.stamp) > (before.sequence, before.stamp)
    if before.sender != received.sender or not newer or before.invitation_id != new.invitation_id:
        return False
    if new.cancelled:
        if before.appointment_id is not None and new.cancelling is not None:
            put_rows(tx, [new.cancelling])
        values["status"] = "withdrawn"
    else:
        values["status"] = "open"
    tx.conn.execute(update(agenda_invitation).where(mine).values(**values))
    return True


def _waiting(tx: Tx, received: Received) -> int:
    mine = and_(
        agenda_invitation.c.box_id == received.box_id,
        agenda_invitation.c.sender == received.sender,
        agenda_invitation.c.status == "open",
    )
    return tx.conn.scalar(select(func.count()).select_from(agenda_invitation).where(mine)) or 0


# -- reading and answering ------------------------------------------------------------------------


def invitations(
    conn: Connection, store: Store, box_id: int, actor: Actor, *, every: bool = False
) -> list[Invitation]:
    """The invitations that wait for an answer, oldest first; with ``every`` also those that ended.

    Raises :class:`AgendaError` ``agenda.refused``, ``agenda.closed``.
    """
    asker = who_is(conn, box_id, actor)
    if asker.seer == "professional":
        raise AgendaError("agenda.refused")
    found = [one for one in _all(conn, store, box_id) if every or one.status == "open"]
    seen = [one for one in found if asker.seer != "representative" or not one.hidden]
    return sorted(seen, key=lambda one: (one.received_at, one.invitation_id))


def _all(conn: Connection, store: Store, box_id: int) -> list[Invitation]:
    """Every invitation; what came with a hidden message is hidden as the message is."""
    rows = _rows(conn, box_id)
    if not rows:
        return []
    sealer = store.sealer(box_id)
    carriers = patients.hidden_messages(conn, box_id, {row.message_id for row in rows} - {0})
    opened_rows = [_opened(row, sealer) for row in rows]
    return [replace(one, hidden=one.hidden or one.message_id in carriers) for one in opened_rows]


def _opened(row: Row[Any], sealer: Sealer) -> Invitation:
    told = _told.decode(sealer.open(row.sealed, _place(row.invitation_id)))
    names = [name for name in Invitation.__struct_fields__ if name not in ("uid", "hidden", "details")]
    known = {name: getattr(row, name) for name in names}
    return Invitation(**known, uid=told.uid, hidden=told.hidden, details=told.details)


def hidden_invitations(conn: Connection, store: Store, box_id: int) -> list[int]:
    """Those of all invitations (by id) that are kept from legal representatives."""
    return [one.invitation_id for one in _all(conn, store, box_id) if one.hidden]


def accept_invitation(store: Store, box_id: int, actor: Actor, invitation_id: int) -> Appointment:
    """Take an invitation into the agenda, or its change into the appointment it became. Blocking.

    Raises :class:`AgendaError` ``agenda.invitation`` (it waits for no answer), and as :func:`agenda.add`.
    """
    one, before = _waiting_one(store, box_id, actor, invitation_id)
    if before is not None and before.status != "removed":
        details = replace(one.details, shared=before.details.shared)
        made = next_version(before, actor, details, hidden=before.hidden or one.hidden)
    else:
        # A UID of its own: two senders may have chosen the same.
        made = new_appointment(box_id, actor, one.details, "invitation", hidden=one.hidden)
    _answer(store, box_id, actor, one, "accepted", made)
    return made


def decline_invitation(store: Store, box_id: int, actor: Actor, invitation_id: int) -> None:
    """Say no: an appointment accepted before stays as it was. No answer goes to the sender. Blocking.

    Raises as :func:`accept_invitation`.
    """
    one, _ = _waiting_one(store, box_id, actor, invitation_id)
    _answer(store, box_id, actor, one, "declined", None)


def _waiting_one(
    store: Store, box_id: int, actor: Actor, invitation_id: int
) -> tuple[Invitation, Appointment | None]:
    def load(conn: Connection) -> tuple[Invitation | None, Appointment | None]:
        who_is(conn, box_id, actor, writes=True)
        waiting = invitations(conn, store, box_id, actor)
        one = next((each for each in waiting if each.invitation_id == invitation_id), None)
        row = None
        if one is not None and one.appointment_id is not None:
            row = present(conn, box_id, one.appointment_id)
        return one, opened(row, store.sealer(box_id)) if row is not None else None

    one, before = store.read(load)
    if one is None:
        raise AgendaError("agenda.invitation")
    return one, before


def _answer(
    store: Store,
    box_id: int,
    actor: Actor,
    one: Invitation,
    status: InvitationStatus,
    made: Appointment | None,
) -> None:
    what: activity.What = "proposal_accepted" if status == "accepted" else "proposal_declined"
    entry = activity.entry(store, box_id, actor, what, kind="proposal", subject=str(one.invitation_id))
    store.write(
        answer_invitation,
        invitation_id=one.invitation_id,
        sequence=one.sequence,
        stamp=one.stamp,
        status=status,
        rows=[sealed_row(store, made)] if made is not None else [],
        entry=entry,
    )


@operation("agenda.answer_invitation")
def answer_invitation(
    tx: Tx,
    *,
    invitation_id: int,
    sequence: int,
    stamp: int,
    status: InvitationStatus,
    rows: list[NewRow],
    entry: Entry,
) -> None:
    """Keep an answer to the revision that was read. Raises ``agenda.invitation`` when it is another now."""
    recheck(tx, entry)
    mine = and_(
        agenda_invitation.c.box_id == entry.box_id,
        agenda_invitation.c.invitation_id == invitation_id,
        agenda_invitation.c.status == "open",
        agenda_invitation.c.sequence == sequence,
        agenda_invitation.c.stamp == stamp,
    )
    values: dict[str, object] = {"status": status}
    if rows:
        values["appointment_id"] = rows[0].appointment_id
    if tx.conn.execute(update(agenda_invitation).where(mine).values(**values)).rowcount != 1:
        raise AgendaError("agenda.invitation")
    put_rows(tx, rows)
    activity.note(tx, entry)
