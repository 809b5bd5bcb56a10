"""`passerelle patient` on a home."""

from __future__ import annotations

import json
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
