"""Fixtures of the SMTP tests: one PKI for all of them, a fresh store and router for each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from smtp_support import World, world

from certs import DemoPki, demo_pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> DemoPki:
    return demo_pki(tmp_path_factory.mktemp("pki"))


@pytest_asyncio.fixture
async def here(tmp_path: Path, pki: DemoPki) -> AsyncIterator[World]:
    async with world(tmp_path, pki) as made:
        yield made
