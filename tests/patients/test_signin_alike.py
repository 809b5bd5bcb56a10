"""Enumeration is impossible: whoever somebody is, strangers get the same answers for the same work.

Work is counted, not timed: the statements that the database was asked, one by one, and password hashes.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

import patients
from patients import signin
from patients.signin.courier import Courier
from patients.signin.throttle import LIMITS
from store import Store, Tx, operation
from tests.patients.patients_support import Clock
from tests.patients.signin_kit import (
    ANNE,
    DOMAIN,
    HERE,
    LEA,
    MARIE,
    PASSWORD,
    PAUL,
    ZOE,
    World,
    counted_work,
    set_signin_clock,
)

STATES = ["known", "notified", "opened", "activated", "opposed", "suspended", "closed", "deleted"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return set_signin_clock(monkeypatch)


@pytest.fixture
async def world(store: Store, clock: Clock) -> AsyncIterator[World]:
    made = World(store)
    made.courier = Held(made.letters)  # what follows an answer is not part of its work
    made.desk = signin.Desk(store, made.courier, made.rules)
    yield made
    await made.courier.drain()


class Held(Courier):
    """A courier that lets what it was given wait until it is drained."""

    def later(self, failed: str, work: object) -> None:
        self.waiting = [*getattr(self, "waiting", []), (failed, work)]

    async def drain(self) -> None:
        for failed, work in getattr(self, "waiting", []):
            super().later(failed, work)
        self.waiting = []
        await super().drain()


def put(world: World, ins: str, state: str) -> None:
    """Bring a profile into a state."""
    store = world.store
    if state in ("activated", "suspended", "closed", "deleted"):
        patients.activate(store, ins, DOMAIN, actor="test")
    if state == "notified":
        patients.notify(store, ins, actor="test")
    elif state == "opened":
        patients.notify(store, ins, actor="test")
        patients.open_profile(store, ins, DOMAIN, actor="test")
    elif state == "opposed":
        patients.oppose(store, ins, actor="test")
    elif state == "suspended":
        patients.suspend(store, ins, actor="test")
    elif state in ("closed", "deleted"):
        patients.close(store, ins, actor="test")
    if state == "deleted":
        store.write(patients.change, ins=ins, event="delete", actor="test")


def shape(shown: str) -> str:
    return re.sub(r"[a-z]+", "a", re.sub(r"\d", "0", shown))


@pytest.mark.parametrize("channel", ["email", "sms", "letter"])
async def test_facts_get_one_answer(world: World, channel: str) -> None:
    """Right, wrong in any of the three, of nobody, of a profile in any state: the same answer and work."""
    cases: list[tuple[str, dict[str, str]]] = [
        (MARIE, {}),
        (MARIE, {"birth_date": "1980-03-22"}),
        (MARIE, {"number": ANNE}),
        (MARIE, {"card_serial": "87654321"}),
        (MARIE, {"card_kind": "photo", "card_serial": "12345678901"}),
        (PAUL, {}),
        (ZOE, {"number": MARIE}),  # twins
    ]
    seen = set()
    for number, (ins, other) in enumerate(cases):
        with counted_work() as work:
            begun = await world.desk.begin_activation(
                channel=channel,
                source=f"198.51.100.{number}",
                **(
                    {
                        "birth_date": "2014-05-06" if ins == ZOE else "1980-03-21",
                        "number": ins,
                        "card_kind": "plain",
                        "card_serial": "123456789",
                    }
                    | other
                ),
            )
        assert isinstance(begun, signin.Begun)
        answer = begun.answer
        seen.add((answer.outcome, answer.step, shape(answer.shown), len(begun.token), str(work.shape)))
        with counted_work() as work:
            wrong = await world.desk.prove(begun.token, "AAAA-BBBB-CCCC")
        assert wrong == signin.Answer("wrong", "code")
        seen.add(("wrong", str(work.shape)))
        with counted_work() as work:
            again = await world.desk.resend_activation(begun.token)
        seen.add(("again", again.outcome, shape(again.shown), str(work.shape)))
    assert len(seen) == 3


@pytest.mark.parametrize("channel", ["email", "letter"])
async def test_every_state_gets_one_answer(world: World, channel: str) -> None:
    seen = set()
    for number, state in enumerate(STATES[:-1]):
        ins = [MARIE, ANNE, ZOE, LEA][number % 4]
        if state != "known":
            world.store.write(_renewed, ins=ins)
            put(world, ins, state)
        with counted_work() as work:
            begun = await world.desk.begin_activation(
                birth_date={ZOE: "2014-05-06", LEA: "2014-05-06"}.get(ins, "1980-03-21"),
                number=ins,
                card_kind="plain",
                card_serial={ANNE: "20202020"}.get(ins, "123456789"),
                channel=channel,
                source=f"198.51.100.{number}",
            )
        assert isinstance(begun, signin.Begun)
        shown = shape(begun.answer.shown)
        seen.add((begun.answer.outcome, begun.answer.step, shown, str(work.shape)))
    assert len(seen) == 1


@operation("tests.signin.renewed")
def _renewed(tx: Tx, *, ins: str) -> None:
    """The person is as he was at the beginning."""
    table = patients.tables.patient
    fresh = {"state": "known", "box_id": None, "address": None, "erase_at": None}
    found = tx.conn.execute(table.select().where(table.c.ins == ins)).one()
    if found.box_id is not None:
        tx.conn.execute(
            table.metadata.tables["box"]
            .update()
            .where(table.metadata.tables["box"].c.box_id == found.box_id)
            .values(address=f"gone-{found.box_id}@{DOMAIN}")
        )
    tx.conn.execute(table.update().where(table.c.ins == ins).values(**fresh))


async def test_passwords_get_one_answer(world: World) -> None:
    """Unknown identifier, wrong password, and the right one of a profile that may not enter."""
    await world.activated()
    cases = {"unknown": ("nobody.e", PASSWORD), "wrong": ("marie.e", "une autre phrase longue")}
    seen = {}
    for number, (case, (name, word)) in enumerate(cases.items()):
        with counted_work() as work:
            begun = await world.desk.sign_in(identifier=name, password=word, source=f"192.0.2.{number}")
        seen[case] = (begun, work.shape)
    for number, state in enumerate(["suspended", "closed"]):
        if state == "suspended":
            patients.suspend(world.store, MARIE, actor="test")
        else:
            patients.close(world.store, MARIE, actor="test")
        with counted_work() as work:
            begun = await world.desk.sign_in(
                identifier="marie.e", password=PASSWORD, source=f"192.0.2.{10 + number}"
            )
        seen[state] = (begun, work.shape)
    await world.courier.drain()
    assert {str(one) for one in seen.values()} == {str(seen["unknown"])}
    begun, (_, hashes) = seen["unknown"]
    assert begun == signin.Begun("", signin.Answer("refused"))
    assert hashes == 1


async def test_waiting_gets_one_answer(world: World) -> None:
    """Whoever is tried too often: an identifier that is there, and one that is not."""
    await world.activated()
    for name in ("marie.e", "nobody.e"):
        for _ in range(LIMITS["source-person"].tries):
            await world.desk.sign_in(identifier=name, password="x", source=HERE)
    answers = []
    for name in ("marie.e", "nobody.e"):
        with counted_work() as work:
            begun = await world.desk.sign_in(identifier=name, password=PASSWORD, source=HERE)
        answers.append((begun.answer.outcome, begun.answer.wait_ms, str(work.shape)))
    assert answers[0] == answers[1]
    assert answers[0][0] == "wait"


async def test_what_is_shown_of_nobody_stays_the_same(world: World) -> None:
    """Asked twice, a stranger's facts show the same destination, as a real person's do."""
    first, second = [(await world.facts(PAUL, source=f"192.0.2.{n}")).answer.shown for n in (1, 2)]
    assert first == second
    others = {
        (await world.facts(PAUL, card_serial=f"{n:08d}", source=f"192.0.2.{n}")).answer.shown
        for n in range(10, 26)
    }
    assert len(others) > 4
    assert world.letters.sent == []


def test_the_tables_tell_no_secret(store: Store) -> None:
    """Serials, destinations, identifiers stand nowhere in clear in the database files."""
    World(store)
    store.close()
    held = b"".join(path.read_bytes() for path in store.home.glob("store.db*"))
    for secret in (b"marie@example.org", b"+33612345642", b"0612345642", b"20202020"):
        assert secret not in held
    assert MARIE.encode() in held


async def test_an_owner_who_signs_in_does_not_show(world: World) -> None:
    """Whoever filled the limit of an identifier sees it empty at the same moment, owner or none."""
    await world.activated()
    waits = {}
    for place, name in enumerate(("marie.e", "nobody.e")):
        for number in range(LIMITS["identifier"].tries - 1):
            await world.desk.sign_in(identifier=name, password="x", source=f"2001:db8:{place}:{number:x}::1")
        await world.desk.sign_in(identifier=name, password=PASSWORD, source=HERE)
        begun = await world.desk.sign_in(identifier=name, password="x", source=f"2001:db8:{place}:ff::1")
        waits[name] = begun.answer
    assert waits["marie.e"] == waits["nobody.e"]
    assert waits["marie.e"].outcome == "wait"
