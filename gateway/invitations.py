"""Invitations by mail: text/calendar in a professional's message becomes a proposal in the patient's agenda.

Routing leaves a task in the transaction that accepts the message; here it is read, and the proposals stand
in the transaction that ends the task: a death in between reads it again, nothing is kept twice. The message
itself stays as it came, whatever becomes of its parts. No answer (REPLY) is sent to anybody.
"""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import Connection

import agenda
import annuaire
import patients
from activity import Actor
from gateway.chores import Chores
from gateway.message import MessageIndex, Part, calendars, codec_of, decode_meta, decode_stream
from gateway.routing import InvitationJob, decode_invitation
from store import BodyReader, NotFoundError, Store, faults, mail, tasks
from store.tasks import Task

log = structlog.get_logger("invitations")

#: RFC 5546 §1.4: what asks or informs, and what calls off. Others are for who organises.
_ASKING: Final = frozenset({"", "PUBLISH", "REQUEST", "ADD"})
_CANCEL: Final = "CANCEL"
_MAX_PARTS: Final = 5
_MAX_PART: Final = 1024 * 1024
_MAX_EVENTS: Final = 20


class Invitations:
    """What works off the queue ``invitations``; give :meth:`take` to a :class:`Chores`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def worker(self, owner: str) -> Chores:
        return Chores(self._store, tasks.INVITATIONS, self.take, owner=owner)

    async def take(self, task: Task) -> None:
        """Read the calendar parts of one message to the end of its task. Raises what :class:`Chores` judges:
        ``invitation.message`` (the message is gone)."""
        count = await self._store.in_thread(self._take, task)
        log.info("invitations_taken", trace_id=task.trace_id, task=task.task_id, changed=count)

    def _take(self, task: Task) -> int:
        job = decode_invitation(task.payload)
        found, cancel, note = self._read(task.box_id, job)
        faults.point("invitations.read")
        count = agenda.receive(
            self._store,
            task_id=task.task_id,
            box_id=task.box_id,
            message_id=job.message_id,
            trace_id=job.trace_id,
            sender=self._store.read(_sender, job.sender),
            received_at=job.received_at,
            found=found,
            cancel=cancel,
            note=note,
        )
        faults.point("invitations.kept")
        return count

    def _read(self, box_id: int, job: InvitationJob) -> tuple[list[agenda.Found], bool, str]:
        """What the parts of the message say; whether it calls off; what an administrator is told."""

        def load(conn: Connection) -> tuple[mail.StoredMessage | None, patients.Profile | None]:
            message = self._store.messages(conn, box_id, [job.message_id]).get(job.message_id)
            return message, patients.profile(conn, job.ins)

        message, owner = self._store.read(load)
        if message is None:
            raise NotFoundError("invitation.message", "the message is no longer in the mailbox")
        if owner is None or owner.box_id != box_id:
            return [], False, "the box is not the patient's any more"
        index: MessageIndex = decode_meta(message.meta).index
        body = self._store.open_body(message)
        notes: list[str] = []
        for part in calendars(index.root)[:_MAX_PARTS]:
            # The alternatives of one message say the same: the first that can be read is taken.
            try:
                parsed = agenda.read_calendar(_content(part, body))
            except agenda.AgendaError as error:
                notes.append(error.rule)
                continue
            method = parsed.method or part.params.get("method", "").upper()
            if method not in _ASKING and method != _CANCEL:
                notes.append(f"method {method[:20]}" if method.isalpha() else "method")
                continue
            if parsed.bad:
                notes.append(f"{len(parsed.bad)} components left out")
            if parsed.found:
                return parsed.found[:_MAX_EVENTS], method == _CANCEL, "; ".join(notes)
        return [], False, "; ".join(notes) or "nothing to propose"


def _content(part: Part, body: BodyReader) -> bytes:
    """The decoded octets of a part, in UTF-8 where it says another charset that is known."""
    data = bytearray()
    for chunk in decode_stream(body.chunks(part.body_start, part.size), part.encoding):
        data += chunk
        if len(data) > _MAX_PART:
            raise agenda.AgendaError("agenda.file", "a part of more than 1 MiB")
    charset = part.params.get("charset", "utf-8").casefold()
    codec = codec_of(charset)
    if charset in ("utf-8", "us-ascii") or codec is None:
        return bytes(data)
    try:
        return codec.decode(bytes(data))[0].encode()
    except ValueError:  # not what it says; or lone surrogates, which UTF-7 can give
        return bytes(data)


def _sender(conn: Connection, address: str) -> Actor:
    """The professional, or the structure, whose mailbox it is; what the directory knows of it."""
    listed = [box for box in annuaire.mailbox(conn, address) if box.active]
    person = next((box for box in listed if box.id_nat), None)
    main = person or next(iter(listed), None)
    if main is None:
        return Actor(by="professional", ident=address, name=address, address=address)
    return Actor(
        by="professional" if person is not None else "structure",
        ident=main.id_nat or main.struct_id or address,
        name=main.name,
        profession=main.profession,
        structure=main.struct_id,
        address=address,
    )
