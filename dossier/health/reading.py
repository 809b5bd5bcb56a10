"""The medical profile as one reader sees it: only the parts he may read, nothing that is hidden from him."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, and_, func, select

import activity
import patients
from activity import Actor
from dossier import rights
from dossier.health.dates import PartialDate
from dossier.health.errors import HealthError
from dossier.health.items import (
    SECTIONS,
    FamilyHistory,
    NoneKnown,
    Section,
    Vaccination,
    Wish,
)
from dossier.health.model import Filled, HealthProfile, Kept, ProfileItem
from dossier.health.tables import health_item
from dossier.rights import Action
from dossier.rights.decisions import Question, note_allowed
from store import Sealer, Store

_decoder: Final = msgspec.msgpack.Decoder(Kept)
#: What reading a section is called in the matrix of rights.
_READING: Final[dict[Section, Action]] = {
    "vaccination": "read_vaccinations",
    "contact": "read_wishes",
    "wish": "read_wishes",
}
_OVER: Final = {"current": 0, "ended": 1, "removed": 2, "replaced": 3}


def place(item_id: int, version: int) -> str:
    """The place of a sealed version within its box."""
    return f"health:{item_id}:{version}"


def readable(conn: Connection, box_id: int, actor: Actor) -> list[Section]:
    """The sections that ``actor`` may read, in order; an operator none."""
    asker, record = rights.facts_of(conn, box_id, actor)
    return [
        one for one in SECTIONS if rights.decide(_READING.get(one, "read_profile"), asker, record).allowed
    ]


def items(
    conn: Connection, store: Store, box_id: int, actor: Actor, *, removed: bool = False
) -> list[ProfileItem]:
    """The items that ``actor`` may read, without a trace: for who reads for somebody else, use
    :func:`read_profile`.

    In the order of sections; within one, what stands before what is over, then by date. ``removed`` adds
    what was taken out. Used as ``store.read(items, store, box_id, actor)``.
    """
    sections = readable(conn, box_id, actor)
    return _visible(conn, store, box_id, actor, sections, removed=removed) if sections else []


def _visible(
    conn: Connection, store: Store, box_id: int, actor: Actor, sections: list[Section], *, removed: bool
) -> list[ProfileItem]:
    states = ["current", "ended", *(["removed"] if removed else [])]
    query = select(health_item).where(
        health_item.c.box_id == box_id,
        health_item.c.state.in_(states),
        health_item.c.section.in_(sections),
    )
    sealer = store.sealer(box_id)
    hidden_too = sees_hidden(conn, box_id, actor)
    found = [opened(row, sealer) for row in conn.execute(query)]
    return sorted((one for one in found if hidden_too or not one.hidden), key=_order)


def sees_hidden(conn: Connection, box_id: int, actor: Actor) -> bool:
    """Whether ``actor`` sees what is hidden from legal representatives: professionals, and the patient once
    he decides alone (who signs in as a minor may be the parent who set up the sign-in)."""
    if actor.by in ("patient", "representative"):
        return patients.reader(conn, actor.ident, box_id).viewer == "self"
    if actor.by == "operator":  # what he exports is handed to whoever asks for a minor
        owner = patients.profile_by_box(conn, box_id)
        return owner is not None and not patients.is_minor(conn, owner.ins)
    return True


def hidden_from(conn: Connection, store: Store, box_id: int, actor: Actor) -> frozenset[int]:
    """Items (by id, removed ones too) that are hidden from ``actor``: what tells of them is left out."""
    if sees_hidden(conn, box_id, actor):
        return frozenset()
    last = and_(health_item.c.box_id == box_id, health_item.c.state != "replaced")
    sealer = store.sealer(box_id)
    found = [opened(row, sealer) for row in conn.execute(select(health_item).where(last))]
    return frozenset(one.item_id for one in found if one.hidden)


def item_of(conn: Connection, store: Store, box_id: int, actor: Actor, item_id: int) -> ProfileItem:
    """The last version of an item, whatever its state. Raises :class:`HealthError` ``health.unknown``: there
    is none for this reader."""
    return versions(conn, store, box_id, actor, item_id)[-1]


def versions(conn: Connection, store: Store, box_id: int, actor: Actor, item_id: int) -> list[ProfileItem]:
    """Every version of an item, oldest first, without a trace. Raises as :func:`item_of`."""
    query = select(health_item).where(and_(health_item.c.box_id == box_id, health_item.c.item_id == item_id))
    rows = list(conn.execute(query.order_by(health_item.c.version)))
    if rows and rows[0].section in readable(conn, box_id, actor):
        sealer = store.sealer(box_id)
        found = [opened(row, sealer) for row in rows]
        if not found[-1].hidden or sees_hidden(conn, box_id, actor):
            return found
    raise HealthError("health.unknown", "there is no such item", "Cet élément n'existe pas.")


def read_profile(
    store: Store, box_id: int, actor: Actor, *, at_least: Action = "read_profile"
) -> HealthProfile:
    """The profile for ``actor``; who reads another's is written to the journal (``profile_read``) first.

    Blocking. ``at_least`` is the right without which nothing is given: ``read_vaccinations`` for the carnet
    alone, ``read_wishes`` for entourage and wishes. Raises :class:`RightsError` when he has it not.
    """
    rights.require(store, box_id, actor, at_least, what="profile_read")
    asker, _ = store.read(rights.facts_of, box_id, actor)
    if asker.by != "patient":
        sections = store.read(readable, box_id, actor)
        entry = activity.entry(store, box_id, actor, "profile_read", more={"sections": " ".join(sections)})
        asked = Question(box_id=box_id, actor=actor, action=at_least)
        note_allowed(store, asked, entry)
    return store.read(profile_for, store, box_id, actor)


def profile_for(conn: Connection, store: Store, box_id: int, actor: Actor) -> HealthProfile:
    """The profile for ``actor``, without a trace: what was decided, listed, and what of it is not filled."""
    sections = readable(conn, box_id, actor)
    found = _visible(conn, store, box_id, actor, sections, removed=False) if sections else []
    return HealthProfile(filled=filled(found, sections), items=found)


def whole_profile(conn: Connection, store: Store, box_id: int, actor: Actor) -> HealthProfile:
    """All sections, for who exports them at the patient's request and has decided that; what is hidden from
    legal representatives is left out for a minor."""
    found = _visible(conn, store, box_id, actor, list(SECTIONS), removed=False)
    return HealthProfile(filled=filled(found, list(SECTIONS)), items=found)


def filled(found: list[ProfileItem], sections: list[Section]) -> dict[Section, Filled]:
    """What is known of each section: an item listed says more than the statement that there is none."""
    known: dict[Section, Filled] = dict.fromkeys(sections, "not_filled")
    for one in found:
        if isinstance(one.item, NoneKnown):
            if one.state == "current" and known.get(one.section) == "not_filled":
                known[one.section] = "none_known"
        else:
            known[one.section] = "listed"
    return known


def opened(row: Row[Any], sealer: Sealer) -> ProfileItem:
    """A row, opened."""
    kept = _decoder.decode(sealer.open(row.sealed, place(row.item_id, row.version)))
    return ProfileItem(
        box_id=row.box_id,
        item_id=row.item_id,
        version=row.version,
        section=row.section,
        state=row.state,
        added_at=row.added_at,
        at=row.at,
        item=kept.item,
        added_by=kept.added_by,
        by=kept.by,
        hidden=kept.hidden,
        reason=kept.reason,
    )


def counts(conn: Connection, box_id: int) -> dict[tuple[Section, str], int]:
    """How many items are in each section and state: what support sees, nothing of what they say."""
    query = (
        select(health_item.c.section, health_item.c.state, func.count())
        .where(health_item.c.box_id == box_id, health_item.c.state != "replaced")
        .group_by(health_item.c.section, health_item.c.state)
    )
    return {(section, state): number for section, state, number in conn.execute(query)}


def moment_of(item: ProfileItem) -> PartialDate | None:
    """The date by which an item stands among others: of the beginning, of the vaccination."""
    told = item.item
    if isinstance(told, Vaccination):
        return told.date
    return getattr(told, "begin", None)


def _order(one: ProfileItem) -> tuple[int, int, tuple[int, int, int], str, int]:
    when = moment_of(one)
    day = (when.year, when.month, when.day) if when is not None else (9999, 0, 0)
    kind = ""
    if isinstance(one.item, FamilyHistory):
        kind = one.item.relation
    elif isinstance(one.item, Wish):
        kind = one.item.subject
    over = max(_OVER[one.state], int(getattr(one.item, "end", None) is not None))
    return SECTIONS.index(one.section), over, day, kind, one.item_id
