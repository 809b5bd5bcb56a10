"""`passerelle annuaire` on a home, with a whitelist signed under a demonstration PKI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_der_x509_certificate
from typer.testing import CliRunner

import annuaire
from annuaire import WhitelistEntry
from annuaire.demo import write_activities, write_diplomas, write_mssante
from certs import DemoPki
from commands.annuaire import app
from tests.annuaire.test_annuaire_lookup import ACTIVITIES, BOXES

OU = "390000000000023"
SETTINGS = f"""
[gateway]
hostname = "smtps.passerelle.test"
patient_domain = "patient.passerelle.test"
[whitelist]
signer_cn = "alb.mssante.test"
signer_ou = "{OU}"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "passerelle.toml").write_text(SETTINGS, encoding="utf-8")
    return home


def run(home: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*words, "--home", str(home)])
    return result.exit_code, result.output


def test_import_show_search(home: Path, tmp_path: Path) -> None:
    files = [write_mssante(tmp_path / "m.txt", BOXES), write_activities(tmp_path / "a.txt", ACTIVITIES)]
    code, text = run(home, "import", *map(str, files))
    assert code == 0
    assert "Extraction" in text
    code, text = run(home, "show", "10009999991", "--json")
    rows = json.loads(text[text.index("[") :])
    assert [row["address"] for row in rows] == ["cabinet@exemple.mssante.fr", "m.exemple@medecin.mssante.fr"]
    assert run(home, "show", "nobody@exemple.fr")[0] == 1
    code, text = run(home, "search", "eglise", "75001", "--json")
    assert code == 0
    assert "pharma@exemple.mssante.fr" in text


def test_diplomas_are_recognised_and_said_not_to_be_kept(home: Path, tmp_path: Path) -> None:
    rows = [{"national": "810009999991", "diploma": "DIP1"}, {"national": "810009999991"}]
    code, text = run(home, "import", str(write_diplomas(tmp_path / "d.txt", rows)))
    assert code == 0
    assert "PS_LibreAcces_Dipl_AutExerc: every row was judged; nothing of it is kept" in text
    assert "line 3: neither diploma nor permit" in text


def test_a_wrong_file_says_why(home: Path, tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text("a|b|c\n", encoding="utf-8")
    code, text = run(home, "import", str(tmp_path / "m.txt"))
    assert code == 1
    assert "[annuaire.header]" in text


def test_whitelist(home: Path, tmp_path: Path) -> None:
    assert run(home, "whitelist", "show")[0] == 1
    pki = DemoPki.create(home, key_type="rsa2048")
    signers = {
        ou: pki.issue_organisation("alb.mssante.test", ou, "LISTE BLANCHE", use="sign", name=f"signer{ou}")
        for ou in (OU, "300000000000000")
    }
    entry = WhitelistEntry("ch.mssante.test", "CN=mss.ch.test,OU=1,O=CH,ST=Paris (75),C=FR", "Domaine du CH")
    listed = tmp_path / "w.xml"

    def sign(ou: str, at: int) -> None:
        key = load_pem_private_key(signers[ou].key.read_bytes(), None)
        assert isinstance(key, RSAPrivateKey)
        chain = [load_der_x509_certificate(der) for der in signers[ou].chain]
        listed.write_bytes(annuaire.sign_whitelist([entry], key, chain, at))

    sign(OU, 1_740_757_327_000)
    code, text = run(home, "whitelist", "import", str(listed), "--json")
    assert (code, json.loads(text[text.index("{") :])["entries"]) == (0, 1)
    assert "CN=mss.ch.test" in run(home, "whitelist", "show", "CH.mssante.test", "--json")[1]
    assert "2025-02-28" in run(home, "whitelist", "show")[1]
    assert run(home, "whitelist", "show", "autre.test")[0] == 1

    sign("300000000000000", 1_740_757_328_000)
    code, text = run(home, "whitelist", "import", str(listed))
    assert code == 1
    assert "[whitelist.signer]" in text
    assert run(home, "whitelist", "import", str(listed), "--signer-ou", "300000000000000")[0] == 0

    pki.revoke(signers[OU])
    pki.write_crls()
    sign(OU, 1_740_757_329_000)
    code, text = run(home, "whitelist", "import", str(listed))
    assert code == 1
    assert "revoked" in text
