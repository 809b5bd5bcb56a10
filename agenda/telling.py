"""What of the agenda is kept from who reads the history: what is hidden from legal representatives."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

import activity
import patients
from activity import Actor
from agenda.invitations import hidden_invitations
from agenda.tables import appointment
from store import Store


@activity.keeps("appointment")
def hidden_appointments(conn: Connection, store: Store, box_id: int, actor: Actor) -> Collection[str]:
    """Appointments that an actor is not to learn of; removed ones stay hidden."""
    if not _as_representative(conn, box_id, actor):
        return ()
    query = select(appointment.c.appointment_id).where(
        appointment.c.box_id == box_id, appointment.c.current, appointment.c.hidden
    )
    return {str(one) for one in conn.execute(query).scalars()}


@activity.keeps("proposal")
def hidden_proposals(conn: Connection, store: Store, box_id: int, actor: Actor) -> Collection[str]:
    """Invitations that an actor is not to learn of."""
    if not _as_representative(conn, box_id, actor):
        return ()
    return {str(one) for one in hidden_invitations(conn, store, box_id)}


def _as_representative(conn: Connection, box_id: int, actor: Actor) -> bool:
    """Whether he is shown no more than a legal representative; a minor who signs in is not either, nor is
    support, which reads a minor's history for whoever asks."""
    if actor.by == "operator":
        owner = patients.profile_by_box(conn, box_id)
        return owner is None or patients.is_minor(conn, owner.ins)
    if actor.by not in ("patient", "representative"):
        return False
    return patients.reader(conn, actor.ident, box_id).viewer != "self"
