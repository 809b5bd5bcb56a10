"""Reminders of agendas as e-mail: that there is one, to whom it is due; never of what.

Two steps, each durable: every minute what is due is taken (marks move and tasks are left in one transaction),
then each task is one mail. A stop loses none; after a long one a person gets one mail, and none for what has
begun already. Only a death between the relay's answer and its being written down can repeat a mail.
"""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import Connection

import agenda
import patients
from gateway.chores import Chores
from gateway.settings import Settings
from gateway.signin import code_sender
from store import Store, faults, now_ms, tasks
from store.tasks import Task, finish

log = structlog.get_logger("reminding")

LOOK_S: Final = 60.0
_SUBJECT: Final = "Rappel de votre agenda / A reminder of your agenda"
_OWN: Final = (
    "Bonjour, vous avez un rappel dans votre agenda de Mon espace santé. Connectez-vous pour le lire.",
    "Hello, you have a reminder in your agenda of Mon espace santé. Sign in to read it.",
)
_OTHER: Final = (
    "Bonjour, il y a un rappel dans l'agenda d'une personne que vous représentez. "
    "Connectez-vous pour le lire.",
    "Hello, there is a reminder in the agenda of somebody you represent. Sign in to read it.",
)
#: A mail that could not leave for so long is of no use any more.
_STALE_MS: Final = 6 * 3_600_000
_TURNS: Final = 50


class Reminding:
    """Takes what is due, and works off the queue ``reminders``; not ``enabled`` without a sender of mail."""

    def __init__(
        self, store: Store, settings: Settings, sender: patients.sender.CodeSender | None = None
    ) -> None:
        self._store = store
        self.enabled = settings.signin.sender != "none" or sender is not None
        self._sender = sender or code_sender(store.home, settings, subject=_SUBJECT, folder="reminders")

    def worker(self, owner: str) -> Chores:
        return Chores(self._store, tasks.REMINDERS, self.send, owner=owner)

    async def look(self) -> None:
        """Take what is due now, at most some thousands at a time."""
        for _ in range(_TURNS):
            moved = await self._store.in_thread(agenda.take_due, self._store, now_ms())
            if not moved:
                return
            log.info("reminders_taken", appointments=moved)

    async def send(self, task: Task) -> None:
        """Send one mail to the end of its task. Raises :class:`SenderError` when nobody took it."""
        job = agenda.decode_reminder(task.payload)
        to, own = await self._store.aread(self._address, job)
        note = "sent"
        if not self.enabled:
            note = "no sender"
        elif not to:
            note = "no proven address"
        elif now_ms() - job.at > _STALE_MS:
            note = "too late"
        else:
            french, english = _OWN if own else _OTHER
            await self._sender.send("email", to, french, english)
            faults.point("reminders.sent")
        await self._store.awrite(finish, task_id=task.task_id, state="done", note=note)
        log.info("reminder_ended", task=task.task_id, outcome=note)

    def _address(self, conn: Connection, job: agenda.ReminderJob) -> tuple[str, bool]:
        """The proven address of who is told, "" where there is none or he lost his right; whether it is the
        patient himself."""
        owner = patients.profile_by_box(conn, job.box_id)
        if owner is None or not patients.may_act_for(conn, job.ins, owner.ins).ok:
            return "", False
        address = patients.signin.proven_email(conn, self._store.home, job.ins, now_ms())
        return address, owner.ins == job.ins
