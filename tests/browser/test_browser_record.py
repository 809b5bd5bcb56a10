"""Documents, access and history in a browser: files filed with and without scripts, frames, every rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from dossier import rights
from tests.browser.browser_kit import check_page, visit
from tests.dossier.test_rendering import cda
from tests.webmail.record_support import Record, image, professional
from tests.webmail.web_kit import COLLEAGUE, Site

pytestmark = pytest.mark.package("chromium")


def filled(site: Site) -> dict[str, int]:
    """A record with something of each kind, by name."""
    record = Record(site)
    made = {
        "cda": record.raw(cda("<paragraph>Va bien</paragraph>"), "text/xml", title="Lettre de liaison"),
        "picture": record.deposit(
            "radio.png", image("PNG", (300, 200)), category="Radio, écho, scanner, IRM"
        ),
        "text": record.deposit("note.txt", b"bonjour", category="Autres"),
        "letter": record.letter(),
    }
    rights.mask(record.store, record.box_id, record.me, made["picture"])
    rights.block(record.store, record.box_id, record.me, professional(COLLEAGUE).ident)
    return made


@pytest.mark.parametrize("phone", [False, True])
async def test_the_pages_hold_the_rules(site: Site, chromium: Browser, phone: bool) -> None:
    made = filled(site)
    paths = {
        "record-list": "/documents",
        "record-cda": f"/documents/{made['cda']}",
        "record-picture": f"/documents/{made['picture']}",
        "record-access": f"/documents/{made['letter']}/acces",
        "record-deposit": "/documents/deposer",
        "record-delete": f"/documents/{made['text']}/supprimer",
        "record-rights": "/droits",
        "record-professional": f"/droits/professionnel?id={COLLEAGUE.id_nat}",
        "record-history": "/historique",
    }
    async with visit(chromium, site, phone=phone, dark=phone) as page:
        for name, path in paths.items():
            await page.goto(path)
            await check_page(page, name)
        await page.goto(f"/documents/{made['cda']}")
        frame = page.frame_locator("iframe.paper")
        await frame.get_by_text("Va bien").wait_for()
        styled = await frame.locator("body").evaluate("body => getComputedStyle(body).paddingLeft")
        assert styled == "16px", "the frame has our style under its own policy"


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_file_is_filed(site: Site, chromium: Browser, tmp_path: Path, scripts: bool) -> None:
    good, bad = tmp_path / "bilan.txt", tmp_path / "virus.exe"
    good.write_bytes(b"bonjour")
    bad.write_bytes(b"MZ")
    async with visit(chromium, site, scripts=scripts) as page:
        await page.goto("/documents/deposer")
        await page.get_by_label("Fichier, ou plusieurs").set_input_files([bad])
        if scripts:
            await page.get_by_text("ce genre de fichier n'est pas accepté").wait_for()
        await page.get_by_label("Rubrique", exact=True).select_option("comptes-rendus")
        await page.get_by_label("Fichier, ou plusieurs").set_input_files([good])
        await page.get_by_role("button", name="Déposer").click()
        await page.locator("main").get_by_text("est déposé dans le dossier").wait_for()
        assert await page.get_by_role("heading", level=1).inner_text() == "bilan"
        assert len(Record(site).seen()) == 1
