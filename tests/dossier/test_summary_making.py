"""Who may have the summary made, what of it he gets, what the journal tells; the verbs of support."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from health_support import (
    ASTHMA,
    DOCTOR,
    EVERYTHING,
    GIVES,
    MOTHER,
    PATIENT,
    PHARMACIST,
    SUPPORT,
    TETANUS,
    TRUSTED,
    Record,
)
from typer.testing import CliRunner

import dossier
from activity import Actor
from cli import app
from dossier import health, rights
from dossier.rights import RightsError
from dossier.summary import save_summary, summary_pdf, summary_sheet
from patients import calendar
from tests.patients.patients_support import paris

NOW = paris("2026-11-20 08:05")


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    made = Record(tmp_path / "home")
    for item in EVERYTHING:
        made.put(item)
    yield made
    made.store.close()


def headings(record: Record, actor: Actor) -> set[str]:
    sheet = summary_sheet(record.store, record.box_id, actor, now=NOW)
    return {block.heading for block in sheet.blocks}


def test_the_patient_has_all_of_it(record: Record) -> None:
    data = summary_pdf(record.store, record.box_id, record.patient, now=NOW)
    assert data == summary_pdf(record.store, record.box_id, record.patient, now=NOW)
    assert data.startswith(b"%PDF-1.4")
    assert len(headings(record, record.patient)) == 10
    assert [(one.by, one.refused) for one in record.journal("summary_made")] == [("patient", False)] * 3


def test_a_professional_has_what_he_may_read(record: Record) -> None:
    with pytest.raises(RightsError):
        summary_pdf(record.store, record.box_id, DOCTOR)
    record.authorise(DOCTOR, PHARMACIST)
    assert len(headings(record, DOCTOR)) == 10
    sheet = summary_sheet(record.store, record.box_id, PHARMACIST, now=NOW)
    assert {"Entourage", "Volontés"} & {block.heading for block in sheet.blocks} == set()
    assert "Volontés" in sheet.notes[1]
    assert TRUSTED.name not in str(sheet)
    assert "Ana OFFICINE" in sheet.made
    rights.block(record.store, record.box_id, record.patient, PHARMACIST.ident)
    with pytest.raises(RightsError):
        summary_pdf(record.store, record.box_id, PHARMACIST)
    told = [(one.ident, one.rule) for one in record.journal("summary_made") if one.refused]
    assert told == [
        (PHARMACIST.ident, "dossier.blocked"), (DOCTOR.ident, "dossier.not_authorised"),
    ]  # fmt: skip


def test_support_needs_a_request(record: Record) -> None:
    with pytest.raises(RightsError):
        summary_pdf(record.store, record.box_id, msgspec.structs.replace(SUPPORT, reason=" "))
    sheet = summary_sheet(record.store, record.box_id, SUPPORT, now=NOW)
    assert len(sheet.blocks) == 10
    assert "à la demande du patient" in sheet.made
    assert SUPPORT.ident not in sheet.made
    assert record.journal("summary_made")[0].details.reason == SUPPORT.reason


def test_what_a_minor_hides_is_on_no_paper_of_others(tmp_path: Path) -> None:
    child = Record(tmp_path / "child", years=15)
    child.put(ASTHMA, hidden=True)
    child.put(TETANUS)
    for actor in (child.actor(MOTHER), child.patient, SUPPORT):
        sheet = summary_sheet(child.store, child.box_id, actor, now=NOW)
        assert "Asthme" not in str(sheet)
        assert "Revaxis" in str(sheet)
    child.authorise(DOCTOR)
    assert "Asthme" in str(summary_sheet(child.store, child.box_id, DOCTOR, now=NOW))
    assert "représentant légal" in summary_sheet(child.store, child.box_id, child.actor(MOTHER), now=NOW).made
    child.grow_up()
    assert "Asthme" in str(summary_sheet(child.store, child.box_id, SUPPORT, now=NOW))
    child.store.close()


def test_who_vouches_for_a_vaccination(record: Record) -> None:
    record.authorise(DOCTOR)
    record.put(msgspec.structs.replace(TETANUS, vaccine="Boostrix", lot=""), DOCTOR)
    told = msgspec.structs.replace(
        TETANUS, vaccine="Repevax", giver="Dr Camille EXEMPLE", giver_id=DOCTOR.ident
    )
    record.put(told)
    sheet = summary_sheet(record.store, record.box_id, record.patient, now=NOW)
    [grid] = [block.grid for block in sheet.blocks if block.heading == "Vaccinations"]
    assert grid is not None
    column = grid.columns.index("Vacciné par")
    given = {row[1]: row[column] for row in grid.rows}
    assert given == {"Revaxis": "", "Boostrix": "Dr Camille EXEMPLE ✓", "Repevax": "Dr Camille EXEMPLE"}


def test_it_is_filed_in_the_record(record: Record) -> None:
    filed = save_summary(record.store, record.box_id, record.patient)
    [document] = record.store.read(dossier.documents_for, record.store, record.box_id, record.patient)
    assert document.document_id == filed.document_id
    assert document.info.type_code == "DOCPAT01"
    assert dossier.category(document.info.type_code, document.info.class_code) == "Ma santé en résumé"
    _, body = dossier.read_document(record.store, record.box_id, filed.document_id, record.patient)
    assert body.read(0, 8) == b"%PDF-1.4"
    with pytest.raises(RightsError):
        save_summary(record.store, record.box_id, SUPPORT)
    assert len(record.store.read(dossier.documents_for, record.store, record.box_id, record.patient)) == 1


# -- verbs ----------------------------------------------------------------------------------------


def test_the_verbs(record: Record, tmp_path: Path) -> None:
    bundle = tmp_path / "profil.json"
    entries = [{"resource": health.to_fhir(one)} for one in (GIVES, health.Illness(label="Migraine"))]
    entries.append({"resource": {"resourceType": "Patient"}})
    bad = health.to_fhir(health.Illness(label="Varicelle", begin=health.PartialDate(1900)))
    entries.append({"resource": bad})
    bundle.write_text(json.dumps({"resourceType": "Bundle", "entry": entries}), encoding="utf-8")
    record.store.close()

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["dossier", *words, "--home", str(record.home)])
        return result.exit_code, result.output

    assert run("profile", "counts", PATIENT)[0] == 2  # without a reason
    assert "[dossier.reason]" in run("profile", "counts", PATIENT, "--reason", " ")[1]
    why = ("--reason", "courrier du 3 mars")
    code, text = run("profile", "import", PATIENT, str(bundle), *why)
    assert code == 1
    assert "resource 4 (Condition): this date is before the birth" in text
    assert "Varicelle" not in text
    code, text = run("profile", "counts", PATIENT, *why, "--json")
    assert code == 0
    rows = {row["section"]: row["current"] for row in json.loads(text)}
    assert (rows["illness"], rows["wish"], rows["allergy"]) == (2, 2, 1)
    assert "Asthme" not in text
    out = tmp_path / "resume.pdf"
    assert run("summary", PATIENT, "--out", str(out), *why, "--large", "--language", "en")[0] == 0
    assert out.read_bytes().startswith(b"%PDF-1.4")
    assert out.stat().st_mode & 0o077 == 0
    assert "[health.exists]" in run("summary", PATIENT, "--out", str(out), *why)[1]
    other = str(tmp_path / "b.pdf")
    assert "[health.language]" in run("summary", PATIENT, "--out", other, *why, "--language", "de")[1]
    for text_of in ("", "[]]", '{"a": 1}', "[1]", '{"resourceType": "Bundle", "entry": [{}]}'):
        bundle.write_text(text_of, encoding="utf-8")
        assert "[health.file]" in run("profile", "import", PATIENT, str(bundle), *why)[1]
    reopened = type(record.store).open(record.home)
    record.store = reopened
    told = [*record.journal("profile_read"), *record.journal("summary_made")]
    assert [(one.by, one.details.reason) for one in told] == [("operator", "courrier du 3 mars")] * 2
    assert calendar.today(told[0].at)
