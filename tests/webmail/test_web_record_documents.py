"""The list of documents and the page of one: what is shown, found, counted, and written in the history."""

from __future__ import annotations

import re

from dossier import rights
from tests.webmail.record_support import PDF, THE_COLLEAGUE, THE_DOCTOR, Record, image
from tests.webmail.web_kit import CLEMENCE, Browser, Site, letter


def titles(page: str) -> list[str]:
    return re.findall(r'<span class="title">([^<]*)</span>', page)


def chips(page: str) -> dict[str, int]:
    found = re.findall(r">([^<>]+) <span class=\"count\">(\d+)</span>", page)
    return {name: int(count) for name, count in found}


async def test_an_empty_record_says_what_comes(alice: Browser) -> None:
    page = await alice.get("/documents")
    assert "Aucun document pour l" in page
    assert "/documents/deposer" in page


async def test_the_list_says_what_by_whom_and_what_is_unread(site: Site, alice: Browser) -> None:
    record = Record(site)
    mine = record.deposit("Analyse.pdf", category="Résultats de biologie", date=1_600_000_000_000)
    theirs = record.letter(title="Consultation du genou")
    masked = record.deposit("radio.png", image("PNG"), category="Radio, écho, scanner, IRM")
    rights.mask(record.store, record.box_id, record.me, masked)
    page = await alice.get("/documents")
    assert titles(page) == ["radio", "Consultation du genou", "Analyse"], "newest first"
    assert chips(page) == {
        "Comptes rendus": 1,
        "Radio, écho, scanner, IRM": 1,
        "Résultats de biologie": 1,
    }
    assert "Déposé par vous" in page
    assert "Camille EXEMPLE" in page and "HOPITAL EXEMPLE" in page
    assert "@" not in re.sub(r"(?s)<head>.*?</head>", "", page), "nobody is named by an address"
    assert page.count("Non lu") == 1
    assert page.count("Masqué aux professionnels") == 1
    await alice.get(f"/documents/{theirs}/contenu")
    assert "Non lu" not in await alice.get("/documents")
    assert f"/documents/{mine}" in page


FOUND = {
    "rubrique=resultats-de-biologie": ["Glycémie"],
    "texte=GLYCEMIE": ["Glycémie"],
    "texte=camille": ["Consultation"],
    "auteur=camille+hopital": ["Consultation"],
    "au=2020-12-31": ["Glycémie"],
    "du=2021-01-01": ["Consultation"],
    "du=2020-09-13&au=2020-09-13": ["Glycémie"],
    "rubrique=comptes-rendus&texte=glycemie": [],
    "rubrique=nulle-part": ["Consultation", "Glycémie"],
    "ordre=titre": ["Consultation", "Glycémie"],
    "versions=anciennes": [],
}


async def test_filters(site: Site, alice: Browser) -> None:
    record = Record(site)
    record.deposit("g.pdf", title="Glycémie", category="Résultats de biologie", date=1_600_000_000_000)
    record.letter(PDF + b"%%EOF", title="Consultation")
    for query, wanted in FOUND.items():
        page = await alice.get(f"/documents?{query}")
        assert titles(page) == wanted, query
        assert wanted or "Voir tous les documents" in page


async def test_a_day_that_is_none_is_told_at_its_field(site: Site, alice: Browser) -> None:
    Record(site).deposit()
    page = await alice.get("/documents?du=31/02/2024&texte=lettre", 422)
    assert 'value="31/02/2024"' in page and 'value="lettre"' in page
    assert 'id="e-du"' in page and 'aria-describedby="e-du' in page
    assert titles(page) == ["lettre"], "the rest of the filters holds"
    assert "avant son début" in await alice.get("/documents?du=2024-02-02&au=2024-01-01", 422)


async def test_pages(site: Site, alice: Browser) -> None:
    record = Record(site)
    for number in range(25):
        record.deposit(f"{number:02}.txt", b"%d" % number, date=1_600_000_000_000 + number * 86_400_000)
    first, second = await alice.get("/documents"), await alice.get("/documents?page=2")
    assert titles(first) == [f"{number:02}" for number in range(24, 4, -1)]
    assert titles(second) == ["04", "03", "02", "01", "00"]
    assert titles(await alice.get("/documents?page=99")) == titles(second)
    assert titles(await alice.get("/documents?page=x%00")) == titles(first)
    assert "rubrique=comptes-rendus&amp;page=2" in await alice.get("/documents?rubrique=comptes-rendus")


async def test_each_look_is_one_line_of_the_history(site: Site, alice: Browser) -> None:
    record = Record(site)
    number = record.letter()
    before = len(record.journal())

    async def adds(path: str, *wanted: tuple[str, str, str], method: str = "GET", **heads: str) -> None:
        since = len(record.journal())
        answer = await alice.client.request(method, path, headers=heads)
        assert answer.status_code in (200, 503), answer.text
        assert record.told(since) == list(wanted), (method, path)

    read = ("document_read", str(number), "")
    await adds("/documents", ("documents_listed", "", ""))
    await adds(f"/documents/{number}")
    await adds(f"/documents/{number}/contenu", read)
    await adds(f"/documents/{number}/telecharger", read)
    await adds(f"/documents/{number}/acces")
    for path in ("/documents", f"/documents/{number}", f"/documents/{number}/contenu", "/historique"):
        await adds(path, method="HEAD")
    for path in (f"/documents/{number}/contenu", f"/documents/{number}/telecharger"):
        await adds(path, **{"Sec-Purpose": "prefetch"})
    assert len(record.journal()) == before + 3
    assert all(one.ident == record.me.ident for one in record.journal()[before:])


async def test_the_page_of_a_document(site: Site, alice: Browser) -> None:
    record = Record(site)
    number = record.letter(title="Consultation")
    page = await alice.get(f"/documents/{number}")
    assert "Consultation" in page and "Camille EXEMPLE" in page
    assert f'src="/documents/{number}/contenu"' in page
    assert "notée dans l'historique" in page
    assert "/remplacer" not in page and "/supprimer" not in page, "not his to change"
    own = await alice.get(f"/documents/{record.deposit(content=PDF + b'%%EOF')}")
    assert "/remplacer" in own and "/supprimer" in own


async def test_versions_tell_what_replaces_what(site: Site, alice: Browser) -> None:
    record = Record(site)
    old = record.deposit("a.pdf", title="Bilan")
    unique = next(one.unique_id for one in record.seen() if one.document_id == old)
    new = record.deposit("b.pdf", PDF + b"\n%%EOF", title="Bilan", replaces=unique)
    page = await alice.get(f"/documents/{new}")
    assert f'href="/documents/{old}"' in page and "Remplace celle du" in page
    page = await alice.get(f"/documents/{old}")
    assert "ancienne version" in page and f'href="/documents/{new}"' in page
    assert "/remplacer" not in page
    assert len(titles(await alice.get("/documents"))) == 1
    assert len(titles(await alice.get("/documents?versions=toutes"))) == 2


async def test_a_document_of_a_message_leads_to_it(site: Site, alice: Browser) -> None:
    attached = (("ordonnance.pdf", "application/pdf", PDF),)
    await site.deliver(letter(attachments=attached, X_MSS_DMP="Y"))
    await site.file_all()
    record = Record(site)
    filed = record.seen()
    assert len(filed) == 1 and filed[0].message_id
    page = await alice.get(f"/documents/{filed[0].document_id}")
    assert f'href="/messages/{filed[0].message_id}"' in page
    assert (await alice.client.get(f"/documents/{filed[0].document_id}/contenu")).content == PDF


OF_ONE = ("", "/acces", "/contenu", "/telecharger", "/remplacer", "/supprimer")
POSTED = (
    "/masquer", "/montrer-aux-professionnels", "/cacher", "/montrer", "/supprimer", "/remplacer",
)  # fmt: skip


async def test_another_patients_documents_are_not_there(site: Site, alice: Browser) -> None:
    other = Record(site, CLEMENCE)
    number, mine = other.deposit(), Record(site)
    before = len(other.journal())
    for wanted in (number, 1, 2**63, 10**30):
        for path in OF_ONE:
            page = await alice.get(f"/documents/{wanted}{path}", 404)
            assert "lettre" not in page
        for path in POSTED:
            await alice.post(f"/documents/{wanted}{path}", page="/documents/deposer", status=404)
    assert (await alice.client.head(f"/documents/{number}/contenu")).status_code == 404
    assert "lettre" not in await alice.get(f"/historique?document={number}")
    assert len(other.journal()) == before, "nothing of it in the other's history"
    assert str(number) not in {one.subject for one in mine.journal()}


async def test_what_is_withheld_is_nowhere(site: Site, alice: Browser) -> None:
    record = Record(site)
    record.deposit(title="Visible")
    kept = record.letter(PDF + b"%%EOF", codes=["INVISIBLE_PATIENT"], title="Tumeur")
    for path in ("/documents", "/documents?texte=tumeur", "/documents?versions=toutes", "/historique"):
        assert "Tumeur" not in await alice.get(path)
    assert chips(await alice.get("/documents")) == {"Comptes rendus": 1}
    for path in OF_ONE:
        await alice.get(f"/documents/{kept}{path}", 404)
    assert str(kept) not in await alice.get("/historique")
    assert "Camille EXEMPLE" not in await alice.get("/droits"), "he filed what is not known of yet"
    rights.announce(record.store, record.box_id, THE_DOCTOR, kept)
    assert "Tumeur" in await alice.get("/documents")


async def test_who_may_see_it_is_told_in_plain_words(site: Site, alice: Browser) -> None:
    record = Record(site)
    number = record.letter()
    rights.authorise(record.store, record.box_id, record.me, THE_COLLEAGUE.ident)

    async def said() -> str:
        return " ".join(titles(await alice.get(f"/documents/{number}/acces"))).replace("&#39;", "'")

    text = await said()
    assert "Camille EXEMPLE peut le lire" in text and "auteur" in text
    assert "Jean COLLEGUE peut le lire" in text and "un accès lui a été donné" in text
    rights.mask(record.store, record.box_id, record.me, number)
    assert "Jean COLLEGUE ne peut pas le lire : ce document est masqué." in await said()
    rights.block(record.store, record.box_id, record.me, THE_COLLEAGUE.ident)
    assert "Jean COLLEGUE ne peut pas le lire : son accès est bloqué." in await said()
