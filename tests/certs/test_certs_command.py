"""`passerelle certs`: each verb, its exit code, and what a machine reads from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

import annuaire
from annuaire.demo import write_activities, write_mssante
from certs import DemoPki, demo_pki
from commands.certs import app
from store import Store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the trust folder of a PKI of today, beside that PKI."""
    pki = demo_pki(tmp_path / "pki")
    shutil.copytree(pki.trust, tmp_path / "home" / "trust")
    return tmp_path / "home"


def _run(*arguments: str | Path) -> tuple[int, str]:
    with capture_logs():  # where logs go is the command line's business, not a verb's
        result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("hospital", 0, "good until"),
        ("revoked", 1, "sender.revoked: The certificate was revoked on"),
        ("expired", 1, "sender.certificate: The certificate expired on"),
        ("stranger", 1, "but not the trusted key"),
    ],
)
def test_check(home: Path, name: str, code: int, words: str) -> None:
    status, output = _run("check", home.parent / "pki" / f"{name}.pem", "--home", home, "--json")
    assert status == code
    rows = json.loads(output)
    assert words in rows[-1]["detail"]
    assert rows[0]["step"] == "path 0"
    assert "CN=mss.hopital-exemple.test" in rows[0]["detail"]


def test_check_for_another_purpose(home: Path) -> None:
    certificate = home.parent / "pki" / "whitelist-signer.pem"
    assert _run("check", certificate, "--home", home)[0] == 1
    assert _run("check", certificate, "--home", home, "--purpose", "sign")[0] == 0
    assert _run("check", certificate, "--home", home, "--purpose", "rubbish")[0] == 2


def test_check_of_something_else(home: Path, tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("rubbish")
    status, output = _run("check", tmp_path / "x.pem", "--home", home)
    assert status == 1
    assert "neither PEM nor DER" in output


def test_address_asks_the_directory_of_the_home(home: Path) -> None:
    certificate = home.parent / "pki" / "hospital.pem"
    arguments = ("check", certificate, "--home", home, "--address", "a@x.mssante.fr", "--json")
    status, output = _run(*arguments)
    assert status == 1
    assert "[settings.missing]" in output  # a trust folder alone is not a home with a directory
    (home / "passerelle.toml").write_text(
        '[gateway]\nhostname = "mx.exemple.mssante.fr"\nhosted_domains = ["exemple.mssante.fr"]\n'
    )
    status, output = _run(*arguments)
    assert status == 1
    assert json.loads(output)[-1] == {
        "step": "address",
        "result": "REFUSED",
        "detail": "a@x.mssante.fr: not_listed",
    }


def test_address_tells_the_holder_check_by_check(home: Path, tmp_path: Path) -> None:
    (home / "passerelle.toml").write_text(
        '[gateway]\nhostname = "mx.exemple.mssante.fr"\nhosted_domains = ["exemple.mssante.fr"]\n'
    )
    doctor = {"national": "899900000101", "family": "EXEMPLE", "given": "CAMILLE", "profession": "10"}
    box = doctor | {"kind": "PER", "address": "camille@exemple.mssante.fr"}
    other = doctor | {"national": "899900000127"}
    certificate = home.parent / "pki" / "doctor.pem"

    def check(address: str = "camille@exemple.mssante.fr") -> tuple[int, dict[str, tuple[str, str]]]:
        status, output = _run("check", certificate, "--home", home, "--address", address, "--json")
        rows = {row["step"]: (row["result"], row["detail"]) for row in json.loads(output)}
        return status, rows

    with Store.open(home) as store:
        annuaire.import_extraction(store, write_mssante(tmp_path / "m.txt", [box]))
        annuaire.import_extraction(store, write_activities(tmp_path / "a.txt", [doctor, other]))
    status, rows = check()
    assert status == 0
    assert [rows[f"holder.{name}"][0] for name in ("active", "profession", "card", "address")] == ["ok"] * 4
    assert rows["whitelist"][0] == "no"
    status, rows = check("autre@exemple.mssante.fr")
    assert (status, rows["address"]) == (1, ("REFUSED", "autre@exemple.mssante.fr: unlisted_box"))
    with Store.open(home) as store:
        annuaire.import_extraction(store, write_activities(tmp_path / "a.txt", [other]))
    status, rows = check()
    assert (status, rows["holder.active"][0]) == (1, "REFUSED")
    assert "struck off" in rows["holder.active"][1]
    assert rows["address"][1].endswith("struck_off")


def test_list_and_import(home: Path) -> None:
    status, output = _run("list", "--home", home, "--json")
    rows = json.loads(output)
    assert status == 0
    assert [row["what"] for row in rows] == ["root", "intermediate", "intermediate", "crl", "crl", "crl"]
    pki = DemoPki.open(home.parent / "pki")
    pki.revoke("hospital")
    fresh = pki.write_crls()[1]
    assert _run("check", pki.paths("hospital")[0], "--home", home)[0] == 0
    status, output = _run("crl", "import", fresh, "--home", home, "--json")
    assert status == 0
    assert "2 revoked" in json.loads(output)["detail"]
    assert _run("check", pki.paths("hospital")[0], "--home", home)[0] == 1
    status, output = _run("crl", "import", pki.paths("hospital")[0], "--home", home)
    assert status == 1
    assert "certs.crl" in output


def test_show_and_demo_pki(tmp_path: Path) -> None:
    status, output = _run("demo-pki", tmp_path / "demo", "--json")
    assert status == 0
    assert {row["name"] for row in json.loads(output)} >= {
        "gateway",
        "hospital",
        "doctor",
        "revoked",
        "stranger",
    }
    assert _run("demo-pki", tmp_path / "demo")[0] == 1  # its keys are not thrown away
    status, output = _run("show", tmp_path / "demo" / "doctor.pem", "--json")
    assert status == 0
    assert json.loads(output)[0]["IdNat_PS"] == "899900000101"


def test_home_without_trust(tmp_path: Path) -> None:
    status, output = _run("list", "--home", tmp_path)
    assert status == 1
    assert "no usable root certificate" in output
