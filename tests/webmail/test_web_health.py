"""The medical profile through its pages: kept, corrected, ended, taken out; whose it is decides."""

from __future__ import annotations

import re

from activity import Actor
from dossier import health
from tests.webmail.web_kit import ALICE, CLEMENCE, NOE, Browser, Site

ILL = {"label": "Asthme", "begin": "05/2019", "chronic": "oui", "system": "", "code": ""}


async def add(browser: Browser, section: str, **given: str) -> str:
    """Add an item; its page's path."""
    path = f"/sante/ajouter/{section}"
    answer = await browser.post(path, given, page=path)
    return answer.headers["location"]


async def test_each_section_says_that_nothing_is_told(site: Site, alice: Browser) -> None:
    page = await alice.get("/sante")
    assert page.count("Non renseigné.") == 8
    assert page.count("/sante/aucun/") == 5


async def test_an_illness_is_added_corrected_ended_taken_up_and_taken_out(site: Site, alice: Browser) -> None:
    path = await add(alice, "maladies", **ILL)
    page = await alice.get(path)
    assert "Asthme" in page
    assert "mai 2019" in page
    form = await alice.get(f"{path}/modifier")
    assert 'value="05/2019"' in form
    version = re.search(r'name="version" value="(\d+)"', form)
    assert version
    changed = {**ILL, "label": "Asthme allergique", "version": version[1]}
    await alice.post(f"{path}/modifier", changed, page=f"{path}/modifier")
    again = await alice.post(f"{path}/modifier", changed, page=f"{path}/modifier", status=422)
    assert "modifié entre-temps" in again.text
    assert "Asthme allergique" in again.text
    page = await alice.get(path)
    assert "Les versions de cet élément" in page
    answer = await alice.post(f"{path}/terminer", {"on": "2021"}, page=f"{path}/terminer")
    page = await alice.after(answer)
    assert "terminé" in page
    assert f"{path}/reprendre" in page  # undo
    await alice.post(f"{path}/reprendre", page=path)
    assert f"{path}/terminer" in await alice.get(path)
    await alice.post(f"{path}/retirer", {"reason": "erreur"}, page=f"{path}/retirer")
    await alice.get(path, 404)
    assert "Asthme" not in await alice.get("/sante")


async def test_bad_input_keeps_what_was_typed(site: Site, alice: Browser) -> None:
    path = "/sante/ajouter/traitements"
    given = {"label": "Paracétamol", "dose": "1.500 mg", "begin": "31/02/2020", "rhythm": "le soir"}
    answer = await alice.post(path, given, page=path, status=422)
    assert "se lit de deux façons" in answer.text
    assert "Cette date n&#39;existe pas" in answer.text
    for typed in ("Paracétamol", "1.500 mg", "31/02/2020", "le soir"):
        assert f'value="{typed}"' in answer.text
    assert answer.text.count('aria-invalid="true"') == 2
    future = await alice.post(path, {"label": "X", "begin": "2150"}, page=path, status=422)
    assert "dans le futur" in future.text


async def test_none_known_is_an_answer_of_its_own(site: Site, alice: Browser) -> None:
    answer = await alice.post("/sante/aucun/allergies", page="/sante")
    page = await alice.after(answer)
    assert "Aucune allergie connue" in page
    assert "/retirer" in page
    await alice.post("/sante/aucun/allergies", page="/sante", status=409)
    await add(alice, "allergies", substance="Arachide", kind="food", severity="severe")
    page = await alice.get("/sante")
    assert "Aucune allergie connue" not in page
    assert "grave" in page


async def test_the_carnet_goes_by_disease(site: Site, alice: Browser) -> None:
    assert "Aucune vaccination" in await alice.get("/sante/vaccinations")
    given = {"vaccine": "Revaxis", "diseases": "diphtérie, tétanos", "date": "12/05/2019", "number": "2"}
    await add(alice, "vaccinations", **given, next_due="2039")
    page = await alice.get("/sante/vaccinations")
    assert page.count("Revaxis") == 2
    assert "Prochain prévu : 2039" in page


async def test_every_section_takes_an_item(site: Site, alice: Browser) -> None:
    await add(alice, "famille", relation="mother", illness="Diabète", onset_age="0")
    await add(alice, "entourage", role="trusted", name="Éva Exemple", phone="06 12 34 56 78")
    await add(alice, "volontes", subject="organ_donation", answer="yes", family_told="oui")
    await add(alice, "administratif", topic="language", text="Langue des signes", until="2040")
    page = await alice.get("/sante")
    for text in ("Mère : Diabète", "Éva Exemple", "Don d&#39;organes : oui", "Langue des signes"):
        assert text in page
    assert "4 rubriques remplies sur 8" in page


async def test_an_item_of_somebody_else_is_not_there(site: Site, alice: Browser) -> None:
    path = await add(alice, "maladies", **ILL)
    other = await site.signed_in(CLEMENCE)
    for end in ("", "/modifier", "/terminer", "/retirer"):
        await other.get(f"{path}{end}", 404)
    for end in ("/modifier", "/terminer", "/retirer", "/reprendre", "/masquer"):
        await other.post(f"{path}{end}", ILL, page="/sante", status=404)
    await alice.get("/sante/99999999999999999999", 404)
    await alice.get("/sante/ajouter/rien", 404)
    assert "Asthme" in await alice.get(path)


async def test_a_forged_form_changes_nothing(site: Site, alice: Browser) -> None:
    answer = await alice.client.post("/sante/ajouter/maladies", data={**ILL, "_cle": "0" * 40})
    assert answer.status_code == 403
    assert "Asthme" not in await alice.get("/sante")


async def test_a_parent_keeps_the_child_s_profile_and_hidden_items_stay_hidden(site: Site) -> None:
    parent = await site.signed_in(ALICE, space=NOE)
    path = await add(parent, "allergies", substance="Lait", kind="food", severity="")
    assert "Lait" in await parent.get("/sante")
    own = await site.signed_in(ALICE)
    assert "Lait" not in await own.get("/sante")
    await own.get(path, 404)
    box = site.box(NOE)
    doctor = site.store.read(health.items, site.store, box, _patient(site))
    assert [one.added_by.by for one in doctor] == ["representative"]
    hidden = health.put(
        site.store, box, _patient(site), health.Illness(label="Sujet gardé pour lui"), hidden=True
    )
    assert "Sujet gardé" not in await parent.get("/sante")
    await parent.get(f"/sante/{hidden}", 404)
    await parent.post(f"/sante/{hidden}/retirer", page="/sante", status=404)
    await parent.post(f"{path}/masquer", page="/sante", status=403)


def _patient(site: Site) -> Actor:
    return Actor(by="patient", ident=NOE.ins)


async def test_the_summary_is_a_pdf(site: Site, alice: Browser) -> None:
    await add(alice, "maladies", **ILL)
    for given in ({"langue": "fr", "taille": "normal"}, {"langue": "en", "taille": "grand"}):
        answer = await alice.post("/sante/synthese", given, page="/sante/synthese", status=200)
        assert answer.content.startswith(b"%PDF-")
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        assert answer.headers["cache-control"] == "no-store"
    answer = await alice.post("/sante/synthese/deposer", {"langue": "fr"}, page="/sante/synthese")
    assert answer.headers["location"] == "/documents"
