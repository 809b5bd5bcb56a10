"""One story from end to end, in Chromium, over two real gateways: activate, receive, read, save, answer, and
see the answer arrive at the other operator; a child, a pharmacy, an ended exchange; no scripts; the keys.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from email.message import Message

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from gateway.demo.cast import ALICE, ALICE_CARD, ALICE_NAME, ALICE_PASSWORD, COLLEAGUE, PHARMACY
from gateway.demo.letters import archive
from gateway.sample.files import pdf, picture
from tests.browser.browser_kit import check_page, picture_of, visit
from tests.browser.story_kit import Stage, sign_in, staged
from tests.webmail.web_kit import NOE

pytestmark = [pytest.mark.package("chromium"), pytest.mark.wire, pytest.mark.asyncio(loop_scope="module")]

SENT = "Votre message est parti"
PHOTOGRAPH = {"name": "poignet.png", "mimeType": "image/png", "buffer": picture()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Alice has activated her profile, in the pages, on a phone."""
    async with staged(tmp_path_factory.mktemp("story") / "stage") as made:
        async with visit(made.browser, made, None, phone=True) as page:
            await _activate(made, page)
        yield made


async def _activate(stage: Stage, page: Page) -> None:
    await page.goto("/")
    await page.get_by_role("link", name=re.compile("Activer mon profil")).first.click()
    await check_page(page, "histoire-1-activer")
    year, month, day = ALICE.birth_date.split("-")
    for name, value in (("jour", day), ("mois", month), ("annee", year)):
        await page.locator(f"input[name={name}]").fill(value)
    await page.locator("#f-numero").fill(ALICE.ins)
    await page.locator("input[name=carte][value=plain]").check(force=True)
    await page.locator("#f-serie").fill(ALICE_CARD)
    await page.locator("#f-canal-email").check()
    await _continue(page)
    await page.locator("#f-code").wait_for()
    await check_page(page, "histoire-2-code")
    await page.locator("#f-code").fill(await stage.code())
    await _continue(page)
    await check_page(page, "histoire-3-decision")
    for box in await page.locator("main input[type=checkbox]").all():
        await box.check()
    await page.get_by_role("button", name="Activer mon profil").click()
    await check_page(page, "histoire-4-compte")
    await page.locator("#f-identifiant").fill(ALICE_NAME)
    await page.locator("#f-motdepasse").fill(ALICE_PASSWORD)
    await page.locator("#f-encore").fill(ALICE_PASSWORD)
    await page.get_by_role("button", name="Activer mon profil").click()
    await expect(page.locator("h1")).to_have_text(re.compile("activé"))
    await check_page(page, "histoire-5-activee")


async def _continue(page: Page) -> None:
    await page.locator("main form button[type=submit]").first.click()


def _names(message: Message) -> list[str]:
    return [part.get_filename() or "" for part in message.walk() if part.get_filename()]


async def test_receive_read_save_and_answer_on_a_phone(stage: Stage) -> None:
    async with visit(stage.browser, stage, None, phone=True) as page:
        await sign_in(stage, page)
        await check_page(page, "histoire-6-connectee")
        # it arrives in the open page by itself
        await page.goto("/messages")
        report = ("IHE_XDM.ZIP", "application/zip", archive(ALICE, "Compte rendu"))
        await stage.send("Votre compte rendu", "Bonjour, voici votre compte rendu.", report)
        arrived = page.get_by_text("Votre compte rendu").first
        await arrived.wait_for(timeout=60_000)
        await picture_of(page, "histoire-7-arrivee-phone")
        # read
        await _open_letter(page, "Votre compte rendu")
        await expect(page.locator("h1")).to_have_text("Votre compte rendu")
        await expect(page.locator(".letter-body")).to_contain_text("voici votre compte rendu")
        await check_page(page, "histoire-8-message")
        # filed by the bridge, and found in the record
        await _until(page, "Déposé dans votre dossier")
        await page.locator("#pieces a[href^='/documents/']").first.click()
        await expect(page.locator("h1")).to_contain_text("Compte rendu")
        await check_page(page, "histoire-9-document")
        # answer with a photograph
        await page.goto("/messages")
        await _open_letter(page, "Votre compte rendu")
        await page.get_by_role("link", name=re.compile("Répondre")).first.click()
        await page.locator("#f-texte").fill("Voici une photographie, docteur.")
        await page.locator("#f-fichiers").set_input_files(PHOTOGRAPH)  # type: ignore[arg-type]  # a TypedDict there
        await expect(page.locator("#pieces")).to_contain_text("poignet.png")
        await check_page(page, "histoire-10-reponse")
        await page.get_by_role("button", name="Envoyer").click()
        await expect(page.locator("main")).to_contain_text(SENT)
        await check_page(page, "histoire-11-envoyee")
    answer = await stage.arrived("Voici une photographie, docteur.")
    assert answer["From"] is not None and ALICE.address in str(answer["From"])
    assert _names(answer) == ["poignet.png"]


async def _open_letter(page: Page, subject: str) -> None:
    """From the list of conversations to the letter."""
    await page.get_by_role("link").filter(has_text=subject).first.click()
    if "/conversation/" in page.url:
        await page.locator("#liste a.row").filter(has_text=subject).first.click()
    await page.wait_for_url(re.compile(r"/messages/\d+"))


async def _until(page: Page, text: str) -> None:
    """Load the page again until it says this: what the queues do takes a moment."""
    for _ in range(120):
        if text in await page.locator("main").inner_text():
            return
        await page.wait_for_timeout(500)
        await page.reload()
    raise AssertionError(f"the page never says « {text} »")


async def test_save_into_the_record_by_hand(stage: Stage) -> None:
    async with visit(stage.browser, stage, None) as page:
        await sign_in(stage, page)
        note = ("conseils.txt", "text/plain", b"Buvez de l'eau.\n")
        await stage.send("Des conseils", "Ci-joint.", note, ("fiche.pdf", "application/pdf", pdf("Fiche")))
        await page.goto("/messages")
        await _until(page, "Des conseils")
        await _open_letter(page, "Des conseils")
        await _until(page, "Déposé dans votre dossier")
        for save in await page.get_by_role("button", name=re.compile("Enregistrer")).all():
            await save.click()
            break
        await check_page(page, "histoire-12-pieces")
        await page.goto("/documents")
        await expect(page.locator("main")).to_contain_text(re.compile("conseils|fiche", re.IGNORECASE))


async def test_without_scripts(stage: Stage) -> None:
    """Reading and answering with an attachment."""
    async with visit(stage.browser, stage, None, scripts=False) as page:
        await sign_in(stage, page)
        await stage.send("Sans script", "Lisez-moi ainsi.")
        await page.goto("/messages")
        await _until(page, "Sans script")
        await _open_letter(page, "Sans script")
        assert "Lisez-moi ainsi." in await page.locator("main").inner_text()
        await check_page(page, "sans-script-message")
        await page.get_by_role("link", name=re.compile("Répondre")).first.click()
        await page.locator("#f-texte").fill("Réponse sans script.")
        await page.locator("#f-fichiers").set_input_files(PHOTOGRAPH)  # type: ignore[arg-type]  # a TypedDict there
        await page.get_by_role("button", name="Joindre").click()
        await expect(page.locator("#pieces")).to_contain_text("poignet.png")
        await expect(page.locator("#f-texte")).to_have_value("Réponse sans script.")
        await check_page(page, "sans-script-reponse")
        await page.get_by_role("button", name="Envoyer").click()
        await expect(page.locator("main")).to_contain_text(SENT)
    assert _names(await stage.arrived("Réponse sans script.")) == ["poignet.png"]


async def test_by_the_keys_alone(stage: Stage) -> None:
    """From the first page to a sent answer with Tab, Enter and letters."""
    await stage.send("Au clavier", "Répondez sans souris.")
    async with visit(stage.browser, stage, None) as page:
        await page.goto("/connexion")
        await _tab_to(page, "#f-identifiant")
        await page.keyboard.type(ALICE_NAME)
        await _tab_to(page, "#f-motdepasse")
        await page.keyboard.type(ALICE_PASSWORD)
        await page.keyboard.press("Enter")
        await page.locator("#f-code").wait_for()
        await _tab_to(page, "#f-code")
        await page.keyboard.type(await stage.code())
        await page.keyboard.press("Enter")
        await page.locator("body.signed").wait_for()
        await _tab_to(page, "nav a[href='/messages']")
        await page.keyboard.press("Enter")
        await page.wait_for_url(re.compile(r"/messages$"))
        await _until(page, "Au clavier")
        await _tab_to(page, "#liste a", "Au clavier")
        await page.keyboard.press("Enter")
        await page.wait_for_url(re.compile(r"/messages/."))
        if "/conversation/" in page.url:
            await _tab_to(page, "#liste a.row", "Au clavier")
            await page.keyboard.press("Enter")
            await page.wait_for_url(re.compile(r"/messages/\d"))
        await _tab_to(page, "a[href$='/repondre']")
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        await picture_of(page, "clavier-repondre-desktop")
        await page.keyboard.press("Enter")
        await page.wait_for_url(re.compile("/repondre"))
        await _tab_to(page, "#f-texte")
        await page.keyboard.type("Réponse au clavier.")
        await _tab_to(page, "button[value=envoyer]")
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_contain_text(SENT)
    await stage.arrived("Réponse au clavier.")


async def _tab_to(page: Page, selector: str, text: str = "", most: int = 150) -> None:
    """Press Tab until what has the focus matches; fails when it never does."""
    there = "([s, t]) => document.activeElement.matches(s) && document.activeElement.innerText.includes(t)"
    for _ in range(most):
        await page.keyboard.press("Tab")
        if await page.evaluate(there, [selector, text]):
            return
    raise AssertionError(f"the keys do not reach {selector} {text}")


async def test_a_pharmacy_first(stage: Stage) -> None:
    async with visit(stage.browser, stage, None, phone=True) as page:
        await sign_in(stage, page)
        await page.goto("/pharmacies")
        await page.locator("main input[type=search], main input[name=q], main input[type=text]").first.fill(
            "exemple"
        )
        await page.locator("main form button[type=submit]").first.click()
        await check_page(page, "pharmacie-choix")
        await page.locator("main a[href^='/ecrire/']").first.click()
        await page.locator("#f-objet").fill("Ma commande")
        await page.locator("#f-texte").fill("Puis-je passer ce soir ?")
        await check_page(page, "pharmacie-message")
        await page.get_by_role("button", name="Envoyer").click()
        await expect(page.locator("main")).to_contain_text(SENT)
    await stage.arrived("Puis-je passer ce soir ?", PHARMACY)


async def test_an_ended_exchange_says_why(stage: Stage) -> None:
    await stage.send("Un avis", "Voici mon avis.", sender=COLLEAGUE)
    async with visit(stage.browser, stage, None, phone=True) as page:
        await sign_in(stage, page)
        await page.goto("/messages")
        await _until(page, "Un avis")
        await _open_letter(page, "Un avis")
        await expect(page.locator("a[href$='/repondre']").first).to_be_visible()
        await stage.send("[FIN]", "Cet échange est terminé.", sender=COLLEAGUE)
        await _until(page, "mis fin à l'échange")
        assert await page.locator("a[href$='/repondre']").count() == 0
        await check_page(page, "fin-message")
        # who answers all the same is told the same
        await page.goto(f"{page.url}/repondre")
        assert "mis fin à l'échange" in await page.locator("main").inner_text()
        assert await page.get_by_role("button", name="Envoyer").count() == 0
        await picture_of(page, "fin-repondre-phone")


async def test_a_childs_profile(stage: Stage) -> None:
    stage.give_child()
    await stage.send("Certificat de Noé", "Pour le judo.", to=NOE)
    async with visit(stage.browser, stage, None, phone=True) as page:
        await sign_in(stage, page)
        await page.goto("/messages")
        assert "Certificat de Noé" not in await page.locator("main").inner_text()
        await page.goto("/profils")
        await check_page(page, "enfant-profils")
        await page.get_by_role("button", name=re.compile("No[eé]", re.IGNORECASE)).first.click()
        await expect(page.locator("body")).to_have_class(re.compile("elsewhere"))
        await page.goto("/messages")
        await _until(page, "Certificat de Noé")
        await check_page(page, "enfant-messages")
        await _open_letter(page, "Certificat de Noé")
        await page.get_by_role("link", name=re.compile("Répondre")).first.click()
        await page.locator("#f-texte").fill("Merci pour Noé.")
        await page.get_by_role("button", name="Envoyer").click()
        await expect(page.locator("main")).to_contain_text(SENT)
    assert NOE.address in str((await stage.arrived("Merci pour Noé."))["From"])
