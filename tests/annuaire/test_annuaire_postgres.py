"""The directory on a real PostgreSQL: the same statements, the same answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import annuaire
from annuaire import WhitelistEntry
from annuaire.demo import write_activities, write_cards, write_mssante
from store import Store, now_ms
from tests.annuaire.annuaire_support import Signer
from tests.annuaire.test_annuaire_lookup import ACTIVITIES, BOXES
from tests.store.postgres import new_database, postgres_server

pytestmark = pytest.mark.package("postgres")


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Store]:
    with (
        postgres_server() as url,
        Store.open(tmp_path / "home", url=new_database(url, "annuaire")) as opened,
    ):
        yield opened


def test_the_directory_on_postgresql(postgres: Store, tmp_path: Path, signer: Signer) -> None:
    boxes = write_mssante(tmp_path / "m.txt", BOXES)
    first = annuaire.import_extraction(postgres, boxes)
    write_mssante(boxes, [{**BOXES[0], "family": "EXEMPLÉ"}, *BOXES[2:], BOXES[2]])
    second = annuaire.import_extraction(postgres, boxes)
    assert (first.added, second.added, second.changed, second.gone, second.repeated) == (9, 0, 1, 1, 1)
    annuaire.import_extraction(postgres, write_activities(tmp_path / "a.txt", ACTIVITIES))
    [doctor] = postgres.read(annuaire.mailbox, "M.Exemple@medecin.mssante.fr")
    assert (doctor.name, doctor.active, doctor.officine) == ("Dr Marie EXEMPLÉ", True, False)
    assert postgres.read(annuaire.is_officine, "pharma@exemple.mssante.fr")
    assert not postgres.read(annuaire.is_officine, "cardio@ch.mssante.fr")
    assert postgres.read(annuaire.owns, "cardio@ch.mssante.fr", struct_id="1750088888")
    assert not postgres.read(annuaire.owns, "cardio@ch.mssante.fr", id_nat="810009999991")
    assert len(postgres.read(annuaire.search, "eglise")) == 2
    assert len(postgres.read(annuaire.find, "10009999991")) == 2
    assert postgres.read(annuaire.mailbox, "\udcff\x00@x.fr") == []
    entry = WhitelistEntry("ch.mssante.fr", "CN=a,OU=1,O=A,ST=P,C=FR")
    data = annuaire.sign_whitelist([entry, entry], signer.key, signer.cert, 1_740_757_327_000)
    report = annuaire.install(postgres, annuaire.read_signed_list(data))
    assert report.entries == 1
    assert postgres.read(annuaire.whitelist_allows, "CH.mssante.fr", "cn=A,ou=1,o=a,l=p,c=fr")
    assert postgres.read(annuaire.whitelist_domains, "CN=a,OU=1,O=A,ST=P,C=FR") == ["ch.mssante.fr"]
    status = postgres.read(annuaire.whitelist_status)
    assert status is not None
    assert status.version == report.version


def test_holders_and_hygiene_on_postgresql(postgres: Store, tmp_path: Path) -> None:
    box = {"kind": "PER", "address": "a@ch.mssante.fr", "national": "899900000101", "profession": "10"}
    active = {"national": "899900000101", "family": "X", "given": "Y", "profession": "10",
              "finess": "690000007", "siret": "99999999900011", "sector": "SA01"}  # fmt: skip
    other = {"national": "899900000119", "family": "X", "given": "Y", "profession": "21"}
    claim = annuaire.Claim(person=True, id_nat="899900000101", profession="10", on_card=True)
    annuaire.import_extraction(postgres, write_mssante(tmp_path / "m.txt", [box]))
    annuaire.import_extraction(postgres, write_activities(tmp_path / "a.txt", [active, other]))
    assert postgres.read(annuaire.holder_match, claim, "A@ch.mssante.fr").reason == "match"
    assert postgres.read(annuaire.same_site, "1690000007") == {"1690000007", "399999999900011"}
    before = now_ms()
    time.sleep(0.002)
    card = {"national": "899900000101", "number": "2500000017", "opposed": "20250101"}
    annuaire.import_extraction(postgres, write_cards(tmp_path / "c.txt", [card]))
    assert postgres.read(annuaire.holder_match, claim, "a@ch.mssante.fr").reason == "card_opposed"
    annuaire.import_extraction(postgres, write_activities(tmp_path / "a.txt", [other]))
    assert postgres.read(annuaire.holder_match, claim, "a@ch.mssante.fr").reason == "struck_off"
    assert postgres.read(annuaire.holder_match, claim, "a@ch.mssante.fr", before).reason == "match"
    postgres.create_box(address="a@ch.mssante.fr", kind="pro", owner="899900000101")
    found = postgres.read(lambda c: list(annuaire.hygiene(c, now=now_ms(), hosted=["ch.mssante.fr"])))
    counts = {one.key: one.count for one in found}
    assert (counts["box.struck_off"], counts["hosted.struck_off"], counts["card.opposed"]) == (1, 1, 1)
    assert (counts["hosted.unlisted"], counts["hosted.missing"], counts["box.duplicate"]) == (0, 0, 0)
