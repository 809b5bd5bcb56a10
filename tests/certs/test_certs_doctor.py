"""What `init` writes about trust and what `doctor` and `certs check` tell of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from certs import DemoPki, demo_pki, trust_settings_text
from cli import app


@pytest.fixture
def home(tmp_path: Path) -> tuple[Path, DemoPki]:
    """A home made by `init`, with the authorities and lists of a demonstration PKI of today."""
    home, pki = tmp_path / "home", demo_pki(tmp_path / "pki")
    code, _ = _run(
        "init", "--hostname", "smtps.passerelle.test", "--patient-domain", "p.test", "--home", home
    )
    assert code == 0
    for shelf in ("roots", "intermediates", "crls"):
        shutil.copytree(pki.trust / shelf, home / "trust" / shelf, dirs_exist_ok=True)
    return home, pki


def _run(*arguments: str | Path) -> tuple[int, str]:
    with capture_logs():  # where logs go is the command line's business, not a verb's
        result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def _findings(home: Path) -> list[tuple[str, bool, str]]:
    _, output = _run("doctor", "--home", home, "--json")
    return [(row["check"], bool(row["ok"]), row["found"]) for row in json.loads(output)]


def test_init_writes_what_production_demands(home: tuple[Path, DemoPki]) -> None:
    folder, _ = home
    assert (folder / "trust" / "trust.toml").read_text() == trust_settings_text()
    findings = _findings(folder)
    told = [found for check, _, found in findings if check == "trust settings"]
    assert told[0].startswith("production: ")
    assert [found for check, _, found in findings if check == "less than production"] == []


def test_doctor_names_each_relaxation(home: tuple[Path, DemoPki]) -> None:
    folder, pki = home
    (folder / "trust" / "trust.toml").write_text("[revocation]\nstaleness_s = 3600\n")
    relaxed = [row for row in _findings(folder) if row[0] == "less than production"]
    assert [(ok, "staleness_s = 3600" in found) for _, ok, found in relaxed] == [(False, True)]
    shutil.copy(pki.trust / "trust.toml", folder / "trust")
    relaxed = [row for row in _findings(folder) if row[0] == "less than production"]
    assert [ok for _, ok, _ in relaxed] == [True, True]
    assert any("test category" in found for _, _, found in relaxed)


def test_check_prints_every_step(home: tuple[Path, DemoPki]) -> None:
    folder, pki = home
    hospital = pki.paths("hospital")[0]
    code, output = _run("certs", "check", hospital, "--home", folder, "--json")
    rows = {row["step"]: row for row in json.loads(output)}
    assert (code, rows["category"]["result"]) == (1, "REFUSED")  # production refuses test certificates
    shutil.copy(pki.trust / "trust.toml", folder / "trust")
    code, output = _run("certs", "check", hospital, "--home", folder, "--json")
    steps = [row["step"] for row in json.loads(output)]
    wanted = ["path 0", "path 1", "path 2", "readable", "path", "policy", "usage", "category", "validity"]
    assert code == 0
    assert steps[: len(wanted)] == wanted
    assert steps.count("revocation") == 2
    assert "not on the list of TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS" in output
