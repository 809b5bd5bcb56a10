"""A store for the patients' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import patients
from store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    assert patients.__all__  # its tables are declared before the schema is made
    with Store.open(tmp_path / "home") as opened:
        yield opened
