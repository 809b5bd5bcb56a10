"""The verbs, each use in the patient's journal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import catalogue
from cli import app
from store import Store
from tests.catalogue.catalogue_support import WEIGHT, activated, journal
from tests.patients.patients_support import DOMAIN, ins_of

SAMPLE = Path(catalogue.__file__).parent / "sample"
INS = ins_of(0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "passerelle.toml").write_text(
        f'[gateway]\nhostname = "g.test"\npatient_domain = "{DOMAIN}"\n', encoding="utf-8"
    )
    with Store.open(home) as store:
        activated(store)
    return home


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["catalogue", *words, "--home", str(home)])


def test_the_life_of_a_consent(home: Path) -> None:
    assert run(home, "import", str(SAMPLE / "criteria.csv"), "--criteria").exit_code == 0
    listed = run(home, "import", str(SAMPLE / "services.csv"))
    assert listed.exit_code == 0 and "exemple-poids" in listed.output
    assert "Poids Tranquille" in run(home, "list").output
    assert len(json.loads(run(home, "search", "societe", "--json").output)) == 3
    shown = run(home, "show", "exemple-poids")
    assert shown.exit_code == 0 and "lire – mesures : poids" in shown.output
    assert run(home, "show", "exemple-poids", "--history").exit_code == 0
    assert run(home, "show", "nobody").exit_code == 1
    assert json.loads(run(home, "list", "--versions", "--json").output)[0]["version"] == 1
    why = ("--reason", "courrier du 3 mai")
    assert run(home, "check", INS, "exemple-poids", WEIGHT, *why).exit_code == 1
    given = run(home, "consent", INS, "exemple-poids", "--all-scopes", "--until", "2090-01-31", *why)
    assert given.exit_code == 0, given.output
    assert run(home, "check", INS, "exemple-poids", WEIGHT, *why).exit_code == 0
    told = run(home, "consents", INS, *why)
    assert "accord donné" in told.output and "31/01/2090" in told.output
    assert run(home, "revoke", INS, "exemple-poids", "--scope", WEIGHT, *why).exit_code == 0
    refused = run(home, "check", INS, "exemple-poids", WEIGHT, *why)
    assert refused.exit_code == 1 and "catalogue.revoked" in refused.output
    with Store.open(home) as store:
        (found,) = {one.by for one in journal(store, activated_box(store))}
        whats = [one.what for one in journal(store, activated_box(store))]
    assert found == "operator"
    assert whats == ["consents_read", "consent_given", "consents_read", "consents_read", "consent_revoked",
                     "consents_read"]  # fmt: skip


def activated_box(store: Store) -> int:
    import patients

    found = store.read(patients.profile, INS)
    assert found is not None and found.box_id is not None
    return found.box_id


@pytest.mark.parametrize(
    "words",
    [["consents", INS], ["consent", INS, "x"], ["revoke", INS, "x"], ["check", INS, "x", WEIGHT]],
    ids=lambda words: words[0],
)
def test_no_use_without_a_reason(home: Path, words: list[str]) -> None:
    result = run(home, *words)
    assert result.exit_code == 1 and "dossier.reason" in result.output


def test_a_bad_list_leaves_with_its_lines(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("code;theme;label_fr\nA;t;x\n;t;x\n", encoding="utf-8")
    result = run(home, "import", str(path), "--criteria")
    assert result.exit_code == 1 and "line 3: code is empty" in result.output


def test_a_stranger_has_no_consents(home: Path) -> None:
    assert "patient.unknown" in run(home, "consents", ins_of(9), "--reason", "x").output
    bad = run(home, "consent", INS, "x", "--scope", WEIGHT, "--until", "soon", "--reason", "x")
    assert "catalogue.expiry" in bad.output
