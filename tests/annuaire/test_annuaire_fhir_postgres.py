"""Whitelist versions and the API's increments on a real PostgreSQL: the same statements, the same answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import annuaire
from annuaire.demo import write_mssante
from store import Store
from tests.annuaire.fhir_server import deleted, mailbox, role
from tests.annuaire.test_annuaire_fhir_sync import EXTRACTED, PHARMACY, World, addresses, anne, served, world
from tests.annuaire.test_annuaire_whitelist import DN_A, DN_B
from tests.annuaire.test_annuaire_whitelist_versions import AT, A, B, C, put
from tests.store.postgres import new_database, postgres_server

__all__ = ["served", "world"]  # fixtures

pytestmark = pytest.mark.package("postgres")


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Store]:
    with (
        postgres_server() as url,
        Store.open(tmp_path / "home", url=new_database(url, "fhir")) as opened,
    ):
        yield opened


def test_on_postgresql(postgres: Store, world: World, tmp_path: Path) -> None:
    first = put(postgres, A, B)
    second = put(postgres, B, C, at=AT + 1)
    diff = postgres.read(annuaire.whitelist_diff, first.version, second.version)
    assert (diff.added, diff.gone, diff.changed) == ([C], [A], [])
    since = postgres.read(annuaire.whitelist_status)
    assert since is not None
    assert postgres.read(annuaire.whitelist_allows, B.domain, DN_B, since.imported_at)
    assert not postgres.read(annuaire.whitelist_allows, A.domain, DN_A)

    annuaire.import_extraction(postgres, write_mssante(tmp_path / "m.txt", EXTRACTED))
    world.api.pages = {
        "Organization": [[PHARMACY]],
        "Practitioner": [[anne("anne@medecin.mssante.fr")]],
        "PractitionerRole": [[role("5015", "003-1", "4816", mailbox("anne@cabinet.mssante.fr", "CAB"))]],
    }
    report = world.sync(postgres)
    assert (report.added, report.gone) == (1, 1)
    assert addresses(postgres, "810009999991") == ["anne@cabinet.mssante.fr", "anne@medecin.mssante.fr"]
    world.api.pages = {"Practitioner": [[deleted("Practitioner", "003-1")]]}
    assert world.sync(postgres).gone == 1
    assert world.sync(postgres, whole=True).gone >= 1
    assert postgres.read(annuaire.refresh_state, "fhir").failures == 0
