"""``passerelle dossier rights …``: at the patient's request, with a reason, in his history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import app
from store import Store
from tests.dossier.rights_support import PATIENT, STRANGER, Record, doctor

AUTHOR, OTHER = doctor(1), doctor(2)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    made = Record(tmp_path / "home")
    made.first, made.second = made.file(AUTHOR), made.file(AUTHOR, ("N", "INVISIBLE_PATIENT"))  # type: ignore[attr-defined]
    made.store.close()
    yield made
    made.store.close()


def run(record: Record, *words: object, code: int = 0, why: str = "letter of 3 May") -> str:
    given = [*map(str, words), "--home", str(record.home)]
    if why:
        given += ["--reason", why]
    result = CliRunner().invoke(app, ["dossier", "rights", *given])
    assert result.exit_code == code, result.output
    return result.output


def found(output: str) -> Any:
    return json.loads(output[output.index("{") :])


def test_rights_change_and_are_shown(record: Record) -> None:
    first, second = record.first, record.second  # type: ignore[attr-defined]
    run(record, "authorise", PATIENT, OTHER.ident)
    run(record, "block", PATIENT, AUTHOR.ident)
    run(record, "appoint", PATIENT, OTHER.ident)
    run(record, "emergency", PATIENT, "--no-regulation")
    run(record, "mask", PATIENT, "--all")
    run(record, "unmask", PATIENT, first)
    run(record, "announce", PATIENT, second)
    told = found(run(record, "show", PATIENT, "--json"))
    assert told == {
        "treating physician": OTHER.ident,
        "authorised": [OTHER.ident],
        "blocked": [AUTHOR.ident],
        "regulation": "refused",
        "break glass": "allowed",
        "all masked": True,
        "masked": [],
        "unmasked": [first],
        "withheld": [],
        "announced": [second],
    }
    run(record, "unmask", PATIENT, "--all")
    run(record, "unblock", PATIENT, AUTHOR.ident)
    run(record, "dismiss", PATIENT)
    run(record, "mask", PATIENT, first)
    run(record, "hide", PATIENT, first)
    assert "no" in run(record, "dismiss", PATIENT), "nothing to change"
    with Store.open(record.home) as record.store:
        journal = record.journal()
    assert [one.what for one in journal] == [
        "professional_authorised",
        "professional_blocked",
        "physician_appointed",
        "emergency_changed",
        "documents_masked",
        "document_unmasked",
        "document_announced",
        "rights_read",
        "documents_unmasked",
        "professional_unblocked",
        "physician_dismissed",
        "document_masked",
        "document_hidden",
    ]
    assert {(one.by, one.details.reason) for one in journal} == {("operator", "letter of 3 May")}


def test_each_use_needs_a_reason_and_a_patient(record: Record) -> None:
    for words in (["show"], ["block", OTHER.ident], ["mask", "--all"], ["dismiss"]):
        assert "[dossier.reason]" in run(record, words[0], PATIENT, *words[1:], code=1, why="")
        assert "[dossier.reason]" in run(record, words[0], PATIENT, *words[1:], code=1, why="  ")
    assert "[patient.unknown]" in run(record, "show", "279035121518989", code=1)
    assert "[dossier.closed]" in run(record, "show", STRANGER, code=1)
    assert "[dossier.document]" in run(record, "mask", PATIENT, code=1)
    assert "[dossier.document]" in run(record, "mask", PATIENT, "7", "--all", code=1)
    assert "[dossier.unknown]" in run(record, "mask", PATIENT, "7", code=1)
    assert "[dossier.professional]" in run(record, "block", PATIENT, "a b", code=1)


def test_explain(record: Record) -> None:
    first, second = record.first, record.second  # type: ignore[attr-defined]

    def asked(*words: object) -> Any:
        return found(run(record, "explain", "--ins", PATIENT, *words, "--json"))

    other = ("--professional", OTHER.ident, "--profession", "10", "--document", first)
    assert asked(*other)["answers"]["read"]["rule"] == "dossier.not_authorised"
    assert asked(*other, "--purpose", "break_glass")["answers"]["read"]["allowed"]
    himself = asked("--person", PATIENT, "--document", second)["answers"]["read"]
    assert (himself["rule"], himself["kept"]) == ("dossier.withheld", True)
    assert himself["french"].startswith("Ce document n'est pas encore visible")
    author = asked("--professional", AUTHOR.ident)
    assert author["document"] is None
    assert author["answers"]["deposit"]["rule"] == "dossier.feeding"
    text = run(record, "explain", "--ins", PATIENT, *other)
    assert "dossier.not_authorised" in text
    assert "record: authorised" in text
    assert "[dossier.unknown]" in run(
        record, "explain", "--ins", PATIENT, *other, "--at", "2020-01-01", code=1
    )
    assert "[dossier.asker]" in run(record, "explain", "--ins", PATIENT, code=1)
    assert "[dossier.purpose]" in run(record, "explain", "--ins", PATIENT, *other, "--purpose", "x", code=1)


def test_the_matrix(record: Record, tmp_path: Path) -> None:
    good, bad, out = tmp_path / "good.csv", tmp_path / "bad.csv", tmp_path / "out.csv"
    good.write_text("profession;item;rights\n10;10;read\n", encoding="utf-8")
    bad.write_text("profession;item;rights\n10;10;read\n10;nothing;read\n", encoding="utf-8")
    assert "line 3: item" in run(record, "matrix", "import", bad, code=1, why="")
    assert found(run(record, "matrix", "import", good, "--dry-run", "--json", why=""))["switched"] is False
    assert found(run(record, "matrix", "import", good, "--json", why=""))["version"] == 1
    run(record, "matrix", "export", out, why="")
    assert out.read_text(encoding="utf-8") == good.read_text(encoding="utf-8")
    run(record, "matrix", "export", out, "--version", "0", why="")
    assert len(out.read_text(encoding="utf-8").splitlines()) > 50
    assert "[dossier.matrix_version]" in run(
        record, "matrix", "export", out, "--version", "9", code=1, why=""
    )
    assert "good.csv" in run(record, "matrix", "show", why="")
    assert "read" in run(record, "matrix", "show", "--profession", "10", why="")
    assert "reads nothing" in run(record, "matrix", "show", "--profession", "60", why="")
