"""Passkeys through the pages: a software authenticator, and Chromium's own with our script."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import async_playwright

from patients.signin import passkeys_of
from patients.signin.passkeys import Passkeys, RelyingParty
from tests.conftest import find_program
from tests.patients.soft_authenticator import Authenticator
from tests.webmail.ways_kit import Person, enter, old, person
from tests.webmail.web_kit import ALICE, CLEMENCE, Site, form_key

ORIGIN = "https://localhost:1"  # as the settings of the tests say
PATH = "/compte/cles"


async def begin(one: Person, path: str, page: str, status: int = 200) -> str:
    """What our script asks for: options as JSON."""
    answer = await one.post(path, {"suite": "/compte"}, page=page, status=status)
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


async def added(one: Person) -> Authenticator:
    device = Authenticator(ORIGIN)
    options = await begin(one, f"{PATH}/defi", PATH)
    page = await one.fill(PATH, PATH, nom="Mon téléphone", reponse=device.create(options))
    assert "La clé d'accès est ajoutée" in page and "Mon téléphone" in page
    return device


async def test_added_used_and_withdrawn(site: Site) -> None:
    one = await enter(site)
    device = await added(one)
    other = person(site)
    options = await begin(other, "/connexion/cle/defi", "/connexion")
    data = {"reponse": device.get(options)}
    answer = await other.post("/connexion/cle", data, page="/connexion")
    assert answer.headers["location"] == "/compte"
    assert "alice.d" in await other.get("/compte")
    again = await person(site).post("/connexion/cle", data, page="/connexion", status=422)
    assert "n'a pas été reconnue" in again.text.replace("&#39;", "'")
    number = site.store.read(passkeys_of, ALICE.ins)[0].passkey_id
    await (await enter(site, CLEMENCE)).post(f"{PATH}/{number}/retirer", page=PATH, status=404)
    page = await one.fill(PATH, f"{PATH}/{number}/retirer")
    assert "La clé d'accès est retirée" in page and "Aucune clé d'accès" in page
    options = await begin(other, "/connexion/cle/defi", "/connexion")
    await other.post("/connexion/cle", {"reponse": device.get(options)}, page="/connexion", status=422)


async def test_one_is_added_after_a_step_up_only(site: Site) -> None:
    one = await old(site)
    page = await one.get(PATH)
    assert "/compte/preuve?suite=/compte/cles" in page and "passkey.js" not in page
    said = json.loads(await begin(one, f"{PATH}/defi", "/compte", 422))
    assert "Confirmez d'abord" in said["error"]
    answer = await one.post(PATH, {"reponse": "{}"}, page="/compte")
    assert answer.headers["location"].startswith("/compte/preuve")


@pytest.mark.parametrize("given", ["", "{}", "[]", "nul", '{"id": "AA"}', "[" * 5000])
async def test_answers_that_are_none(site: Site, given: str) -> None:
    one = await enter(site)
    await begin(one, f"{PATH}/defi", PATH)
    page = await one.fill(PATH, PATH, 422, reponse=given)
    assert "n'a pas pu être ajoutée" in page
    assert site.store.read(passkeys_of, ALICE.ins) == []
    stranger = person(site)
    await begin(stranger, "/connexion/cle/defi", "/connexion")
    await stranger.post("/connexion/cle", {"reponse": given}, page="/connexion", status=422)


async def test_a_challenge_is_of_the_browser_that_asked(site: Site) -> None:
    one = await enter(site)
    device = await added(one)
    options = await begin(person(site), "/connexion/cle/defi", "/connexion")
    await person(site).post("/connexion/cle", {"reponse": device.get(options)}, page="/connexion", status=422)


async def test_the_challenge_needs_the_key_of_a_form(site: Site) -> None:
    answer = await site.client().post("/connexion/cle/defi", data={"suite": "/"})
    assert answer.status_code == 403


async def test_nothing_is_offered_that_is_not_set_up(site: Site) -> None:
    site.door.kit.passkeys = None
    one = await enter(site)
    assert "passkey.js" not in await one.get("/connexion")
    assert "ne sont pas proposées" in await one.get(PATH)
    for path in ("/connexion/cle", "/connexion/cle/defi", f"{PATH}/defi"):
        answer = await one.client.post(path, data={"_cle": form_key(await one.get("/connexion"))})
        assert answer.status_code == 404


@pytest.mark.package("chromium")
async def test_chromium_makes_one_and_signs_in_with_it(site: Site) -> None:
    """The foreign client: Chromium with a virtual authenticator, our script, our policy."""
    program = find_program("chromium")
    if program is None:
        pytest.skip("chromium is missing (Debian package chromium)")
    kit = site.door.kit
    kit.passkeys = Passkeys(site.store, RelyingParty("localhost", [site.url]), kit.lifetimes)
    token, _ = await site.session()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--ignore-certificate-errors"]
        )
        context = await browser.new_context(base_url=site.url, locale="fr-FR", ignore_https_errors=True)
        await context.add_cookies(
            [{"name": "__Host-session", "value": token, "url": f"{site.url}/", "secure": True}]
        )
        page = await context.new_page()
        wrong: list[str] = []
        page.on("console", lambda one: wrong.append(one.text) if one.type == "error" else None)
        devtools = await context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
        }
        made = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        await page.goto(PATH)
        await page.fill("[name=nom]", "Chromium")
        await page.click("text=Créer la clé d'accès")
        await page.wait_for_selector("text=La clé d'accès est ajoutée")
        assert [one.name for one in site.store.read(passkeys_of, ALICE.ins)] == ["Chromium"]
        await context.clear_cookies()
        await page.goto("/connexion?suite=/compte")
        await page.click("text=Utiliser une clé d'accès")
        await page.wait_for_selector("dd:text('alice.d')")
        assert page.url == f"{site.url}/compte"
        # who refuses on the device is told, and nothing has happened
        await devtools.send(
            "WebAuthn.setUserVerified",
            {"authenticatorId": made["authenticatorId"], "isUserVerified": False},
        )
        await context.clear_cookies()
        await page.goto("/connexion")
        await page.click("text=Utiliser une clé d'accès")
        await page.wait_for_selector("text=n'a pas été utilisée")
        assert wrong == []
        await browser.close()
