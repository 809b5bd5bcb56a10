"""The account: sessions, step-up, password, where codes go, app passwords, notices, closing, and what is not
shown to others."""

from __future__ import annotations

import activity
import patients
from patients import check_app_password
from patients.signin import sessions_of
from tests.webmail.ways_kit import Person, code, enter, old, person, sign_in, titles
from tests.webmail.web_kit import ACCOUNTS, ALICE, CLEMENCE, NOE, PASSWORD, Browser, Site

ALICE_AT = ACCOUNTS[ALICE.ins][1]
NEW = "cinq lanternes bleues"


async def step_up(site: Site, one: Person, after: str) -> str:
    page = await one.get(f"/compte/preuve?suite={after}")
    assert "Confirmez que c'est bien vous" in page
    page = await one.fill(f"/compte/preuve?suite={after}", "/compte/preuve", suite=after)
    assert "a•••@•••.org" in page
    answer = await one.post(
        "/compte/preuve/code", {"code": await code(site, ALICE_AT)}, page="/compte/preuve/code"
    )
    assert answer.headers["location"] == after
    return await one.after(answer)


async def test_who_one_is(alice: Browser) -> None:
    page = await alice.get("/compte")
    assert "DUPONT-EXEMPLE" in page and "12 juin 1969" in page
    assert "2\u00a069\u00a006\u00a075\u00a0056\u00a0001\u00a0" in page
    assert ALICE.address.casefold() in page and "alice.d" in page and "a•••@•••.org" in page
    assert ALICE_AT not in page


async def test_sessions_are_listed_and_ended(site: Site) -> None:
    one, other, third = await enter(site), await enter(site), await enter(site)
    page = await one.get("/compte/sessions")
    assert page.count('/fermer"') == 2 and page.count("cette session") == 1
    mine = site.store.read(sessions_of, ALICE.ins)
    page = await one.fill("/compte/sessions", f"/compte/sessions/{mine[0].session_id}/fermer")
    assert "Cette session est fermée" in page
    assert (await third.client.get("/compte")).status_code == 303
    await other.get("/compte")
    await one.fill("/compte/sessions", "/compte/sessions/fermer-autres")
    assert (await other.client.get("/compte")).status_code == 303
    assert "Aucune" not in await one.get("/compte/sessions")


async def test_sessions_of_others_are_not_there(site: Site, alice: Browser) -> None:
    await enter(site, CLEMENCE)
    theirs = site.store.read(sessions_of, CLEMENCE.ins)[0].session_id
    await alice.post(f"/compte/sessions/{theirs}/fermer", status=404)
    assert site.store.read(sessions_of, CLEMENCE.ins)


async def test_acts_that_matter_ask_for_a_code_again(site: Site) -> None:
    one = await old(site)
    for path in ("/compte/mot-de-passe", "/compte/fermer"):
        assert (await one.client.get(path)).headers["location"] == f"/compte/preuve?suite={path}"
    for path in ("/compte/mot-de-passe", "/compte/coordonnees", "/compte/applications", "/compte/fermer"):
        answer = await one.post(path, {"nom": "x", "compris": "oui"}, page="/compte")
        assert answer.headers["location"] == f"/compte/preuve?suite={path}"
    assert site.profile(ALICE).state == "activated"
    page = await step_up(site, one, "/compte/mot-de-passe")
    assert "C'est confirmé" in page and titles(page) == "Changer de mot de passe"


async def test_a_step_up_of_another_session_does_not_count(site: Site) -> None:
    one = await old(site)
    other = await old(site)
    await one.fill("/compte/preuve", "/compte/preuve", suite="/compte")
    right = await code(site, ALICE_AT)
    token = one.client.cookies["__Host-etape"]
    other.client.cookies.set("__Host-etape", token, domain="localhost.local", path="/")
    await other.post("/compte/preuve/code", {"code": right}, page="/compte", status=410)
    assert "/compte/preuve" in (await other.client.get("/compte/mot-de-passe")).headers["location"]


async def test_a_new_password(site: Site) -> None:
    one, other = await enter(site), await enter(site)
    path = "/compte/mot-de-passe"
    page = await one.fill(path, path, 422, actuel="faux", motdepasse=NEW, encore=NEW)
    assert "pas votre mot de passe actuel" in page and NEW not in page
    page = await one.fill(
        path, path, 422, actuel=PASSWORD, motdepasse="alice.d123456", encore="alice.d123456"
    )
    assert "ne doit pas contenir votre identifiant" in page
    page = await one.fill(path, path, 422, actuel=PASSWORD, motdepasse=NEW, encore=PASSWORD)
    assert "ne sont pas les mêmes" in page
    page = await one.fill(path, path, actuel=PASSWORD, motdepasse=NEW, encore=NEW)
    assert "Votre mot de passe est changé" in page
    assert (await other.client.get("/compte")).status_code == 303
    await sign_in(site, person(site), "alice.d", NEW, ALICE_AT)
    await site.door._signin.courier.drain()
    assert any("mot de passe a été changé" in text for text in site.codes.texts(ALICE_AT))


async def test_codes_go_elsewhere_once_that_is_proven(site: Site) -> None:
    one, path = await enter(site), "/compte/coordonnees"
    page = await one.fill(path, path, 422, canal="email", email="pas une adresse")
    assert "Indiquez une adresse e-mail" in page and 'value="pas une adresse"' in page
    page = await one.fill(path, path, canal="sms", sms="06 11 22 33 44")
    assert "•• •• •• •• 44" in page
    page = await one.fill(f"{path}/code", f"{path}/code", 422, code="1")
    assert "pas le bon" in page and "•• •• •• •• 44" in page
    await sign_in(site, person(site), "alice.d", PASSWORD, ALICE_AT)  # nothing has changed yet
    page = await one.fill(f"{path}/code", f"{path}/code", code=await code(site, "+33611223344"))
    assert "vos codes partiront désormais là" in page
    await sign_in(site, person(site), "alice.d", PASSWORD, "+33611223344")
    assert any("a été changé" in text for text in site.codes.texts(ALICE_AT))
    page = await one.fill(path, f"{path}/canal", canal="email")
    assert "désormais là" in page
    await sign_in(site, person(site), "alice.d", PASSWORD, ALICE_AT)


async def test_app_passwords_are_shown_once_and_withdrawn(site: Site) -> None:
    one, path = await enter(site), "/compte/applications"
    assert "Donnez un nom" in await one.fill(path, path, 422, nom="")
    page = await one.fill(path, path, 200, nom="<b>téléphone</b>")
    assert "&lt;b&gt;téléphone" in page
    secret = page.split("<code>")[1].split("</code>")[0]
    assert await check_app_password(site.store, ALICE.address, secret) == site.box()
    page = await one.get(path)
    assert secret not in page and "jamais utilisé" not in page and ", port " in page
    number = page.split("/compte/applications/")[1].split("/")[0]
    await one.fill(path, f"{path}/{number}/retirer")
    assert await check_app_password(site.store, ALICE.address, secret) is None
    clemence = await enter(site, CLEMENCE)
    await clemence.post(f"{path}/{number}/retirer", page=path, status=404)


async def test_how_often_one_is_told(site: Site, alice: Browser) -> None:
    path = "/compte/notifications"
    await alice.post(path, {"rythme": "jamais"}, page=path, status=422)
    await alice.post(path, {"rythme": "weekly"}, page=path)
    kept = site.store.read(activity.notice_of, site.box(), ALICE.ins)
    assert kept.wish == "weekly"
    assert 'value="weekly" checked' in await alice.get(path)


async def test_the_journal_tells_what_happened(site: Site) -> None:
    await person(site).fill("/connexion", "/connexion", 422, identifiant="alice.d", motdepasse="faux")
    one = await enter(site)
    await site.door._signin.courier.drain()
    page = await one.get("/compte/journal")
    assert "Mot de passe refusé" in page and "Connexion" in page and "Code envoyé" in page


async def test_closing_and_what_is_left(site: Site) -> None:
    one, other = await enter(site), await enter(site)
    page = await one.get("/compte/fermer")
    assert "/export" in page and "dix ans" in page
    assert "Cochez la case" in await one.fill("/compte/fermer", "/compte/fermer", 422)
    answer = await one.post("/compte/fermer", {"compris": "oui"}, page="/compte/fermer")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert titles(await one.after(answer)) == "Votre profil est fermé"
    assert site.profile(ALICE).state == "closed"
    assert site.store.read(sessions_of, ALICE.ins) == []
    for client in (one.client, other.client):
        assert (await client.get("/compte")).headers["location"].startswith("/connexion")
    steps = site.store.read(patients.history, ALICE.ins)
    assert (steps[-1].event, steps[-1].actor) == ("close", "patient")


async def test_ways_in_are_not_shown_in_a_childs_space(site: Site) -> None:
    one = await site.signed_in(space=NOE)
    page = await one.get("/compte")
    assert NOE.birth_name in page and "Noe" in page and "Mes accès" not in page and "alice.d" not in page
    for path in ("sessions", "cles", "mot-de-passe", "coordonnees", "journal", "fermer"):
        assert "Revenir dans mon espace" in await one.get(f"/compte/{path}", 403)
    await one.post("/compte/fermer", {"compris": "oui"}, page="/compte", status=403)
    assert site.profile(NOE).state == "activated"
    await one.post("/compte/notifications", {"rythme": "daily"}, page="/compte/notifications")
    assert site.store.read(activity.notice_of, site.box(NOE), ALICE.ins).wish == "daily"
    assert site.store.read(activity.notice_of, site.box(ALICE), ALICE.ins).wish == "at_once"


async def test_a_guest_looks_at_everything_and_changes_nothing(site: Site) -> None:
    """Guest mode has no account behind it: the pages are shown all the same, and no form is taken."""
    one = person(site)
    await one.post("/invite", page="/invite")
    for path in ("", "/sessions", "/cles", "/mot-de-passe", "/coordonnees", "/applications", "/journal"):
        await one.get(f"/compte{path}")
    await one.get("/profils")
    await one.get("/compte/fermer")
    for path, data in [("/compte/notifications", {"rythme": "none"}), ("/compte/fermer", {"compris": "oui"})]:
        answer = await one.post(path, data, page=path, status=403)
        assert "mode invité" in answer.text
