"""The ways in, step by step in a browser: on a phone, held to the rules; and the same without scripts."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page

from tests.browser.browser_kit import check_page, look, visit
from tests.webmail.ways_kit import FIRST, STEP, code, facts, notice_code
from tests.webmail.web_kit import ALICE, BASILE, Site

pytestmark = pytest.mark.package("chromium")
BASILE_AT, WORD = "basile@example.org", "quatre chats sous la pluie"
NEXT = "main form.card button[type=submit]"


async def go_on(page: Page, button: str = NEXT, **typed: str) -> None:
    """Fill the form of a step and send it."""
    for name, value in typed.items():
        await page.fill(f"[name={name}]", value)
    async with page.expect_navigation():
        await page.click(button)


async def give_facts(page: Page, **other: str) -> None:
    """The first step, by letter."""
    typed = facts(BASILE, **other)
    await page.check(f"#f-carte-{typed.pop('carte')}")
    await page.check(f"#f-canal-{typed.pop('canal')}")
    await go_on(page, **typed)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
async def test_activation_step_by_step(site: Site, chromium: Browser, scripts: bool) -> None:
    """By letter, so that every step is seen; then the sign-in, and a wrong field at each."""
    kept = "" if scripts else "-sans-script"
    secret = site.store.write(notice_code, ins=BASILE.ins)
    async with visit(chromium, site, None, phone=True, scripts=scripts) as page:
        await look(page, FIRST, f"activation-1{kept}", picture=scripts)
        await give_facts(page, canal="letter", mois="13")
        await check_page(page, f"activation-1-faute{kept}", status=422, picture=scripts)
        await give_facts(page, canal="letter")
        await check_page(page, f"activation-2{kept}", picture=scripts)
        await go_on(page, code="AAAA")
        await check_page(page, f"activation-2-faute{kept}", status=422, picture=scripts)
        await go_on(page, code=secret)
        await check_page(page, f"activation-3{kept}", picture=scripts)
        await look(page, "/activation/opposition", f"activation-3-refus{kept}", picture=scripts)
        await page.goto(STEP)
        await go_on(page, "section form button")
        await check_page(page, f"activation-3-faute{kept}", status=422, picture=scripts)
        await page.check("[name=conditions]")
        await page.check("[name=donnees]")
        await go_on(page, "section form button")
        await check_page(page, f"activation-4{kept}", picture=scripts)
        await page.check("#f-canal-sms")
        await go_on(page, sms="06 99 88 77 66")
        await check_page(page, f"activation-4-code{kept}", picture=scripts)
        await go_on(page, code=await code(site, "+33699887766"))
        await check_page(page, f"activation-5{kept}", picture=scripts)
        await page.go_back()  # to the step before: nothing is done twice, and the flow is where it was
        await page.goto(STEP)
        await go_on(page, identifiant="basile.m", motdepasse=WORD, encore=WORD)
        assert page.url.endswith("/activation/terminee")
        await check_page(page, f"activation-fin{kept}", picture=scripts)
        await look(page, "/connexion", f"connexion{kept}", picture=scripts)
        assert await page.is_visible("text=Utiliser une clé d'accès") is scripts
        await go_on(page, identifiant="basile.m", motdepasse=WORD)
        await check_page(page, f"connexion-code{kept}", picture=scripts)
        await go_on(page, code=await code(site, "+33699887766"))
        await page.goto("/compte")
        assert "basile.m" in await page.content()
    assert site.profile(BASILE).state == "activated"


async def test_objecting_and_what_is_over(site: Site, chromium: Browser) -> None:
    async with visit(chromium, site, None, phone=True) as page:
        await page.goto(FIRST)
        await give_facts(page)
        await go_on(page, code=await code(site, BASILE_AT))
        await page.goto("/activation/opposition")
        await go_on(page, "main .card form button")
        await check_page(page, "activation-refuse")
        await page.goto(FIRST)
        await give_facts(page)
        for _ in range(5):
            await go_on(page, code="AAAA")
        await check_page(page, "activation-perdue", status=410)
    assert site.profile(BASILE).state == "opposed"


async def test_steps_of_the_account(site: Site, chromium: Browser) -> None:
    async with visit(chromium, site, ALICE, phone=True) as page:
        await look(page, "/compte/preuve", "compte-preuve")
        await go_on(page, "main form button")
        await check_page(page, "compte-preuve-code")
        await page.goto("/compte/applications")
        await go_on(page, nom="Tablette")
        await check_page(page, "compte-applications-montre")
        await page.goto("/compte/coordonnees")
        await go_on(page, email="nouvelle@example.net")
        await check_page(page, "compte-coordonnees-code")
        await page.goto("/compte/fermer")
        await go_on(page)
        await check_page(page, "compte-fermer-faute", status=422)
        await page.check("[name=compris]")
        await go_on(page)
        await check_page(page, "compte-ferme")
