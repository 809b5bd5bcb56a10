"""Depositing, replacing, deleting and masking by forms: what is taken, what is said at which field."""

from __future__ import annotations

import re
from typing import Any

from activity import Actor
from dossier import PATIENT_LIMIT
from tests.webmail.record_support import PDF, THE_COLLEAGUE, Record, image
from tests.webmail.web_kit import Browser, Site

GOOD = {"rubrique": "comptes-rendus", "titre": "Mon bilan", "date": "2024-03-15"}


def files(*given: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("fichier", (name, content, "application/octet-stream")) for name, content in given]


async def send(alice: Browser, data: dict[str, Any], *given: tuple[str, bytes], status: int = 303) -> Any:
    return await alice.post(
        "/documents/deposer", data, page="/documents/deposer", files=files(*given), status=status
    )


async def test_a_file_is_filed_as_it_was_said(site: Site, alice: Browser) -> None:
    page = await alice.get("/documents/deposer")
    assert "5 Mo" in page and 'enctype="multipart/form-data"' in page
    answer = await send(alice, GOOD, ("scan.pdf", PDF))
    record = Record(site)
    (filed,) = record.seen()
    assert answer.headers["location"] == f"/documents/{filed.document_id}"
    assert (filed.info.title, filed.info.type_code, filed.from_patient) == ("Mon bilan", "DOCPAT03", True)
    page = await alice.after(answer)
    assert "est déposé" in page and "15 mars 2024" in page
    again = await send(alice, GOOD, ("scan.pdf", PDF))
    assert "était déjà" in await alice.after(again)
    assert len(record.seen()) == 1


async def test_several_files_at_once(site: Site, alice: Browser) -> None:
    answer = await send(alice, GOOD, ("a.pdf", PDF), ("b.png", image("PNG")))
    assert {one.info.title for one in Record(site).seen()} == {"a", "b"}, "a title is of one file"
    assert answer.headers["location"].startswith("/documents?")


async def test_what_is_wrong_is_said_at_its_field(site: Site, alice: Browser) -> None:
    record = Record(site)
    cases = [
        ({**GOOD, "rubrique": ""}, [("a.pdf", PDF)], "rubrique"),
        ({**GOOD, "rubrique": "zzz"}, [("a.pdf", PDF)], "rubrique"),
        (GOOD, [], "fichier"),
        (GOOD, [("a.pdf", b"<html>")], "fichier"),
        (GOOD, [("a.exe", b"MZ")], "fichier"),
        (GOOD, [("a.svg", b"<svg/>")], "fichier"),
        (GOOD, [("a.pdf", b"")], "fichier"),
        (GOOD, [("a.pdf", PDF + b"0" * PATIENT_LIMIT)], "fichier"),
        (GOOD, [(f"{one}.txt", b"%d" % one) for one in range(6)], "fichier"),
        ({**GOOD, "date": "2999-01-01"}, [("a.pdf", PDF)], "date"),
        ({**GOOD, "date": "1850-01-01"}, [("a.pdf", PDF)], "date"),
        ({**GOOD, "date": "hier"}, [("a.pdf", PDF)], "date"),
    ]
    for data, given, field in cases:
        page = (await send(alice, data, *given, status=422)).text
        assert re.findall(r'class="error" id="e-([a-z]+)"', page) == [field], (data, given, field)
        assert f"e-{field}" in re.search(rf'id="f-{field}"[^>]*aria-describedby="([^"]*)"', page)[1]  # type: ignore[index]  # found
        assert 'value="Mon bilan"' in page and f'value="{data["date"]}"' in page
        assert 'value="comptes-rendus" selected' in page or field == "rubrique"
    assert record.seen() == [] and record.journal() == []


async def test_good_files_are_kept_when_one_is_refused(site: Site, alice: Browser) -> None:
    page = (await send(alice, GOOD, ("bon.pdf", PDF), ("faux.pdf", b"<html>"), status=422)).text
    (filed,) = Record(site).seen()
    assert f'/documents/{filed.document_id}">bon.pdf' in page
    assert "faux.pdf" in page


async def test_forms_without_their_key_are_refused(site: Site, alice: Browser) -> None:
    record = Record(site)
    number = record.deposit()
    before = record.told()
    paths = [f"/documents/{number}/{one}" for one in ("masquer", "cacher", "supprimer", "remplacer")]
    paths += ["/documents/deposer", "/droits/bloquer", "/droits/tout-masquer", "/droits/urgences"]
    for path in paths:
        for key in ("", "0" * 40):
            answer = await alice.client.post(path, data={"_cle": key, "professionnel": THE_COLLEAGUE.ident})
            assert answer.status_code == 403, path
    assert record.told() == before


async def test_a_new_version_takes_the_place_of_the_old(site: Site, alice: Browser) -> None:
    record = Record(site)
    old = record.deposit(title="Bilan", category="Résultats de biologie")
    place = f"/documents/{old}/remplacer"
    assert 'value="Bilan"' in await alice.get(place)
    bad = await alice.post(place, {"titre": "Neuf"}, page=place, files=files(("b.pdf", b"x")), status=422)
    assert 'value="Neuf"' in bad.text and 'id="e-fichier"' in bad.text
    two = files(("b.pdf", PDF + b"%%EOF"), ("c.pdf", PDF))
    assert "un seul fichier" in (await alice.post(place, {}, page=place, files=two, status=422)).text
    answer = await alice.post(place, {"titre": "Neuf"}, page=place, files=files(("b.pdf", PDF + b"%%EOF")))
    (now,) = record.seen()
    assert (now.info.title, now.info.type_code, now.version) == ("Neuf", "DOCPAT05", 2)
    assert answer.headers["location"] == f"/documents/{now.document_id}"
    again = files(("d.pdf", PDF + b"\n%%EOF\n"))
    await alice.post(place, {"titre": "Tard"}, page="/documents", files=again, status=403)


async def test_deleting_asks_first_and_is_for_good(site: Site, alice: Browser) -> None:
    record = Record(site)
    number = record.deposit()
    page = await alice.get(f"/documents/{number}/supprimer")
    assert "ne peut pas être annulée" in page
    assert len(record.seen()) == 1, "asking deletes nothing"
    answer = await alice.post(f"/documents/{number}/supprimer", page=f"/documents/{number}/supprimer")
    assert "est supprimé" in await alice.after(answer)
    assert record.seen() == []
    for path in ("", "/contenu", "/supprimer", "/telecharger"):
        await alice.get(f"/documents/{number}{path}", 404)
    assert "supprimé depuis" in await alice.get("/historique")


async def test_a_professionals_document_is_not_the_patients_to_change(site: Site, alice: Browser) -> None:
    record = Record(site)
    number = record.letter()
    for verb in ("supprimer", "remplacer"):
        page = await alice.get(f"/documents/{number}/{verb}", 403)
        assert "vous avez déposés" in page
        given = files(("a.pdf", PDF)) if verb == "remplacer" else None
        await alice.post(f"/documents/{number}/{verb}", page="/documents", files=given, status=403)
    assert len(record.seen()) == 1


async def test_masking_and_showing_again(site: Site, alice: Browser) -> None:
    record = Record(site)
    number = record.deposit()
    colleague = await let_in(alice, record)
    place = f"/documents/{number}"
    answer = await alice.post(f"{place}/masquer", page=place)
    page = await alice.after(answer)
    assert "est masqué aux professionnels" in page and "Montrer à nouveau" in page
    assert f'action="{place}/montrer-aux-professionnels"' in page, "to undo it at once"
    assert record.seen(colleague) == []
    await alice.post(f"{place}/montrer-aux-professionnels", page=place)
    assert [one.document_id for one in record.seen(colleague)] == [number]
    await alice.post("/droits/tout-masquer", page="/droits")
    assert record.seen(colleague) == []
    assert "Masqué aux professionnels" in await alice.get("/documents")
    await alice.post("/droits/tout-montrer", page="/droits")
    assert len(record.seen(colleague)) == 1
    told = [what for what, _, _ in record.told()]
    assert told.count("document_masked") == told.count("documents_masked") == 1


async def let_in(alice: Browser, record: Record) -> Actor:
    await alice.post("/droits/autoriser", {"professionnel": THE_COLLEAGUE.ident}, page="/droits")
    assert len(record.seen(THE_COLLEAGUE)) == 1
    return THE_COLLEAGUE
