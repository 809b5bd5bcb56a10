"""`passerelle patient` on a home."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands.patient import app

INS = "279035121518989"
SETTINGS = """
[gateway]
hostname = "smtps.passerelle.test"
patient_domain = "patient.passerelle.test"
"""
CSV = (
    "ins;oid;birth_name;given_names;sex;birth_date;birth_place\n"
    f"{INS};1.2.250.1.213.1.4.10;EXEMPLE;MARIE;F;1979-03-04;51215\n"
    "288091234567823;1.2.250.1.213.1.4.10;EXEMPLE;JEANNE;F;1988-09-04;12345\n"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "passerelle.toml").write_text(SETTINGS, encoding="utf-8")
    return home


def run(home: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*words, "--home", str(home)])
    return result.exit_code, result.output


def test_a_whole_life(home: Path, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(CSV, encoding="utf-8")
    code, text = run(home, "import", str(tmp_path / "p.csv"))
    assert code == 0
    assert "line 3: ins: wrong key" in text
    for verb, state in (
        ("notify", "notified"),
        ("activate", "activated"),
        ("close", "closed"),
        ("reopen", "activated"),
    ):
        code, text = run(home, verb, "2 79 03 51 215 189 89", "--json")
        assert (code, json.loads(text[text.index("{") :])["state"]) == (0, state)
    assert f"{INS}@patient.passerelle.test" in run(home, "show", INS)[1]
    code, text = run(home, "show", INS, "--history", "--json")
    assert [row["event"] for row in json.loads(text[text.index("[") :])] == [
        "import", "notify", "activate", "close", "reopen",
    ]  # fmt: skip


def test_refusals_say_why(home: Path, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(CSV, encoding="utf-8")
    code, text = run(home, "notify", INS)
    assert code == 1
    assert "[patient.unknown]" in text
    run(home, "import", str(tmp_path / "p.csv"))
    assert run(home, "oppose", INS)[0] == 0
    code, text = run(home, "reopen", INS)
    assert code == 1
    assert "activate it [patient.transition]" in text


def told(home: Path, *words: str) -> dict[str, object]:
    """What a verb says with --json."""
    code, text = run(home, *words, "--json")
    assert code == 0, text
    found: dict[str, object] = json.loads(text[text.index("{") :])
    return found


def people(home: Path, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(CSV, encoding="utf-8")
    run(home, "import", str(tmp_path / "p.csv"))


def test_an_import_may_be_tried(home: Path, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(CSV, encoding="utf-8")
    report = told(home, "import", str(tmp_path / "p.csv"), "--dry-run")
    assert (report["added"], report["bad_count"]) == (1, 1)
    assert run(home, "show", INS)[0] == 1
    assert told(home, "import", str(tmp_path / "p.csv"))["added"] == 1


def test_a_campaign_and_its_openings(home: Path, tmp_path: Path) -> None:
    people(home, tmp_path)
    out = tmp_path / "letters.csv"
    assert told(home, "notify", "--all-known", "--out", str(out))["notified"] == 1
    with out.open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file, delimiter=";")
    assert (row["ins"], len(row["code"])) == (INS, 14)
    assert "letters.csv" in run(home, "campaigns")[1]
    assert told(home, "open-due", "--dry-run") == {"due": 0}
    assert told(home, "open-due") == {"opened": 0, "taken": 0}
    with sqlite3.connect(home / "store.db") as database:
        database.execute("UPDATE patient SET notified_at = notified_at - 43 * 86400000")
    database.close()
    assert told(home, "open-due", "--dry-run") == {"due": 1}
    assert told(home, "open-due", "--limit", "5") == {"opened": 1, "taken": 0}
    assert told(home, "show", INS)["state"] == "opened"
    code, text = run(home, "notify", "--all-known", "--out", str(out))
    assert code == 1
    assert "exists already" in text


def test_a_campaign_says_what_it_lacks(home: Path, tmp_path: Path) -> None:
    people(home, tmp_path)
    for words, said in (
        ((), "give one of"),
        ((INS, "--all-known"), "give one of"),
        (("--all-known",), "give --out"),
        (("--all-known", "--out", str(tmp_path / "o"), "--channel", "fax"), "email or letter"),
    ):
        code, text = run(home, "notify", *words)
        assert code == 1
        assert said in text


def test_the_end_of_a_profile(home: Path, tmp_path: Path) -> None:
    people(home, tmp_path)
    run(home, "activate", INS)
    assert told(home, "suspend", INS)["state"] == "suspended"
    assert told(home, "resume", INS)["state"] == "activated"
    code, text = run(home, "delete", INS, "--yes")
    assert code == 1
    assert "close it first" in text
    run(home, "close", INS, "--dead", "--reason", "register")
    assert "death: register" in run(home, "show", INS, "--history")[1]
    assert run(home, "delete", INS, "--at", "2999-01-01")[0] == 1
    assert run(home, "delete", INS, "--at", "tomorrow")[0] == 1
    assert told(home, "delete", INS, "--at", "2020-01-01")["state"] == "closed"
    assert told(home, "expire-archives", "--dry-run") == {"ended": 1}
    assert told(home, "expire-archives") == {"expired": 0, "deleted": 1}
    shown = told(home, "show", INS)
    assert (shown["state"], shown["birth_name"]) == ("deleted", "")
    code, text = run(home, "reopen", INS)
    assert code == 1
    assert "never given again" in text


def test_histories_are_checked(home: Path, tmp_path: Path) -> None:
    people(home, tmp_path)
    run(home, "oppose", INS)
    found = told(home, "verify")
    assert found == {"steps": 2, "unproven": 0, "broken": [], "chain": True, "journal": True}
    with sqlite3.connect(home / "store.db") as database:
        database.execute("UPDATE patient_event SET actor = 'nobody' WHERE event = 'oppose'")
    database.close()
    assert run(home, "verify", INS)[0] == 1
