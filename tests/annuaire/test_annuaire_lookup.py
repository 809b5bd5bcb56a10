"""Look-ups: by address, person, structure, sector, owner, free text."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection

import annuaire
from annuaire.demo import write_activities, write_mssante
from annuaire.lookup import _activities_now, _activities_then, _by_address, _by_id_nat, _by_structure
from annuaire.whitelist_lookup import _allows
from store import Store

BOXES = [
    {"kind": "PER", "address": "m.exemple@medecin.mssante.fr", "national": "810009999991", "civility": "DR",
     "family": "EXEMPLE", "given": "MARIE", "profession": "10", "profession_label": "Médecin"},
    {"kind": "PER", "address": "sortie@medecin.mssante.fr", "national": "810009999973", "family": "PARTI",
     "given": "PAUL"},
    {"kind": "PER", "address": "agent@ch.mssante.fr", "structure_kind": "1", "structure": "750088888",
     "family": "AGENT", "given": "ANNE"},
    {"kind": "ORG", "address": "pharma@exemple.mssante.fr", "structure_kind": "1", "structure": "750099999",
     "legal_name": "PHARMACIE DE L'ÉGLISE", "delivery_line": "75001 PARIS", "postcode": "75001"},
    {"kind": "ORG", "address": "pharma.siret@exemple.mssante.fr", "structure_kind": "3",
     "structure": "99999999900011", "legal_name": "PHARMACIE DE L'ÉGLISE"},
    {"kind": "ORG", "address": "cardio@ch.mssante.fr", "structure_kind": "1", "structure": "750088888",
     "legal_name": "CH EXEMPLE", "service": "Cardiologie"},
    {"kind": "PER", "address": "pharmacien@pharmacien.mssante.fr", "national": "810009999982",
     "structure_kind": "1", "structure": "750099999", "family": "MODELE", "given": "JEAN"},
    {"kind": "APP", "address": "logiciel@ch.mssante.fr", "structure_kind": "1", "structure": "750088888"},
    {"kind": "CAB", "address": "cabinet@exemple.mssante.fr", "national": "810009999991",
     "structure_kind": "4", "structure": "10009999991001", "family": "EXEMPLE", "given": "MARIE"},
]  # fmt: skip
ACTIVITIES = [
    {"national": "810009999991", "family": "EXEMPLE", "given": "MARIE", "profession": "10", "sector": "SA07"},
    {"national": "810009999982", "family": "MODELE", "given": "JEAN", "profession": "21",
     "finess": "750099999", "siret": "99999999900011", "sector": "SA33"},
    {"national": "810009999982", "family": "MODELE", "given": "JEAN", "profession": "21",
     "finess": "750088888", "sector": "SA01"},
]  # fmt: skip


@pytest.fixture
def loaded(store: Store, tmp_path: Path) -> Store:
    annuaire.import_extraction(store, write_mssante(tmp_path / "m.txt", BOXES))
    annuaire.import_extraction(store, write_activities(tmp_path / "a.txt", ACTIVITIES))
    return store


def test_by_address_in_any_case(loaded: Store) -> None:
    [box] = loaded.read(annuaire.mailbox, "M.Exemple@MEDECIN.mssante.fr")
    assert (box.kind, box.name, box.id_nat, box.active) == ("PER", "Dr Marie EXEMPLE", "810009999991", True)
    assert loaded.read(annuaire.mailbox, "nobody@medecin.mssante.fr") == []


@pytest.mark.parametrize("odd", ["\udcff@medecin.mssante.fr", "a@\udcff", "\x00", "", "@", "é@é", "a" * 5000])
def test_odd_addresses_are_only_unknown(loaded: Store, odd: str) -> None:
    assert loaded.read(annuaire.mailbox, odd) == []
    assert not loaded.read(annuaire.is_officine, odd)
    assert not loaded.read(annuaire.owns, odd, id_nat=odd, struct_id=odd)
    assert not loaded.read(annuaire.domain_listed, odd)
    assert not loaded.read(annuaire.whitelist_allows, odd, odd)
    assert loaded.read(annuaire.find, odd) == []
    assert loaded.read(annuaire.search, odd + " zzz") == []


def test_by_person_and_structure(loaded: Store) -> None:
    found = loaded.read(annuaire.by_id_nat, "810009999991")
    assert [box.address for box in found] == ["cabinet@exemple.mssante.fr", "m.exemple@medecin.mssante.fr"]
    found = loaded.read(annuaire.by_structure, "1750088888")
    assert [box.kind for box in found] == ["PER", "ORG", "APP"]
    assert loaded.read(annuaire.by_id_nat, "") == []
    assert loaded.read(annuaire.by_structure, "") == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("pharma@exemple.mssante.fr", True),
        ("Pharma.SIRET@exemple.mssante.fr", True),
        ("cardio@ch.mssante.fr", False),
        ("pharmacien@pharmacien.mssante.fr", False),  # a person's box, not the pharmacy's
        ("m.exemple@medecin.mssante.fr", False),
        ("nobody@exemple.mssante.fr", False),
    ],
)
def test_officine(loaded: Store, address: str, expected: bool) -> None:
    assert loaded.read(annuaire.is_officine, address) is expected
    assert any(box.officine for box in loaded.read(annuaire.mailbox, address)) is expected


@pytest.mark.parametrize("sector", ["SA33", "SA38", "SA39", "SA65", "SA05", "SA35", ""])
def test_officine_by_sector(store: Store, tmp_path: Path, sector: str) -> None:
    annuaire.import_extraction(store, write_mssante(tmp_path / "m.txt", BOXES))
    row = {**ACTIVITIES[1], "sector": sector}
    annuaire.import_extraction(store, write_activities(tmp_path / "a.txt", [row]))
    expected = sector in ("SA33", "SA38", "SA39", "SA65")
    assert store.read(annuaire.is_officine, "pharma@exemple.mssante.fr") is expected


def test_active_needs_an_activity_once_activities_are_loaded(store: Store, tmp_path: Path) -> None:
    annuaire.import_extraction(store, write_mssante(tmp_path / "m.txt", BOXES))
    assert store.read(annuaire.mailbox, "sortie@medecin.mssante.fr")[0].active
    annuaire.import_extraction(store, write_activities(tmp_path / "a.txt", ACTIVITIES))
    assert not store.read(annuaire.mailbox, "sortie@medecin.mssante.fr")[0].active
    for address in ("m.exemple@medecin.mssante.fr", "agent@ch.mssante.fr", "cardio@ch.mssante.fr"):
        assert store.read(annuaire.mailbox, address)[0].active


@pytest.mark.parametrize(
    ("address", "id_nat", "struct_id", "expected"),
    [
        ("M.Exemple@medecin.mssante.fr", "810009999991", "", True),
        ("m.exemple@medecin.mssante.fr", "810009999982", "", False),
        ("m.exemple@medecin.mssante.fr", "", "1750088888", False),
        ("m.exemple@medecin.mssante.fr", "", "", False),
        ("cardio@ch.mssante.fr", "", "1750088888", True),
        ("cardio@ch.mssante.fr", "810009999991", "", False),
        ("logiciel@ch.mssante.fr", "", "1750088888", True),
        ("agent@ch.mssante.fr", "", "1750088888", False),  # a person's box is not its structure's
        ("cabinet@exemple.mssante.fr", "810009999991", "", True),
        ("cabinet@exemple.mssante.fr", "", "410009999991001", True),
        ("nobody@ch.mssante.fr", "810009999991", "1750088888", False),
    ],
)
def test_owns(loaded: Store, address: str, id_nat: str, struct_id: str, expected: bool) -> None:
    assert loaded.read(annuaire.owns, address, id_nat=id_nat, struct_id=struct_id) is expected


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("810009999991", "cabinet@exemple.mssante.fr"),
        ("10009999991", "cabinet@exemple.mssante.fr"),
        ("750099999", "pharma@exemple.mssante.fr"),
        ("999 999 999 00011", "pharma.siret@exemple.mssante.fr"),
        ("CARDIO@ch.mssante.fr", "cardio@ch.mssante.fr"),
    ],
)
def test_find(loaded: Store, text: str, first: str) -> None:
    assert loaded.read(annuaire.find, text)[0].address == first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eglise", {"pharma@exemple.mssante.fr", "pharma.siret@exemple.mssante.fr"}),
        ("PHARM égl paris", {"pharma@exemple.mssante.fr"}),
        ("cardiologie exemple", {"cardio@ch.mssante.fr"}),
        ("médecin marie", {"m.exemple@medecin.mssante.fr"}),
        ("glise", set()),
        ("%", set()),
        ("", set()),
    ],
)
def test_search(loaded: Store, text: str, expected: set[str]) -> None:
    assert {box.address for box in loaded.read(annuaire.search, text)} == expected


def test_search_limit(loaded: Store) -> None:
    assert len(loaded.read(annuaire.search, "mssante", 2)) == 2


def test_hot_look_ups_use_indexes(loaded: Store) -> None:
    asked: dict[str, object] = dict.fromkeys(
        ("address", "id_nat", "struct_id", "domain", "dn", "source"), "x"
    )
    asked["at"] = 1
    present = (_by_address[0], _by_id_nat[0], _by_structure[0], _activities_now, _allows[0])
    past = (_by_address[1], _by_id_nat[1], _by_structure[1], _activities_then)

    def plans(conn: Connection) -> list[str]:
        found: list[str] = []
        for statement in (*present, *past):
            literal = {"literal_binds": True}
            text = statement.statement.params(**asked).compile(conn.engine, compile_kwargs=literal)
            found += [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
        return found

    plan = loaded.read(plans)
    assert len(plan) > 10
    # Look-ups of the past read the list of imports; nothing else is read from end to end.
    scans = [step for step in plan if step.startswith("SCAN")]
    assert not [
        step
        for step in scans
        if not step.startswith(("SCAN annuaire_generation", "SCAN of_activities", "SCAN at_that_time"))
    ]
