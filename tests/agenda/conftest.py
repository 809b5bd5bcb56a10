"""A store with a family for the agenda's tests, and a clock that they set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway.rooms
from store import Store
from tests.agenda.agenda_support import clocked, family
from tests.patients.patients_support import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time as everything in this process sees it: 15 January 2026, 10:00 in Paris."""
    return clocked(monkeypatch)


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    assert gateway.rooms.__all__  # its tables are declared before the schema is made
    with Store.open(tmp_path / "home") as opened:
        family(opened)
        yield opened
