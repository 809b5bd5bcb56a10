"""Every page of the site in a browser, narrow and wide: found by its links, held to the rules.

A route that no link leads to, and that no table here names, fails: no page escapes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.browser_kit import DESKTOP, PHONE, browsing, look, picture_of, visit
from tests.browser.crawling import Crawl, crawl, routes
from tests.browser.rich_space import fill
from tests.webmail.web_kit import NOE, Site, serving
from webmail.app import AREAS

pytestmark = [pytest.mark.package("chromium"), pytest.mark.asyncio(loop_scope="module")]

#: Where one begins besides the first page: no page links to these.
BEGIN = [
    "/",
    "/hors-ligne",
    "/invite",
    "/conditions",
    "/deconnexion",
    "/compte/preuve",
    "/messages/corbeille/vider",
    "/messages/dossiers",
    "/service.js",
]
#: No pages, or pages that come in the course of something: where they are looked at instead.
ELSEWHERE = {
    "/vivant": "a stream without end; test_browser_story waits for what it brings",
    "/messages/non-lus": "a piece of a page, for scripts",
    "/activation/etape": "a step of the activation; test_browser_story",
    "/activation/opposition": "a step of the opposition",
    "/activation/terminee": "the end of the activation; test_browser_story",
    "/activation/oppose": "the end of the opposition",
    "/connexion/code": "a step of the sign-in; test_browser_story",
    "/connexion/cle": "asked for by a script that has a key; tests/webmail",
    "/connexion/franceconnect/retour": "where FranceConnect leads back to; tests/webmail",
    "/compte/preuve/code": "a step; tests/webmail",
    "/compte/coordonnees/code": "a step; tests/webmail",
    "/compte/ferme": "the end of an account; tests/webmail",
}


@dataclass
class Rich:
    """A site with everything in it, and where its pages are."""

    site: Site
    browser: Browser
    crawl: Crawl
    session: str
    window: Page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rich(web_space: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rich]:
    async with browsing() as browser, serving(web_space, tmp_path_factory.mktemp("rich")) as site:
        rich = await fill(site)
        alice = await site.signed_in()
        found = await crawl(site.door.app, alice.client, rich + BEGIN, leave=frozenset({"/vivant"}))
        session = alice.client.cookies.get("__Host-session") or ""
        async with visit(browser, site, session=session, phone=True, is_mobile=False) as window:
            yield Rich(site, browser, found, session, window)


ROUTES = [one.path for area in AREAS for one in area if "GET" in one.methods]  # type: ignore[attr-defined]  # Routes


async def test_no_link_leads_nowhere(rich: Rich) -> None:
    assert not rich.crawl.broken, "\n".join(rich.crawl.broken)


async def test_every_route_is_looked_at(rich: Rich) -> None:
    missed = [one for one in ROUTES if one not in rich.crawl.met and one not in ELSEWHERE]
    assert missed == [], "no link leads there: add one, or name it in BEGIN or ELSEWHERE"
    assert set(ELSEWHERE) <= set(routes(rich.site.door.app)), "ELSEWHERE names a route that is gone"


def _name(route: str) -> str:
    words = (word for word in route.strip("/").replace(".", "-").split("/"))
    return "-".join(word.partition(":")[0].strip("{}") for word in words) or "accueil"


@pytest.mark.parametrize("route", ROUTES)
async def test_on_a_phone_and_on_a_computer(rich: Rich, route: str) -> None:
    """One window for all pages; each is loaded once, and looked at narrow and wide."""
    path = _pages(rich, route)[0]
    await look(rich.window, path, _name(route))
    await rich.window.set_viewport_size(DESKTOP)
    await picture_of(rich.window, f"{_name(route)}-desktop")
    await rich.window.set_viewport_size(PHONE)


def _pages(rich: Rich, route: str) -> list[str]:
    paths = rich.crawl.pages.get(route, [])
    if not paths:
        kind = next((one for one in ("others", "moved") if route in getattr(rich.crawl, one)), "")
        pytest.skip(
            ELSEWHERE.get(route) or {"others": "no page", "moved": "leads elsewhere"}.get(kind, "not met")
        )
    return paths


#: What is looked at in another guise.
SAMPLE = [
    "/",
    "/messages",
    "/messages/conversation/{key}",
    "/messages/{message_id:int}",
    "/messages/{message_id:int}/repondre",
    "/documents",
    "/documents/{document_id:int}",
    "/droits",
    "/historique",
    "/sante",
    "/mesures",
    "/mesures/{kind}",
    "/agenda",
    "/compte",
    "/profils",
    "/aide",
]


@pytest.mark.parametrize("route", SAMPLE)
async def test_dark_and_large_in_english(rich: Rich, route: str) -> None:
    paths = _pages(rich, route)
    guise: Any = {"phone": True, "dark": True, "large": True, "language": "en"}
    async with visit(rich.browser, rich.site, session=rich.session, **guise) as page:
        await look(page, paths[0], f"{_name(route)}-en-dark-large")


@pytest.mark.parametrize("route", ["/", "/messages", "/documents", "/agenda", "/sante"])
async def test_in_a_childs_space(rich: Rich, route: str) -> None:
    async with visit(rich.browser, rich.site, session=rich.session, space=NOE, phone=True) as page:
        await look(page, route, f"{_name(route)}-enfant")


@pytest.mark.parametrize("path", ["/", "/connexion", "/activation", "/aide", "/invite"])
async def test_who_is_not_signed_in(rich: Rich, path: str) -> None:
    async with visit(rich.browser, rich.site, None, phone=True) as page:
        await look(page, path, f"{_name(path)}-inconnu")


async def test_what_is_not_there(rich: Rich) -> None:
    async with visit(rich.browser, rich.site, session=rich.session) as page:
        await look(page, "/nulle-part", "introuvable", status=404)
        await look(page, "/documents/1", "introuvable-document", status=404)
