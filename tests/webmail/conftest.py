"""The demonstration's people are made once; every test serves a copy of their gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.browser_kit import chromium
from tests.webmail.web_kit import Browser, Site, make_space, serving

__all__ = ["chromium"]


@pytest.fixture(scope="session")
def web_space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_space(tmp_path_factory.mktemp("web") / "demo")


@pytest_asyncio.fixture
async def site(web_space: Path, tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(web_space, tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def alice(site: Site) -> Browser:
    return await site.signed_in()
