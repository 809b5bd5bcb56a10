"""One demonstration PKI for the whole run, and copies of it for tests that change it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from certs_fixtures import NOW, Load

from certs import DemoPki, TrustStore, certificates_in, demo_pki


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> DemoPki:
    """Read only."""
    return demo_pki(tmp_path_factory.mktemp("pki") / "pki", now=NOW)


@pytest.fixture
def pki(shared: DemoPki, tmp_path: Path) -> DemoPki:
    """A copy that a test may change."""
    shutil.copytree(shared.folder, tmp_path / "pki")
    return DemoPki.open(tmp_path / "pki")


@pytest.fixture
def load() -> Load:
    def make(pki: DemoPki, *, at: int = NOW, **options: object) -> TrustStore:
        return TrustStore.load(pki.trust, clock=lambda: at, **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def chain(shared: DemoPki) -> Callable[[str], list[bytes]]:
    def read(name: str) -> list[bytes]:
        return certificates_in(shared.paths(name)[0].read_bytes())

    return read
