"""Where codes go, changed by the person; flows shown again; a minor activated by who represents him."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import patients
from patients import signin
from patients.signin.desk import Begun, FieldFault, SignedIn
from patients.signin.throttle import LIMITS
from store import Store
from tests.patients.patients_support import Clock
from tests.patients.signin_kit import ANNE, DOMAIN, MARIE, TERMS, ZOE, World, set_signin_clock

AT, NEW = "marie@example.org", "nouvelle@example.net"
_MINUTE = 60_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return set_signin_clock(monkeypatch)


@pytest.fixture
async def world(store: Store, clock: Clock) -> AsyncIterator[World]:
    made = World(store)
    await made.activated()
    yield made
    await made.courier.drain()


async def moving(world: World, entered: SignedIn, channel: str = "email", to: str = NEW) -> str:
    begun = await world.desk.move(entered.session, channel, to)
    assert isinstance(begun, Begun) and begun.answer.outcome == "ok", begun
    await world.courier.drain()
    return begun.token


def reach(world: World, now: int, ins: str = MARIE) -> signin.Reach:
    found = world.store.read(signin.reach_of, world.store.home, ins, now)
    assert found is not None
    return found


async def test_codes_go_there_once_it_is_proven(world: World, clock: Clock) -> None:
    entered = await world.signed_in()
    token = await moving(world, entered)
    assert (await world.desk.move_stands(entered.session, token)).shown == "n•••@•••.net"
    assert reach(world, clock()).email == "m•••@•••.org"
    assert (await world.desk.end_move(entered.session, token, "x")).outcome == "wrong"
    done = await world.desk.end_move(entered.session, token, world.letters.code(NEW))
    assert done == signin.Answer("ok", "end")
    await world.courier.drain()
    assert world.letters.sent[-1][1] == AT and "a été changé" in world.letters.sent[-1][2]
    assert reach(world, clock()) == signin.Reach("email", "n•••@•••.net", "", "marie.e", TERMS, clock())
    await world.signed_in(to=NEW)
    assert world.store.read(signin.events_of, MARIE)[2].kind == "contact_changed"
    assert world.store.read(signin.proven_email, world.store.home, MARIE, clock()) == NEW
    again = await world.desk.end_move(entered.session, token, world.letters.code(NEW))
    assert again.outcome == "over"


async def test_only_after_a_step_up_in_the_session_that_asked(world: World, clock: Clock) -> None:
    entered, other = await world.signed_in(), await world.signed_in()
    token = await moving(world, entered)
    code = world.letters.code(NEW)
    assert (await world.desk.move_stands(other.session, token)).outcome == "over"
    assert (await world.desk.end_move(other.session, token, code)).outcome == "over"
    assert (await world.desk.end_move(entered.session, token, code)).outcome == "ok"
    clock.now += 11 * _MINUTE
    begun = await world.desk.move(entered.session, "email", AT)
    assert begun == Begun("", signin.Answer("refused"))
    assert (await world.desk.choose_channel(entered.session, "email")).outcome == "refused"


async def test_three_wrong_codes_or_ten_minutes_end_it(world: World, clock: Clock) -> None:
    entered = await world.signed_in()
    token = await moving(world, entered)
    right = world.letters.code(NEW)
    for _ in range(3):
        assert (await world.desk.end_move(entered.session, token, "x")).outcome == "wrong"
    assert (await world.desk.end_move(entered.session, token, right)).outcome == "over"
    token = await moving(world, entered)
    clock.now += 10 * _MINUTE
    late = await world.desk.end_move(entered.session, token, world.letters.code(NEW))
    assert late.outcome == "over"
    assert reach(world, clock()).email == "m•••@•••.org"


async def test_what_is_no_destination_and_too_many_of_them(world: World) -> None:
    entered = await world.signed_in()
    assert await world.desk.move(entered.session, "email", "x") == FieldFault("email")
    assert await world.desk.move(entered.session, "sms", AT) == FieldFault("sms")
    assert await world.desk.move(entered.session, "pigeon", AT) == FieldFault("channel")
    for _ in range(LIMITS["send"].tries - 1):  # the sign-in sent one
        await moving(world, entered)
    begun = await world.desk.move(entered.session, "email", NEW)
    assert isinstance(begun, Begun) and (begun.token, begun.answer.outcome) == ("", "wait")


async def test_the_other_way_counts_when_it_was_proven(world: World, clock: Clock) -> None:
    """Marie's number was imported: it takes no codes before she proves it."""
    entered = await world.signed_in()
    assert reach(world, clock()).sms == ""
    assert (await world.desk.choose_channel(entered.session, "sms")).outcome == "refused"
    token = await moving(world, entered, "sms", "06 12 34 56 42")
    code = world.letters.code("+33612345642")
    assert (await world.desk.end_move(entered.session, token, code)).outcome == "ok"
    assert reach(world, clock()).channel == "sms"
    assert (await world.desk.choose_channel(entered.session, "email")).outcome == "ok"
    assert (reach(world, clock()).channel, reach(world, clock()).sms) == ("email", "•• •• •• •• 42")
    assert world.store.read(signin.reach_of, world.store.home, ANNE, clock()) is None


async def test_flows_are_shown_again(world: World, clock: Clock) -> None:
    begun = await world.facts(ANNE)
    shown = await world.desk.stands(begun.token)
    assert shown == begun.answer and shown.shown == "a•••@•••.com"
    await world.desk.prove(begun.token, world.letters.code("anne@example.com"))
    assert (await world.desk.stands(begun.token)) == signin.Answer("ok", "decision")
    assert (await world.desk.stands(begun.token, "sign-in")).outcome == "over"
    entry = await world.password()
    assert await world.desk.stands(entry.token, "sign-in") == entry.answer
    later = await world.password()
    assert (await world.desk.stands(entry.token, "sign-in")).outcome == "over"
    assert (await world.desk.stands(later.token, "sign-in")).outcome == "ok"
    clock.now += 46 * _MINUTE
    assert (await world.desk.stands(begun.token)).outcome == "over"


async def test_a_representative_activates_a_minor(world: World, clock: Clock) -> None:
    entered = await world.signed_in()
    ask = world.desk.activate_minor
    assert (await ask(entered.session, ZOE, TERMS)).outcome == "refused"  # not attached
    attach(world, ZOE)
    assert (await ask(entered.session, ZOE, "older")).outcome == "wrong"
    assert (await ask(entered.session, MARIE, TERMS)).outcome == "refused"
    assert (await ask(entered.session, ZOE, TERMS)).outcome == "ok"
    found = world.store.read(patients.profile, ZOE)
    assert found is not None and (found.state, found.address) == ("activated", f"{ZOE}@{DOMAIN}".casefold())
    step = world.store.read(patients.history, ZOE)[-1]
    assert step.actor == f"representative {MARIE}" and TERMS in step.reason
    assert (await ask(entered.session, ZOE, TERMS)).outcome == "refused"  # already
    clock.now += 11 * _MINUTE
    assert (await ask(entered.session, ZOE, TERMS)).outcome == "refused"  # no step-up


@pytest.mark.parametrize("state", ["opposed", "closed"])
async def test_a_decision_is_not_taken_back_this_way(world: World, state: str) -> None:
    attach(world, ZOE)
    if state == "opposed":
        patients.oppose(world.store, ZOE, actor="test")
    else:
        patients.activate(world.store, ZOE, DOMAIN, actor="test")
        patients.close(world.store, ZOE, actor="test")
    entered = await world.signed_in()
    assert (await world.desk.activate_minor(entered.session, ZOE, TERMS)).outcome == "refused"


async def test_whom_one_represented_once(world: World, clock: Clock) -> None:
    attach(world, ZOE)
    former = patients.former_minors
    assert world.store.read(former, MARIE, 0, clock()) == []
    clock.now += _MINUTE
    world.store.write(
        patients.remove_representative, ins=ZOE, representative=MARIE, actor="test", reason="jugement"
    )
    assert world.store.read(former, MARIE, 0, clock()) == [ZOE]
    assert world.store.read(former, MARIE, clock(), clock()) == []  # too long ago
    assert world.store.read(former, MARIE, 0, clock() - 1) == []  # not yet
    assert world.store.read(former, ANNE, 0, clock()) == []
    attach(world, ZOE)
    assert world.store.read(former, MARIE, 0, clock()) == []
    of_age = patients.calendar.of_age_at("2014-05-06")
    assert world.store.read(former, MARIE, 0, of_age - 1) == []
    assert world.store.read(former, MARIE, of_age - 1, of_age) == [ZOE]


def attach(world: World, ins: str) -> None:
    world.store.write(
        patients.attach_representative,
        ins=ins,
        representative=MARIE,
        capacity="parent",
        actor="test",
        reason="livret",
    )
