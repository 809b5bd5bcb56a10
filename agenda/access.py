"""Who sees what of an agenda. Whether a professional is let in at all, the caller decided before."""

from __future__ import annotations

from typing import Literal

import msgspec
from sqlalchemy import Connection

import patients
from activity import Actor, By
from agenda.errors import AgendaError
from agenda.model import Appointment

Seer = Literal["self", "representative", "professional", "steward"]


class Who(msgspec.Struct, frozen=True):
    """Who asks, as far as it decides. ``own``: it is the patient's own sign-in, of age or not. A steward is
    an operator who acts at the patient's request, or the gateway for him."""

    seer: Seer
    by: By
    ident: str
    own: bool = False

    def sees(self, one: Appointment) -> bool:
        if self.seer == "representative":
            return not one.hidden
        if self.seer == "professional":
            return one.details.shared or self.wrote(one)
        return True

    def wrote(self, one: Appointment) -> bool:
        return one.by == self.by and one.ident == self.ident

    def changes(self, one: Appointment) -> bool:
        """A professional changes what he added; the patient's side and stewards what they see."""
        return self.wrote(one) if self.seer == "professional" else self.sees(one)

    def hides(self) -> bool:
        """Whether he may keep something from legal representatives: not one of them."""
        return self.seer != "representative" or self.own

    def shows(self) -> bool:
        """Whether he may end that: only the patient once he decides alone, or who wrote it."""
        return self.seer in ("self", "professional")


def who(conn: Connection, box_id: int, by: By, ident: str, *, writes: bool = False) -> Who:
    """What ``ident`` is to the agenda of a box, now.

    Raises :class:`AgendaError`: ``agenda.closed`` (the profile is not open; stewards still read what a
    closed one keeps), ``agenda.refused`` (a stranger).
    """
    owner = patients.profile_by_box(conn, box_id)
    steward = by in ("operator", "gateway")
    if owner is None or owner.state == "deleted":
        raise AgendaError("agenda.closed")
    if owner.state not in patients.RECEIVING and (writes or not steward):
        raise AgendaError("agenda.closed")
    if steward:
        return Who("steward", by, ident)
    if by in ("professional", "structure"):
        return Who("professional", by, ident)
    if by in ("patient", "representative"):
        viewer = patients.reader(conn, ident, box_id).viewer
        if viewer == "self":
            return Who("self", by, ident, own=True)
        if viewer == "representative":
            return Who("representative", by, ident, own=ident == owner.ins)
    raise AgendaError("agenda.refused")


def who_is(conn: Connection, box_id: int, actor: Actor, *, writes: bool = False) -> Who:
    """:func:`who` of an actor."""
    return who(conn, box_id, actor.by, actor.ident, writes=writes)
