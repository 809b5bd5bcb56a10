"""A trust space is made once; every test works on a copy of it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from routing_support import ALICE, CLEMENCE, PATIENTS, Post, settle

import gateway.rooms  # noqa: F401  # every operation and table
import patients
from gateway.demo import cast, prepare_demo
from gateway.routing import Router
from store import Store


@pytest.fixture(scope="session")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demonstration: homes ``passerelle`` and ``hopital``. Alice and Clémence are activated."""
    folder = tmp_path_factory.mktemp("space") / "demo"
    prepare_demo(folder)
    with Store.open(folder / "passerelle") as store:
        for one in (ALICE, CLEMENCE):
            patients.activate(store, one.ins, cast.PATIENT_DOMAIN, actor="test")
    return folder


@pytest.fixture
def home(space: Path, tmp_path: Path) -> Path:
    return shutil.copytree(space / "passerelle", tmp_path / "passerelle")


@pytest.fixture
def hospital(space: Path, tmp_path: Path) -> Iterator[Store]:
    with Store.open(shutil.copytree(space / "hopital", tmp_path / "hopital")) as store:
        yield store


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store.open(home) as opened:
        yield opened


@pytest.fixture
async def post(store: Store) -> AsyncIterator[Post]:
    router = Router(store, PATIENTS)
    yield Post(store, router)
    await settle(router)
