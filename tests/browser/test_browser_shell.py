"""The shell in a browser: what a phone keeps, what is asked before it is done, and how far one gets without
a script, a mouse or a connection."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.browser_kit import NARROWEST, check_page, visit
from tests.webmail.web_kit import Site, letter
from webmail.installed import OFFLINE, SHELL
from webmail.rendering import static

pytestmark = pytest.mark.package("chromium")

_KEPT = """async () => {
  const found = [];
  for (const name of await caches.keys())
    for (const one of await (await caches.open(name)).keys()) found.push(one.url);
  return found.map(one => one.slice(location.origin.length));
}"""


async def test_a_phone_keeps_the_shell_and_nothing_of_her(chromium: Browser, site: Site) -> None:
    await site.deliver(letter("Un objet que personne ne garde"))
    async with visit(chromium, site, phone=True) as page:
        await page.goto("/")
        await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        await page.wait_for_function("navigator.serviceWorker.controller !== null")
        for path in ("/", "/messages", "/documents", "/aide", "/compte"):
            await page.goto(path)
        await page.goto("/messages")
        await page.get_by_role("link").filter(has_text="Un objet que personne ne garde").first.click()
        assert set(await page.evaluate(_KEPT)) == {OFFLINE, *map(static, SHELL)}
        assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
        assert await page.evaluate("indexedDB.databases().then(found => found.length)") == 0
        await page.context.set_offline(True)
        await page.goto("/messages")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Vous êtes hors ligne")
        assert "personne ne garde" not in await page.content()
        colour = await page.evaluate("getComputedStyle(document.querySelector('.side')).backgroundColor")
        assert colour == "rgb(12, 70, 76)"  # the style came out of what is kept
        await page.context.set_offline(False)
        await page.get_by_role("link", name="Réessayer").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Bonjour")


async def test_what_cannot_be_undone_is_asked_first(chromium: Browser, site: Site) -> None:
    async with visit(chromium, site) as page:
        await page.goto("/aide")
        form = page.locator(".others form")
        await form.evaluate("form => { form.dataset.confirm = 'Vraiment ?'; }")
        leave = form.get_by_role("button")
        await leave.click()
        dialog = page.get_by_role("dialog", name="Vraiment ?")
        await expect(dialog).to_be_visible()
        await expect(dialog.get_by_role("button", name="Annuler")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(leave).to_be_focused()
        assert page.url.endswith("/aide")
        await leave.click()
        await dialog.get_by_role("button", name="Confirmer").click()
        await page.wait_for_url("**/deconnexion")
        await expect(page.get_by_role("link", name="Se connecter").first).to_be_visible()


async def test_a_form_is_sent_once(chromium: Browser, site: Site) -> None:
    sent = 0

    async def slowly(route: Route) -> None:
        nonlocal sent
        if route.request.method == "POST":
            sent += 1
            await asyncio.sleep(0.5)
        await route.continue_()

    async with visit(chromium, site, None) as page:
        await page.goto("/affichage")
        await page.route("**/affichage", slowly)
        button = page.get_by_role("button", name="Enregistrer")
        await button.click(no_wait_after=True, click_count=3, delay=1)
        await expect(page.locator(".said")).to_contain_text("C'est noté")
        assert sent == 1
        await expect(page.locator("#annonces")).to_contain_text("C'est noté")


async def test_the_bar_of_a_phone_works_without_scripts(chromium: Browser, site: Site) -> None:
    async with visit(chromium, site, phone=True, scripts=False) as page:
        await page.goto("/")
        bar = page.get_by_role("navigation", name="Rubriques")
        assert await bar.get_by_role("link").count() == 4
        await bar.get_by_text("Plus", exact=True).click()
        assert await bar.get_by_role("link").count() == 11
        await bar.get_by_role("link", name="Aide").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Aide")
        await bar.get_by_text("Plus", exact=True).click()
        await bar.get_by_role("button", name="Se déconnecter").click()
        await expect(page.get_by_role("link", name="Se connecter").first).to_be_visible()


async def test_the_keyboard_alone_skips_to_the_content(chromium: Browser, site: Site) -> None:
    async with visit(chromium, site) as page:
        await page.goto("/aide")
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Aller au contenu")
        await expect(skip).to_be_focused()
        assert (await skip.bounding_box() or {})["x"] >= 0
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        inside = await page.evaluate("document.querySelector('main').contains(document.activeElement)")
        assert inside


@pytest.mark.parametrize(
    "path", ["/", "/aide", "/affichage", "/vos-donnees", "/accessibilite", "/rien", OFFLINE]
)
async def test_the_open_pages_hold_what_all_pages_must(chromium: Browser, site: Site, path: str) -> None:
    async with visit(chromium, site, None, large=True, dark=path in ("/aide", "/")) as page:
        await page.set_viewport_size(NARROWEST)  # type: ignore[arg-type]  # a TypedDict there
        await page.goto(path)
        await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        if path != "/rien":  # a console tells of each 404
            await check_page(page, f"ouvert{path.replace('/', '-')}")
