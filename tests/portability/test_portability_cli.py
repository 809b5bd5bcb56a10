"""The verbs: out of one home, into another, with reasons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import app
from store import Store
from tests.dmp_bridge.bridge_support import INS
from tests.patients.patients_support import ins_of
from tests.portability.portability_support import Space

WHY = ("--reason", "demande du 3 mai")


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    here, there = Space(tmp_path / "here"), Space(tmp_path / "there")
    here.fill(tmp_path)
    here.store.close()
    there.store.close()
    return here.home, there.home


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["portability", *words, "--home", str(home)])


def test_out_and_in(homes: tuple[Path, Path], tmp_path: Path) -> None:
    here, there = homes
    out = tmp_path / "a.zip"
    made = run(here, "export", INS, "--out", str(out), *WHY, "--json")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["messages"] == 6 and out.exists()
    again = run(here, "export", INS, "--out", str(out), *WHY)
    assert again.exit_code == 1 and "portability.file" in again.output
    counted = run(there, "import", str(out), "--ins", INS, *WHY, "--dry-run")
    assert counted.exit_code == 0 and "nothing was changed" in counted.output
    taken = run(there, "import", str(out), "--ins", INS, *WHY)
    assert taken.exit_code == 0, taken.output
    assert "not taken over: Le poids" in taken.output
    told = json.loads(run(there, "import", str(out), "--ins", INS, *WHY, "--json").stdout)
    assert [one["came"] for one in told["parts"]] == [0, 0, 0, 0, 0]


def test_no_use_without_a_reason(homes: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(b"x")
    for words in (["export", INS, "--out", str(tmp_path / "y.zip")], ["import", str(file), "--ins", INS]):
        result = run(homes[0], *words)
        assert result.exit_code == 1 and "dossier.reason" in result.output
    assert not (tmp_path / "y.zip").exists()


def test_not_for_a_stranger_nor_into_another(homes: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "a.zip"
    stranger = run(homes[0], "export", INS, "--out", str(out), "--for", ins_of(5), *WHY)
    assert stranger.exit_code == 1 and "actor.stranger" in stranger.output
    assert "patient.unknown" in run(homes[0], "export", ins_of(5), "--out", str(out), *WHY).output
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"no archive")
    refused = run(homes[1], "import", str(bad), "--ins", INS, *WHY)
    assert refused.exit_code == 1 and "portability.archive" in refused.output
    with Store.open(homes[1]) as store:
        assert store.is_writer
