"""Changing the medical profile: every change is a new version, nothing is lost.

Invariants: the decision on rights is taken again inside the transaction, against what may have changed
meanwhile; the journal's entry is in the same transaction; who corrects names the version he saw.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import msgspec
from sqlalchemy import and_, delete, func, insert, select, update

import activity
import patients
from activity import Actor, What
from dossier import rights
from dossier.health.checks import checked, clean_text
from dossier.health.dates import PartialDate
from dossier.health.errors import HealthError
from dossier.health.items import Illness, Item, NoneKnown, Section, Treatment, Vaccination, section_of
from dossier.health.model import Kept, ProfileItem, State, author
from dossier.health.reading import item_of, items, place
from dossier.health.tables import health_item
from dossier.rights import Action
from patients import calendar
from store import Store, Tx, new_id, now_ms, operation

#: So many items of all sections, ended ones included: nobody reads more, and nobody fills a disk.
MOST_ITEMS: Final = 1_000
_WHAT: Final[dict[State, What]] = {
    "current": "profile_item_changed",
    "ended": "profile_item_changed",
    "removed": "profile_item_removed",
}


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One version ready to be written; ``version`` 1 is a new item."""

    item_id: int
    version: int
    section: Section
    state: State
    sealed: bytes


# -- what may be asked for ------------------------------------------------------------------------


def put(
    store: Store,
    box_id: int,
    actor: Actor,
    item: Item,
    *,
    item_id: int | None = None,
    version: int | None = None,
    hidden: bool = False,
    now: int | None = None,
) -> int:
    """Add an item, or correct the item ``item_id``; returns its id. Blocking.

    A first item of a section takes the statement "I have none" away. A vaccination that a professional adds
    without saying who gave it is given by him.

    :param version: the version that was corrected; when another came meanwhile nothing is changed.
    :param hidden: from legal representatives, for a new item; :func:`hide` and :func:`show` for others.

    Raises :class:`HealthError` (the item cannot be, or is not his to correct), :class:`RightsError`.
    """
    what: What = "profile_item_added" if item_id is None else "profile_item_changed"
    action = _action(actor, item, new=item_id is None)
    rights.require(store, box_id, actor, action, what=what)
    clean = _given(checked(item, born=_born(store, box_id), today=_today(now)), actor)
    if item_id is not None:
        before = _changeable(store, box_id, actor, item_id, version, what)
        if section_of(clean) != before.section or isinstance(clean, NoneKnown) != isinstance(
            before.item, NoneKnown
        ):
            raise HealthError(
                "health.value", "an item does not change its kind", "Un élément ne change pas de rubrique."
            )
        _write(store, box_id, actor, action, [_next(before, actor, item=clean, state="current")])
        return item_id
    if hidden and actor.by not in ("patient", "professional"):
        raise _hidden_error()
    standing = store.read(items, store, box_id, actor) if actor.by != "operator" else []
    standing = [one for one in standing if one.section == section_of(clean) and one.state == "current"]
    if isinstance(clean, NoneKnown) and standing:
        raise HealthError(
            "health.listed",
            "there are items in this section, or this was said already",
            "Cette rubrique contient déjà des éléments ou cette réponse.",
        )
    made = ProfileItem(
        box_id=box_id, item_id=new_id(), version=0, section=section_of(clean), state="current", added_at=0,
        at=0, item=clean, added_by=author(actor), by=author(actor), hidden=hidden,
    )  # fmt: skip
    changes = [_next(made, actor)]
    if not isinstance(clean, NoneKnown) and _writes_all(actor):
        answers = [one for one in standing if isinstance(one.item, NoneKnown)]
        changes += [_next(one, actor, state="removed") for one in answers]
    _write(store, box_id, actor, action, changes)
    return made.item_id


def end(
    store: Store,
    box_id: int,
    actor: Actor,
    item_id: int,
    *,
    on: PartialDate | None = None,
    version: int | None = None,
    now: int | None = None,
) -> None:
    """An item holds no more, since ``on``: an illness is healed, a treatment stopped. Blocking.

    Raises as :func:`put`.
    """
    before, action = _asked(store, box_id, actor, item_id, version, "profile_item_changed")
    item = before.item
    if on is not None and isinstance(item, Illness | Treatment):
        item = msgspec.structs.replace(item, end=on)
        item = checked(item, born=_born(store, box_id), today=_today(now))
    _write(store, box_id, actor, action, [_next(before, actor, item=item, state="ended")])


def remove(
    store: Store, box_id: int, actor: Actor, item_id: int, *, reason: str = "", version: int | None = None
) -> None:
    """Take an item out: it is shown no more, and kept with who took it out, when and why. Blocking.

    Raises as :func:`put`.
    """
    before, action = _asked(store, box_id, actor, item_id, version, "profile_item_removed")
    change = _next(before, actor, state="removed", reason=clean_text(reason))
    _write(store, box_id, actor, action, [change])


def hide(store: Store, box_id: int, actor: Actor, item_id: int) -> None:
    """Hide an item from legal representatives: the patient, or the professional who added it. Blocking.

    Raises as :func:`put`, and :class:`HealthError` ``health.hidden``: not his to decide.
    """
    _set_hidden(store, box_id, actor, item_id, hidden=True)


def show(store: Store, box_id: int, actor: Actor, item_id: int) -> None:
    """Show it to them again: the patient once he decides alone, or the professional who added it. Blocking.

    Raises as :func:`hide`.
    """
    _set_hidden(store, box_id, actor, item_id, hidden=False)


def _set_hidden(store: Store, box_id: int, actor: Actor, item_id: int, *, hidden: bool) -> None:
    before, action = _asked(store, box_id, actor, item_id, None, "profile_item_changed")
    if actor.by not in ("patient", "professional"):
        _refused(store, box_id, actor, "profile_item_changed", "health.hidden")
        raise _hidden_error()
    if before.hidden != hidden:  # who sees a hidden item may show it: see sees_hidden
        _write(store, box_id, actor, action, [_next(before, actor, hidden=hidden)])


# -- who may change what --------------------------------------------------------------------------


def _writes_all(actor: Actor) -> bool:
    return actor.by in ("patient", "representative")


def _action(actor: Actor, item: Item, *, new: bool) -> Action:
    if actor.by == "professional" and isinstance(item, Vaccination):
        return "add_vaccination"
    if actor.by == "operator" and new:  # from a file, at the patient's written request
        return "import"
    return "write_profile"


def _asked(
    store: Store, box_id: int, actor: Actor, item_id: int, version: int | None, what: What
) -> tuple[ProfileItem, Action]:
    """The item as it stands, once it is certain that ``actor`` may change it, and by which right."""
    action: Action = "add_vaccination" if actor.by == "professional" else "write_profile"
    rights.require(store, box_id, actor, action, what=what)
    return _changeable(store, box_id, actor, item_id, version, what), action


def _changeable(
    store: Store, box_id: int, actor: Actor, item_id: int, version: int | None, what: What
) -> ProfileItem:
    before = store.read(item_of, store, box_id, actor, item_id)
    if not _writes_all(actor) and before.added_by.ident != actor.ident:
        _refused(store, box_id, actor, what, "health.author", str(item_id))
        raise HealthError(
            "health.author",
            "only the patient, or who added it, changes this item",
            "Seul le patient, ou la personne qui l'a ajouté, peut modifier cet élément.",
        )
    if before.state == "removed" or (version is not None and version != before.version):
        raise _changed_error()
    return before


def _refused(store: Store, box_id: int, actor: Actor, what: What, rule: str, subject: str = "") -> None:
    entry = activity.entry(store, box_id, actor, what, kind="item", subject=subject, rule=rule)
    store.write(activity.record, entry=entry)


def _hidden_error() -> HealthError:
    return HealthError(
        "health.hidden",
        "only the patient, or the professional who added it, decides that",
        "Seul le patient, ou le professionnel qui l'a ajouté, en décide.",
    )


def _changed_error() -> HealthError:
    return HealthError(
        "health.changed",
        "this item was changed meanwhile: look at it again",
        "Cet élément a été modifié entre-temps : relisez-le.",
    )


def _given(item: Item, actor: Actor) -> Item:
    if isinstance(item, Vaccination) and actor.by == "professional" and not (item.giver or item.giver_id):
        return msgspec.structs.replace(item, giver=actor.name, giver_id=actor.ident)
    return item


def _born(store: Store, box_id: int) -> str:
    owner = store.read(patients.profile_by_box, box_id)
    return owner.birth_date if owner is not None else ""


def _today(now: int | None) -> date:
    return calendar.today(now_ms() if now is None else now)


# -- writing --------------------------------------------------------------------------------------


def _next(
    before: ProfileItem,
    actor: Actor,
    *,
    item: Item | None = None,
    state: State | None = None,
    hidden: bool | None = None,
    reason: str = "",
) -> ProfileItem:
    return msgspec.structs.replace(
        before,
        version=before.version + 1,
        item=before.item if item is None else item,
        state=before.state if state is None else state,
        hidden=before.hidden if hidden is None else hidden,
        by=author(actor),
        reason=reason,
    )


def _write(store: Store, box_id: int, actor: Actor, action: Action, wanted: list[ProfileItem]) -> None:
    sealer = store.sealer(box_id)
    changes, entries = [], []
    for one in wanted:
        kept = Kept(item=one.item, added_by=one.added_by, by=one.by, hidden=one.hidden, reason=one.reason)
        changes.append(
            Change(
                item_id=one.item_id,
                version=one.version,
                section=one.section,
                state=one.state,
                sealed=sealer.seal(msgspec.msgpack.encode(kept), place(one.item_id, one.version)),
            )
        )
        what: What = "profile_item_added" if one.version == 1 else _WHAT[one.state]
        # What is hidden from representatives is not told to them by the history.
        more: dict[str, str] = {} if one.hidden else {"section": one.section}
        entries.append(
            activity.entry(store, box_id, actor, what, kind="item", subject=str(one.item_id), more=more)
        )
    store.write(change_items, box_id=box_id, actor=actor, action=action, changes=changes, entries=entries)


@operation("health.change")
def change_items(
    tx: Tx, *, box_id: int, actor: Actor, action: Action, changes: list[Change], entries: list[activity.Entry]
) -> None:
    """Write versions and their entries in the journal, all or none, if ``actor`` still may.

    Raises :class:`HealthError`: ``health.changed``, ``health.full``, ``health.closed`` (a right was lost
    since the decision).
    """
    if not rights.decide(action, *rights.facts_of(tx.conn, box_id, actor)).allowed:
        raise HealthError(
            "health.closed", "this is not allowed any more", "Cette action n'est plus autorisée."
        )
    for one in changes:
        _apply(tx, box_id, one)
    held = select(func.count()).where(
        health_item.c.box_id == box_id, health_item.c.state.in_(("current", "ended"))
    )
    if (tx.conn.scalar(held) or 0) > MOST_ITEMS:
        raise HealthError(
            "health.full",
            f"the profile holds {MOST_ITEMS} items, and no more",
            f"Le profil contient {MOST_ITEMS} éléments, le maximum.",
        )
    for entry in entries:
        activity.note(tx, entry)


def _apply(tx: Tx, box_id: int, change: Change) -> None:
    mine = and_(health_item.c.box_id == box_id, health_item.c.item_id == change.item_id)
    last = tx.conn.execute(
        select(health_item.c.version, health_item.c.added_at, health_item.c.state)
        .where(mine)
        .order_by(health_item.c.version.desc())
        .limit(1)
    ).one_or_none()
    if (0 if last is None else last.version) != change.version - 1:
        raise _changed_error()
    if last is not None:
        if last.state == "removed":
            raise _changed_error()
        tx.conn.execute(
            update(health_item).where(mine, health_item.c.version == last.version).values(state="replaced")
        )
    values = msgspec.structs.asdict(change)
    values |= {"box_id": box_id, "added_at": tx.now if last is None else last.added_at, "at": tx.now}
    tx.conn.execute(insert(health_item).values(**values))


@patients.erases
def forget_profile(tx: Tx, box_id: int) -> None:
    """Drop the profile of a deleted one."""
    tx.conn.execute(delete(health_item).where(health_item.c.box_id == box_id))
