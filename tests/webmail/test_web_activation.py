"""Activation in steps, opposition, a closed profile that comes back: through the pages of a real gateway."""

from __future__ import annotations

import pytest

import patients
from gateway.demo import cast
from tests.webmail.ways_kit import (
    FIRST,
    STEP,
    activate,
    at_decision,
    code,
    facts,
    notice_code,
    person,
    sign_in,
    titles,
)
from tests.webmail.web_kit import ALICE, BASILE, CLEMENCE, NOE, SERIALS, TERMS, Site

WORD = "quatre chats sous la pluie"
BASILE_AT = "basile@example.org"


async def test_the_whole_way(site: Site) -> None:
    """From the facts to the first page of one's own space. Basile objected once: he changes his mind."""
    basile = person(site)
    assert "Étape 1 sur 5" in await basile.get(FIRST)
    end = await activate(site, basile, BASILE, BASILE_AT, "basile.m", WORD)
    assert titles(end) == "Votre profil est activé"
    assert site.profile(BASILE).state == "activated"
    await sign_in(site, basile, "basile.m", WORD, BASILE_AT)
    assert "Basile" in await basile.get("/")


async def test_a_letter_then_a_contact(site: Site) -> None:
    """Whoever has a letter proves a way to reach him before he makes an account."""
    secret = site.store.write(notice_code, ins=BASILE.ins)
    one = person(site)
    page = await one.fill(FIRST, FIRST, **facts(BASILE, canal="letter"))
    assert "de votre courrier" in page
    await one.fill(STEP, "/activation/code", code=secret.lower())
    page = await one.fill(STEP, "/activation/decision", version=TERMS, conditions="oui", donnees="oui")
    assert "Étape 4 sur 5" in page
    page = await one.fill(STEP, "/activation/coordonnees", 422, canal="sms", sms="01 23")
    assert 'value="01 23"' in page and "numéro de mobile, par exemple" in page
    page = await one.fill(STEP, "/activation/coordonnees", canal="sms", sms="06 99 88 77 66")
    assert "•• •• •• •• 66" in page
    page = await one.fill(STEP, "/activation/confirmer", 422, code="000")
    assert "pas le bon" in page and "•• •• •• •• 66" in page
    assert "Où vous envoyer vos codes" in await one.get(f"{STEP}?changer=1")
    page = await one.fill(STEP, "/activation/confirmer", code=await code(site, "+33699887766"))
    assert "Étape 5 sur 5" in page
    page = await one.fill(STEP, "/activation/compte", identifiant="basile.m", motdepasse=WORD, encore=WORD)
    assert titles(page) == "Votre profil est activé"


async def test_what_was_typed_is_kept_but_secrets(site: Site) -> None:
    one = person(site)
    page = await one.fill(FIRST, FIRST, 422, **facts(BASILE, jour="31", mois="2", serie="123 45"))
    assert "Indiquez une date qui existe" in page
    assert 'value="31"' in page and 'value="123 45"' in page and BASILE.ins in page
    page = await one.fill(FIRST, FIRST, 422, **facts(BASILE, numero="12"))
    assert "Le numéro a 13 chiffres" in page
    await at_decision(site, one, BASILE, BASILE_AT)
    page = await one.fill(STEP, "/activation/decision", 422, version=TERMS, conditions="oui")
    assert 'id="f-conditions" name="conditions" value="oui" checked' in page
    assert "il faut avoir lu" in page
    await one.fill(STEP, "/activation/decision", version=TERMS, conditions="oui", donnees="oui")
    data = {"identifiant": "basile.m", "motdepasse": "court", "encore": "court"}
    page = await one.fill(STEP, "/activation/compte", 422, **data)
    assert "au moins 12 caractères" in page and 'value="basile.m"' in page
    assert "court" not in page
    data = {"identifiant": "alice.d", "motdepasse": WORD, "encore": WORD}
    assert "déjà pris" in await one.fill(STEP, "/activation/compte", 422, **data)
    data = {"identifiant": "basile.m", "motdepasse": WORD, "encore": "autre"}
    page = await one.fill(STEP, "/activation/compte", 422, **data)
    assert "ne sont pas les mêmes" in page and WORD not in page
    assert site.profile(BASILE).state == "opposed"


async def test_terms_that_changed_are_shown_again(site: Site) -> None:
    one = person(site)
    await at_decision(site, one, BASILE, BASILE_AT)
    page = await one.fill(
        STEP, "/activation/decision", 422, version="ancienne", conditions="oui", donnees="oui"
    )
    assert "viennent de changer" in page


async def test_going_back_does_nothing_twice(site: Site) -> None:
    """A form that is sent again, from a page that the browser went back to, leads to where the flow is."""
    one = person(site)
    await at_decision(site, one, BASILE, BASILE_AT)
    page = await one.fill(STEP, "/activation/code", code=await code(site, BASILE_AT))
    assert "Que souhaitez-vous faire" in page
    assert "Reprendre où j'en étais" in await one.get(FIRST)
    page = await one.fill(STEP, "/activation/recommencer")
    assert "Étape 1 sur 5" in page and "Reprendre" not in page


async def test_too_many_wrong_codes_end_it(site: Site) -> None:
    one = person(site)
    await one.fill(FIRST, FIRST, **facts(BASILE))
    for _ in range(4):
        page = await one.fill(STEP, "/activation/code", 422, code="AAAA-AAAA-AAAA")
        assert "pas le bon" in page
    page = await one.fill(STEP, "/activation/code", 410, code="AAAA-AAAA-AAAA")
    assert titles(page) == "Il faut recommencer"
    answer = await one.client.get(STEP)
    assert answer.headers["location"] == FIRST


async def test_a_code_that_did_not_come_is_sent_again(site: Site) -> None:
    one = person(site)
    await one.fill(FIRST, FIRST, **facts(BASILE))
    first = await code(site, BASILE_AT)
    page = await one.fill(STEP, "/activation/renvoyer")
    assert "un nouveau code vient de partir" in page
    second = await code(site, BASILE_AT)
    assert second != first
    await one.fill(STEP, "/activation/renvoyer")
    page = await one.fill(STEP, "/activation/renvoyer")
    assert "Trois codes sont partis" in page
    assert "pas le bon" in await one.fill(STEP, "/activation/code", 422, code=second)
    page = await one.fill(STEP, "/activation/code", code=await code(site, BASILE_AT))
    assert "Étape 3 sur 5" in page


async def test_nobody_can_be_found_out(site: Site) -> None:
    """Facts of nobody, of an opposed and of an activated profile: one answer, one next page."""
    pages = set()
    nobody = cast.Patient(cast.ins("1850369123099"), "X", "X", "M", "1985-03-02", "69123")
    SERIALS.setdefault(nobody.ins, "77777777")
    for who in (ALICE, BASILE, nobody):
        one = person(site)
        page = await one.fill(FIRST, FIRST, **facts(who))
        page = page[page.index("<h1") : page.index("</main>")]
        start = page.index("vers ") + 5
        shown = page[start : page.index(".", page.index("@", start) + 6)]
        key = page[page.index('name="_cle" value="') + 19 :][:40]
        pages.add(page.replace(shown, "SHOWN").replace(key, "KEY"))
    assert len(pages) == 1
    assert "SHOWN" in pages.pop()


async def test_sources_are_stopped(site: Site) -> None:
    """The desk's throttle bites through the pages, by source and person, and says how long to wait."""
    one = person(site)
    for _ in range(10):
        await one.fill(FIRST, FIRST, **facts(BASILE, serie="88888888"))
    page = await one.fill(FIRST, FIRST, 429, **facts(BASILE, serie="88888888"))
    assert "patientez 15 minutes" in page and 'value="88888888"' in page
    await person(site).fill(FIRST, FIRST, **facts(CLEMENCE))  # another person, same source


async def test_opposition(site: Site) -> None:
    """What it means is told before; who is activated closes from the account instead."""
    one = person(site)
    await at_decision(site, one, BASILE, BASILE_AT)
    page = await one.get("/activation/opposition")
    assert "Ce que cela ne change pas" in page and "dix ans" in page
    page = await one.fill("/activation/opposition", "/activation/opposition")
    assert titles(page) == "Votre refus est enregistré"
    assert site.profile(BASILE).state == "opposed"
    other = person(site)
    await at_decision(site, other, ALICE, "alice@example.org")
    page = await other.fill("/activation/opposition", "/activation/opposition", 422)
    assert "fermez-le depuis votre compte" in page
    assert site.profile(ALICE).state == "activated"


async def test_a_closed_profile_comes_back(site: Site) -> None:
    box = site.box(ALICE)
    patients.close(site.store, ALICE.ins, actor="test")
    one = person(site)
    end = await activate(site, one, ALICE, "alice@example.org", "alice.d", WORD)
    assert titles(end) == "Votre profil est activé"
    assert (site.profile(ALICE).state, site.box(ALICE)) == ("activated", box)


async def test_twins_choose_after_the_code(site: Site) -> None:
    twin = cast.Patient(cast.ins("1160575056005"), "DUPONT-EXEMPLE", "LEO", "M", NOE.birth_date, "75056")
    site.store.write(patients.add_persons, persons=[twin.person], actor="test")
    rows = [
        patients.signin.imports.Reach(2, one.ins, "plain", "55555555", ALICE.ins, "alice@example.org", "")
        for one in (NOE, twin)
    ]
    assert site.store.write(patients.signin.imports.add_reach, rows=rows) == []
    one = person(site)
    await one.fill(FIRST, FIRST, **facts(NOE, numero=ALICE.ins, serie="55555555"))
    page = await one.fill(STEP, "/activation/code", code=await code(site, "alice@example.org"))
    assert "De qui s'agit-il" in page and "Noe" in page and "Leo" in page
    assert "Choisissez une personne" in await one.fill(STEP, "/activation/choix", 422, personne="")
    place = "1" if page.index("Leo") > page.index("Noe") else "0"
    assert "Que souhaitez-vous faire" in await one.fill(STEP, "/activation/choix", personne=place)


async def test_the_flow_is_in_a_cookie_alone(site: Site) -> None:
    one = person(site)
    answer = await one.post(FIRST, facts(BASILE), page=FIRST)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-etape=")
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"))
    token = cookie.split("=", 1)[1].split(".")[0]
    assert len(token) == 43
    assert token not in await one.get(STEP) and token not in answer.headers["location"]


@pytest.mark.parametrize("path", ["/activation/code", "/activation/decision", "/activation/compte"])
async def test_forged_forms_are_refused(site: Site, path: str) -> None:
    one = person(site)
    await one.fill(FIRST, FIRST, **facts(BASILE))
    answer = await one.client.post(path, data={"_cle": "0" * 40, "code": "x"})
    assert answer.status_code == 403
    assert "Étape 2 sur 5" in await one.get(STEP)
