"""A store and signers for the directory's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import annuaire
from store import Store
from tests.annuaire.annuaire_support import Signer, make_signer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    assert annuaire.__all__  # its tables are declared before the schema is made
    with Store.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture(scope="session")
def signer() -> Signer:
    return make_signer("alb.exemple.fr", "399999999900011")


@pytest.fixture(scope="session")
def stranger() -> Signer:
    return make_signer("alb.exemple.fr", "300000000000000")
