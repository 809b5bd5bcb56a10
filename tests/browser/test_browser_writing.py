"""Writing in Chromium: what the script adds, and that the form is whole without it."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, FilePayload, expect

from tests.browser.browser_kit import check_page, visit
from tests.webmail.web_kit import PHARMACY, Site
from tests.webmail.writing_kit import PDF, arrived, entries, outgoing, queued

pytestmark = pytest.mark.package("chromium")


def file(name: str, content: bytes = PDF) -> FilePayload:
    return {"name": name, "mimeType": "application/pdf", "buffer": content}


async def test_files_go_up_at_once_and_what_is_typed_is_kept(site: Site, chromium: Browser) -> None:
    number = await arrived(site)
    async with visit(chromium, site, phone=True) as page:
        await page.goto(f"/messages/{number}/repondre")
        await check_page(page, "writing-answer")
        await page.fill("#f-texte", "Merci docteur.")
        await expect(page.locator("#etat")).to_contain_text("Brouillon enregistré", timeout=20_000)
        assert len(entries(site, "\\Drafts")) == 1
        await page.set_input_files("#f-fichiers", [file("radio.pdf"), file("faux.pdf", b"MZ")])
        await expect(page.locator("#pieces .enclosed")).to_contain_text("radio.pdf")
        await expect(page.locator("#pieces .notice")).to_contain_text("faux.pdf")
        await page.set_input_files("#f-fichiers", [file("grand.pdf", PDF + b"0" * 20_000_000)])
        await expect(page.locator("[data-progress]")).to_contain_text("Trop lourd")
        assert len(entries(site, "\\Drafts")) == 1
        await page.get_by_role("button", name="Retirer radio.pdf").click()
        await expect(page.locator("#pieces .enclosed")).to_have_count(0)
        await expect(page.locator("#f-texte")).to_have_value("Merci docteur.")
        await page.set_input_files("#f-fichiers", [file("scanner.pdf")])
        await expect(page.locator("#pieces .enclosed")).to_contain_text("scanner.pdf")
        await check_page(page, "writing-files")
        await page.get_by_role("button", name="Envoyer", exact=True).click()
        await page.wait_for_url("**/messages/**")
    (sent,) = outgoing(site)
    assert [one.get_filename() for one in sent.iter_attachments()] == ["scanner.pdf"]
    assert entries(site, "\\Drafts") == []


async def test_a_pharmacy_is_written_to_without_a_script(site: Site, chromium: Browser) -> None:
    async with visit(chromium, site, scripts=False) as page:
        await page.goto("/ecrire")
        await check_page(page, "writing-people")
        await page.get_by_role("link", name="Chercher une pharmacie").click()
        await page.get_by_label("Nom de la pharmacie").fill("exemple")
        await page.get_by_role("button", name="Chercher").click()
        await check_page(page, "writing-pharmacies")
        await page.get_by_role("link", name="Écrire à").click()
        await page.get_by_role("button", name="Envoyer", exact=True).click()
        await check_page(page, "writing-errors", status=422)
        await page.get_by_label("Objet").fill("Ordonnance")
        await page.get_by_label("Votre message").fill("Bonjour, pouvez-vous préparer ceci ?")
        await page.set_input_files("#f-fichiers", [file("ordonnance.pdf")])
        await page.get_by_role("button", name="Joindre", exact=True).click()
        await expect(page.locator("#pieces .enclosed")).to_contain_text("ordonnance.pdf")
        await page.get_by_role("button", name="Choisir dans mon dossier").click()
        await check_page(page, "writing-choose")
        await page.get_by_role("link", name="Retour au message").first.click()
        await page.get_by_role("button", name="Envoyer", exact=True).click()
        await page.wait_for_url("**/messages/**")
    (job,) = queued(site)
    assert job.recipient.address == PHARMACY.address
