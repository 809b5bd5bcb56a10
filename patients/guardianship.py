"""Who may act for a minor and what he may see, as pure functions over plain data.

Nothing here is ever stored: coming of age, the end of a right, the state of a profile count from their moment
on, whatever ran or did not run. Moments are ms since the epoch.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from patients.calendar import today
from patients.states import State

GuardianEventName = Literal["attach", "remove", "emancipate", "hand-over"]
Capacity = Literal["parent", "guardian"]
Viewer = Literal["self", "representative", "stranger"]

#: Nobody has more legal representatives than two parents.
MOST_REPRESENTATIVES: Final = 2
#: Confidentiality codes of a document (`dossier/data/codes.tsv`) that speak of the patient's side.
KEPT_FROM_PATIENT: Final = "INVISIBLE_PATIENT"
KEPT_FROM_REPRESENTATIVES: Final = "INVISIBLE_REPRESENTANTS_LEGAUX"


class GuardianEvent(msgspec.Struct, frozen=True):
    """One event between a person and who represents him; the fields of the table."""

    event_id: int
    at: int
    event: GuardianEventName
    representative: str
    capacity: str
    actor: str
    reason: str
    evidence_seq: int


class Representative(msgspec.Struct, frozen=True):
    """Who represents a minor, as what, since when (ms)."""

    ins: str
    capacity: str
    since: int


class GuardianCheck(msgspec.Struct, frozen=True):
    """Whether somebody may act, the rule that decided, and why in words without names."""

    rule: str
    ok: bool
    text: str


class ActingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What :func:`acting` judges. Moments are ms, None for what never was.

    ``linked_since``: the representation that stands; ``ended_at``: when the last one ended, where none
    stands. ``of_age_at``: the child's majority; ``own_age_at``: the actor's; emancipation is an earlier
    majority in both.
    """

    same: bool = False
    linked_since: int | None = None
    ended_at: int | None = None
    of_age_at: int
    emancipated_at: int | None = None
    own_age_at: int
    child_state: State | None
    actor_state: State | None


class ItemFlags(msgspec.Struct, frozen=True):
    """What is said of a message or document: ``secret``, kept from legal representatives; ``withheld``, from
    the patient's whole side until a consultation."""

    secret: bool = False
    withheld: bool = False


def own_from(of_age_at: int, emancipated_at: int | None) -> int:
    """From when (ms) a person decides alone."""
    return of_age_at if emancipated_at is None else min(of_age_at, emancipated_at)


def standing(events: list[GuardianEvent], at: int) -> dict[str, Representative]:
    """Who was attached and not removed at ``at``, by INS; whether the child is a minor is not looked at.

    ``events`` in their order; what happened after ``at`` is left out.
    """
    held: dict[str, Representative] = {}
    for one in events:
        if one.at > at:
            continue
        if one.event == "attach":
            held[one.representative] = Representative(one.representative, one.capacity, one.at)
        elif one.event == "remove":
            held.pop(one.representative, None)
    return held


def first(events: list[GuardianEvent], name: GuardianEventName, at: int) -> int | None:
    """When (ms) an event first happened, until ``at``."""
    return min((one.at for one in events if one.event == name and one.at <= at), default=None)


def acting(facts: ActingFacts, at: int) -> GuardianCheck:
    """May the actor act in the child's profile at ``at``: read, write, decide? The first answer applies."""
    if facts.same:
        return GuardianCheck("guardian.self", True, "who signed in is the patient")
    own = own_from(facts.of_age_at, facts.emancipated_at)
    if facts.linked_since is None and facts.ended_at is None:
        return GuardianCheck("guardian.none", False, "who signed in does not represent this patient")
    if facts.linked_since is None:
        assert facts.ended_at is not None
        return GuardianCheck("guardian.ended", False, f"represents him no more since {_day(facts.ended_at)}")
    if at >= own:
        if own < facts.of_age_at:
            return GuardianCheck("guardian.emancipated", False, f"is emancipated since {_day(own)}")
        return GuardianCheck("guardian.of_age", False, f"is of age since {_day(own)}")
    if facts.child_state in (None, "closed", "deleted"):
        return GuardianCheck("guardian.child_closed", False, "the profile of the child is closed")
    if facts.child_state == "suspended":
        return GuardianCheck("guardian.child_suspended", False, "the profile of the child is suspended")
    if facts.actor_state != "activated":
        return GuardianCheck(
            "guardian.not_active", False, "the representative's own profile is not activated"
        )
    if at < facts.own_age_at:
        return GuardianCheck("guardian.minor", False, "the representative is a minor himself")
    return GuardianCheck("guardian.acts", True, f"represents the patient since {_day(facts.linked_since)}")


def visible_to(viewer: Viewer, flags: ItemFlags) -> bool:
    """Whether an item of a profile is shown. ``viewer`` is who he is at that moment: see :func:`viewer_of`.

    A secret belongs to the item: whoever represents the patient, now or later, first or second parent, the
    answer is the same. What is withheld from the patient is withheld from who acts for him.
    """
    if viewer == "stranger" or flags.withheld:
        return False
    return viewer == "self" or not flags.secret


def viewer_of(check: GuardianCheck, minor: bool) -> Viewer:
    """What an answer of :func:`acting` makes of who asks. ``minor``: the patient does not decide alone yet.

    Who signs in as a minor may well be the parent who set up the sign-in: he is shown no more than a parent.
    """
    if not check.ok:
        return "stranger"
    return "self" if check.rule == "guardian.self" and not minor else "representative"


def flags_of(confidentiality: list[str], secret: bool = False) -> ItemFlags:
    """The flags of a document, from its confidentiality codes and what was said of it here."""
    return ItemFlags(
        secret=secret or KEPT_FROM_REPRESENTATIVES in confidentiality,
        withheld=KEPT_FROM_PATIENT in confidentiality,
    )


def _day(moment: int) -> str:
    return today(moment).isoformat()
