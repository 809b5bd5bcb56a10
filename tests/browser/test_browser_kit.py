"""The kit finds what it is to find."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.browser.browser_kit import check_page, look, violations, visit, weight_of
from tests.webmail.web_kit import Site

pytestmark = pytest.mark.package("chromium")


@pytest.mark.parametrize("phone", [True, False])
async def test_the_first_page_holds(chromium: Browser, site: Site, phone: bool) -> None:
    async with visit(chromium, site, None, phone=phone) as page:
        await look(page, "/", "bienvenue")
    async with visit(chromium, site, phone=phone) as page:
        await look(page, "/", "accueil")
        assert 5_000 < weight_of(page) < 100_000


async def test_the_kit_sees_faults(chromium: Browser, site: Site) -> None:
    async with visit(chromium, site, None, phone=True) as page:
        await page.goto("/")
        await page.evaluate(
            """() => {
              document.querySelector('h1').insertAdjacentHTML('afterend',
                '<h1>Encore</h1><img src="https://ailleurs.test/x.png"><p style="width: 900px">x</p><input>');
            }"""
        )
        await page.wait_for_timeout(200)
        with pytest.raises(AssertionError) as told:
            await check_page(page, "fautes")
        for fault in ("policy: img-src", "policy: style-src", "has 2 h1", "axe image-alt", "axe label"):
            assert fault in str(told.value), told.value
        assert any("image-alt" in one for one in await violations(page))
