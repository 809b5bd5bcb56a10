"""What a representative set up for a child opens nothing once his right has ended."""

from __future__ import annotations

import pytest

import patients
from patients import signin
from patients.signin import imports
from store import Store
from tests.patients.patients_support import Clock
from tests.patients.signin_kit import MARIE, SERIALS, ZOE, World, set_signin_clock

TO = "marie@example.org"
DAY = 86_400_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return set_signin_clock(monkeypatch)


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    """Marie represents Zoé, and made her account."""
    made = World(store)
    await made.activated()
    who = {"ins": ZOE, "representative": MARIE, "actor": "test", "reason": "livret de famille"}
    store.write(patients.attach_representative, capacity="parent", **who)
    await made.activated(ZOE, name="zoe.exemple")
    return made


async def leaves(world: World, clock: Clock, how: str) -> None:
    """The right to act for Zoé ends."""
    clock.now += DAY
    if how == "removed":
        world.store.write(
            patients.remove_representative, ins=ZOE, representative=MARIE, actor="test", reason="jugement"
        )
    else:
        clock.now += 18 * 366 * DAY  # she was born in 2014
    clock.now += 1000


@pytest.mark.parametrize("how", ["removed", "of age"])
async def test_the_account_of_a_child_is_not_the_parents_for_ever(
    world: World, clock: Clock, how: str
) -> None:
    before = await world.signed_in("zoe.exemple", TO)
    lifetimes = world.rules.lifetimes
    assert await signin.current(world.store, before.session_token, lifetimes) is not None
    await leaves(world, clock, how)
    assert await signin.current(world.store, before.session_token, lifetimes) is None
    sent = len(world.letters.sent)
    begun = await world.password("zoe.exemple")
    refused = await world.desk.enter(begun.token, "123456")
    assert isinstance(refused, signin.Answer)
    await world.facts(ZOE)
    assert [to for _, to, _ in world.letters.sent[sent:]] == []  # nothing reaches Marie
    mine = await world.signed_in()  # her own account is as it was
    assert mine.session.ins == MARIE


async def test_an_address_learnt_since_is_the_young_persons(world: World, clock: Clock) -> None:
    await leaves(world, clock, "of age")
    row = imports.Reach(2, ZOE, "plain", SERIALS[ZOE], MARIE, "zoe@example.org", "")
    assert world.store.write(imports.add_reach, rows=[row]) == []
    await world.activated(ZOE, to="zoe@example.org", name="zoe.exemple", word="un autre hérisson")
    begun = await world.password("zoe.exemple", "un autre hérisson")
    entered = await world.desk.enter(begun.token, world.letters.code("zoe@example.org"))
    assert isinstance(entered, signin.desk.SignedIn)
