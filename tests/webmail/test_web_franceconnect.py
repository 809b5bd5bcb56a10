"""FranceConnect through the pages, against npm's oidc-provider: there, back, and the usual code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from patients.signin import sessions_of
from patients.signin.federation import Federation
from patients.signin.openid import OpenId, Provider
from tests.oidc.provider import REDIRECT, SECRET, node_modules, running
from tests.webmail.ways_kit import Person, code, person
from tests.webmail.web_kit import ACCOUNTS, ALICE, Site

BACK = "/connexion/franceconnect/retour"
TRAITS = {
    "given_name": "Alice",
    "family_name": "DUPONT-EXEMPLE",
    "birthdate": "1969-06-12",
    "gender": "female",
    "birthplace": "75056",
    "birthcountry": "99100",
}


@pytest.fixture(scope="module")
def issuer(repository: Path) -> Iterator[str]:
    accounts = {"alice": TRAITS, "nobody": TRAITS | {"birthdate": "1970-06-12"}}
    with running(repository, node_modules(repository), accounts=accounts, signed=True, alg="ES256") as found:
        yield found


@pytest_asyncio.fixture
async def linked(site: Site, issuer: str) -> AsyncIterator[Site]:
    async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
        kit = site.door.kit
        client = OpenId(Provider(issuer, "passerelle", SECRET, REDIRECT), http)
        kit.federation = Federation(site.store, kit.desk, client)
        yield site


async def leave(one: Person, after: str = "/compte") -> str:
    answer = await one.post("/connexion/franceconnect", {"suite": after}, page=f"/connexion?suite={after}")
    return str(answer.headers["location"])


async def visited(url: str, account: str) -> str:
    """The query that the browser brings back after the person signed in there."""
    async with httpx.AsyncClient(timeout=10, trust_env=False) as browser:
        for _ in range(6):
            answer = await browser.get(url, headers={"X-Account": account})
            url = str(httpx.URL(url).join(answer.headers["location"]))
            if url.startswith(REDIRECT):
                return urlsplit(url).query
    raise AssertionError("the provider did not send the browser back")


async def test_there_and_back_then_the_code(linked: Site) -> None:
    one = person(linked)
    assert "Se connecter avec FranceConnect" in await one.get("/connexion")
    url = await leave(one)
    assert "code_challenge" in parse_qs(urlsplit(url).query)
    answer = await one.client.get(f"{BACK}?{await visited(url, 'alice')}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/connexion/code")
    entered = await one.post(
        "/connexion/code", {"code": await code(linked, ACCOUNTS[ALICE.ins][1])}, page="/connexion/code"
    )
    assert entered.headers["location"] == "/compte"
    assert "alice.d" in await one.get("/compte")
    assert linked.store.read(sessions_of, ALICE.ins)[0].method == "federated"
    assert "FranceConnect et code" in await one.get("/compte/sessions")


async def test_who_has_no_account_is_told_what_to_do(linked: Site) -> None:
    one = person(linked)
    query = await visited(await leave(one), "nobody")
    page = await one.get(f"{BACK}?{query}", 422)
    assert "Nous n'avons pas pu vous connecter avec FranceConnect" in page
    assert (await one.client.get("/connexion/code")).headers["location"] == "/connexion"


async def test_an_answer_counts_once_and_in_the_browser_that_asked(linked: Site) -> None:
    one, thief = person(linked), person(linked)
    query = await visited(await leave(one), "alice")
    assert "pas pu vous connecter" in await thief.get(f"{BACK}?{query}", 422)
    forged = query.replace("state=", "state=x")
    assert "pas pu vous connecter" in await one.get(f"{BACK}?{forged}", 422)
    assert "pas pu vous connecter" in await one.get(f"{BACK}?{query}", 422)  # the journey is over


async def test_who_changed_his_mind_is_back(linked: Site) -> None:
    one = person(linked)
    await leave(one)
    page = await one.get(f"{BACK}?error=access_denied&state=x", 422)
    assert "a été interrompue" in page and 'value="/compte"' in page


async def test_a_provider_that_is_down(site: Site) -> None:
    async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
        kit = site.door.kit
        gone = Provider("http://127.0.0.1:9", "passerelle", SECRET, REDIRECT)
        kit.federation = Federation(site.store, kit.desk, OpenId(gone, http))
        one = person(site)
        answer = await one.post("/connexion/franceconnect", {}, page="/connexion", status=422)
        assert "FranceConnect ne répond pas" in answer.text


async def test_nothing_of_it_where_it_is_not_set_up(site: Site) -> None:
    one = person(site)
    assert "FranceConnect" not in await one.get("/connexion")
    await one.get(BACK, 404)
    await one.post("/connexion/franceconnect", page="/connexion", status=404)
