"""A store for the patients' tests, a clock that they set, and persons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import patients
from store import Store
from tests.patients.patients_support import Clock, set_clock


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    assert patients.__all__  # its tables are declared before the schema is made
    with Store.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time as everything in this process sees it from now on."""
    return set_clock(monkeypatch)
