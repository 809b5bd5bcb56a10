"""The hygiene report: every finding on a directory that has each fault once, and on an empty one."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

import annuaire
from annuaire.demo import write_activities, write_cards, write_mssante
from commands.annuaire import app
from gateway.home import create_home
from store import Store, now_ms
from tests.annuaire.annuaire_support import Signer

DAY_MS = 86_400_000
DOMAIN = "ch.mssante.fr"


def person(address: str, national: str, **more: str) -> dict[str, str]:
    return {"kind": "PER", "address": address, "national": national, "family": "X", "given": "Y", **more}


def structure(address: str, finess: str, kind: str = "ORG") -> dict[str, str]:
    return {"kind": kind, "address": address, "structure_kind": "1", "structure": finess, "legal_name": "=H"}


BOXES = [
    person(f"active@{DOMAIN}", "810009999991"),
    person(f"struck@{DOMAIN}", "810009999982"),
    person("never@medecin.mssante.fr", "810009999973"),
    person("twice@medecin.mssante.fr", "810009999991"),
    person("twice@medecin.mssante.fr", "810009999964"),
    {"kind": "PER", "address": f"agent@{DOMAIN}", "structure_kind": "1", "structure": "690000007"},
    structure("cardio@ch.mssante.fr", "690000007"),
    structure("lost@nowhere.mssante.fr", "130000003"),
]
ACTIVITIES = [
    {"national": national, "family": "X", "given": "Y", "profession": "10", "finess": "690000007",
     "sector": "SA01"}
    for national in ("810009999991", "810009999964", "810009999982")
]  # fmt: skip
CARDS = [
    {"national": "810009999991", "kind": "CPS", "number": "1111", "ends": "20991231", "opposed": "20250101"},
    {"national": "810009999991", "kind": "CPS", "number": "2222", "ends": "20991231"},
    {"national": "810009999964", "kind": "CPS", "number": "3333", "ends": "20200101", "opposed": "20190101"},
]


@pytest.fixture
def faulty(store: Store, tmp_path: Path) -> Store:
    fill(store, tmp_path)
    return store


def fill(store: Store, folder: Path) -> None:
    annuaire.import_extraction(store, write_mssante(folder / "m.txt", BOXES))
    annuaire.import_extraction(store, write_activities(folder / "a.txt", ACTIVITIES))
    annuaire.import_extraction(store, write_activities(folder / "a.txt", ACTIVITIES[:-1]))
    annuaire.import_extraction(store, write_cards(folder / "c.txt", CARDS))
    store.create_box(address=f"active@{DOMAIN}", kind="pro", owner="810009999991")
    store.create_box(address=f"struck@{DOMAIN}", kind="pro", owner="810009999982")
    store.create_box(address=f"private@{DOMAIN}", kind="pro", owner="810009999991")


def found(
    store: Store, *, hosted: tuple[str, ...] = (DOMAIN,), limit: int = 10
) -> dict[str, annuaire.Finding]:
    read = store.read(lambda conn: list(annuaire.hygiene(conn, now=now_ms(), hosted=hosted, limit=limit)))
    assert len({one.key for one in read}) == len(read)
    return {one.key: one for one in read}


@pytest.mark.parametrize(
    ("key", "examples"),
    [
        ("box.no_active_holder", ["never@medecin.mssante.fr"]),
        ("box.struck_off", [f"struck@{DOMAIN}"]),
        ("structure.unknown", ["lost@nowhere.mssante.fr"]),
        ("box.duplicate", ["twice@medecin.mssante.fr"]),
        ("hosted.unlisted", [f"private@{DOMAIN}"]),
        ("hosted.missing", [f"agent@{DOMAIN}", "cardio@ch.mssante.fr"]),
        ("hosted.struck_off", [f"struck@{DOMAIN}"]),
        ("card.opposed", ["810009999991"]),  # not the one that has ended anyway
    ],
)
def test_each_fault_is_found_once(faulty: Store, key: str, examples: list[str]) -> None:
    finding = found(faulty)[key]
    assert sorted(next(iter(example.values())) for example in finding.examples) == examples
    assert finding.count == len(examples)


def test_examples_are_limited_and_counts_are_not(faulty: Store) -> None:
    missing = found(faulty, limit=1)["hosted.missing"]
    assert (missing.count, len(missing.examples)) == (2, 1)
    assert found(faulty, limit=0)["hosted.missing"].examples == []


def list_domains(store: Store, signer: Signer, *domains: str) -> None:
    entries = [annuaire.WhitelistEntry(domain, "CN=mss.a.fr,OU=1750099999,O=A,C=FR") for domain in domains]
    data = annuaire.sign_whitelist(entries, signer.key, signer.cert, now_ms())
    annuaire.install(store, annuaire.read_signed_list(data))


def test_domains_against_the_whitelist(faulty: Store, signer: Signer) -> None:
    assert found(faulty)["domain.not_whitelisted"].count is None  # there is no list to compare with
    list_domains(faulty, signer, DOMAIN, "nowhere.mssante.fr")
    finding = found(faulty)["domain.not_whitelisted"]
    assert finding.examples == [{"domain": "medecin.mssante.fr", "boxes": "3"}]


def test_ages_of_the_sources(faulty: Store) -> None:
    ages = {key: one for key, one in found(faulty).items() if key.startswith("age.")}
    assert {key: one.count for key, one in ages.items()} == {
        "age.mailboxes": 0, "age.local": None, "age.activities": 0, "age.cards": 0, "age.skills": None,
        "age.whitelist": None,
    }  # fmt: skip
    later = now_ms() + 3 * DAY_MS
    read = faulty.read(lambda conn: list(annuaire.hygiene(conn, now=later)))
    assert next(one.count for one in read if one.key == "age.mailboxes") == 3


def test_local_lists_count_too(faulty: Store, tmp_path: Path) -> None:
    path = write_mssante(tmp_path / "l.txt", [person(f"private@{DOMAIN}", "810009999991")])
    lines = path.read_text().splitlines()
    path.write_text(f"{lines[0]}|Liste rouge\n{lines[1]}|O\n")
    annuaire.import_extraction(faulty, path, local=True)
    findings = found(faulty)
    assert findings["box.liste_rouge"].examples == [{"address": f"private@{DOMAIN}", "kind": "PER"}]
    assert findings["hosted.unlisted"].count == 0
    assert findings["hosted.missing"].count == 2


def test_an_empty_directory_says_what_is_missing(store: Store) -> None:
    findings = found(store)
    assert all(one.count is None and one.note for one in findings.values())


def test_findings_follow_the_history(faulty: Store, tmp_path: Path) -> None:
    annuaire.import_extraction(faulty, write_mssante(tmp_path / "m.txt", BOXES[:1]))
    findings = found(faulty)
    for key in ("box.struck_off", "box.no_active_holder", "box.duplicate", "structure.unknown"):
        assert findings[key].count == 0, key


def _run(*arguments: str | Path) -> str:
    with capture_logs():
        result = CliRunner().invoke(app, ["report", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command(tmp_path: Path) -> None:
    home = tmp_path / "home"
    create_home(home, hostname="mx.ch.mssante.fr", patient_domain="", hosted=[DOMAIN])
    with Store.open(home) as store:
        fill(store, tmp_path)
    shown = _run("--home", home)
    assert f"hosted.struck_off: struck@{DOMAIN}" in shown
    told = {one["key"]: one for one in json.loads(_run("--home", home, "--json", "--limit", "1"))}
    assert told["hosted.missing"]["count"] == 2
    assert len(told["hosted.missing"]["examples"]) == 1
    rows = list(csv.reader(io.StringIO(_run("--home", home, "--csv"))))
    assert rows[0] == ["finding", "count", "what", "detail"]
    assert {row[0] for row in rows[1:]} == set(told)
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@")]  # no formula
