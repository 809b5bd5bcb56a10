"""Who is there, and whose space is shown."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from sqlalchemy import Connection

import activity
import patients
from patients import Profile
from patients.signin import Session
from store import Store


@dataclass(frozen=True)
class Visit:
    """A signed-in person in a space: his own, or that of somebody he represents.

    ``profile`` is of whose space it is (its ``box_id`` and ``address`` are there as ``box_id``, ``address``),
    ``person`` of who signed in; ``actor`` tells the rooms who acts. ``minors`` are whom he represents.
    In a guest's visit ``store`` is that of the sample data, and nothing is written.
    """

    session: Session
    token: str = field(repr=False)
    store: Store = field(repr=False)
    person: Profile
    profile: Profile
    actor: activity.Actor
    minors: tuple[Profile, ...] = ()
    guest: bool = False

    @property
    def ins(self) -> str:
        """Of who signed in."""
        return self.person.ins

    @property
    def own(self) -> bool:
        """Whether he is in his own space."""
        return self.person.ins == self.profile.ins

    @property
    def box_id(self) -> int:
        assert self.profile.box_id is not None
        return self.profile.box_id

    @property
    def address(self) -> str:
        return self.profile.address

    @property
    def colour(self) -> int:
        """Of the space: 0 for his own, 1 to 3 for those of whom he represents, in their order."""
        return 0 if self.own else 1 + [one.ins for one in self.minors].index(self.profile.ins) % 3

    @property
    def initials(self) -> str:
        """Of whose space it is, for his round mark: ``AD`` of ``Alice DUPONT``."""
        words = [one for one in self.profile.name.split() if one[:1].isalpha()]
        return "".join(one[0] for one in words[:2]).upper()

    @property
    def form_key(self) -> str:
        """What forms carry: bound to the session and to the space, so that one made in a child's space is
        refused after another tab went elsewhere."""
        return form_key(self.token, f"{self.box_id}")


def form_key(secret: str, place: str) -> str:
    """The token of forms (synchroniser token made from a secret of the session, nothing is kept)."""
    return hmac.digest(secret.encode(), f"formulaire {place}".encode(), "sha256").hex()[:40]


def may_hide(conn: Connection, visit: Visit) -> bool:
    """Whether keeping something from legal representatives means anything here: a minor in his own space."""
    return visit.own and patients.is_minor(conn, visit.profile.ins)


def look(
    conn: Connection, store: Store, session: Session, token: str, wanted: str, guest: bool
) -> Visit | None:
    """The visit of a session; ``wanted`` is the box id that the browser names, whatever it is worth."""
    person = patients.profile(conn, session.ins)
    if person is None:
        return None
    # A representative who is a minor himself is attached already, and acts from his own majority on.
    acting = [
        one.ins
        for one in patients.minors_of(conn, session.ins)
        if patients.may_act_for(conn, session.ins, one.ins).ok
    ]
    found = (patients.profile(conn, ins) for ins in acting)
    minors = tuple(one for one in found if one is not None and one.state == "activated" and one.box_id)
    shown = next((one for one in minors if str(one.box_id) == wanted), person)
    if shown.box_id is None:
        return None
    actor = activity.person(conn, shown.box_id, session.ins)
    return Visit(session, token, store, person, shown, actor, minors, guest)
