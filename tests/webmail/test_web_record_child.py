"""A child's space in the hands of who represents him: what is hidden is nowhere, nothing more is allowed."""

from __future__ import annotations

import re

import dossier
from tests.webmail.record_support import PDF, THE_DOCTOR, Record
from tests.webmail.web_kit import ALICE, NOE, Browser, Site, form_key

SECRET = ["INVISIBLE_REPRESENTANTS_LEGAUX"]


async def test_what_is_hidden_is_nowhere(site: Site) -> None:
    child = Record(site, NOE, ALICE)
    shown = child.letter(title="Vaccin")
    hidden = child.letter(PDF + b"%%EOF", codes=SECRET, title="Contraception", type_code="57833-6")
    dossier.read_document(child.store, child.box_id, hidden, THE_DOCTOR)
    mother = await site.signed_in(ALICE, space=NOE)
    paths = (
        "/documents", "/documents?texte=contraception", "/documents?versions=toutes", "/historique",
        "/historique?quoi=lectures&par=autres", f"/historique?document={hidden}", "/historique.csv",
        "/historique.json", "/droits",
    )  # fmt: skip
    for path in paths:
        page = await mother.get(path)
        told = page.replace(f"={hidden}", "").replace(f'value="{hidden}"', "")  # what was asked
        assert "Contraception" not in told and str(hidden) not in told, path
    page = await mother.get("/documents")
    assert re.findall(r'class="count">(\d+)<', page) == ["1"], "nor is it counted"
    assert "Ordonnances" not in page
    assert "1 document<" in page
    for path in ("", "/contenu", "/telecharger", "/acces", "/supprimer", "/remplacer"):
        await mother.get(f"/documents/{hidden}{path}", 404)
    before = child.seen(THE_DOCTOR)
    for verb in ("masquer", "montrer", "cacher", "supprimer", "montrer-aux-professionnels"):
        await mother.post(f"/documents/{hidden}/{verb}", page="/documents/deposer", status=404)
    assert child.seen(THE_DOCTOR) == before
    await mother.get(f"/documents/{shown}")


async def test_she_acts_in_his_record_and_not_in_hers(site: Site) -> None:
    child, own = Record(site, NOE, ALICE), Record(site)
    hers = own.deposit(title="À moi")
    mother = await site.signed_in(ALICE, space=NOE)
    await mother.get(f"/documents/{hers}", 404)
    assert "À moi" not in await mother.get("/documents")
    given = [("fichier", ("carnet.pdf", PDF, "application/pdf"))]
    data = {"rubrique": "prevention-et-depistages"}
    await mother.post("/documents/deposer", data, page="/documents/deposer", files=given)
    (filed,) = child.seen()
    assert filed.deposited_by == "representative" and filed.depositor_id == ALICE.ins
    assert len(own.seen()) == 1
    at_home = await site.signed_in()
    await at_home.get(f"/documents/{filed.document_id}", 404)
    page = await mother.get(f"/documents/{filed.document_id}")
    assert "Déposé par vous" in page
    await mother.get(f"/documents/{filed.document_id}/contenu")
    assert ("document_read", str(filed.document_id), "") in child.told()


async def test_what_a_representative_may_not_is_not_offered_and_is_refused(site: Site) -> None:
    child = Record(site, NOE, ALICE)
    number = child.letter()
    mother = await site.signed_in(ALICE, space=NOE)
    page = await mother.get(f"/documents/{number}")
    assert "/cacher" not in page and '/montrer"' not in page
    assert f"/documents/{number}/masquer" in page
    for verb in ("cacher", "montrer"):
        refused = await mother.post(f"/documents/{number}/{verb}", page="/documents", status=403)
        assert "ne vous est pas ouverte" in refused.text
    assert child.told()[-1] == ("document_shown", str(number), "dossier.reserved")


async def test_a_form_of_another_space_is_refused(site: Site) -> None:
    """Another tab went to the child's space: what was meant for one record never reaches another."""
    child, own = Record(site, NOE, ALICE), Record(site)
    mother: Browser = await site.signed_in(ALICE, space=NOE)
    at_home = await site.signed_in()
    key = form_key(await at_home.get("/droits"))
    answer = await mother.client.post("/droits/tout-masquer", data={"_cle": key})
    assert answer.status_code == 403
    assert child.told() == own.told() == []
