"""« Mode invité »: a stranger looks around with sample data, changes nothing, and meets nobody's data."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

import patients
from gateway.sample import CAMILLE, LOUIS, SampleHouse
from gateway.sample.guests import LASTS
from store import metadata, now_ms
from tests.webmail.web_kit import ALICE, Browser, Site, form_key


async def guest(site: Site) -> Browser:
    client = site.client()
    key = form_key((await client.get("/invite")).text)
    answer = await client.post("/invite", data={"_cle": key})
    assert answer.status_code == 303, answer.text
    return Browser(client)


def rows(conn: Connection) -> dict[str, int]:
    return {
        one.name: conn.scalar(select(func.count()).select_from(one)) or 0 for one in metadata.sorted_tables
    }


async def test_a_guest_sees_the_sample_and_nobody_else(site: Site) -> None:
    before = site.store.read(rows)
    browser = await guest(site)
    page = await browser.get("/")
    assert CAMILLE.family in page
    assert "Mode invité" in page
    assert ALICE.birth_name not in page
    assert site.store.read(rows) == before, "a guest leaves nothing in the store of real people"


async def test_a_guest_changes_nothing(site: Site) -> None:
    browser = await guest(site)
    house = site.door.kit.guests
    assert house is not None
    store = (await house.guest()).store
    before = store.read(rows)
    page = await browser.get("/")
    for route in site.door.app.routes:
        path = getattr(route, "path", "")
        if "POST" not in (getattr(route, "methods", None) or ()) or path.startswith(
            ("/invite", "/activation")
        ):
            continue
        if path.startswith(("/connexion", "/affichage", "/deconnexion", "/profil")):
            continue  # of strangers too; they change no store of a guest
        for kind in ("int", "path", "str"):
            path = path.replace(f":{kind}}}", "}")
        path = "/".join("1" if part.startswith("{") else part for part in path.split("/"))
        answer = await browser.client.post(path, data={"_cle": form_key(page)})
        assert answer.status_code == 403, (path, answer.status_code)
        assert "rien n'est enregistré" in answer.text.replace("&#39;", "'")
    assert store.read(rows) == before


async def test_a_guest_goes_to_the_childs_space_and_away(site: Site) -> None:
    browser = await guest(site)
    house = site.door.kit.guests
    assert house is not None
    store = (await house.guest()).store
    child = store.read(patients.profile, LOUIS.ins)
    assert child is not None
    browser.client.cookies.set("__Host-profil", str(child.box_id), domain="localhost.local", path="/")
    page = await browser.get("/")
    assert "Louis" in page
    await browser.client.post("/invite/quitter", data={"_cle": form_key(page)})
    assert "Louis" not in await browser.get("/")


async def test_a_real_session_is_not_a_guests(site: Site, alice: Browser) -> None:
    alice.client.cookies.set("__Host-invite", "x" * 32, domain="localhost.local", path="/")
    assert ALICE.birth_name in await alice.get("/")


async def test_whose_session_ended_is_asked_to_sign_in_and_not_shown_the_sample(site: Site) -> None:
    browser = await guest(site)
    browser.client.cookies.set("__Host-session", "ended", domain="localhost.local", path="/")
    assert CAMILLE.family not in await browser.get("/")
    asked = await browser.client.get("/messages")
    assert (asked.status_code, asked.headers["location"]) == (303, "/connexion?suite=/messages")
    key = form_key(await browser.get("/invite"))
    entered = await browser.client.post("/invite", data={"_cle": key})
    assert entered.status_code == 303
    assert CAMILLE.family in await browser.get("/"), "who wants to look around may"


async def test_a_forged_guest_cookie_opens_the_sample_only(site: Site) -> None:
    client = site.client()
    client.cookies.set("__Host-invite", "whatever", domain="localhost.local", path="/")
    page = await Browser(client).get("/")
    assert CAMILLE.family in page


async def test_the_house_is_made_anew_each_day() -> None:
    moments = [now_ms()]
    house = SampleHouse(lambda: moments[0])
    first = await house.guest()
    assert (await house.guest()).store is first.store
    moments[0] += LASTS + 1
    second = await house.guest()
    assert second.store is not first.store
    await house.close()
