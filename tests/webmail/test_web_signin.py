"""Sign-in by password and code, signing out, throttles, and what a browser is given, through the pages."""

from __future__ import annotations

import pytest

from patients.signin import sessions_of
from tests.webmail.ways_kit import Person, code, enter, person, sign_in, titles
from tests.webmail.web_kit import ACCOUNTS, ALICE, CLEMENCE, PASSWORD, Browser, Site

ALICE_AT = ACCOUNTS[ALICE.ins][1]
IN = "/connexion"


async def first(one: Person, status: int = 303, *, name: str = "alice.d", word: str = PASSWORD) -> str:
    return await one.fill(IN, IN, status, identifiant=name, motdepasse=word, suite="/")


async def test_both_factors_then_the_page_that_was_asked_for(site: Site) -> None:
    one = person(site)
    answer = await one.client.get("/compte")
    assert answer.headers["location"] == "/connexion?suite=/compte"
    assert 'name="suite" value="/compte"' in await one.get(answer.headers["location"])
    entered = await sign_in(site, one, "alice.d", PASSWORD, ALICE_AT, "/compte")
    assert "Mon compte" in await one.get("/compte")
    kept = {cookie.split("=")[0]: cookie for cookie in entered.headers.get_list("set-cookie")}
    for name in ("__Host-session", "__Host-appareil", "__Host-visite"):
        assert all(word in kept[name] for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"))
        assert "Domain" not in kept[name]
    assert "Max-Age=31536000" in kept["__Host-appareil"] and "Max-Age" not in kept["__Host-session"]
    assert "Max-Age=0" in kept["__Host-etape"]


@pytest.mark.parametrize(
    "after",
    ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "/\t/elsewhere.example",
     "javascript:alert(1)", "/deconnexion", "/connexion/code", "/" + "a" * 2000],
)  # fmt: skip
async def test_only_pages_of_ours_are_gone_to(site: Site, after: str) -> None:
    one = person(site)
    assert 'name="suite" value="/"' in (await one.client.get(IN, params={"suite": after})).text
    data = {"identifiant": "alice.d", "motdepasse": PASSWORD, "suite": after}
    await one.post(IN, data, page=IN)
    answer = await one.post(f"{IN}/code", {"code": await code(site, ALICE_AT)}, page=f"{IN}/code")
    assert answer.headers["location"] == "/"


async def test_nothing_tells_who_exists(site: Site) -> None:
    one = person(site)
    pages = []
    for name, word in [("alice.d", "un autre mot"), ("personne.ici", PASSWORD), ("alice.d", "")]:
        page = await first(one, 422, name=name, word=word)
        assert word == "" or word not in page
        pages.append(page.replace(f'value="{name}"', "value"))
    assert pages[0] == pages[1] == pages[2]
    assert "n'est pas le bon" in pages[0]


async def test_a_wrong_code_then_the_last_sent(site: Site) -> None:
    one = person(site)
    page = await first(one)
    assert "a•••@•••.org" in page and 'autocomplete="one-time-code"' in page and 'inputmode="numeric"' in page
    old = await code(site, ALICE_AT)
    page = await one.fill(f"{IN}/code", f"{IN}/renvoyer")
    assert "Un nouveau code vient de partir" in page
    new = await code(site, ALICE_AT)
    if old != new:
        assert "pas le bon" in await one.fill(f"{IN}/code", f"{IN}/code", 422, code=old)
    entered = await one.post(f"{IN}/code", {"code": f"{new[:3]} {new[3:]}"}, page=f"{IN}/code")
    assert entered.status_code == 303
    assert "Alice" in await one.get("/")


async def test_three_wrong_codes_end_it(site: Site) -> None:
    one = person(site)
    await first(one)
    right = await code(site, ALICE_AT)
    wrong = "000000" if right != "000000" else "111111"
    for _ in range(2):
        await one.fill(f"{IN}/code", f"{IN}/code", 422, code=wrong)
    page = await one.fill(f"{IN}/code", f"{IN}/code", 410, code=wrong)
    assert titles(page) == "Il faut recommencer"
    await first(one)
    again = await one.fill(f"{IN}/code", f"{IN}/code", code=await code(site, ALICE_AT))
    assert "Alice" in again


async def test_a_code_is_of_the_browser_that_asked(site: Site) -> None:
    one, thief = person(site), person(site)
    await first(one)
    right = await code(site, ALICE_AT)
    await thief.get(IN)
    answer = await thief.post(f"{IN}/code", {"code": right}, page=IN, status=410)
    assert "__Host-session" not in str(answer.headers.get_list("set-cookie"))


async def test_tries_are_counted_by_identifier_and_source(site: Site) -> None:
    one = person(site)
    for _ in range(10):
        await first(one, 422, word="un autre mot de passe")
    page = await first(one, 429)
    assert "patientez 15 minutes" in page and 'value="alice.d"' in page
    await first(person(site), 429)  # another browser behind the same address
    await first(one, name="clemence.p")  # somebody else there is not stopped


async def test_a_known_device_is_not_stopped_by_strangers(site: Site) -> None:
    mine = await enter(site)
    await mine.post("/deconnexion")
    stranger = person(site)
    for _ in range(9):  # her own sign-in was counted, when her device was new
        await first(stranger, 422, word="un autre mot de passe")
    await first(stranger, 429)
    assert "Entrez votre code" in await first(mine)


async def test_signing_out_ends_the_session_here_and_there(site: Site) -> None:
    one = await enter(site)
    copy = site.client()
    token = one.client.cookies["__Host-session"]
    copy.cookies.set("__Host-session", token, domain="localhost.local", path="/")
    assert (await copy.get("/compte")).status_code == 200
    assert "Se déconnecter ?" in await one.get("/deconnexion")
    answer = await one.post("/deconnexion")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert "Vous êtes déconnecté" in await one.after(answer)
    assert "__Host-session" not in one.client.cookies and "__Host-appareil" in one.client.cookies
    assert (await copy.get("/compte")).headers["location"].startswith(IN)


async def test_who_signs_in_again_gets_all_new_cookies(site: Site) -> None:
    """Session fixation: what the browser held before (planted or not) does not go on."""
    one = person(site)
    planted = "A" * 43
    for name in ("__Host-session", "__Host-visite"):
        one.client.cookies.set(name, planted, domain="localhost.local", path="/")
    await sign_in(site, one, "alice.d", PASSWORD, ALICE_AT)
    before = {name: one.client.cookies[name] for name in ("__Host-session", "__Host-visite")}
    assert planted not in before.values()
    assert "Vous êtes déjà connecté" in await one.get(IN)
    await sign_in(site, one, "clemence.p", PASSWORD, ACCOUNTS[CLEMENCE.ins][1])
    assert "Clemence" in await one.get("/")
    assert all(one.client.cookies[name] != token for name, token in before.items())
    assert site.store.read(sessions_of, ALICE.ins) == []


async def test_a_childs_space_does_not_outlive_the_sign_in(site: Site) -> None:
    one = person(site)
    one.client.cookies.set("__Host-profil", "1", domain="localhost.local", path="/")
    await sign_in(site, one, "alice.d", PASSWORD, ALICE_AT)
    assert "__Host-profil" not in one.client.cookies


async def test_a_guest_may_sign_in(site: Site) -> None:
    one = person(site)
    one.client.cookies.set("__Host-invite", "1", domain="localhost.local", path="/")
    await sign_in(site, one, "alice.d", PASSWORD, ALICE_AT)
    assert "__Host-invite" not in one.client.cookies


async def test_forged_sign_ins_and_sign_outs(site: Site, alice: Browser) -> None:
    answer = await site.client().post(IN, data={"identifiant": "alice.d", "motdepasse": PASSWORD})
    assert answer.status_code == 403
    forged = await alice.client.post("/deconnexion", data={"_cle": "0" * 40})
    assert forged.status_code == 403
    assert "Alice" in await alice.get("/")
