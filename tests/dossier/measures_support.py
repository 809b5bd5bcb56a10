"""A patient with a record, those around him, and short ways to note measures."""

from __future__ import annotations

from typing import Any

import activity
import gateway.rooms
import patients
from activity import Actor
from dossier import measures
from dossier.measures import Kind, Measure
from store import Store
from tests.patients.patients_support import DOMAIN, add, ins_of

assert gateway.rooms.__all__  # every operation and table
DOCTOR = Actor(by="professional", ident="810000000001", name="Anne EXEMPLE", profession="10")
OPERATOR = Actor(by="operator", ident="cli:support", reason="asked by letter of 3 March")


def patient(store: Store, number: int = 0) -> tuple[int, Actor]:
    """The box of a patient whose record is open, and himself; born on 1 May 1988."""
    add(store, 1, number)
    patients.activate(store, ins_of(number), DOMAIN, actor="test")
    found = store.read(patients.profile, ins_of(number))
    assert found is not None and found.box_id is not None
    return found.box_id, store.read(activity.person, found.box_id, found.ins)


def note(
    store: Store, box: int, actor: Actor, kind: Kind, text: str, when: str = "2025-03-01 08:00", **more: Any
) -> Measure:
    """A measure as its patient types it."""
    return measures.add(store, box, actor, measures.parse(kind, text), measures.moments.parse(when), **more)


def journal(store: Store, box: int) -> list[tuple[str, str, str]]:
    """(what, by, rule) of each entry, oldest first."""
    found = store.read(activity.entries, store, box)
    return [(one.what, one.by, one.rule) for one in reversed(found)]
