"""The verbs on the journal: `dossier history` and `notices`; `evidence verify` and `patient verify`."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import activity
import gateway.rooms
import patients
from cli import app
from store import Store
from tests.activity.activity_support import DOCTOR, Patient, matricule

INS = matricule(1)
SETTINGS = '[gateway]\nhostname = "mss.exemple.fr"\npatient_domain = "patient.exemple.fr"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    assert gateway.rooms.__all__
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "passerelle.toml").write_text(SETTINGS, encoding="utf-8")
    with Store.open(folder) as store:
        marie = Patient(store)
        marie.files("=Coloscopie")
        marie.files("Annonce", "INVISIBLE_PATIENT")
        marie.happens(DOCTOR, "documents_listed", rule="dossier.blocked")
        marie.happens(marie.actor, "documents_listed")
    return folder


def run(home: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*words, "--home", str(home)])
    return done.exit_code, done.output


def told(home: Path, *words: str) -> Any:
    code, text = run(home, *words, "--json")
    assert code == 0, text
    return json.loads(text)


def test_support_reads_what_the_patient_reads_and_is_in_it(home: Path) -> None:
    code, text = run(home, "dossier", "history", INS, "--reason", " ")
    assert code == 1 and "dossier.reason" in text
    lines = told(home, "dossier", "history", INS, "--reason", "appel du 3 mai")
    assert [one["what"] for one in lines] == [
        "history_read",
        "documents_listed",
        "documents_listed",
        "document_deposited",
    ]
    assert "appel du 3 mai" in lines[0]["french"]
    assert not any("Annonce" in one["french"] for one in lines)
    refused = told(home, "dossier", "history", INS, "--reason", "appel du 3 mai", "--refused")
    assert [one["refused"] for one in refused] == [True]
    whole = told(home, "dossier", "history", INS, "--reason", "x", "--since", "2000-01-01")
    assert [one["what"] for one in whole].count("history_read") == 3
    assert told(home, "dossier", "history", INS, "--reason", "x", "--until", "2000-01-01") == []
    assert run(home, "dossier", "history", INS, "--reason", "x", "--since", "hier")[0] == 1
    assert run(home, "dossier", "history", matricule(9), "--reason", "x")[0] == 1


def test_the_history_as_a_file(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "histoire.csv"
    code, text = run(home, "dossier", "history", INS, "--reason", "sa demande", "--csv", str(path))
    assert code == 0, text
    assert path.stat().st_mode & 0o077 == 0
    rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    assert len(rows) == 4
    assert rows[-1]["objet"] == "'=Coloscopie"
    before = path.read_bytes()
    assert run(home, "dossier", "history", INS, "--reason", "sa demande", "--csv", str(path))[0] == 1
    assert path.read_bytes() == before


def test_a_wish_is_written_down_with_its_reason(home: Path) -> None:
    assert run(home, "dossier", "notices", INS)[1].strip() == "nobody was told anything yet"
    assert "dossier.reason" in run(home, "dossier", "notices", INS, "--wish", "daily")[1]
    assert "notices.wish" in run(home, "dossier", "notices", INS, "--wish", "hourly", "--reason", "x")[1]
    other = ("--person", matricule(9), "--wish", "daily", "--reason", "x")
    assert "actor.stranger" in run(home, "dossier", "notices", INS, *other)[1]
    [row] = told(home, "dossier", "notices", INS, "--wish", "daily", "--reason", "par téléphone")
    assert (row["person"], row["wish"], row["waits"]) == (INS, "daily", False)
    with Store.open(home) as store:
        box_id = store.read(activity.notices_of, _box(store))[0].box_id
        [newest] = store.read(activity.entries, store, box_id, limit=1)
    assert (newest.what, newest.by, newest.details.reason) == ("notices_changed", "operator", "par téléphone")


def _box(store: Store) -> int:
    found = store.read(patients.profile, INS)
    assert found is not None and found.box_id is not None
    return found.box_id


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE activity SET ident = 'nobody' WHERE rule != ''", "broken"),
        ("DELETE FROM activity WHERE rule != ''", "missing"),
    ],
)
def test_a_journal_changed_behind_the_gateway_is_found(home: Path, statement: str, found: str) -> None:
    assert told(home, "evidence", "verify")["journal holds"] is True
    assert told(home, "patient", "verify", INS)["journal"] is True
    with sqlite3.connect(home / "store.db") as database:
        assert database.execute(statement).rowcount == 1
    database.close()
    code, text = run(home, "evidence", "verify", "--json")
    said = json.loads(text)
    assert (code, said["holds"], said["journal holds"], len(said[f"journal {found}"])) == (1, True, False, 1)
    code, text = run(home, "patient", "verify", INS, "--json")
    assert (code, json.loads(text)["journal"]) == (1, False)
