"""Sign-in: both factors each time, codes once, sessions that end, limits that let the owner in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import patients
from patients import signin
from patients.signin.desk import SignedIn
from patients.signin.pins import MOST_SENT, MOST_TRIES, PIN_MS
from patients.signin.sessions import STEP_UP_MS
from patients.signin.throttle import LIMITS
from store import Store
from tests.patients.patients_support import Clock
from tests.patients.signin_kit import (
    HERE,
    MARIE,
    PASSWORD,
    TERMS,
    THERE,
    ZOE,
    World,
    handed_over,
    set_signin_clock,
)
from tests.store.postgres import new_database, postgres_server

TO = "marie@example.org"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return set_signin_clock(monkeypatch)


@pytest.fixture
async def world(store: Store, clock: Clock) -> World:
    made = World(store)
    await made.activated()
    return made


async def test_both_factors(world: World) -> None:
    begun = await world.password("  MARIE.E ")
    assert begun.answer == signin.Answer("ok", "code", shown="m•••@•••.org")
    code = world.letters.code(TO)
    assert len(code) == 6
    entered = await world.desk.enter(begun.token, f" {code[:3]} {code[3:]}", device_label="Firefox\n\x00")
    assert isinstance(entered, SignedIn)
    assert (entered.session.method, entered.session.device) == ("password", "Firefox")
    found = await signin.current(world.store, entered.session_token, world.rules.lifetimes)
    assert found is not None and found.ins == MARIE
    kinds = [one.kind for one in world.store.read(signin.events_of, MARIE)]
    assert kinds[:2] == ["signed_in", "code_sent"]
    # the code again
    assert await world.desk.enter(begun.token, code) == signin.Answer("over")


async def test_a_wrong_code_counts_and_three_end_it(world: World) -> None:
    begun = await world.password()
    code = world.letters.code(TO)
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(MOST_TRIES - 1):
        answer = await world.desk.enter(begun.token, wrong)
        assert answer == signin.Answer("wrong", "code")
    assert await world.desk.enter(begun.token, wrong) == signin.Answer("over")
    assert await world.desk.enter(begun.token, code) == signin.Answer("over")


async def test_another_code_does_not_give_more_tries(world: World) -> None:
    begun = await world.password()
    await world.desk.enter(begun.token, "x")
    await world.desk.enter(begun.token, "x")
    old = world.letters.code(TO)
    assert (await world.desk.resend(begun.token)).outcome == "ok"
    await world.courier.drain()
    code = world.letters.code(TO)
    if old != code:
        assert (await world.desk.enter(begun.token, old)).outcome == "over"  # type: ignore[union-attr]


async def test_sendings_are_limited(world: World, clock: Clock) -> None:
    begun = await world.password()
    outcomes = [(await world.desk.resend(begun.token)).outcome for _ in range(MOST_SENT)]
    assert outcomes == ["ok"] * (MOST_SENT - 1) + ["over"]
    for _ in range(LIMITS["send"].tries - MOST_SENT):
        assert (await world.password()).answer.outcome == "ok"
    stopped = await world.password()
    assert stopped.answer.outcome == "wait"
    clock.now += stopped.answer.wait_ms
    assert (await world.password()).answer.outcome == "ok"


async def test_only_the_latest_code_counts_and_it_ends(world: World, clock: Clock) -> None:
    first = await world.password()
    code = world.letters.code(TO)
    second = await world.password()
    assert await world.desk.enter(first.token, code) == signin.Answer("over")
    clock.now += PIN_MS
    assert await world.desk.enter(second.token, world.letters.code(TO)) == signin.Answer("over")


async def test_sessions_end_unused_and_at_last(world: World, clock: Clock) -> None:
    lifetimes = world.rules.lifetimes
    one = await world.signed_in()
    token = one.session_token
    clock.now += lifetimes.idle_ms - 1
    assert await signin.current(world.store, token, lifetimes) is not None
    clock.now += lifetimes.idle_ms
    assert await signin.current(world.store, token, lifetimes) is None
    token = (await world.signed_in()).session_token
    for _ in range(lifetimes.absolute_ms // 600_000 - 1):
        clock.now += 600_000
        assert await signin.current(world.store, token, lifetimes) is not None
    clock.now += 600_000
    assert await signin.current(world.store, token, lifetimes) is None
    assert await signin.current(world.store, "", lifetimes) is None


async def test_sessions_are_listed_and_revoked(world: World) -> None:
    one, two = await world.signed_in(), await world.signed_in()
    listed = world.store.read(signin.sessions_of, MARIE)
    assert [session.session_id for session in listed] == [two.session.session_id, one.session.session_id]
    end = signin.revoke_session
    assert not world.store.write(end, ins="1" * 15, session_id=one.session.session_id)
    assert world.store.write(end, ins=MARIE, session_id=one.session.session_id)
    assert not world.store.write(end, ins=MARIE, session_id=one.session.session_id)
    lifetimes = world.rules.lifetimes
    assert await signin.current(world.store, one.session_token, lifetimes) is None
    assert await signin.current(world.store, two.session_token, lifetimes) is not None
    patients.suspend(world.store, MARIE, actor="test")
    assert await signin.current(world.store, two.session_token, lifetimes) is None
    assert (await world.password()).answer == signin.Answer("refused")


async def test_step_up(world: World, clock: Clock) -> None:
    one, two = await world.signed_in(), await world.signed_in()
    assert signin.stepped_up(one.session, clock.now)
    clock.now += STEP_UP_MS
    assert not signin.stepped_up(one.session, clock.now)
    refused = await world.desk.change_password(one.session, PASSWORD, "une autre phrase longue")
    assert refused == signin.Answer("refused")
    begun = await world.desk.ask_step_up(one.session)
    await world.courier.drain()
    code = world.letters.code(TO)
    assert (await world.desk.enter(begun.token, code)) == signin.Answer("over")  # no session by this code
    assert (await world.desk.step_up(two.session, begun.token, code)).outcome == "over"
    assert (await world.desk.step_up(one.session, begun.token, code)).outcome == "ok"
    now = await signin.current(world.store, one.session_token, world.rules.lifetimes)
    assert now is not None and signin.stepped_up(now, clock.now)
    assert (await world.desk.change_password(now, "faux", "une autre phrase longue")).outcome == "wrong"  # type: ignore[union-attr]
    changed = await world.desk.change_password(now, PASSWORD, "une autre phrase longue")
    assert changed == signin.Answer("ok")
    await world.courier.drain()
    assert "mot de passe" in world.letters.sent[-1][2]
    assert await signin.current(world.store, two.session_token, world.rules.lifetimes) is None
    assert (await world.password()).answer.outcome == "refused"
    assert (await world.password(word="une autre phrase longue")).answer.outcome == "ok"


async def test_strangers_do_not_lock_the_owner_out(world: World, clock: Clock) -> None:
    """Many networks try the identifier until it is full: a device that was here before still gets in."""
    known = await world.signed_in()
    for number in range(LIMITS["identifier"].tries - 1):  # the owner's own counts too
        begun = await world.password(word="x", source=f"198.51.100.{number}")
        assert begun.answer.outcome == "refused"
    assert (await world.password(word="x", source="203.0.113.1")).answer.outcome == "wait"
    stopped = await world.password(source=THERE)  # the owner on a device of somebody else's
    assert stopped.answer.outcome == "wait"
    assert stopped.answer.wait_ms <= 15 * 60_000
    assert (await world.password(source=THERE, device=known.device_token)).answer.outcome == "ok"
    clock.now += stopped.answer.wait_ms
    assert (await world.password(source=THERE)).answer.outcome == "ok"


async def test_one_network_is_stopped_first(world: World) -> None:
    for _ in range(LIMITS["source-person"].tries):
        assert (await world.password(word="x", source=THERE)).answer.outcome == "refused"
    assert (await world.password(source=THERE)).answer.outcome == "wait"
    assert (await world.password(source=HERE)).answer.outcome == "ok"


async def test_support(world: World) -> None:
    one = await world.signed_in()
    seen = world.store.read(signin.access, MARIE)
    assert seen is not None and (seen.channel, seen.sessions, seen.passkeys) == ("email", 1, 0)
    world.store.write(signin.set_contact, ins=MARIE, channel="sms", to="+33700000001")
    begun = await world.password()
    assert begun.answer.shown == "•• •• •• •• 01"
    assert world.store.write(signin.reset_factors, ins=MARIE)
    assert await signin.current(world.store, one.session_token, world.rules.lifetimes) is None
    assert await world.desk.enter(begun.token, world.letters.code("+33700000001")) == signin.Answer("over")
    assert (await world.password()).answer.outcome == "refused"
    assert (await world.password(word="")).answer.outcome == "refused"
    kinds = [event.kind for event in world.store.read(signin.events_of, MARIE)]
    assert {"factor_reset", "contact_changed", "session_revoked"} <= set(kinds)


async def test_what_ended_is_dropped(world: World, clock: Clock) -> None:
    one = await world.signed_in()
    await world.password()
    clock.now += 400 * 86_400_000
    tidied = world.store.write(signin.tidy)
    assert tidied.flows == 1 and tidied.throttles > 1 and tidied.events > 2
    assert (tidied.sessions, tidied.devices) == (1, 1)
    assert await signin.current(world.store, one.session_token, world.rules.lifetimes) is None


async def test_a_deleted_profile_leaves_nothing(world: World) -> None:
    await world.signed_in()
    patients.close(world.store, MARIE, actor="test")
    world.store.write(patients.change, ins=MARIE, event="delete", actor="test")
    assert world.store.read(signin.access, MARIE) is None
    assert world.store.read(signin.events_of, MARIE) == []
    assert world.store.read(signin.sessions_of, MARIE) == []
    assert (await world.password()).answer.outcome == "refused"


async def test_at_the_same_time(world: World) -> None:
    """One code, ten browsers: one session. Twenty guesses at once: ten are looked at."""
    begun = await world.password()
    code = world.letters.code(TO)
    entered = await asyncio.gather(*(world.desk.enter(begun.token, code) for _ in range(10)))
    assert sum(isinstance(one, SignedIn) for one in entered) == 1
    tried = await asyncio.gather(*(world.password(word="x", source=THERE) for _ in range(20)))
    outcomes = [one.answer.outcome for one in tried]
    assert outcomes.count("refused") == LIMITS["source-person"].tries
    assert outcomes.count("wait") == 20 - LIMITS["source-person"].tries


async def test_who_comes_of_age_makes_his_own_access(store: Store, clock: Clock) -> None:
    """The mother's sign-in for her daughter is void, her contact too; the daughter has a code."""
    world = World(store)
    token = (await world.facts(ZOE, number=MARIE)).token
    assert (await world.desk.prove(token, world.letters.code(TO))).step == "choice"
    await world.desk.choose(token, 0)
    await world.desk.decide(token, "activate", TERMS)
    await world.desk.make_account(token, "zoe.by.marie", PASSWORD)
    before = await world.signed_in("zoe.by.marie", TO)
    code = world.store.write(handed_over, ins=ZOE)
    assert await signin.current(world.store, before.session_token, world.rules.lifetimes) is None
    assert (await world.password("zoe.by.marie")).answer.outcome == "refused"
    sent = len(world.letters.sent)
    token = (await world.facts(ZOE, number=MARIE)).token
    assert [to for _, to, _ in world.letters.sent[sent:]] == [TO]  # her sister's, whom the facts name too
    assert (await world.desk.prove(token, code)).step == "decision"
    assert (await world.desk.decide(token, "activate", TERMS)).step == "contact"


@pytest.mark.package("postgres")
async def test_on_postgresql(tmp_path: Path) -> None:
    """The same on a real PostgreSQL, two nodes on one database: a code lets in on one of them only."""
    with (
        postgres_server() as url,
        Store.open(tmp_path / "home", url=(database := new_database(url, "signin"))) as store,
    ):
        world = World(store)
        await world.activated()
        (tmp_path / "two").mkdir()
        (tmp_path / "two" / "master.key").write_text((store.home / "master.key").read_text())
        with Store.open(tmp_path / "two", url=database) as second:
            other = signin.Desk(second, world.courier, world.rules)
            for _ in range(5):
                begun = await world.password()
                code = world.letters.code(TO)
                entered = await asyncio.gather(
                    *(desk.enter(begun.token, code) for desk in (world.desk, other) * 3)
                )
                assert sum(isinstance(one, SignedIn) for one in entered) == 1
        assert len(world.store.read(signin.sessions_of, MARIE)) == 5
        world.store.write(signin.tidy)
