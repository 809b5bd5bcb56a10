"""Measures in the store: sealed, decided, told in the history, never overwritten."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

import activity
import patients
from activity import Actor
from dossier import measures, rights
from dossier.measures import MeasureError, parse
from dossier.measures.keeping import change, sealed
from dossier.measures.tables import measure
from dossier.rights import changes
from patients.erasure import erase
from store import Store, StoreError, Tx, operation
from tests.dossier.measures_support import DOCTOR, OPERATOR, journal, note, patient
from tests.patients.patients_support import DOMAIN, add, ins_of, person
from tests.store.postgres import new_database, postgres_server

STRANGER = Actor(by="patient", ident=ins_of(77))
WHEN = measures.moments.parse("2025-03-01 08:00")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        yield opened


def series(store: Store, box: int, actor: Actor, kind: measures.Kind = "weight", **more: object) -> list[str]:
    found = store.read(measures.series, store, box, actor, kind, **more)
    return [measures.words.quantity(one.quantity, "en").replace("\u00a0", " ") for one in found]


def test_noted_and_read_back(store: Store) -> None:
    box, me = patient(store)
    first = note(
        store, box, me, "weight", "72,50 kg", "2025-03-01T08:00+04:00", note="à jeun, sans chaussures"
    )
    note(store, box, me, "weight", "160 lb", "2024-01-01")
    assert series(store, box, me) == ["160 lb", "72.50 kg"]
    (kept,) = store.read(measures.series, store, box, me, "weight", WHEN.at - 86_400_000, WHEN.at)
    assert kept == first
    assert (kept.quantity.numbers, kept.moment.iso) == (("72.50",), "2025-03-01T08:00:00+04:00")
    assert (kept.note, kept.added_by.ident, kept.status) == ("à jeun, sans chaussures", me.ident, "current")
    assert not kept.unusual
    assert note(store, box, me, "weight", "250").unusual
    assert series(store, box, me, most=1) == ["250 kg"]
    assert series(store, box, me, "pain") == []
    assert journal(store, box) == [("measure_added", "patient", "")] * 3


def test_the_newest_of_each_and_the_index(store: Store) -> None:
    box, me = patient(store)
    assert store.read(measures.latest, store, box, me) == measures.Latest({}, None)
    for kind, text, when in (
        ("height", "1m60", "2024-01-01"), ("weight", "64", "2024-06-01"), ("weight", "70", "2023-01-01"),
        ("blood_pressure", "12/8", "2025-01-01"), ("blood_pressure", "13/8", "2024-01-01"),
    ):  # fmt: skip
        note(store, box, me, kind, text, when)  # type: ignore[arg-type]  # a kind
    found = store.read(measures.latest, store, box, me)
    assert {kind: one.quantity.numbers for kind, one in found.measures.items()} == {
        "weight": ("64",), "height": ("1.60",), "blood_pressure": ("12", "8"),
    }  # fmt: skip
    assert found.bmi is not None and (found.bmi.value, found.bmi.corpulence) == (25, "overweight")
    assert [one.value for one in store.read(measures.index_series, store, box, me)] == [25]


def test_corrected_and_removed(store: Store) -> None:
    box, me = patient(store)
    wrong = note(store, box, me, "weight", "27")
    right = measures.correct(store, box, me, wrong.measure_id, parse("weight", "72"), WHEN)
    assert series(store, box, me) == ["72 kg"]
    old, new = store.read(measures.series, store, box, me, "weight", history=True)
    assert (old.status, old.removed_by, new) == ("removed", measures.Who("patient", me.ident, me.name), right)
    assert old.removed_at == right.added_at
    measures.remove(store, box, me, right.measure_id)
    assert series(store, box, me) == []
    assert len(store.read(measures.series, store, box, me, "weight", history=True)) == 2
    assert [what for what, _, _ in journal(store, box)] == [
        "measure_added", "measure_removed", "measure_added", "measure_removed",
    ]  # fmt: skip
    for again in (right.measure_id, 5):
        with pytest.raises(MeasureError) as caught:
            measures.remove(store, box, me, again)
        assert caught.value.rule == "measure.unknown"
    with pytest.raises(MeasureError):
        measures.correct(store, box, me, right.measure_id, parse("weight", "72"), WHEN)
    pain = note(store, box, me, "pain", "3")
    with pytest.raises(MeasureError) as caught:
        measures.correct(store, box, me, pain.measure_id, parse("weight", "72"), WHEN)
    assert caught.value.rule == "measure.shape"
    assert series(store, box, me, "pain") == ["3/10"]


def test_a_bad_correction_changes_nothing(store: Store) -> None:
    box, me = patient(store)
    one = note(store, box, me, "weight", "72")
    before = journal(store, box)
    for text, when in (("720", "2025-01-01"), ("72", "2099-01-01"), ("72", "1988-04-30")):
        with pytest.raises(MeasureError):
            then = measures.moments.parse(when)
            measures.correct(store, box, me, one.measure_id, parse("weight", text), then)
    assert series(store, box, me) == ["72 kg"]
    assert journal(store, box) == before


def test_who_may(store: Store) -> None:
    box, me = patient(store)
    kept = note(store, box, me, "weight", "72")
    others = (Actor(by="service", ident="app"), Actor(by="structure", ident="1"))
    for actor in (DOCTOR, OPERATOR, STRANGER, *others):
        with pytest.raises(rights.RightsError):
            store.read(measures.series, store, box, actor, "weight")
        with pytest.raises(rights.RightsError):
            store.read(measures.latest, store, box, actor)
        for asked in (
            lambda actor=actor: measures.read(store, box, actor, ["weight"]),
            lambda actor=actor: note(store, box, actor, "weight", "72"),
            lambda actor=actor: measures.remove(store, box, actor, kept.measure_id),
        ):
            before = len(journal(store, box))
            with pytest.raises(rights.RightsError):
                asked()
            (refused,) = journal(store, box)[before:]
            assert refused[2].startswith("dossier.")
    assert series(store, box, me) == ["72 kg"]


def test_who_reads_leaves_a_trace_first(store: Store) -> None:
    box, me = patient(store)
    note(store, box, me, "weight", "72")
    note(store, box, me, "height", "1m80")
    measures.read(store, box, me, ["weight"])
    measures.read_latest(store, box, me)
    assert len(journal(store, box)) == 2  # of the patient himself nothing is written
    changes.authorise(store, box, me, DOCTOR.ident)
    before = len(journal(store, box))
    found = measures.read(store, box, DOCTOR, ["weight", "pain"])
    assert [one.quantity.numbers for one in found["weight"]] == [("72",)]
    assert found["pain"] == []
    assert [one.corpulence for one in measures.read_indices(store, box, DOCTOR)] == ["normal"]
    assert len(measures.read_latest(store, box, DOCTOR).measures) == 2
    assert journal(store, box)[before:] == [("measures_read", "professional", "")] * 3
    details = store.read(activity.entries, store, box, limit=3)[2].details
    assert details.more == {"kinds": "weight pain"}
    with pytest.raises(rights.RightsError):  # he reads them, he does not write them
        note(store, box, DOCTOR, "weight", "72")
    changes.block(store, box, me, DOCTOR.ident)
    with pytest.raises(rights.RightsError):
        measures.read(store, box, DOCTOR, ["weight"])
    pharmacist = Actor(by="professional", ident="810000000009", profession="31")
    changes.authorise(store, box, me, pharmacist.ident)
    with pytest.raises(rights.RightsError):  # no row of the matrix opens measures to G15 31
        measures.read(store, box, pharmacist, ["weight"])


def test_a_representative_notes_and_reads_with_a_trace(store: Store) -> None:
    add(store, 2)
    patients.activate(store, ins_of(0), DOMAIN, actor="test")
    child = person(9, birth_date="2020-05-01")
    store.write(patients.add_persons, persons=[child], actor="test")
    patients.activate(store, child.ins, DOMAIN, actor="test")
    store.write(
        patients.attach_representative,
        ins=child.ins, representative=ins_of(0), capacity="parent", actor="test", reason="test",
    )  # fmt: skip
    profile = store.read(patients.profile, child.ins)
    assert profile is not None and profile.box_id is not None
    mother = store.read(activity.person, profile.box_id, ins_of(0))
    assert mother.by == "representative"
    assert not note(store, profile.box_id, mother, "weight", "18,5").unusual
    measures.read(store, profile.box_id, mother, ["weight"])
    pretends = Actor(by="patient", ident=ins_of(0))
    measures.read(store, profile.box_id, pretends, ["weight"])
    assert [what for what, _, _ in journal(store, profile.box_id)][-3:] == [
        "measure_added", "measures_read", "measures_read",
    ]  # fmt: skip
    with pytest.raises(rights.RightsError):
        note(store, profile.box_id, Actor(by="representative", ident=ins_of(1)), "weight", "18")


def test_what_tells_of_health_is_sealed(store: Store) -> None:
    box, me = patient(store)
    note(store, box, me, "weight", "123,45", note="après la grippe")
    raw = b"".join(path.read_bytes() for path in store.home.rglob("*") if path.is_file())
    for secret in (b"123.45", b"123,45", b"grippe"):
        assert secret not in raw


@operation("test.change_measure")
def _tamper(tx: Tx, *, column: str, value: str | int) -> None:
    tx.conn.execute(update(measure).values({column: value}))


@pytest.mark.parametrize(("column", "value"), [("kind", "height"), ("taken_at", 7), ("measure_id", 7)])
def test_a_row_is_what_was_sealed(store: Store, column: str, value: str | int) -> None:
    box, me = patient(store)
    note(store, box, me, "weight", "72")
    store.write(_tamper, column=column, value=value)
    with pytest.raises(StoreError):
        store.read(measures.everything, store, box)


def test_a_right_that_ends_meanwhile(store: Store) -> None:
    """The transaction decides again: what was sealed before the profile closed is not written after."""
    box, me = patient(store)
    new = sealed(store.sealer(box), me, measures.draft(parse("weight", "72"), WHEN, ""))
    entry = activity.entry(store, box, me, "measure_added", kind="measure")
    patients.close(store, me.ident, actor="test")
    outcome = store.write(
        change, box_id=box, actor=me, action="write_measures", new=[new], ended=[], entries=[entry]
    )
    assert outcome == "refused"
    assert store.read(measures.held, box) == measures.Held(0, 0, None)
    with pytest.raises(rights.RightsError):
        note(store, box, me, "weight", "72")


def test_two_who_remove_the_same(store: Store) -> None:
    box, me = patient(store)
    one = note(store, box, me, "weight", "72")
    ended: list[str] = []

    def remove() -> None:
        try:
            measures.remove(store, box, me, one.measure_id)
            ended.append("done")
        except MeasureError as error:
            ended.append(error.rule)

    threads = [threading.Thread(target=remove) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["done", *["measure.unknown"] * 3]
    assert [what for what, _, rule in journal(store, box) if what == "measure_removed" and not rule] == [
        "measure_removed"
    ]


def test_support_knows_how_many_and_no_more(store: Store) -> None:
    box, me = patient(store)
    for text in ("70", "71", "72"):
        last = note(store, box, me, "weight", text)
    measures.remove(store, box, me, last.measure_id)
    assert store.read(measures.held, box) == measures.Held(2, 1, last.added_at)


@operation("test.erase_measures")
def _erase(tx: Tx, *, ins: str, box_id: int) -> None:
    erase(tx, ins, box_id)


def test_a_deleted_profile_leaves_no_measure(store: Store) -> None:
    box, me = patient(store)
    other, _ = patient(store, 1)
    note(store, box, me, "weight", "72")
    note(store, other, store.read(activity.person, other, ins_of(1)), "weight", "72")
    store.write(_erase, ins=me.ident, box_id=box)
    assert store.read(lambda conn: conn.execute(select(measure.c.box_id)).scalars().all()) == [other]
    assert store.read(measures.everything, store, box, history=True) == []


@pytest.mark.package("postgres")
def test_on_postgresql(tmp_path: Path) -> None:
    with (
        postgres_server() as url,
        Store.open(tmp_path / "home", url=new_database(url, "measures")) as store,
    ):
        test_corrected_and_removed(store)
        box, me = patient(store, 3)
        note(store, box, me, "weight", "72")
        note(store, box, me, "blood_pressure", "12/8")
        assert len(store.read(measures.latest, store, box, me).measures) == 2
        assert store.read(measures.held, box).current == 2
        rows = b"kind;date;value\nweight;2025-01-01;71 kg\nweight;2025-03-01 08:00;72 kg\n"
        report = measures.import_measures(store, box, me, io.BytesIO(rows))
        assert report == measures.Imported(added=1, known=1)
        counted = measures.counts(0, 1 << 60)
        assert len(store.read(lambda conn: conn.execute(select(counted)).all())) == 6
