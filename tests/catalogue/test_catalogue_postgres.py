"""Lists, consents and exchanges on a real PostgreSQL, with several writers at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import catalogue
import evidence
from catalogue import CatalogueError
from store import Store
from tests.catalogue.catalogue_support import OPERATOR, PAIN, WEIGHT, activated, put, service
from tests.store.postgres import new_database, postgres_server


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[Store]]:
    with postgres_server() as server:
        url = new_database(server, "catalogue")
        opened = [Store.open(tmp_path / "home", url=url) for _ in range(2)]
        yield opened
        for one in opened:
            one.close()


@pytest.mark.package("postgres")
def test_a_consent_is_never_used_after_it_was_revoked(stores: list[Store], tmp_path: Path) -> None:
    first, second = stores
    put(first, tmp_path, service("poids"))
    put(first, tmp_path, service("poids", name="Autre"))
    box = activated(first)
    for _ in range(3):
        catalogue.consent(first, box, OPERATOR, "poids", [WEIGHT, PAIN])

        def use(number: int) -> str:
            try:
                catalogue.exchange(stores[number % 2], box, "poids", WEIGHT, purpose="essai")
            except CatalogueError as error:
                return error.rule
            return "allowed"

        with ThreadPoolExecutor(4) as pool:
            uses = [pool.submit(use, number) for number in range(6)]
            catalogue.revoke(second, box, OPERATOR, "poids", [WEIGHT])
            rules = {one.result() for one in uses}
        assert rules <= {"allowed", "catalogue.revoked", "catalogue.busy"}
        # in the order of the chain: moments are those at which a transaction began to wait for it
        links = first.read(lambda conn: [one for one in evidence.walk(conn) if one.event == "activity"])
        told = [(json.loads(one.detail)["what"], one.rule) for one in links]
        last = max(i for i, one in enumerate(told) if one[0] == "consent_revoked")
        assert ("data_exchanged", "") not in told[last:]
    assert first.read(evidence.verify, evidence.public_key(first.home)).ok
