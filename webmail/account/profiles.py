"""The spaces of children: whom one represents, going there and back, activating a child's profile."""

from __future__ import annotations

import hmac
from typing import Final

import msgspec
from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

import patients
from patients import Profile, State, signin
from store import now_ms
from webmail import cookies
from webmail.account.proof import fresh, proven
from webmail.guards import get, post
from webmail.languages import N_
from webmail.turn import Missing, Refused, Turn
from webmail.visit import Visit

_BACK: Final = "/profils"
_YEAR_MS: Final = 365 * 86_400_000
CAPACITIES: Final = {"parent": N_("Vous êtes son parent"), "guardian": N_("Vous êtes son tuteur")}
STATES: Final[dict[State, tuple[str, str]]] = {
    "known": (N_("Pas encore activé"), "warn"),
    "notified": (N_("Pas encore activé"), "warn"),
    "opened": (N_("Ouvert, pas encore activé"), "warn"),
    "activated": (N_("Activé"), "ok"),
    "opposed": (N_("Refusé"), ""),
    "closed": (N_("Fermé"), ""),
    "suspended": (N_("Suspendu"), "bad"),
    "deleted": (N_("Détruit"), ""),
}
#: Why somebody may not act in a profile, by the rule that says so.
WHY: Final = {
    "guardian.ended": N_("Vous ne représentez plus cette personne."),
    "guardian.emancipated": N_("Émancipé par un juge, il décide seul : vous n'avez plus accès à son espace."),
    "guardian.of_age": N_("Il a 18 ans : son espace est à lui seul, et vous n'y avez plus accès."),
    "guardian.child_closed": N_("Son profil est fermé."),
    "guardian.child_suspended": N_("Son profil est suspendu. Appelez l'assistance."),
    "guardian.not_active": N_("Votre propre profil n'est pas activé."),
    "guardian.minor": N_("Vous pourrez agir pour lui quand vous serez majeur."),
}


class Child(msgspec.Struct, frozen=True):
    """Whom somebody represents, or did. ``tag`` names him in forms; ``box_id`` is 0 where nobody enters."""

    profile: Profile
    tag: str
    age: int
    capacity: str
    until: int
    box_id: int
    why: str

    @property
    def fresh(self) -> bool:
        """Whether a representative may activate the profile from his own session."""
        return not self.why and self.profile.state in signin.FRESH


def children_of(conn: Connection, visit: Visit) -> list[Child]:
    """Whom who signed in represents, youngest first; then whom he did not long ago, with the reason."""
    now = now_ms()
    open_to = {one.ins: one.box_id or 0 for one in visit.minors}
    links = {one.ins: one for one in patients.minors_of(conn, visit.ins)}
    gone = patients.former_minors(conn, visit.ins, now - _YEAR_MS)
    found = []
    for ins in [*links, *(one for one in gone if one not in links)]:
        child, link = patients.profile(conn, ins), links.get(ins)
        if child is None or child.state == "deleted":
            continue
        check = patients.may_act_for(conn, visit.ins, ins)
        found.append(
            Child(
                child,
                tag_of(visit, ins),
                patients.calendar.age(child.birth_date, now),
                link.capacity if link else "",
                link.until if link else 0,
                open_to.get(ins, 0),
                "" if check.ok else WHY[check.rule],
            )
        )
    return sorted(found, key=lambda one: (one.until == 0, one.age, one.profile.name))


def tag_of(visit: Visit, ins: str) -> str:
    """How a form names somebody, in this session only: no matricule stands in a page's source."""
    return hmac.digest(visit.token.encode(), f"profil {ins}".encode(), "sha256").hex()[:24]


async def profiles(turn: Turn) -> Response:
    """``/profils``"""
    return await _list(turn)


async def _list(turn: Turn, status: int = 200, error: str = "", on: str = "") -> Response:
    return turn.page(
        "account/profiles.html",
        status,
        children=await turn.read(children_of, turn.visit),
        capacities=CAPACITIES,
        states=STATES,
        error=error,
        on=on,
        fresh=fresh(turn),
    )


async def enter(turn: Turn) -> Response:
    """Go to a child's space (``boite`` is its box), or back to one's own (empty)."""
    wanted, visit = turn.text("boite"), turn.visit
    answer = turn.go("/")
    if not wanted or wanted == str(visit.person.box_id):
        cookies.drop(answer, cookies.PROFILE)
    elif any(str(one.box_id) == wanted for one in visit.minors):
        cookies.put(answer, cookies.PROFILE, wanted)
    else:
        raise Missing
    return answer


async def activate(turn: Turn) -> Response:
    """Activate a child's profile from the session of who represents him."""
    visit, tag = turn.visit, turn.text("profil")
    children = await turn.read(children_of, visit)
    child = next((one for one in children if hmac.compare_digest(one.tag.encode(), tag.encode())), None)
    if child is None or not child.fresh:
        raise Missing
    if turn.text("conditions") != "oui":
        said = turn.say("Pour activer, il faut accepter les conditions d'utilisation.")
        return await _list(turn, 422, said, tag)
    answer = await turn.kit.desk.activate_minor(visit.session, child.profile.ins, turn.text("version"))
    if answer.outcome == "wrong":
        said = turn.say("Les conditions viennent de changer. Lisez la nouvelle version avant d'accepter.")
        return await _list(turn, 422, said, tag)
    if answer.outcome != "ok":
        raise Refused(N_("Ce profil ne peut pas être activé d'ici. Appelez l'assistance."), 422)
    return turn.go(_BACK, N_("Le profil est activé : vous pouvez entrer dans son espace."))


ROUTES: Final[list[BaseRoute]] = [
    get(_BACK, profiles),
    post("/profil", enter, writes=False),
    post("/profils/activer", proven(_BACK)(activate)),
]
