"""Who has access, and what happened: the pages on rights and history, with what they change and leave."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

import dossier
from dossier import rights
from dossier.rights import RightsError
from tests.webmail.record_support import THE_COLLEAGUE, THE_DOCTOR, Record, professional
from tests.webmail.web_kit import COLLEAGUE, DOCTOR, PHARMACY, Browser, Site, letter


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("&#39;", "'")


async def say(alice: Browser, verb: str, who: str, status: int = 303) -> str:
    answer = await alice.post(f"/droits/{verb}", {"professionnel": who}, page="/droits", status=status)
    return await alice.after(answer) if status == 303 else answer.text


async def test_professionals_are_let_in_and_shut_out(site: Site, alice: Browser) -> None:
    record = Record(site)
    record.deposit()
    page = plain(await alice.get("/droits/chercher?nom=collegue"))
    assert "1 professionnel trouvé" in page and "Jean COLLEGUE" in page and COLLEAGUE.address not in page
    page = await alice.get(f"/droits/professionnel?id={COLLEAGUE.id_nat}")
    assert "Sans accès" in page and "aucun accès ne lui a été donné" in page
    assert "A accès" in await say(alice, "autoriser", COLLEAGUE.id_nat)
    assert len(record.seen(THE_COLLEAGUE)) == 1
    page = await say(alice, "bloquer", COLLEAGUE.id_nat)
    assert "Bloqué" in page and "Non : son accès est bloqué." in page
    assert record.seen(THE_COLLEAGUE) == []
    assert "Jean COLLEGUE" in await alice.get("/droits")
    page = await say(alice, "debloquer", COLLEAGUE.id_nat)
    assert "Sans accès" in page and "donnez-le-lui à nouveau" in page
    assert record.seen(THE_COLLEAGUE) == []
    wanted = ["professional_authorised", "professional_blocked", "professional_unblocked"]
    assert [what for what, _, _ in record.told() if what.startswith("professional_")] == wanted


async def test_the_treating_physician(site: Site, alice: Browser) -> None:
    record = Record(site)
    page = await say(alice, "medecin-traitant", DOCTOR.id_nat)
    assert "Médecin traitant" in page and "Oui : c'est le médecin traitant." in plain(page)
    assert "Désigner comme" not in await alice.get(f"/droits/professionnel?id={PHARMACY.id_nat}")
    assert "pas médecin" in plain(await say(alice, "medecin-traitant", PHARMACY.id_nat, 422))
    assert record.store.read(rights.rights_of, record.box_id).treating == DOCTOR.id_nat
    await alice.post("/droits/sans-medecin-traitant", page="/droits")
    assert record.store.read(rights.rights_of, record.box_id).treating == ""


async def test_a_professional_nobody_knows_is_not_there(site: Site, alice: Browser) -> None:
    record = Record(site)
    for ident in ("", "x", "899900099999", "../..", "<b>"):
        answer = await alice.client.get("/droits/professionnel", params={"id": ident})
        assert answer.status_code == 404
        for verb in ("bloquer", "autoriser", "medecin-traitant"):
            assert "reconnu" in await say(alice, verb, ident, 422)
    assert record.told() == []
    assert "deux lettres" in await alice.get("/droits/chercher?nom=x", 422)
    assert "Aucun professionnel" in await alice.get("/droits/chercher?nom=zzzzzz")


async def test_a_past_moment_is_explained_as_it_was(site: Site, alice: Browser) -> None:
    await say(alice, "autoriser", COLLEAGUE.id_nat)
    place = f"/droits/professionnel?id={COLLEAGUE.id_nat}"
    assert "Oui : un accès lui a été donné." in await alice.get(place)
    assert "comprise" in await alice.get(f"{place}&le=demain", 422)
    assert "comprise" in await alice.get(f"{place}&le=2026-01-01&a=25:00", 422)
    assert "moment passé" in await alice.get(f"{place}&le=2199-01-01", 422)
    page = await alice.get(f"{place}&le=2020-01-01&a=10:00")
    assert "1er janvier 2020 à" in page
    assert "Non : le dossier n'était pas ouvert." in page.replace("&#39;", "'")


async def test_emergencies(site: Site, alice: Browser) -> None:
    record = Record(site)
    number = record.letter()
    glass = professional(COLLEAGUE, purpose="break_glass", reason="patiente inconsciente")
    dossier.read_document(record.store, record.box_id, number, glass)
    page = await alice.get("/historique")
    assert "urgent" in page and "patiente inconsciente" in page and "bris de glace" in page
    await alice.post("/droits/urgences", {"samu": "oui", "bris": "non"}, page="/droits")
    held = record.store.read(rights.rights_of, record.box_id)
    assert (held.regulation_refused, held.glass_refused) == (False, True)
    assert re.search(r'id="f-bris-non"[^>]* checked', await alice.get("/droits"))
    with pytest.raises(RightsError):
        dossier.read_document(record.store, record.box_id, number, glass)
    await alice.post("/droits/urgences", {"samu": "peut-être", "bris": "oui"}, page="/droits", status=422)
    assert record.store.read(rights.rights_of, record.box_id) == held


async def test_who_wrote_by_mail_is_known_by_name(site: Site, alice: Browser) -> None:
    await site.deliver(letter())
    page = await alice.get("/droits")
    assert "Camille EXEMPLE" in page and DOCTOR.address not in page


async def test_the_history_tells_who_read_what(site: Site, alice: Browser) -> None:
    record = Record(site)
    number = record.letter(title="Bilan")
    with pytest.raises(RightsError):
        dossier.read_document(record.store, record.box_id, number, THE_COLLEAGUE)
    dossier.read_document(record.store, record.box_id, number, THE_DOCTOR)
    page = plain(await alice.get("/historique?quoi=lectures&par=autres"))
    assert "Dr Camille EXEMPLE (médecin, HOPITAL EXEMPLE) a consulté le document « Bilan »." in page
    assert "Dr Jean COLLEGUE" in page and "Refusé" in page
    assert "a déposé" not in page
    assert f'href="/documents/{number}"' in await alice.get("/historique")
    assert "2 actions" in page
    page = plain(await alice.get("/historique?refus=oui"))
    assert "Jean COLLEGUE" in page and "Camille" not in page
    page = plain(await alice.get(f"/historique?professionnel={DOCTOR.id_nat}"))
    assert "a consulté" in page and "Jean" not in page
    page = plain(await alice.get(f"/historique?document={number}&par=moi"))
    assert "Rien ne correspond" in page
    assert "Rien ne correspond" in await alice.get("/historique?au=2020-01-01")
    assert 'id="e-du"' in await alice.get("/historique?du=x", 422)


async def test_sentences_of_the_history_are_not_cut_inside_guillemets(site: Site, alice: Browser) -> None:
    Record(site).letter(title="Bilan")
    assert "«\u00a0Bilan\u00a0»" in (await alice.client.get("/historique")).text
    english = await alice.client.get("/historique", headers={"accept-language": "en"})
    assert "Bilan" in english.text and "«" not in english.text


async def test_what_one_did_again_and_again_is_one_line(site: Site, alice: Browser) -> None:
    for _ in range(3):
        await alice.get("/documents")
    page = plain(await alice.get("/historique"))
    assert page.count("consulté la liste des documents") == 1
    assert "3 fois" in page


async def test_pages_of_the_history_lose_nothing(site: Site, alice: Browser) -> None:
    record = Record(site)
    for number in range(60):
        record.deposit(f"n{number:02}.txt", b"%d" % number)
    first = await alice.get("/historique?quoi=documents")
    older = re.search(r'href="(/historique\?[^"]*avant=\d+)"', first)
    assert older
    second = await alice.get(older[1].replace("&amp;", "&"))
    found = re.findall(r"« (n\d\d) »", first) + re.findall(r"« (n\d\d) »", second)
    assert found == [f"n{number:02}" for number in range(59, -1, -1)]
    assert "Rien ne correspond" in await alice.get("/historique?avant=12345")


async def test_the_history_as_files(site: Site, alice: Browser) -> None:
    record = Record(site)
    record.letter(title="=cmd|' /C calc'!A0")
    dossier.read_document(record.store, record.box_id, record.deposit(), record.me)
    before = len(record.journal())
    table = await alice.client.get("/historique.csv")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.headers["content-disposition"] == 'attachment; filename="historique.csv"'
    rows = list(csv.reader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert len(rows) == 1 + before + 1, "reading it is in it"
    assert not any(cell.startswith("=") for row in rows for cell in row)
    told = json.loads((await alice.client.get("/historique.json?par=autres")).content)
    assert [one["who"] for one in told] == ["Dr Camille EXEMPLE (médecin, HOPITAL EXEMPLE)"]
    assert [what for what, _, _ in record.told(before)] == ["history_read", "history_read"]
    await alice.client.head("/historique.csv")
    assert len(record.journal()) == before + 2


async def test_each_look_at_the_history_is_in_it_once(site: Site, alice: Browser) -> None:
    record = Record(site)
    await alice.get("/historique")
    await alice.get("/historique?par=moi")
    assert record.told() == [("history_read", "", "")] * 2
    await alice.get("/droits")
    assert len(record.told()) == 2


async def test_the_pages_in_english(site: Site, alice: Browser) -> None:
    record = Record(site)
    number = record.letter()
    alice.client.headers["Accept-Language"] = "en"
    assert "Reports" in await alice.get("/documents")
    assert "Who may see it" in await alice.get(f"/documents/{number}")
    assert "read the history" in await alice.get("/historique")
    assert "No access" in await alice.get("/droits")
