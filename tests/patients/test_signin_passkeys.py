"""Passkeys: what a browser's answer must be to let in, with a software authenticator of the tests."""

from __future__ import annotations

import json

import msgspec
import pytest

import patients
from patients import signin
from patients.signin.desk import SignedIn
from patients.signin.passkeys import Passkeys, RelyingParty, went_back
from store import Store
from tests.patients.signin_kit import ANNE, HERE, MARIE, World
from tests.patients.soft_authenticator import UP, UV, Authenticator, b64

ORIGIN = "https://mon.example"
REFUSED = signin.Answer("refused")


class Keys(World):
    """Marie is signed in."""

    keys: Passkeys
    marie: signin.Session

    async def registered(
        self, session: signin.Session | None = None, *, counts: bool = True
    ) -> Authenticator:
        token = Authenticator(ORIGIN, counts=counts)
        begun = await self.keys.begin_registration(session or self.marie)
        answer = await self.keys.register(
            session or self.marie, begun.begun.token, token.create(begun.options), " my  phone\n"
        )
        assert answer == signin.Answer("ok")
        return token

    async def tried(self, authenticator: Authenticator, **given: object) -> SignedIn | signin.Answer:
        begun = await self.keys.begin_sign_in(HERE)
        response = authenticator.get(begun.options, **given)  # type: ignore[arg-type]
        return await self.keys.sign_in(begun.begun.token, response, device_label="phone")


@pytest.fixture
async def world(store: Store) -> Keys:
    made = Keys(store)
    made.keys = Passkeys(store, RelyingParty("mon.example", [ORIGIN]), made.rules.lifetimes)
    await made.activated()
    made.marie = (await made.signed_in()).session
    return made


@pytest.mark.parametrize("counts", [True, False])
async def test_a_passkey_replaces_password_and_code(world: Keys, counts: bool) -> None:
    phone = await world.registered(counts=counts)
    sent = len(world.letters.sent)
    for _ in range(2):
        entered = await world.tried(phone)
        assert isinstance(entered, SignedIn)
        assert (entered.session.ins, entered.session.method) == (MARIE, "passkey")
        token = entered.session_token
        assert await signin.current(world.store, token, world.rules.lifetimes) is not None
    assert len(world.letters.sent) == sent
    [kept] = world.store.read(signin.passkeys_of, MARIE)
    assert (kept.name, kept.sign_count) == ("my phone", 3 if counts else 0)
    assert kept.used_at is not None


async def test_several_are_held_and_withdrawn(world: Keys) -> None:
    one, two = await world.registered(), await world.registered()
    numbers = [kept.passkey_id for kept in world.store.read(signin.passkeys_of, MARIE)]
    begun = await world.keys.begin_registration(world.marie)
    assert len(json.loads(begun.options)["excludeCredentials"]) == 2
    assert not world.store.write(signin.remove_passkey, ins=ANNE, passkey_id=numbers[0])
    assert world.store.write(signin.remove_passkey, ins=MARIE, passkey_id=numbers[0])
    assert await world.tried(one) == REFUSED
    assert isinstance(await world.tried(two), SignedIn)


async def test_what_is_refused_at_sign_in(world: Keys) -> None:
    phone = await world.registered()
    stranger = Authenticator(ORIGIN)
    stranger.user_handle = phone.user_handle
    assert await world.tried(stranger) == REFUSED
    assert await world.tried(phone, origin="https://mon.example.evil") == REFUSED
    assert await world.tried(phone, type="webauthn.create") == REFUSED
    assert await world.tried(phone, challenge=b64(bytes(32))) == REFUSED
    assert await world.tried(phone, rp_id="other.example") == REFUSED
    assert await world.tried(phone, flags=UP) == REFUSED  # the user was not verified
    assert await world.tried(phone, flags=UV) == REFUSED  # nor there
    assert await world.tried(phone, user_handle=b"x" * 32) == REFUSED
    for response in ("", "[]", "{}", "{" * 9, '{"id": 1}', "x" * 70_000):
        begun = await world.keys.begin_sign_in(HERE)
        assert await world.keys.sign_in(begun.begun.token, response) == REFUSED
    assert isinstance(await world.tried(phone), SignedIn)


async def test_a_challenge_is_used_once(world: Keys) -> None:
    phone = await world.registered()
    begun = await world.keys.begin_sign_in(HERE)
    response = phone.get(begun.options)
    assert isinstance(await world.keys.sign_in(begun.begun.token, response), SignedIn)
    assert await world.keys.sign_in(begun.begun.token, response) == REFUSED
    # and spent by a wrong answer
    begun = await world.keys.begin_sign_in(HERE)
    assert await world.keys.sign_in(begun.begun.token, "{}") == REFUSED
    assert await world.keys.sign_in(begun.begun.token, phone.get(begun.options)) == REFUSED
    # an answer to another browser's challenge
    one, two = await world.keys.begin_sign_in(HERE), await world.keys.begin_sign_in(HERE)
    assert await world.keys.sign_in(two.begun.token, phone.get(one.options)) == REFUSED


async def test_another_persons_credential(world: Keys) -> None:
    """Anne signs with her key and says that she is Marie."""
    phone = await world.registered()
    await world.activated(ANNE, "anne@example.com", "anne.e")
    anne = (await world.signed_in("anne.e", "anne@example.com")).session
    hers = await world.registered(anne)
    assert await world.tried(hers, user_handle=phone.user_handle) == REFUSED
    hers.credential, kept = phone.credential, hers.credential  # Marie's credential, Anne's signature
    assert await world.tried(hers) == REFUSED
    hers.credential = kept
    entered = await world.tried(hers)
    assert isinstance(entered, SignedIn) and entered.session.ins == ANNE
    # a credential that is Marie's already cannot be registered as Anne's
    begun = await world.keys.begin_registration(anne)
    response = phone.create(begun.options)
    assert await world.keys.register(anne, begun.begun.token, response, "x") == signin.Answer("wrong")


async def test_a_cloned_counter(world: Keys) -> None:
    phone = await world.registered()
    for _ in range(2):
        assert isinstance(await world.tried(phone), SignedIn)
    phone.count -= 2
    assert await world.tried(phone) == REFUSED
    phone.count += 10
    assert await world.tried(phone) == REFUSED  # void from now on
    assert world.store.read(signin.events_of, MARIE)[0].kind == "passkey_cloned"


def test_counters() -> None:
    assert not went_back(0, 0)
    assert not went_back(0, 1)
    assert not went_back(4, 5)
    assert went_back(4, 4) and went_back(4, 0) and went_back(5, 4)


async def test_registration_needs_a_fresh_proof_and_the_same_session(world: Keys) -> None:
    phone = Authenticator(ORIGIN)
    late = msgspec.structs.replace(world.marie, stepped_at=world.marie.created_at - 3_600_000)
    assert (await world.keys.begin_registration(late)).begun.answer == REFUSED
    begun = await world.keys.begin_registration(world.marie)
    other = (await world.signed_in()).session
    assert (
        await world.keys.register(other, begun.begun.token, phone.create(begun.options), "x")
    ).outcome == "over"
    for flags, origin in ((UP, ORIGIN), (UP | UV, "https://evil.example")):
        begun = await world.keys.begin_registration(world.marie)
        response = phone.create(begun.options, flags=flags, origin=origin)
        assert (await world.keys.register(world.marie, begun.begun.token, response, "x")).outcome == "wrong"
        assert (await world.keys.register(world.marie, begun.begun.token, response, "x")).outcome == "over"
    assert world.store.read(signin.passkeys_of, MARIE) == []


async def test_a_profile_that_is_not_activated_any_more(world: Keys) -> None:
    phone = await world.registered()
    patients.suspend(world.store, MARIE, actor="test")
    assert await world.tried(phone) == REFUSED
    patients.resume(world.store, MARIE, actor="test")
    assert isinstance(await world.tried(phone), SignedIn)
    await world.activated()  # made anew: the passkey is gone
    assert await world.tried(phone) == REFUSED
