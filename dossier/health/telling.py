"""What the journal shows of items: their names to who may read them, nothing of what is hidden from him."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select

import activity
from activity import Actor, Title
from dossier.health.items import (
    Allergy,
    Contact,
    FamilyHistory,
    Illness,
    Item,
    NoneKnown,
    Treatment,
    Vaccination,
)
from dossier.health.reading import opened, readable, sees_hidden
from dossier.health.tables import health_item
from store import Store


@activity.keeps("item")
def hidden_items(conn: Connection, store: Store, box_id: int, actor: Actor) -> Collection[str]:
    """Items hidden from legal representatives, for who does not see them."""
    if actor.by not in ("patient", "representative") or sees_hidden(conn, box_id, actor):
        return ()
    last = select(health_item).where(health_item.c.box_id == box_id, health_item.c.state != "replaced")
    rows = list(conn.execute(last))
    if not rows:
        return ()
    sealer = store.sealer(box_id)
    return {str(row.item_id) for row in rows if opened(row, sealer).hidden}


@activity.names("item")
def item_titles(
    conn: Connection, store: Store, box_id: int, actor: Actor, wanted: set[str]
) -> Mapping[str, Title]:
    """What some items are called, for ``actor``: "" where he may not read their section."""
    ids = [int(one) for one in wanted if one.isdigit()]
    rows = list(
        conn.execute(
            select(health_item).where(
                health_item.c.box_id == box_id,
                health_item.c.state != "replaced",
                health_item.c.item_id.in_(ids),
            )
        )
    )
    if not rows:
        return {}
    sections = readable(conn, box_id, actor)
    hidden_too = sees_hidden(conn, box_id, actor)
    sealer = store.sealer(box_id)
    found = {}
    for row in rows:
        gone = row.state == "removed"
        one = opened(row, sealer) if row.section in sections else None
        text = name_of(one.item) if one is not None and (hidden_too or not one.hidden) else ""
        found[str(row.item_id)] = Title(text=text, gone=gone)
    return found


def name_of(item: Item) -> str:
    """What an item is called; "" for one that has no name of its own."""
    if isinstance(item, Illness | Treatment):
        return item.label
    if isinstance(item, Allergy):
        return item.substance
    if isinstance(item, Vaccination):
        return item.vaccine
    if isinstance(item, FamilyHistory):
        return item.illness
    if isinstance(item, Contact):
        return item.name
    return "" if isinstance(item, NoneKnown) else item.text
