"""Activation: steps in order, each taken once; codes used once; limits; the choice among twins."""

from __future__ import annotations

import pytest

import patients
from patients import signin
from patients.signin.activation import MOST_TRIES, event_of
from patients.signin.desk import FieldFault
from patients.signin.pins import PIN_MS
from patients.signin.throttle import LIMITS
from patients.states import STATES
from store import Store
from tests.patients.patients_support import Clock
from tests.patients.signin_kit import (
    ANNE,
    DOMAIN,
    HERE,
    LEA,
    MARIE,
    PASSWORD,
    PAUL,
    TERMS,
    THERE,
    ZOE,
    World,
    notice_code,
    set_signin_clock,
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return set_signin_clock(monkeypatch)


@pytest.fixture
def world(store: Store, clock: Clock) -> World:
    return World(store)


def state(world: World, ins: str) -> str:
    found = world.store.read(patients.profile, ins)
    assert found is not None
    return found.state


async def test_by_e_mail(world: World) -> None:
    begun = await world.facts(MARIE)
    assert begun.answer == signin.Answer("ok", "code", shown="m•••@•••.org")
    assert [to for _, to, _ in world.letters.sent] == ["marie@example.org"]
    code = world.letters.code("marie@example.org")
    assert len(code.replace("-", "")) == 12
    answer = await world.desk.prove(begun.token, code.lower().replace("-", " "))
    assert (answer.outcome, answer.step) == ("ok", "decision")
    assert (await world.desk.decide(begun.token, "activate", "2020-1")).outcome == "wrong"
    assert (await world.desk.decide(begun.token, "activate", TERMS)).step == "account"
    assert state(world, MARIE) == "known"
    assert await world.desk.make_account(begun.token, "marie.e", PASSWORD) == signin.Answer("ok", "end")
    found = world.store.read(patients.profile, MARIE)
    assert found is not None and found.state == "activated"
    assert found.address == f"{MARIE}@{DOMAIN}"
    assert [one.event for one in world.store.read(patients.history, MARIE)][-1] == "activate"
    assert [one.kind for one in world.store.read(signin.events_of, MARIE)] == ["account_made"]


async def test_by_sms_and_photo_card_numbers() -> None:
    facts = signin.read_facts("1980-03-21", MARIE[:13], "photo", "80250000012345678901")
    assert facts.number == MARIE
    assert facts.card_serial == "12345678901"
    for serial in ("1234567", "12345678901234", "1234567a", ""):
        with pytest.raises(signin.FactsError, match="card_serial"):
            signin.read_facts("1980-03-21", MARIE, "plain", serial)


async def test_by_letter_a_way_to_reach_the_person_must_be_proven(world: World) -> None:
    code = world.store.write(notice_code, ins=MARIE)
    token = (await world.facts(MARIE, channel="letter")).token
    assert world.letters.sent == []
    assert (await world.desk.prove(token, code)).outcome == "ok"
    assert (await world.desk.decide(token, "activate", TERMS)).step == "contact"
    assert (await world.desk.make_account(token, "marie.e", PASSWORD)).outcome == "over"  # type: ignore[union-attr]
    assert await world.desk.give_contact(token, "email", "not an address") == FieldFault("email")
    given = await world.desk.give_contact(token, "sms", "06 99 88 77 66")
    assert given == signin.Answer("ok", "confirm", shown="•• •• •• •• 66")
    await world.courier.drain()
    assert (await world.desk.confirm_contact(token, "000 000x")).outcome == "wrong"
    assert (await world.desk.make_account(token, "marie.e", PASSWORD)).outcome == "over"  # type: ignore[union-attr]
    digits = world.letters.code("+33699887766")
    assert (await world.desk.confirm_contact(token, digits)).step == "account"
    assert (await world.desk.confirm_contact(token, digits)).outcome == "over"
    assert (await world.desk.make_account(token, "marie.e", PASSWORD)).outcome == "ok"  # type: ignore[union-attr]
    assert state(world, MARIE) == "activated"
    # the letter's code is used up
    token = (await world.facts(MARIE, channel="letter")).token
    assert (await world.desk.prove(token, code)).outcome == "wrong"


async def test_twins_are_chosen_among_after_the_code(world: World) -> None:
    """Both are on their mother's card; each matricule opens, and so does the one on the card."""
    begun = await world.facts(ZOE, number=MARIE)
    assert begun.answer.choices == []
    assert len(world.letters.sent) == 1  # one destination, one message
    answer = await world.desk.prove(begun.token, world.letters.code("marie@example.org"))
    assert (answer.step, answer.choices) == ("choice", ["ZOE", "LEA"])
    assert (await world.desk.choose(begun.token, 2)).outcome == "wrong"
    assert (await world.desk.choose(begun.token, -1)).choices == ["ZOE", "LEA"]
    assert (await world.desk.choose(begun.token, 1)).step == "decision"
    assert (await world.desk.choose(begun.token, 0)).outcome == "over"
    assert (await world.desk.decide(begun.token, "oppose")).step == "end"
    assert (state(world, ZOE), state(world, LEA)) == ("known", "opposed")


async def test_the_letters_code_of_one_twin_needs_no_choice(world: World) -> None:
    code = world.store.write(notice_code, ins=LEA)
    begun = await world.facts(ZOE, number=MARIE, channel="letter")
    assert (await world.desk.prove(begun.token, code)).step == "decision"
    assert (await world.desk.decide(begun.token, "oppose")).outcome == "ok"
    assert (state(world, ZOE), state(world, LEA)) == ("known", "opposed")


async def test_a_code_is_of_one_flow_and_used_once(world: World) -> None:
    first = await world.facts(MARIE)
    code = world.letters.code("marie@example.org")
    second = await world.facts(MARIE)
    assert (await world.desk.prove(second.token, code)).outcome == "wrong"
    assert (await world.desk.prove(first.token, code)).outcome == "ok"
    assert (await world.desk.prove(first.token, code)).outcome == "over"


async def test_another_code_takes_the_place_of_the_one_before(world: World) -> None:
    token = (await world.facts(MARIE)).token
    first = world.letters.code("marie@example.org")
    assert (await world.desk.prove(token, "AAAA-BBBB-CCCC")).outcome == "wrong"
    answer = await world.desk.resend_activation(token)
    assert answer == signin.Answer("ok", "code", shown="m•••@•••.org")
    await world.courier.drain()
    second = world.letters.code("marie@example.org")
    assert second != first
    assert (await world.desk.prove(token, first)).outcome == "wrong"
    assert (await world.desk.prove(token, second)).outcome == "ok"
    assert (await world.desk.resend_activation(token)).outcome == "over", "the step was taken"


async def test_wrong_tries_stay_counted_when_another_code_is_sent(world: World) -> None:
    token = (await world.facts(MARIE)).token
    for _ in range(MOST_TRIES - 1):
        await world.desk.prove(token, "AAAA-BBBB-CCCC")
    assert (await world.desk.resend_activation(token)).outcome == "ok"
    assert (await world.desk.prove(token, "AAAA-BBBB-CCCC")).outcome == "over"


@pytest.mark.parametrize("who", [MARIE, PAUL])
async def test_three_codes_of_an_activation_are_sent(world: World, who: str) -> None:
    token = (await world.facts(who)).token
    outcomes = [(await world.desk.resend_activation(token)).outcome for _ in range(3)]
    await world.courier.drain()
    assert outcomes == ["ok", "ok", "over"]
    assert len(world.letters.sent) == (3 if who == MARIE else 0)
    assert (await world.desk.stands(token)).step == "code", "the last one that was sent still counts"


async def test_a_letter_is_not_sent_again(world: World) -> None:
    token = (await world.facts(ANNE, channel="letter")).token
    assert (await world.desk.resend_activation(token)).outcome == "over"
    assert world.letters.sent == []


async def test_a_person_is_not_flooded_with_codes(world: World, clock: Clock) -> None:
    """Beginning again and again does not give more codes than the hour's; the answers do not tell."""
    for _ in range(5):
        token = (await world.facts(MARIE)).token
        for _ in range(2):
            assert (await world.desk.resend_activation(token)).outcome == "ok"
    await world.courier.drain()
    assert len(world.letters.sent) == 5 + LIMITS["send"].tries


@pytest.mark.parametrize("who", [MARIE, PAUL])
async def test_wrong_codes_end_the_flow(world: World, who: str) -> None:
    token = (await world.facts(who)).token
    outcomes = [(await world.desk.prove(token, "AAAA-BBBB-CCCC")).outcome for _ in range(MOST_TRIES + 1)]
    assert outcomes == ["wrong"] * (MOST_TRIES - 1) + ["over"] * 2
    if who == MARIE:
        answer = await world.desk.prove(token, world.letters.code("marie@example.org"))
        assert answer.outcome == "over"


async def test_a_flow_ends(world: World, clock: Clock) -> None:
    token = (await world.facts(MARIE)).token
    clock.now += 46 * 60_000
    assert (await world.desk.prove(token, world.letters.code("marie@example.org"))).outcome == "over"


async def test_the_code_of_a_contact_ends(world: World, clock: Clock) -> None:
    code = world.store.write(notice_code, ins=ANNE)
    token = (await world.facts(ANNE, channel="letter")).token
    await world.desk.prove(token, code)
    await world.desk.decide(token, "activate", TERMS)
    await world.desk.give_contact(token, "email", "anne@new.example")
    await world.courier.drain()
    clock.now += PIN_MS
    digits = world.letters.code("anne@new.example")
    assert (await world.desk.confirm_contact(token, digits)).outcome == "over"


async def test_sendings_to_a_new_contact_are_limited(world: World) -> None:
    code = world.store.write(notice_code, ins=ANNE)
    token = (await world.facts(ANNE, channel="letter")).token
    await world.desk.prove(token, code)
    await world.desk.decide(token, "activate", TERMS)
    outcomes = []
    for number in range(4):
        answer = await world.desk.give_contact(token, "email", f"a{number}@new.example")
        outcomes.append(getattr(answer, "outcome", answer))
    assert outcomes == ["ok", "ok", "ok", "over"]


async def test_an_account_made_anew_ends_what_was_there(world: World) -> None:
    await world.activated()
    old = await world.signed_in()
    await world.activated(name="marie.two", word="une autre phrase longue")
    assert await signin.current(world.store, old.session_token, world.rules.lifetimes) is None
    assert (await world.password()).answer.outcome == "refused"
    assert (await world.password("marie.two", "une autre phrase longue")).answer.outcome == "ok"
    assert "fait" in world.letters.sent[-2][2]  # the person was told


async def test_an_identifier_is_one_persons(world: World) -> None:
    await world.activated()
    token = (await world.facts(ANNE)).token
    await world.desk.prove(token, world.letters.code("anne@example.com"))
    await world.desk.decide(token, "activate", TERMS)
    assert (await world.desk.make_account(token, "Marie.E", PASSWORD)).outcome == "wrong"  # type: ignore[union-attr]
    assert state(world, ANNE) == "known"
    assert (await world.desk.make_account(token, "anne.e", PASSWORD)).outcome == "ok"  # type: ignore[union-attr]


async def test_sources_are_stopped_first(world: World, clock: Clock) -> None:
    """Some tries against a person from one network; from another it goes on; after a while from both."""
    most = LIMITS["source-person"].tries
    for _ in range(most):
        assert (await world.facts(MARIE, card_serial="11111111", source=THERE)).answer.outcome == "ok"
    stopped = await world.facts(MARIE, source=THERE)
    assert stopped.answer.outcome == "wait"
    assert 0 < stopped.answer.wait_ms <= 15 * 60_000
    assert (await world.facts(MARIE, source=HERE)).answer.outcome == "ok"
    clock.now += stopped.answer.wait_ms
    assert (await world.facts(MARIE, source=THERE)).answer.outcome == "ok"


@pytest.mark.parametrize("before", STATES)
def test_what_a_decision_does(before: patients.State) -> None:
    """Every event that a decision leads to is one that the state machine takes, and leads where it says."""
    for decision, after in (("activate", {"activated"}), ("oppose", {"opposed", "closed"})):
        event = event_of(before, decision)  # type: ignore[arg-type]
        if event == "refused":
            assert before in ("suspended", "deleted") or (before, decision) == ("activated", "oppose")
        elif event == "":
            assert before in after
        else:
            assert patients.transition(before, event) in after


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("court", "short"),
        ("motdepasse123!", "common"),
        ("Azertyuiop12", "common"),
        ("123456789012", "common"),
        ("aaaaaaaaaaaa", "common"),
        ("marie.e est là", "identifier"),
        ("x" * 129, "long"),
        ("un\x00deux trois quatre", "characters"),
        ("trois hérissons gris", None),
        ("correct horse battery", None),
    ],
)
def test_password_rules(password: str, fault: str | None) -> None:
    assert signin.password_fault(password, "marie.e") == fault
