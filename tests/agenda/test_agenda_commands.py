"""``passerelle agenda``: each use needs a reason and is in the history; lists hold no titles."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

import activity
import agenda
from agenda.care_plan import DEFAULT
from commands.agenda import app
from store import Store
from tests.agenda.agenda_support import DOMAIN, MOTHER, STRANGER, box, family

WHY = ["--reason", "asked by telephone"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    with Store.open(folder) as store:
        family(store)
    (folder / "passerelle.toml").write_text(
        f'[gateway]\nhostname = "a.test"\npatient_domain = "{DOMAIN}"\n', encoding="utf-8"
    )
    return folder


def run(home: Path, *words: str, ok: bool = True) -> str:
    done = CliRunner().invoke(app, [*words, "--home", str(home)])
    assert (done.exit_code == 0) == ok, done.output
    return done.output


def told(home: Path) -> list[tuple[str, str, str]]:
    with Store.open(home) as store:
        found = store.read(activity.entries, store, box(store, MOTHER))
    return [(one.by, one.what, one.details.reason) for one in reversed(found)]


def test_from_adding_to_removing(home: Path, tmp_path: Path) -> None:
    day = f"{date.today().year + 1}-03-02"  # noqa: DTZ011  # far enough from any midnight
    made = json.loads(run(home, "add", MOTHER, "Oncologie", f"{day}T09:00", "--remind", "60", "--json", *WHY))
    listed = run(home, "list", MOTHER, "--since", day, "--days", "2", "--json", *WHY)
    assert "Oncologie" not in listed and json.loads(listed)[0]["number"] == made["number"]
    out = tmp_path / "agenda.ics"
    run(home, "export", MOTHER, str(out), *WHY)
    assert "SUMMARY:Oncologie" in out.read_text() and out.stat().st_mode & 0o077 == 0
    report = json.loads(run(home, "import", STRANGER, str(out), "--json", *WHY))
    assert (report["added"], report["bad_count"]) == (1, 0)
    run(home, "remove", MOTHER, str(made["number"]), *WHY)
    assert "nothing" in run(home, "list", MOTHER, "--since", day, *WHY)
    assert "agenda.unknown" in run(home, "remove", MOTHER, str(made["number"]), *WHY, ok=False)
    whats = ["appointment_added", "appointments_read", "calendar_exported", "appointment_removed"]
    assert told(home) == [("operator", what, "asked by telephone") for what in [*whats, "appointments_read"]]


def test_feeds(home: Path) -> None:
    opened = json.loads(run(home, "feed", "open", MOTHER, "--label", "Oncologie", "--json", *WHY))
    token = opened["address"].rpartition("/")[2].removesuffix(".ics")
    assert opened["address"].startswith("https://a.test/agenda/") and opened["shows"] == "busy"
    with Store.open(home) as store:
        assert agenda.serve_feed(store, token) is not None
    listed = run(home, "feed", "list", MOTHER, "--json", *WHY)
    assert token not in listed and "Oncologie" not in listed
    run(home, "feed", "revoke", MOTHER, str(opened["feed"]), *WHY)
    with Store.open(home) as store:
        assert agenda.serve_feed(store, token) is None
    assert "agenda.refused" in run(home, "feed", "open", MOTHER, "--for", STRANGER, *WHY, ok=False)


def test_without_a_reason_nothing(home: Path) -> None:
    assert run(home, "list", MOTHER, ok=False)
    assert "agenda.reason" in run(home, "list", MOTHER, "--reason", " ", ok=False)
    assert "agenda.day" in run(home, "list", MOTHER, "--since", "hier", *WHY, ok=False)
    assert "patient.unknown" in run(home, "proposals", "299999999999999", *WHY, ok=False)
    assert told(home) == []


def test_proposals_and_the_table(home: Path, tmp_path: Path) -> None:
    assert "DTCAP_25Y" in run(home, "proposals", MOTHER, *WHY)
    path = tmp_path / "plan.csv"
    lines = DEFAULT.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:3], "bad"]) + "\n", encoding="utf-8")
    assert "line 4" in run(home, "plan", "import", str(path), ok=False)
    path.write_text("\n".join(lines[:3]) + "\n", encoding="utf-8")
    assert json.loads(run(home, "plan", "import", str(path), "--json"))["items"] == 2
    assert len(json.loads(run(home, "plan", "show", "--json"))) == 2
