"""``passerelle dossier …``: what support does for a patient, and that the history tells each use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import app
from tests.dmp_bridge.saving_support import his_archive, his_cda, message, receive
from tests.dossier.deposit_support import CHILD, KINDS, MOTHER, PATIENT, PDF, STRANGER, Desk

WHY = ("--reason", "demande écrite du 3 mai")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    with made.store:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, (_, content) in KINDS.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def run(desk: Desk, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["dossier", *words, "--home", str(desk.home)])
    return result.exit_code, result.output


def data(desk: Desk, *words: str) -> Any:
    code, text = run(desk, *words, "--json")
    assert code == 0, text
    start = min(at for at in (text.find("["), text.find("{")) if at >= 0)
    return json.loads(text[start:])


def deposit(desk: Desk, file: Path, *words: str) -> Any:
    return data(desk, "deposit", PATIENT, str(file), "--as", PATIENT, "--category", "Autres", *words, *WHY)


def test_deposit_list_show_versions_delete(desk: Desk, folder: Path) -> None:
    first = deposit(desk, folder / "lettre.pdf", "--title", "Ma lettre", "--date", "2024-02-29")
    assert first["outcome"] == "filed"
    assert deposit(desk, folder / "lettre.pdf")["outcome"] == "duplicate"
    number = str(first["number"])
    (row,) = data(desk, "list", PATIENT, *WHY)
    assert (row["title"], row["category"], row["version"]) == ("Ma lettre", "Autres", 1)
    assert row["date"].startswith("2024-02-29") or row["date"].startswith(
        "2024-02-28"
    )  # by the machine's zone
    shown = data(desk, "show", number, *WHY)
    assert (shown["filed by"], shown["kind of file"], shown["size"]) == (
        "patient",
        "application/pdf",
        len(PDF),
    )
    second = deposit(desk, folder / "dessin.png", "--replaces", number)
    assert second["outcome"] == "replaced"
    versions = data(desk, "versions", str(second["number"]), *WHY)
    assert [one["version"] for one in versions] == [2, 1]
    assert len(data(desk, "list", PATIENT, "--history", *WHY)) == 2
    assert data(desk, "delete", str(second["number"]), "--as", PATIENT, *WHY)["outcome"] == "deleted"
    assert run(desk, "list", PATIENT, *WHY)[1] == "no document\n"
    assert [one.what for one in desk.journal()] == [
        "document_deposited", "documents_listed", "documents_listed", "document_replaced",
        "documents_listed", "documents_listed", "document_deleted", "documents_listed",
    ]  # fmt: skip
    assert {one.by for one in desk.journal()} == {"operator"}
    for entry in desk.journal():
        assert entry.details.reason == "demande écrite du 3 mai"
        assert entry.ident.startswith("cli:")
    assert desk.journal()[0].details.more["for"] == PATIENT


def test_filters(desk: Desk, folder: Path) -> None:
    deposit(desk, folder / "lettre.pdf", "--title", "Échographie", "--date", "2024-05-01")
    deposit(desk, folder / "note.rtf", "--title", "Bilan", "--date", "2024-05-02")

    def titles(*words: str) -> list[str]:
        code, text = run(desk, "list", PATIENT, *words, *WHY, "--json")
        assert code == 0, text
        return [row["title"] for row in json.loads(text[text.index("[") :])]

    assert titles("--text", "echo") == ["Échographie"]
    assert titles("--since", "2024-05-02") == ["Bilan"]
    assert titles("--until", "2024-05-01") == ["Échographie"]
    assert titles("--order", "oldest") == ["Échographie", "Bilan"]
    assert titles("--category", "Certificats") == []
    assert run(desk, "list", PATIENT, "--since", "demain", *WHY)[0] == 1
    assert "[dossier.order]" in run(desk, "list", PATIENT, "--order", "best", *WHY)[1]


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["list", PATIENT], "dossier.reason"),
        (["list", PATIENT, "--reason", " "], "dossier.reason"),
        (["list", "123", *WHY], "patient.unknown"),
        (["list", STRANGER, *WHY], "dossier.closed"),
        (["show", "7", *WHY], "dossier.unknown"),
        (["versions", "7", *WHY], "dossier.unknown"),
        (["delete", "7", "--as", PATIENT, *WHY], "dossier.unknown"),
        (["deposit", PATIENT, "lettre.pdf", *WHY], "dossier.as"),
        (["deposit", PATIENT, "lettre.pdf", "--as", MOTHER, *WHY], "actor.stranger"),
        (["deposit", PATIENT, "lettre.pdf", "--as", PATIENT, *WHY], "dossier.category"),
        (["save", PATIENT, "7", "--as", PATIENT, *WHY], "dossier.message"),
        (["import", "lettre.pdf", "--ins", PATIENT], "dossier.reason"),
    ],
)
def test_refusals_name_their_rule(
    desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], rule: str
) -> None:
    monkeypatch.chdir(folder)
    code, text = run(desk, *words)
    assert code == 1
    assert f"[{rule}]" in text
    assert desk.seen() == []


def test_what_a_reader_sees(desk: Desk) -> None:
    box = desk.box_of(CHILD)
    desk.deposit(actor=desk.person(MOTHER, CHILD), box_id=box)
    assert len(data(desk, "list", CHILD, "--for", MOTHER, *WHY)) == 1
    assert run(desk, "list", CHILD, "--for", PATIENT, *WHY)[1] == "no document\n"


def test_support_saves_for_the_patient(desk: Desk) -> None:
    number = receive(
        desk, message(("lettre.pdf", "application/pdf", PDF), ("faux.pdf", "application/pdf", b"MZ"))
    )
    code, text = run(desk, "save", PATIENT, str(number), "--as", PATIENT, *WHY, "--json")
    assert code == 1  # one was refused
    assert [row["outcome"] for row in json.loads(text[text.index("[") :])] == ["filed", "refused"]
    assert len(desk.seen()) == 1


def test_import(desk: Desk, tmp_path: Path) -> None:
    archive = tmp_path / "ancien.zip"
    archive.write_bytes(his_archive(his_cda(1)))
    dry = data(desk, "import", str(archive), "--ins", PATIENT, "--dry-run", *WHY)
    assert [row["outcome"] for row in dry] == ["new"] and desk.seen() == []
    for outcome in ("filed", "duplicate"):
        rows = data(desk, "import", str(archive), "--ins", PATIENT, *WHY)
        assert [row["outcome"] for row in rows] == [outcome]
    archive.write_bytes(b"no archive")
    code, text = run(desk, "import", str(archive), "--ins", PATIENT, *WHY)
    assert code == 1 and "xdm.zip" in text
