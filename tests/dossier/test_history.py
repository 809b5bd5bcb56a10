"""The history as each reader sees it: in words, without what is kept from him, and as files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import activity
import dossier
import patients
from activity import Actor, Asked
from dossier import Line, history_csv, history_for, history_json, rights
from dossier.rights import RightsError
from patients import calendar
from store import Store, now_ms
from tests.activity.activity_support import DOCTOR, HOSPITAL, SUPPORT, Patient

WITHHELD, SECRET = "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def marie(store: Store) -> Patient:
    return Patient(store)


def told(one: Patient, actor: Actor, **more: object) -> list[Line]:
    """The lines of a history, without those that tell of reading it."""
    lines = history_for(one.store, one.box_id, actor, **more)  # type: ignore[arg-type]  # its own keywords
    return [line for line in lines if line.what != "history_read"]


def test_titles_are_looked_up_and_what_was_deleted_is_said_to_be(store: Store, marie: Patient) -> None:
    number = marie.files("Coloscopie", actor=DOCTOR)
    (line,) = told(marie, marie.actor)
    assert (line.title, line.gone, line.refused) == ("Coloscopie", False, False)
    assert "Anne EXEMPLE" in line.french and "« Coloscopie »" in line.french and "médecin" in line.french
    document = store.read(dossier.document_for, store, marie.box_id, number, marie.actor)
    by = dossier.Depositor(address=DOCTOR.address, id_nat=DOCTOR.ident)
    store.write(dossier.delete_document, box_id=marie.box_id, unique_id=document.unique_id, by=by)
    (line,) = told(marie, marie.actor)
    assert line.gone and "supprimé" in line.french and "deleted" in line.english


def test_reading_it_is_in_it(store: Store, marie: Patient) -> None:
    history_for(store, marie.box_id, SUPPORT)
    read = [one for one in history_for(store, marie.box_id, marie.actor) if one.what == "history_read"]
    assert [one.by for one in read] == ["patient", "operator"]
    assert "appel du 12 mars" in read[1].french
    (own,) = history_for(store, marie.box_id, SUPPORT, Asked(by=("operator",)), limit=1)
    assert "Vous" not in own.french  # the patient would take it for himself
    with pytest.raises(RightsError):
        history_for(store, marie.box_id, DOCTOR)
    (refused,) = history_for(store, marie.box_id, marie.actor, Asked(refused=True))
    assert refused.by == "professional" and refused.refused and refused.why


def test_the_treating_physician_reads_it_whole(store: Store, marie: Patient) -> None:
    marie.files("Coloscopie", actor=HOSPITAL)
    rights.appoint(store, marie.box_id, marie.actor, DOCTOR.ident)
    assert "document_deposited" in [one.what for one in told(marie, DOCTOR)]


def test_what_is_withheld_leaves_no_line_until_it_is_announced(store: Store, marie: Patient) -> None:
    number = marie.files("Annonce", WITHHELD)
    marie.happens(DOCTOR, "document_read", kind="document", subject=str(number))
    assert store.read(dossier.history_counts, store, marie.box_id, marie.actor).entries == 0
    assert told(marie, marie.actor) == []
    rights.announce(store, marie.box_id, DOCTOR, number)
    whats = [one.what for one in told(marie, marie.actor)]
    assert whats == ["document_announced", "document_read", "document_deposited"]


def test_what_is_hidden_from_representatives_leaves_them_no_line(store: Store) -> None:
    today = calendar.today(now_ms())
    child = Patient(store, 2, born=f"{today.year - 17}-01-01")
    parent = Patient(store, 3, born="1980-05-05")
    child.represented_by(parent)
    child.files("Contraception", SECRET)
    child.files("Vaccin")
    mother = store.read(activity.person, child.box_id, parent.ins)
    assert [one.title for one in told(child, mother)] == ["Vaccin"]
    store.write(patients.emancipate, ins=child.ins, actor="desk", reason="jugement")
    assert {one.title for one in told(child, child.actor)} == {"Vaccin", "Contraception"}


def test_pages_and_days(store: Store, marie: Patient) -> None:
    for number in range(7):
        marie.files(f"Document {number}")
    first = told(marie, marie.actor, limit=5)
    assert [one.title for one in first][-1] >= "Document 2"
    rest = told(marie, marie.actor, before=first[-1].activity_id)
    assert {one.title for one in first + rest} == {f"Document {number}" for number in range(7)}
    assert told(marie, marie.actor, until=first[-1].at - 86_400_000) == []


LINE = Line(
    activity_id=1, at=1_790_000_000_000, by="professional", what="document_read", kind="document",
    purpose="normal", who="Dr Anne", french="a lu", english="has read",
)  # fmt: skip


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), max_size=6))
def test_no_cell_is_a_formula_and_each_comes_back(cells: list[tuple[str, str]]) -> None:
    cells = [tuple(one.replace("\x00", "").encode(errors="replace").decode() for one in row) for row in cells]  # type: ignore[misc]  # still pairs
    lines = [msgspec.structs.replace(LINE, title=title, who=who) for title, who in cells]
    text = history_csv(lines).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == len(cells)
    for row, (title, who) in zip(rows, cells, strict=True):
        for cell, wanted in ((row["objet"], title), (row["qui"], who)):
            assert cell in (wanted, f"'{wanted}")
            assert not cell.lstrip(" \u00a0").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_json_says_the_same() -> None:
    (found,) = json.loads(history_json([msgspec.structs.replace(LINE, title="=1+1", why="bloqué")]))
    assert (found["title"], found["reason"], found["fr"]) == ("=1+1", "bloqué", "a lu")
    assert found["date"].startswith("2026-09-21T")
