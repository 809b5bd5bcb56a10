"""Persons, a clock to set, and short ways to ask."""

from __future__ import annotations

from datetime import datetime

import pytest

import patients
from patients import calendar
from patients.persons import Person
from patients.tables import patient
from store import Store, Tx, operation

DOMAIN = "patient.exemple.fr"
HOUR, DAY = 3_600_000, 86_400_000


def ins_of(number: int) -> str:
    """The ``number``-th matricule, below a million."""
    body = f"1880575{number // 1000 + 1:03d}{number % 1000:03d}"
    return body + patients.ins_key(body)


def person(number: int, **changes: str) -> Person:
    """Somebody with the ``number``-th matricule."""
    traits = {
        "ins": ins_of(number),
        "oid": patients.OID_NIR_TEST,
        "birth_name": "EXEMPLE",
        "given_names": "MARIE ANNE",
        "used_name": "",
        "sex": "F",
        "birth_date": "1988-05-01",
        "birth_place": "75056",
    }
    return Person(**(traits | changes))


def add(store: Store, count: int, first: int = 0) -> list[str]:
    """Persons in state ``known``; their matricules."""
    persons = [person(number) for number in range(first, first + count)]
    store.write(patients.add_persons, persons=persons, actor="test")
    return [one.ins for one in persons]


def states(store: Store) -> dict[str, int]:
    """How many profiles are in each state."""
    return store.read(patients.count_by_state)


def state(store: Store, ins: str) -> str:
    """The state of one."""
    found = store.read(patients.profile, ins)
    assert found is not None
    return found.state


def paris(text: str) -> int:
    """A time of the clock in Paris as ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=calendar.PARIS).timestamp() * 1000)


class Clock:
    """The present, in ms."""

    def __init__(self) -> None:
        self.now = paris("2026-01-15 10:00")

    def __call__(self) -> int:
        return self.now


def set_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Have the writer and the patients' room ask a clock of ours."""
    clock = Clock()
    for place in (
        "store.writer",
        "patients.opening",
        "patients.archive",
        "patients.campaign",
        "gateway.night",
    ):
        monkeypatch.setattr(f"{place}.now_ms", clock)
    return clock


@operation("test.seven_weeks_pass")
def seven_weeks_pass(tx: Tx) -> None:
    """Every notice was given seven weeks earlier, for processes whose clock a test cannot set."""
    tx.conn.execute(patient.update().values(notified_at=patient.c.notified_at - 49 * DAY))
