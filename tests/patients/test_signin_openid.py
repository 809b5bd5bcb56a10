"""FranceConnect: the client against a real provider (npm's oidc-provider), and against one that cheats."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from patients import Person, add_persons, signin
from patients.signin.desk import SignedIn
from patients.signin.federation import Federation
from patients.signin.identities import Journey, bare
from patients.signin.issuer import ProviderError
from patients.signin.openid import OpenId, Provider, _half_hash, new_journey
from store import Store
from tests.oidc.provider import REDIRECT, SECRET, node_modules, running
from tests.patients.signin_kit import ANNE, HERE, MARIE, World

MARIE_TRAITS = {
    "given_name": "Marie Claire",
    "family_name": "EXEMPLE",
    "birthdate": "1980-03-21",
    "gender": "female",
    "birthplace": "75056",
    "birthcountry": "99100",
}
ACCOUNTS = {
    "marie": MARIE_TRAITS,
    "anne": MARIE_TRAITS | {"given_name": "Anne", "family_name": "Essai"},
    "paul": MARIE_TRAITS | {"given_name": "Paul", "gender": "male"},
    "nobody": MARIE_TRAITS | {"birthdate": "1981-03-21"},
    "empty": {"given_name": "Marie Claire"},
}


@pytest.fixture(scope="session")
def modules(repository: Path) -> Path:
    return node_modules(repository)


@pytest.fixture(scope="module", params=["RS256", "ES256"])
def issuer(request: pytest.FixtureRequest, repository: Path, modules: Path) -> Iterator[str]:
    with running(repository, modules, accounts=ACCOUNTS, signed=True, alg=request.param) as found:
        yield found


def provider(issuer: str, **other: Any) -> Provider:
    return Provider(issuer, "passerelle", SECRET, REDIRECT, **other)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        yield client


async def visited(url: str, account: str) -> dict[str, str]:
    """What the browser brings back after the person signed in at the provider as ``account``."""
    async with httpx.AsyncClient(timeout=10, trust_env=False) as browser:
        for _ in range(6):
            answer = await browser.get(url, headers={"X-Account": account})
            assert answer.status_code == 303, answer.text
            url = str(httpx.URL(url).join(answer.headers["location"]))
            if url.startswith(REDIRECT):
                return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    raise AssertionError("the provider did not send the browser back")


@pytest.fixture
async def world(store: Store) -> World:
    made = World(store)
    await made.activated()
    return made


async def test_sign_in_with_a_real_provider(world: World, issuer: str, http: httpx.AsyncClient) -> None:
    federation = Federation(world.store, world.desk, OpenId(provider(issuer), http))
    begun, url = await federation.begin(HERE)
    asked = parse_qs(urlsplit(url).query)
    assert asked["code_challenge_method"] == ["S256"] and asked["acr_values"] == ["eidas1 eidas2 eidas3"]
    back = await visited(url, "marie")
    came = await federation.end(begun.token, state=back["state"], code=back["code"], issuer=back["iss"])
    assert came.answer == signin.Answer("ok", "code", shown="m•••@•••.org")
    await world.courier.drain()
    entered = await world.desk.enter(came.token, world.letters.code("marie@example.org"))
    assert isinstance(entered, SignedIn)
    assert (entered.session.ins, entered.session.method) == (MARIE, "federated")
    again = await federation.end(begun.token, state=back["state"], code=back["code"], issuer=back["iss"])
    assert again.answer.outcome == "over"


@pytest.mark.parametrize("account", ["anne", "paul", "nobody", "empty"])
async def test_who_has_no_account_is_told_nothing(
    world: World, issuer: str, http: httpx.AsyncClient, account: str
) -> None:
    """A profile not activated, nobody's traits, traits that lack: one answer, and no code is sent."""
    federation = Federation(world.store, world.desk, OpenId(provider(issuer), http))
    begun, url = await federation.begin(HERE)
    back = await visited(url, account)
    sent = len(world.letters.sent)
    came = await federation.end(begun.token, state=back["state"], code=back["code"], issuer=back["iss"])
    assert came == signin.Begun("", signin.Answer("refused"))
    await world.courier.drain()
    assert len(world.letters.sent) == sent


async def test_what_came_back_must_be_ours(issuer: str, http: httpx.AsyncClient) -> None:
    client = OpenId(provider(issuer), http)

    async def fails(rule: str, alter: Callable[[Journey], Journey], **given: str) -> None:
        journey = new_journey()
        back = await visited(await client.authorize_url(journey), "marie")
        said = {"state": back["state"], "code": back["code"], "issuer": back["iss"]} | given
        with pytest.raises(ProviderError) as raised:
            await client.identity(alter(journey), **said)
        assert raised.value.rule == rule

    await fails("signin.state", lambda one: one, state="x")
    await fails("signin.state", lambda one: one, issuer="https://evil.example")
    await fails("signin.provider", lambda one: one, code="x")
    await fails("signin.provider", lambda one: Journey(one.state, one.nonce, "x" * 50))  # PKCE
    await fails("signin.token", lambda one: Journey(one.state, "x", one.verifier))


async def test_the_level_must_be_accepted_and_userinfo_signed(
    repository: Path, modules: Path, http: httpx.AsyncClient
) -> None:
    for given, accepted, rule in (
        ({}, ["eidas2"], "signin.acr"),
        ({"signed": False}, ["eidas1"], "signin.identity"),
    ):
        with running(
            repository, modules, **({"accounts": ACCOUNTS, "signed": True, "alg": "ES256"} | given)
        ) as issuer:
            client = OpenId(provider(issuer, acr_values=tuple(accepted)), http)
            journey = new_journey()
            # the level is not asked for, as if the person's browser had taken it out
            url = (await client.authorize_url(journey)).replace("acr_values=eidas2", "x=1")
            back = await visited(url, "marie")
            with pytest.raises(ProviderError) as raised:
                await client.identity(journey, state=back["state"], code=back["code"])
            assert raised.value.rule == rule


# A provider that cheats, in the process: each case changes one thing of what is right.

ISSUER = "https://provider.example"
KEY = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"})
OTHER = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"})


def cheating(journey: Journey, **change: Any) -> httpx.AsyncClient:
    now = int(time.time())
    header = {"alg": "ES256", "kid": "k1"}
    right = {
        "iss": ISSUER,
        "sub": "s1",
        "aud": "passerelle",
        "exp": now + 60,
        "iat": now,
        "nonce": journey.nonce,
        "acr": "eidas1",
        "at_hash": _half_hash("access"),
    }
    claims = {name: value for name, value in (right | change.get("claims", {})).items() if value is not None}
    told = {"iss": ISSUER, "sub": "s1", "aud": "passerelle"} | MARIE_TRAITS | change.get("userinfo", {})
    signed = jwt.encode(header, claims, change.get("key", KEY))
    if change.get("unsigned"):
        head = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
        signed = f"{head}.{signed.split('.')[1]}."
    answers: dict[str, Any] = {
        "/.well-known/openid-configuration": {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/a",
            "token_endpoint": f"{ISSUER}/t",
            "userinfo_endpoint": f"{ISSUER}/u",
            "jwks_uri": f"{ISSUER}/k",
        }
        | change.get("metadata", {}),
        "/t": {"access_token": "access", "id_token": signed, "token_type": "Bearer"}
        | change.get("token", {}),
        "/k": {"keys": [KEY.as_dict(private=False)]},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/u":
            assert request.headers["authorization"] == "Bearer access"
            body = jwt.encode(header, told, change.get("user_key", KEY))
            return httpx.Response(200, text=body, headers={"content-type": "application/jwt"})
        if change.get("status"):
            return httpx.Response(change["status"])
        return httpx.Response(200, json=answers[request.url.path])

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("", {}),
        ("", {"claims": {"aud": ["passerelle"]}}),
        ("", {"claims": {"aud": ["passerelle", "other"], "azp": "passerelle"}}),
        ("signin.token", {"claims": {"aud": ["passerelle", "other"]}}),
        ("signin.token", {"claims": {"aud": "other"}}),
        ("signin.token", {"claims": {"iss": "https://evil.example"}}),
        ("signin.token", {"claims": {"exp": int(time.time()) - 120}}),
        ("signin.token", {"claims": {"exp": "tomorrow"}}),
        ("signin.token", {"claims": {"exp": None}}),
        ("signin.token", {"claims": {"iat": int(time.time()) - 4000}}),
        ("signin.token", {"claims": {"nonce": None}}),
        ("signin.token", {"claims": {"nonce": "x"}}),
        ("signin.token", {"claims": {"at_hash": "x"}}),
        ("signin.token", {"claims": {"at_hash": None}}),
        ("signin.token", {"claims": {"sub": ""}}),
        ("signin.acr", {"claims": {"acr": "eidas0"}}),
        ("signin.acr", {"claims": {"acr": None}}),
        ("signin.token", {"key": OTHER}),
        ("signin.token", {"unsigned": True}),
        ("signin.token", {"token": {"id_token": "x.y.z"}}),
        ("signin.token", {"token": {"id_token": ""}}),
        ("signin.provider", {"token": {"token_type": "mac"}}),
        ("signin.provider", {"token": {"access_token": 5}}),
        ("signin.provider", {"metadata": {"issuer": "https://evil.example"}}),
        ("signin.provider", {"metadata": {"token_endpoint": "http://provider.example/t"}}),
        ("signin.provider", {"status": 500}),
        ("signin.provider", {"status": 302}),
        ("signin.identity", {"userinfo": {"sub": "s2"}}),
        ("signin.identity", {"userinfo": {"aud": "other"}}),
        ("signin.identity", {"userinfo": {"iss": "https://evil.example"}}),
        ("signin.identity", {"userinfo": {"birthdate": 5}}),
        ("signin.identity", {"userinfo": {"exp": 5}}),
        ("signin.token", {"user_key": OTHER}),
    ],
)
async def test_a_provider_that_cheats(rule: str, change: dict[str, Any]) -> None:
    journey = new_journey()
    async with cheating(journey, **change) as http:
        client = OpenId(provider(ISSUER), http)
        if not rule:
            vouched = await client.identity(journey, state=journey.state, code="c")
            assert vouched.pivot.family_name == "EXEMPLE"
            return
        with pytest.raises(ProviderError) as raised:
            await client.identity(journey, state=journey.state, code="c")
        assert raised.value.rule == rule


def test_traits_match_exactly_one(store: Store) -> None:
    world = World(store)
    right = signin.Pivot(**MARIE_TRAITS)

    def matched(**change: str) -> str | None:
        return world.store.read(signin.match, signin.Pivot(**(MARIE_TRAITS | change)))

    assert world.store.read(signin.match, right) == MARIE
    assert matched(given_name="MARIE-CLAIRE", family_name="exémple") == MARIE
    assert matched(given_name="Marie") is None
    assert matched(given_name="Claire Marie") is None
    assert matched(family_name="") is None
    assert matched(gender="male") is None
    assert matched(gender="") is None
    assert matched(birthplace="75101") is None
    assert matched(birthplace="", birthcountry="99109") is None
    assert matched(birthdate="1980-00-00") is None
    twin = Person(ANNE, "1.2.250.1.213.1.4.10", "EXEMPLE", "MARIE CLAIRE", "", "F", "1980-03-21", "75056")
    world.store.write(add_persons, persons=[twin], actor="test")
    assert matched() is None


def test_names_are_bare() -> None:
    assert bare("d’Œuvre-Çelik  Noël") == "D OEUVRE CELIK NOEL"
    assert bare("—") == ""
