"""The catalogue through its pages: found, agreed to scope by scope, taken back as easily."""

from __future__ import annotations

import html
import json

import activity
import catalogue
from tests.catalogue.catalogue_support import AGENDA, PAIN, WEIGHT, service
from tests.webmail.web_kit import ALICE, CLEMENCE, NOE, Browser, Site


def fill(site: Site) -> None:
    services = [
        service("souffle", name="Mon souffle", category="Suivi", scopes=[WEIGHT, PAIN, AGENDA]),
        service("conseils", name="Bons conseils", sector="public", scopes=[], description_fr="Bien dormir"),
        service("coach", name="Coach forme", category="Sport", price="4,99 € par mois", scopes=[WEIGHT]),
        service("ancien", name="Service ancien", since="2020-01-01", until="2021-01-01"),
    ]  # fmt: skip
    path = site.home / "services.json"
    path.write_text(json.dumps({"services": services}), encoding="utf-8")
    catalogue.import_list(site.store, path, "services", actor="test")


def standing(site: Site, who: object = None) -> dict[str, str]:
    box = site.box(NOE) if who is NOE else site.box()
    return {one.scope: one.standing for one in site.store.read(catalogue.consents, site.store, box)}


PAGE = "/catalogue/service/souffle"


async def test_services_are_found_and_filtered(site: Site, alice: Browser) -> None:
    assert "Le catalogue est encore vide" in await alice.get("/catalogue")
    fill(site)
    everything = {"Mon souffle", "Bons conseils", "Coach forme"}
    for query, names in (
        ("", everything), ("?q=souffle", {"Mon souffle"}), ("?q=dormir", {"Bons conseils"}),
        ("?prix=payant", {"Coach forme"}), ("?prix=gratuit", {"Mon souffle", "Bons conseils"}),
        ("?secteur=public", {"Bons conseils"}), ("?echange=non", {"Bons conseils"}),
        ("?echange=oui&categorie=Sport", {"Coach forme"}), ("?q=rien+de+tel", set()),
        ("?secteur=autre&echange=peut-%C3%AAtre", everything), ("?q=%27%22%3Cscript%3E", set()),
    ):  # fmt: skip
        page = await alice.get(f"/catalogue{query}")
        assert {one for one in (*everything, "Service ancien") if f">{one}</a>" in page} == names, query
        assert "<script>" not in page.replace("</script>", "")


async def test_nothing_is_agreed_to_beforehand_and_only_what_was_ticked(site: Site, alice: Browser) -> None:
    fill(site)
    page = html.unescape(await alice.get(PAGE))
    assert page.count('name="portee"') == 3
    assert " checked" not in page.partition('name="duree"')[0]
    assert "Ne rien accepter" in page
    answer = await alice.post(f"{PAGE}/accord", {"duree": "365"}, page=PAGE, status=422)
    assert "Vous n'avez rien coché" in html.unescape(answer.text)
    assert standing(site) == {}
    page = await alice.after(
        await alice.post(f"{PAGE}/accord", {"portee": [WEIGHT, PAIN], "duree": "90"}, page=PAGE)
    )
    assert f"{PAGE}/retrait" in page
    assert standing(site) == {WEIGHT: "given", PAIN: "given"}
    await alice.post(f"{PAGE}/retrait", {"portee": PAIN}, page=PAGE)
    assert standing(site) == {WEIGHT: "given", PAIN: "revoked"}
    assert "accord donné" in await alice.get("/catalogue")
    await alice.post(f"{PAGE}/retrait", page="/catalogue/accords")
    assert standing(site) == {WEIGHT: "revoked", PAIN: "revoked"}
    await alice.post(f"{PAGE}/retrait", page="/catalogue/accords", status=404)


async def test_what_was_agreed_to_and_exchanged(site: Site, alice: Browser) -> None:
    fill(site)
    assert "Vous n'avez donné aucun accord" in html.unescape(await alice.get("/catalogue/accords"))
    await alice.post(f"{PAGE}/accord", {"portee": WEIGHT, "duree": ""}, page=PAGE)
    catalogue.exchange(site.store, site.box(), "souffle", WEIGHT, purpose="suivi du poids")
    try:
        catalogue.exchange(site.store, site.box(), "souffle", PAIN, purpose="douleur")
    except catalogue.CatalogueError as error:
        assert error.rule == "catalogue.no_consent"
    page = html.unescape(await alice.get("/catalogue/accords"))
    assert "suivi du poids" in page
    assert "refusé" in page
    assert page.count("Mon souffle") >= 2


async def test_forged_scopes_and_services_are_refused(site: Site, alice: Browser) -> None:
    fill(site)
    for scopes in (["read:documents/ordonnances"], ["tout"], [WEIGHT, "write:agenda"]):
        await alice.post(f"{PAGE}/accord", {"portee": scopes}, page=PAGE, status=422)
    await alice.post("/catalogue/service/ancien/accord", {"portee": WEIGHT}, page=PAGE, status=422)
    await alice.post("/catalogue/service/rien/accord", {"portee": WEIGHT}, page=PAGE, status=404)
    for path in ("rien", "RIEN", "..%2f..", "a" * 200):
        await alice.get(f"/catalogue/service/{path}", 404)
    answer = await alice.client.post(f"{PAGE}/accord", data={"portee": WEIGHT, "_cle": "0" * 40})
    assert answer.status_code == 403
    assert standing(site) == {}
    assert "aucun accord ne peut être donné" in await alice.get("/catalogue/service/ancien")


async def test_a_parent_who_looks_is_in_the_history_but_not_for_a_head(site: Site) -> None:
    parent = await site.signed_in(ALICE, space=NOE)

    def traces() -> int:
        asked = activity.Asked(what=("history_read",))
        return len(site.store.read(activity.entries, site.store, site.box(NOE), asked))

    assert (await parent.client.head("/catalogue/accords")).status_code == 200
    assert traces() == 0
    await parent.get("/catalogue/accords")
    assert traces() == 1


async def test_consents_are_of_the_space_that_is_shown(site: Site, alice: Browser) -> None:
    fill(site)
    parent = await site.signed_in(ALICE, space=NOE)
    await parent.post(f"{PAGE}/accord", {"portee": WEIGHT}, page=PAGE)
    assert standing(site, NOE) == {WEIGHT: "given"}
    assert standing(site) == {}
    assert "Mon souffle" in await parent.get("/catalogue/accords")
    assert "Mon souffle" not in await alice.get("/catalogue/accords")
    other = await site.signed_in(CLEMENCE)
    await other.post(f"{PAGE}/retrait", page="/catalogue", status=404)
    assert standing(site, NOE) == {WEIGHT: "given"}
