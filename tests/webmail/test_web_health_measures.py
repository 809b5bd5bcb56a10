"""Measures through their pages: typed as people type, asked about when unusual, in and out as files."""

from __future__ import annotations

import html
import re

from activity import Actor
from dossier import measures
from dossier.measures import moments
from tests.webmail.web_kit import ALICE, CLEMENCE, NOE, Browser, Site
from webmail.given import MOST
from webmail.health.spark import MOST as POINTS
from webmail.health.spark import spark

WEIGHT = {"value": "73,4", "unit": "kg", "day": "2026-05-12", "time": "08:00"}


async def add(browser: Browser, slug: str, **given: str) -> str:
    """Add a measure; the page after it, as people read it."""
    answer = await browser.post(f"/mesures/{slug}", given, page=f"/mesures/{slug}")
    return html.unescape(await browser.after(answer))


async def test_every_kind_has_a_page(site: Site, alice: Browser) -> None:
    page = await alice.get("/mesures")
    slugs = set(re.findall(r'href="/mesures/([a-z-]+)"', page))
    assert len(slugs) == 12
    for slug in sorted(slugs):
        page = await alice.get(f"/mesures/{slug}")
        assert "Aucune mesure sur cette période." in page
        assert f'action="/mesures/{slug}"' in page
    assert 'name="value"' not in await alice.get("/mesures/imc")
    await alice.get("/mesures/autre-chose", 404)
    await alice.post("/mesures/imc", WEIGHT, page="/mesures", status=403)


async def test_a_measure_is_typed_as_people_type(site: Site, alice: Browser) -> None:
    page = await add(alice, "poids", **WEIGHT)
    assert "73,4\u00a0kg" in page
    assert "12\u00a0mai\u00a02026 à 8\u00a0h\u00a000" in page
    await add(alice, "tension", value="12/8", day="12/05/2026")
    await add(alice, "taille", value="1m68", unit="cm", day="2026-05-12")
    await add(alice, "glycemie", value="0,95", unit="g/L", day="2026-05-12", context="fasting")
    page = html.unescape(await alice.get("/mesures"))
    for text in ("73,4\u00a0kg", "12/8\u00a0cmHg", "0,95\u00a0g/L", "à jeun", "kg/m²"):
        assert text in page, text
    assert 'role="img"' in await alice.get("/mesures/imc")


async def test_what_cannot_be_read_is_told_at_its_field(site: Site, alice: Browser) -> None:
    for slug, given, field in (
        ("poids", {"value": "lourd", "day": "2026-05-12", "note": "ici"}, "value"),
        ("poids", {"value": "72", "day": "2026-02-30", "note": "ici"}, "day"),
        ("poids", {"value": "72", "day": "2150-01-01", "note": "ici"}, "day"),
        ("tension", {"value": "8/12", "day": "2026-05-12", "note": "ici"}, "value"),
        ("glycemie", {"value": "1", "day": "2026-05-12", "note": "ici"}, "value"),
    ):
        answer = await alice.post(f"/mesures/{slug}", given, page=f"/mesures/{slug}", status=422)
        assert f'id="e-{field}"' in answer.text, (slug, given)
        for name in ("value", "day", "note"):
            assert f'value="{given[name]}"' in answer.text
    assert site.store.read(measures.held, site.box()).current == 0


async def test_an_unusual_measure_is_asked_about_first(site: Site, alice: Browser) -> None:
    given = {**WEIGHT, "value": "250", "note": "après le repas"}
    answer = await alice.post("/mesures/poids", given, page="/mesures/poids", status=200)
    assert "Êtes-vous sûr" in answer.text
    assert 'name="note" value="après le repas"' in answer.text
    assert site.store.read(measures.held, site.box()).current == 0
    # who confirms one value has not confirmed another
    other = {**given, "value": "251", "certain": "250\u00a0kg"}
    again = await alice.post("/mesures/poids", other, page="/mesures/poids", status=200)
    assert "Êtes-vous sûr" in again.text
    page = await add(alice, "poids", **given, certain="250\u00a0kg")
    assert "inhabituelle" in page


async def test_a_measure_is_removed_and_comes_back(site: Site, alice: Browser) -> None:
    page = await add(alice, "poids", **WEIGHT)
    path = re.search(r'formaction="(/mesures/poids/\d+/retirer)"', page)
    assert path
    answer = await alice.post(path[1], page="/mesures/poids")
    page = await alice.after(answer)
    undo = re.search(r'action="(/mesures/poids/\d+/remettre)"', page)
    assert undo
    assert "73,4" not in page
    await alice.post(path[1], page="/mesures/poids", status=404)
    page = await alice.after(await alice.post(undo[1], page="/mesures/poids"))
    assert "73,4" in page


async def test_measures_of_somebody_else_are_not_there(site: Site, alice: Browser) -> None:
    page = await add(alice, "poids", **WEIGHT)
    path = re.search(r'formaction="(/mesures/poids/\d+/retirer)"', page)
    assert path
    other = await site.signed_in(CLEMENCE)
    assert "73,4" not in await other.get("/mesures/poids")
    await other.post(path[1], page="/mesures", status=404)
    await alice.post(path[1].replace("poids", "taille"), page="/mesures", status=404)
    assert site.store.read(measures.held, site.box()).current == 1


async def test_a_parent_notes_a_child_s_measures_in_the_child_s_space(site: Site) -> None:
    parent = await site.signed_in(ALICE, space=NOE)
    await add(parent, "taille", value="128", unit="cm", day="2026-05-12")
    assert site.store.read(measures.held, site.box(NOE)).current == 1
    assert site.store.read(measures.held, site.box()).current == 0


async def test_periods_and_pages_of_the_table(site: Site, alice: Browser) -> None:
    for year in range(1990, 2026):
        for day in (1, 15):
            quantity, when = measures.parse("weight", f"70,{day}"), moments.parse(f"{day:02}/06/{year}")
            measures.add(site.store, site.box(), _alice(site), quantity, when)
    assert html.unescape(await alice.get("/mesures/poids")).count("/retirer") == 0
    page = await alice.get("/mesures/poids?periode=tout")
    assert page.count("/retirer") == 50
    assert "periode=tout&amp;page=2" in page or "periode=tout&page=2" in page
    assert (await alice.get("/mesures/poids?periode=tout&page=2")).count("/retirer") == 22
    await alice.get("/mesures/poids?periode=nimporte&page=99999999999")


async def test_a_file_is_looked_at_before_it_is_taken(site: Site, alice: Browser) -> None:
    path = "/mesures/fichier/importer"
    text = (
        "kind;taken_at;value;unit;note\n"
        "poids;12/05/2026 8h00;73,4;kg;\n"
        "poids;13/05/2026;lourd;kg;\n"
        "température;pas une date;37;°C;\n"
        "inconnu;12/05/2026;1;;\n"
    )
    file = {"fichier": ("mesures.csv", text.encode(), "text/csv")}
    answer = await alice.post(path, page=path, files=file, status=200)
    page = html.unescape(answer.text)
    assert "1 mesure à ajouter" in page
    assert "3 lignes laissées de côté" in page
    assert re.findall(r"<tr><td>(\d+)</td>", page) == ["3", "4", "5"]
    assert site.store.read(measures.held, site.box()).current == 0
    waits = re.search(r'name="attente" value="([^"]+)"', answer.text)
    assert waits
    # a form with a file field is multipart, also when no file is in it
    empty = {"fichier": ("", b"", "application/octet-stream")}
    kept = {"attente": waits[1], "etape": "importer"}
    await alice.post(path, kept, page=path, files=empty)
    assert "73,4" in await alice.get("/mesures")
    again = await alice.post(path, page=path, files=file, status=200)
    assert "1 mesure déjà là" in again.text


async def test_files_that_are_none(site: Site, alice: Browser) -> None:
    path = "/mesures/fichier/importer"
    for content in (b"", b"nothing;of;this\n1;2;3\n", b"\xff\xfe\x00\x01" * 40, b"x" * (MOST + 1)):
        file = {"fichier": ("a.csv", content, "text/csv")}
        answer = await alice.post(path, page=path, files=file, status=422)
        assert 'class="notice error"' in answer.text
    answer = await alice.post(path, {"attente": "%%%", "etape": "importer"}, page=path, status=422)
    assert "Choisissez d" in answer.text
    big = {"fichier": ("a.csv", b"x" * (MOST + 300_000), "text/csv")}
    await alice.post(path, page=path, files=big, status=413)


async def test_the_way_out_is_the_way_in(site: Site, alice: Browser) -> None:
    await add(alice, "poids", **WEIGHT)
    await add(alice, "tension", value="120/80", day="2026-05-12")
    answer = await alice.client.get("/mesures/fichier/exporter")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    other = await site.signed_in(CLEMENCE)
    path = "/mesures/fichier/importer"
    file = {"fichier": ("m.csv", answer.content, "text/csv")}
    looked = await other.post(path, page=path, files=file, status=200)
    assert "2 mesures à ajouter" in looked.text


def test_a_spark_is_bounded() -> None:
    assert spark([]) == ""


def test_a_spark_of_many_points_is_small(site: Site) -> None:
    series = [
        measures.add(
            site.store, site.box(), _alice(site), measures.parse("weight", f"7{day % 10}"),
            moments.parse(f"{1 + day % 28:02}/{1 + day // 28:02}/2024"),
        )
        for day in range(70)
    ]  # fmt: skip
    drawn = str(spark(series))
    points = re.search(r'points="([^"]+)"', drawn)
    assert points
    assert len(points[1].split()) == POINTS


def _alice(site: Site) -> Actor:
    return Actor(by="patient", ident=ALICE.ins)
