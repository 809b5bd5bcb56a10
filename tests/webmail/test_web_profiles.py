"""Children: whom one represents, going there and back, activating, and the end of the right."""

from __future__ import annotations

from datetime import UTC, date, datetime

import patients
from gateway.demo import cast
from tests.webmail.ways_kit import enter, titles
from tests.webmail.web_kit import ALICE, CLEMENCE, NOE, TERMS, Browser, Site, form_key, represent

BABY = cast.Patient(cast.ins("2240375056008"), "DUPONT-EXEMPLE", "MILA", "F", "2024-03-02", "75056")


def attach(site: Site, who: cast.Patient = BABY, to: cast.Patient = ALICE) -> None:
    site.store.write(patients.add_persons, persons=[who.person], actor="test")
    represent(site.store, who, to)


async def test_going_there_and_back(site: Site, alice: Browser) -> None:
    page = await alice.get("/profils")
    assert "Noe DUPONT-EXEMPLE" in page and "Vous êtes son parent" in page and NOE.ins not in page
    years = patients.calendar.age(NOE.birth_date, int(datetime.now(UTC).timestamp() * 1000))
    assert f"{years} ans" in page
    await alice.post("/profil", {"boite": str(site.box(NOE))}, page="/profils")
    page = await alice.get("/")
    assert "Vous êtes dans l'espace de Noe" in page
    assert "Vous y êtes" in await alice.get("/profils")
    await alice.post("/profil", {"boite": ""}, page="/profils")
    assert "Vous êtes dans l'espace de" not in await alice.get("/")


async def test_spaces_of_others_are_not_there(site: Site, alice: Browser) -> None:
    for box in (site.box(CLEMENCE), 999_999, "x"):
        await alice.post("/profil", {"boite": str(box)}, page="/profils", status=404)
    clemence = await site.signed_in(CLEMENCE, space=NOE)
    assert "Vous êtes dans l'espace de" not in await clemence.get("/")
    await clemence.post("/profil", {"boite": str(site.box(NOE))}, page="/profils", status=404)
    assert "Aucun enfant rattaché" in await clemence.get("/profils")


async def test_a_form_of_one_space_is_refused_in_another(site: Site, alice: Browser) -> None:
    """A tab that stayed open in one's own space writes nothing into the child's, nor the other way."""
    mine = form_key(await alice.get("/compte/notifications"))
    await alice.post("/profil", {"boite": str(site.box(NOE))}, page="/profils")
    theirs = form_key(await alice.get("/compte/notifications"))
    assert mine != theirs
    data = {"rythme": "none", "_cle": mine}
    answer = await alice.client.post("/compte/notifications", data=data)
    assert answer.status_code == 403 and "changé de profil" in answer.text
    await alice.post("/profil", {"boite": ""}, page="/profils")
    answer = await alice.client.post("/compte/notifications", data=data | {"_cle": theirs})
    assert answer.status_code == 403


async def test_a_representative_activates_a_childs_profile(site: Site) -> None:
    attach(site)
    one = await enter(site)
    page = await one.get("/profils")
    assert "Mila" in page and "Pas encore activé" in page
    tag = page.split('name="profil" value="')[1].split('"')[0]
    assert BABY.ins not in page
    page = await one.fill("/profils", "/profils/activer", 422, profil=tag, version=TERMS)
    assert "il faut accepter" in page
    page = await one.fill("/profils", "/profils/activer", 422, profil=tag, version="9", conditions="oui")
    assert "viennent de changer" in page
    page = await one.fill("/profils", "/profils/activer", profil=tag, version=TERMS, conditions="oui")
    assert "Le profil est activé" in page
    assert site.profile(BABY).state == "activated"
    await one.post("/profil", {"boite": str(site.box(BABY))}, page="/profils")
    assert "Vous êtes dans l'espace de Mila" in await one.get("/")


async def test_nobody_else_activates_it(site: Site) -> None:
    attach(site)
    one = await enter(site)
    tag = (await one.get("/profils")).split('name="profil" value="')[1].split('"')[0]
    clemence = await enter(site, CLEMENCE)
    data = {"profil": tag, "version": TERMS, "conditions": "oui"}
    await clemence.post("/profils/activer", data, page="/profils", status=404)
    patients.oppose(site.store, BABY.ins, actor="test")
    await one.post("/profils/activer", data, page="/profils", status=404)
    assert "Refusé" in await one.get("/profils")


async def test_a_right_that_ended_says_why(site: Site, alice: Browser) -> None:
    today = date.today()  # noqa: DTZ011  # the day on this machine is near enough for a seventeenth year
    teen = cast.Patient(
        cast.ins(f"1{(today.year - 17) % 100:02}0175056009"), "DUPONT-EXEMPLE", "ELIOT", "M",
        f"{today.year - 17}-01-01", "75056",
    )  # fmt: skip
    attach(site, teen)
    patients.activate(site.store, teen.ins, cast.PATIENT_DOMAIN, actor="test")
    await alice.post("/profil", {"boite": str(site.box(teen))}, page="/profils")
    assert "Vous êtes dans l'espace de Eliot" in await alice.get("/")
    site.store.write(patients.emancipate, ins=teen.ins, actor="test", reason="jugement")
    page = await alice.get("/profils")
    assert "Émancipé par un juge" in page and "Plus d'accès" in page
    assert "Vous êtes dans l'espace de" not in await alice.get("/")
    await alice.post("/profil", {"boite": str(site.box(teen))}, page="/profils", status=404)
    site.store.write(
        patients.remove_representative, ins=NOE.ins, representative=ALICE.ins, actor="test", reason="jugement"
    )
    page = await alice.get("/profils")
    assert "Vous ne représentez plus cette personne" in page
    assert titles(page) == "Profils de mes enfants"
