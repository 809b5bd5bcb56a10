"""One PKI for all tests of the door, a fresh store and door for each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from certs import DemoPki, demo_pki
from tests.fhir.fhir_kit import World, open_world


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> DemoPki:
    return demo_pki(tmp_path_factory.mktemp("pki"))


@pytest_asyncio.fixture
async def world(tmp_path: Path, pki: DemoPki) -> AsyncIterator[World]:
    made = await open_world(tmp_path, pki)
    yield made
    await made.server.close()
    made.store.close()
