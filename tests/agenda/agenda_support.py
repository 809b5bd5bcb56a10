"""A family with agendas, a clock, and short ways to ask."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

import activity
import agenda
import patients
from activity import Actor
from agenda import AgendaError, Details
from store import Store
from tests.patients.patients_support import DOMAIN, Clock, person, set_clock

DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
MOTHER_NUMBER, CHILD_NUMBER, STRANGER_NUMBER = 1, 2, 3
MOTHER = person(MOTHER_NUMBER).ins
CHILD = person(CHILD_NUMBER).ins
STRANGER = person(STRANGER_NUMBER).ins
OPERATOR = Actor(by="operator", ident="cli:desk", reason="by telephone")
DOCTOR = Actor(by="professional", ident="810001234567", name="Dr Anne ESSAI", profession="10")


def clocked(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = set_clock(monkeypatch)
    for name in ("rows", "appointments", "feeds", "proposals", "care_plan"):
        # by the module's name: the room exports functions of the same names
        monkeypatch.setattr(sys.modules[f"agenda.{name}"], "now_ms", clock)
    monkeypatch.setattr("patients.guardians.now_ms", clock)
    return clock


def family(store: Store) -> None:
    """A mother, her child of eight, a stranger: all activated."""
    born = {CHILD_NUMBER: "2018-01-10"}
    numbers = (MOTHER_NUMBER, CHILD_NUMBER, STRANGER_NUMBER)
    people = [person(number, birth_date=born.get(number, "1988-05-01")) for number in numbers]
    store.write(patients.add_persons, persons=people, actor="test")
    for one in people:
        patients.activate(store, one.ins, DOMAIN, actor="test")
    store.write(
        patients.attach_representative,
        ins=CHILD,
        representative=MOTHER,
        capacity="parent",
        actor="test",
        reason="birth",
    )


def box(store: Store, ins: str) -> int:
    found = store.read(patients.profile, ins)
    assert found is not None and found.box_id is not None
    return found.box_id


def actor(store: Store, ins: str, of: str = "") -> Actor:
    """``ins`` in the agenda of ``of``, by default his own."""
    return store.read(activity.person, box(store, of or ins), ins)


def details(**changes: object) -> Details:
    given: dict[str, object] = {
        "title": "Kiné",
        "begin": "2026-03-02T09:00",
        "end": "2026-03-02T09:30",
    }
    return Details(**(given | changes))  # type: ignore[arg-type]  # of a test


def ms(text: str) -> int:
    """A moment written in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def refused(call: Callable[[], object]) -> str:
    """The rule that refuses; its sentences are whole."""
    with pytest.raises(AgendaError) as caught:
        call()
    assert caught.value.french.endswith(".") and caught.value.peer.isascii()
    return caught.value.rule


def seen(
    store: Store, ins: str, who: Actor, since: str = "2026-01-01", until: str = "2027-01-01"
) -> list[str]:
    """Titles with their walls."""
    found = store.read(agenda.occurrences, store, box(store, ins), who, ms(since), ms(until))
    return [f"{one.begin} {one.title}" for one in found]


def journal(store: Store, ins: str) -> list[str]:
    """What was done, oldest first."""
    found = store.read(activity.entries, store, box(store, ins))
    return [f"{one.what}{' ' + one.rule if one.rule else ''}" for one in reversed(found)]
