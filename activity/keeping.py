"""What each room adds when the journal is read: what is kept from the reader, and what things are called.

Titles are never copied into the journal: they are looked up at reading, by the rights of who reads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

import msgspec
from sqlalchemy import Connection, select

import patients
from activity.model import Actor, Kind
from activity.tables import activity
from store import Store

#: Kind → ids whose entries are left out.
Kept = Mapping[Kind, Collection[str]]
#: Gives the ids of one kind that an actor is not to learn of in a box.
Keeper = Callable[[Connection, Store, int, Actor], Collection[str]]
_keepers: Final[list[tuple[Kind, Keeper]]] = []


class Title(msgspec.Struct, frozen=True):
    """What something is called, "" where this reader is not told; ``gone``: it was deleted since."""

    text: str = ""
    gone: bool = False


#: Gives titles of some ids of one kind, for an actor.
Namer = Callable[[Connection, Store, int, Actor, set[str]], Mapping[str, Title]]
_namers: Final[list[tuple[Kind, Namer]]] = []


def keeps(kind: Kind) -> Callable[[Keeper], Keeper]:
    """Register what a room keeps from whom (a decorator)."""

    def register(function: Keeper) -> Keeper:
        _keepers.append((kind, function))
        return function

    return register


def names(kind: Kind) -> Callable[[Namer], Namer]:
    """Register how a room calls its things (a decorator)."""

    def register(function: Namer) -> Namer:
        _namers.append((kind, function))
        return function

    return register


def kept(conn: Connection, store: Store, box_id: int, actor: Actor) -> Kept:
    """What of the journal of a box is kept from ``actor``. Raises :class:`StoreError`: the key is gone."""
    found: dict[Kind, set[str]] = {}
    for kind, keeper in _keepers:
        found.setdefault(kind, set()).update(keeper(conn, store, box_id, actor))
    return {kind: ids for kind, ids in found.items() if ids}


def titles(
    conn: Connection, store: Store, box_id: int, actor: Actor, wanted: Mapping[Kind, set[str]]
) -> dict[tuple[Kind, str], Title]:
    """What the ``wanted`` ids are called for ``actor``; those that nobody names are left out."""
    found: dict[tuple[Kind, str], Title] = {}
    for kind, namer in _namers:
        if wanted.get(kind):
            named = namer(conn, store, box_id, actor, wanted[kind])
            found |= {(kind, one): title for one, title in named.items()}
    return found


@keeps("message")
def hidden_messages(conn: Connection, store: Store, box_id: int, actor: Actor) -> Collection[str]:
    """Messages hidden from legal representatives, for everybody on the patient's side but himself."""
    if actor.by not in ("patient", "representative"):
        return ()
    if patients.reader(conn, actor.ident, box_id).viewer == "self":
        return ()
    told = select(activity.c.subject).where(activity.c.box_id == box_id, activity.c.kind == "message")
    ids = {int(one) for one in conn.execute(told.distinct()).scalars() if one.isdigit()}
    return {str(one) for one in patients.hidden_messages(conn, box_id, ids)} if ids else ()
