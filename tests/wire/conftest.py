"""The two gateways of the demonstration, running, for every test here; and one pair that may be killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from wire_support import Owner, Space, box_of, new_patient, set_fronts

from gateway.demo import cast, prepare_demo
from gateway.demo.stage import on_stage
from store import Store


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.wire)


@pytest.fixture(scope="session")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """Both gateways serve, Passerelle with two fronts, so that sessions meet in different processes."""
    scene = prepare_demo(tmp_path_factory.mktemp("space"))
    set_fronts(scene, "passerelle", 2)
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        stage = on_stage(scene)
        runner.run(stage.__aenter__())
        try:
            yield Space(scene)
        finally:
            runner.run(stage.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def ours(space: Space) -> Iterator[Store]:
    """The store of the patients' gateway, beside its processes."""
    with Store.open(space.scene.home("passerelle")) as store:
        assert not store.is_writer
        yield store


@pytest.fixture(scope="session")
def theirs(space: Space) -> Iterator[Store]:
    """The store of the hospital's gateway."""
    with Store.open(space.scene.home("hopital")) as store:
        assert not store.is_writer
        yield store


@pytest.fixture
def patient(space: Space, ours: Store) -> Owner:
    """A patient whom nobody has written to yet."""
    return new_patient(ours, space.scene)


@pytest.fixture(scope="session")
def doctor(space: Space, theirs: Store) -> Owner:
    return _professional(space, theirs, cast.DOCTOR.address)


@pytest.fixture(scope="session")
def pharmacy(space: Space, theirs: Store) -> Owner:
    return _professional(space, theirs, cast.PHARMACY.address)


def _professional(space: Space, store: Store, address: str) -> Owner:
    return Owner(address, space.scene.passwords[address], box_of(store, address).box_id)
