"""The journal: read by pages and questions, bound to the evidence, gone with the profile."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import delete, event, insert, select, update
from sqlalchemy.engine import Engine

import activity
import evidence
import patients
from activity import Actor, Asked
from activity.journal import digest
from activity.model import Entry
from activity.tables import activity as table
from store import Store, StoreError, Tx, operation
from tests.activity.activity_support import DOCTOR, HOSPITAL, SUPPORT, Patient


@operation("tests.activity.change")
def change(tx: Tx, *, activity_id: int, column: str, value: str) -> None:
    tx.conn.execute(update(table).where(table.c.activity_id == activity_id).values({column: value}))


@operation("tests.activity.drop")
def drop(tx: Tx, *, activity_id: int) -> None:
    tx.conn.execute(delete(table).where(table.c.activity_id == activity_id))


@operation("tests.activity.smuggle")
def smuggle(tx: Tx, *, entry: Entry) -> None:
    """An entry that no record of evidence names."""
    values = msgspec.structs.asdict(entry) | {"at": tx.now, "evidence_seq": 1 << 40}
    tx.conn.execute(insert(table).values(**values))


@operation("tests.activity.many")
def many(tx: Tx, *, first: Entry, count: int) -> None:
    """The same entry many times over, a minute apart, as years of use leave them."""
    values = msgspec.structs.asdict(first)
    rows = [
        values | {"activity_id": first.activity_id + 1 + n, "at": 60_000 * n, "evidence_seq": 10_000_000 + n}
        for n in range(count)
    ]
    tx.conn.execute(insert(table), rows)


def _everything(patient: Patient) -> list[int]:
    """One entry of each kind of actor, newest last."""
    return [
        patient.happens(patient.actor, "documents_listed"),
        patient.happens(DOCTOR, "document_read", kind="document", subject="7"),
        patient.happens(DOCTOR, "document_read", kind="document", subject="8", rule="dossier.blocked"),
        patient.happens(HOSPITAL, "document_deposited", kind="document", subject="9"),
        patient.happens(SUPPORT, "document_masked", kind="document", subject="7"),
        patient.happens(
            msgspec.structs.replace(DOCTOR, purpose="break_glass", reason="inconscient"), "profile_read"
        ),
    ]


def test_the_journal_answers_questions(either: Store) -> None:
    patient = Patient(either)
    ids = _everything(patient)

    def found(asked: Asked) -> list[int]:
        rows = either.read(activity.entries, either, patient.box_id, asked)
        assert either.read(activity.counts, patient.box_id, asked).entries == len(rows)
        return [one.activity_id for one in rows]

    assert found(Asked()) == ids[::-1]
    assert found(Asked(by=activity.PROFESSIONALS)) == [ids[5], ids[3], ids[2], ids[1]]
    assert found(Asked(by=activity.OTHERS)) == ids[:0:-1]
    assert found(Asked(ident="support7")) == [ids[4]]
    assert found(Asked(what=("document_read", "profile_read"))) == [ids[5], ids[2], ids[1]]
    assert found(Asked(kind="document", subject="7")) == [ids[4], ids[1]]
    assert found(Asked(refused=True)) == [ids[2]]
    counted = either.read(activity.counts, patient.box_id)
    assert (counted.refused, counted.glass_broken) == (1, 1)
    assert counted.by == {"patient": 1, "professional": 3, "structure": 1, "operator": 1}
    told = either.read(activity.entries, either, patient.box_id, Asked(by=("professional",)), limit=1)[0]
    assert (told.details.name, told.details.reason, told.purpose) == (
        "Anne EXEMPLE",
        "inconscient",
        "break_glass",
    )
    without = {"document": {"7"}}
    kept = either.read(activity.entries, either, patient.box_id, without=without)
    assert [one.activity_id for one in kept] == [ids[5], ids[3], ids[2], ids[0]]
    assert either.read(activity.counts, patient.box_id, without=without).entries == 4


def test_pages_meet_without_gap_or_repeat(either: Store) -> None:
    patient, stranger = Patient(either), Patient(either, 2)
    ids = [patient.happens(DOCTOR, "documents_listed") for _ in range(11)]
    other = stranger.happens(DOCTOR, "documents_listed")
    seen: list[int] = []
    while True:
        before = seen[-1] if seen else 0
        page = either.read(activity.entries, either, patient.box_id, before=before, limit=3)
        if not page:
            break
        seen += [one.activity_id for one in page]
    assert seen == ids[::-1]
    assert either.read(activity.entries, either, patient.box_id, before=other) == []
    page_at = either.read(activity.entries, either, patient.box_id, limit=1)[0].at
    assert either.read(activity.entries, either, patient.box_id, since=page_at + 1) == []
    newest = either.read(activity.entries, either, patient.box_id, since=page_at)
    older = either.read(activity.entries, either, patient.box_id, until=page_at)
    assert len(newest) + len(older) == 11


def test_fifty_thousand_entries_cost_what_a_page_costs(either: Store) -> None:
    """Both the first page and the last are found by an index, without sorting the box."""
    patient = Patient(either)
    first = activity.entry(either, patient.box_id, DOCTOR, "documents_listed")
    either.write(activity.record, entry=first)
    # sealed for another place: only pages without these rows are opened below
    either.write(many, first=first, count=50_000)
    asked: list[tuple[str, object]] = []

    def seen(_conn: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        asked.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", seen)
    try:
        [newest] = either.read(activity.entries, either, patient.box_id, limit=1)
        assert newest.activity_id == first.activity_id
        with pytest.raises(StoreError):  # a row that was copied does not open
            either.read(activity.entries, either, patient.box_id, limit=2)
    finally:
        event.remove(Engine, "before_cursor_execute", seen)
    [(statement, parameters)] = [one for one in asked if "ORDER BY activity.at" in one[0]][:1]
    explain = "EXPLAIN QUERY PLAN " if either.url.startswith("sqlite") else "EXPLAIN "
    plan = either.read(
        lambda conn: [str(row) for row in conn.exec_driver_sql(explain + statement, parameters)]  # type: ignore[arg-type]  # as the driver got them
    )
    assert any("ix_activity_box_id_at" in line for line in plan), plan
    assert not any("TEMP B-TREE" in line or "Sort" in line for line in plan), plan
    assert either.read(activity.counts, patient.box_id).entries == 50_001


def test_the_evidence_holds_every_entry(either: Store) -> None:
    patient = Patient(either)
    _everything(patient)
    Patient(either, 2).happens(DOCTOR, "documents_listed")
    for ins, count in ((patient.ins, 6), ("", 7)):
        report = either.read(activity.check, ins)
        assert (report.entries, report.holds) == (count, True)
    rows = either.read(lambda conn: conn.execute(select(table)).all())
    for row in rows:
        link = either.read(evidence.by_number, row.evidence_seq)
        assert link is not None
        values = {name: getattr(row, name) for name in Entry.__struct_fields__}
        assert link.sha256 == digest(Entry(**values), row.at)
        assert "EXEMPLE" not in link.detail


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("what", "documents_listed"),
        ("ident", "899900000202"),
        ("rule", "dossier.blocked"),
        ("purpose", "normal"),
    ],
)
def test_a_changed_entry_is_found(either: Store, column: str, value: str) -> None:
    patient = Patient(either)
    changed = _everything(patient)[-1]
    either.write(change, activity_id=changed, column=column, value=value)
    for ins in (patient.ins, ""):
        report = either.read(activity.check, ins)
        assert (len(report.broken), report.missing, report.unproven) == (1, [], 0)
        assert not report.holds


def test_a_dropped_or_added_entry_is_found(either: Store) -> None:
    patient = Patient(either)
    dropped = _everything(patient)[2]
    either.write(drop, activity_id=dropped)
    for ins in (patient.ins, ""):
        report = either.read(activity.check, ins)
        assert (report.broken, len(report.missing), report.unproven) == ([], 1, 0)
    either.write(smuggle, entry=activity.entry(either, patient.box_id, DOCTOR, "documents_listed"))
    for ins in (patient.ins, ""):
        report = either.read(activity.check, ins)
        assert (len(report.missing), report.unproven, report.holds) == (1, 1, False)


def test_a_deleted_profile_takes_its_journal_along(either: Store) -> None:
    patient, other = Patient(either), Patient(either, 2)
    _everything(patient)
    other.happens(DOCTOR, "documents_listed")
    activity.set_wish(either, patient.box_id, patient.actor, "daily")
    patients.close(either, patient.ins, actor="test")
    patients.ask_deletion(either, patient.ins, actor="test")
    left = either.read(lambda conn: conn.execute(select(table.c.box_id)).scalars().all())
    assert left == [other.box_id]
    assert either.read(activity.notices_of, patient.box_id) == []
    report = either.read(activity.check)
    assert (report.entries, report.erased, report.holds) == (1, 7, True)


def test_who_is_neither_patient_nor_parent_is_a_stranger(store: Store) -> None:
    patient, other = Patient(store), Patient(store, 2)
    assert patient.actor == Actor(by="patient", ident=patient.ins, name="Marie EXEMPLE1")
    with pytest.raises(activity.ActivityError) as caught:
        store.read(activity.person, patient.box_id, other.ins)
    assert caught.value.rule == "actor.stranger"
    child = Patient(store, 3, born="2015-05-05")
    child.represented_by(other)
    assert store.read(activity.person, child.box_id, other.ins).by == "representative"
