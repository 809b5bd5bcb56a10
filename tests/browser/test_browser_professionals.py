"""The professionals' corner in a browser that shows a client certificate."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from certs import DemoPki, TrustStore, operators_context
from gateway.demo import cast
from gateway.demo.letters import archive
from gateway.professionals import ProfessionalsDoor
from gateway.settings import load_settings
from tests.browser.browser_kit import check_page, look, visit
from tests.routing.routing_support import operator
from tests.webmail.web_kit import ALICE, BASILE, CLEMENCE, DOCTOR, Site, letter

pytestmark = pytest.mark.package("chromium")


@dataclass
class Port:
    """The professionals' port, as the kit wants a place."""

    door: ProfessionalsDoor
    pki: DemoPki

    @property
    def url(self) -> str:
        return f"https://localhost:{self.door.server.port}"

    async def session(self, who: cast.Patient) -> tuple[str, str]:
        raise AssertionError("nobody has a session here")

    def box(self, who: cast.Patient) -> int:
        raise AssertionError("nobody has a space here")

    def shown(self, name: str) -> dict[str, Any]:
        """What a browser's context needs to show a certificate."""
        certificate, key = self.pki.paths(name)
        return {
            "client_certificates": [{"origin": self.url, "certPath": str(certificate), "keyPath": str(key)}]
        }


@pytest_asyncio.fixture
async def port(site: Site, web_space: Path) -> AsyncIterator[Port]:
    pki = DemoPki.open(web_space / "pki")
    context = operators_context(*pki.paths("gateway"))
    door = ProfessionalsDoor(
        site.home, load_settings(site.home), site.store, TrustStore.load(pki.trust), context
    )
    await door.start("127.0.0.1", 0)
    yield Port(door, pki)
    await door.close()


@pytest.mark.parametrize("phone", [True, False])
async def test_the_corner(chromium: Browser, site: Site, port: Port, phone: bool) -> None:
    for patient in (ALICE, CLEMENCE):
        parts = (("IHE_XDM.ZIP", "application/zip", archive(patient, "Compte rendu")),)
        await site.deliver(letter("XDM/1.0/DDM+x", attachments=parts))
    hospital = operator(site.store, DOCTOR.address.partition("@")[2])
    assert not (await site.router.recipient(hospital, DOCTOR.address, BASILE.address)).accepted  # he objected
    await site.file_all()
    async with visit(chromium, port, None, phone=phone, **port.shown("doctor")) as page:
        await look(page, "/espace-pro", "pro-envois")
        assert ALICE.address in await page.locator("main").inner_text()
        await page.get_by_role("link", name=re.compile("^Envoi du")).last.click()
        await check_page(page, "pro-envoi")
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name=re.compile("Preuve")).first.click()
        assert re.fullmatch(r"preuve-\d+\.json", (await downloading.value).suggested_filename)
        await look(page, "/espace-pro/verifier", "pro-verifier")
        await look(page, "/espace-pro?du=hier", "pro-recherche", status=422)
        await look(page, "/espace-pro/envois/0", "pro-introuvable", status=404)
    async with visit(chromium, port, None, phone=phone) as page:
        await look(page, "/espace-pro", "pro-inconnu", status=403)
    async with visit(chromium, port, None, phone=phone, scripts=False, **port.shown("colleague")) as page:
        await look(page, "/espace-pro", "pro-vide")
        assert "Aucun envoi" in await page.locator("main").inner_text()
