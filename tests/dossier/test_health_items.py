"""Keeping the profile: versions, rights, what is hidden, what the journal tells, what support sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from health_support import (
    ASTHMA,
    DOCTOR,
    EVERYTHING,
    GIVES,
    HEART,
    INHALER,
    MOTHER,
    OTHER,
    PATIENT,
    PENICILLIN,
    PHARMACIST,
    STRANGER,
    SUPPORT,
    TETANUS,
    TRUSTED,
    Record,
)
from sqlalchemy import select

import activity
import patients
from activity import ActivityError, Actor
from dossier import health, rights
from dossier.health import HealthError, NoneKnown, PartialDate
from dossier.health.tables import health_item
from dossier.health.writing import MOST_ITEMS, Change, change_items
from dossier.rights import RightsError
from store import StoreError, new_id


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    made = Record(tmp_path / "home")
    yield made
    made.store.close()


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Record]:
    made = Record(tmp_path / "home", years=15)
    yield made
    made.store.close()


def test_what_is_put_is_read(record: Record) -> None:
    for item in EVERYTHING:
        record.put(item)
    found = record.items()
    assert [one.section for one in found] == list(health.SECTIONS)
    by_section = {one.section: one.item for one in found}
    assert by_section["illness"] == ASTHMA
    assert by_section["contact"] == msgspec.structs.replace(TRUSTED, phone="0612345678")
    assert all(one.version == 1 and one.state == "current" and one.added_at for one in found)
    assert all(one.added_by.ident == PATIENT for one in found)
    assert len(record.journal("profile_item_added")) == len(EVERYTHING)


def test_nothing_that_tells_is_in_the_clear(record: Record) -> None:
    for item in EVERYTHING:
        record.put(item, hidden=True)
    record.store.close()
    raw = b"".join(path.read_bytes() for path in sorted(record.home.glob("store.db*")))
    for word in ("Asthme", "nicilline", "Salbutamol", "Revaxis", "Infarctus", "0612345678", "Mutuelle"):
        assert word.encode() not in raw, word


def test_every_change_is_a_version(record: Record) -> None:
    item_id = record.put(ASTHMA)
    better = msgspec.structs.replace(ASTHMA, note="Allergique aux acariens")
    assert record.put(better, item_id=item_id, version=1) == item_id
    health.end(record.store, record.box_id, record.patient, item_id, on=PartialDate(2020))
    health.remove(record.store, record.box_id, record.patient, item_id, reason="erreur de saisie")
    assert record.items() == []
    [gone] = record.items(removed=True)
    assert (gone.state, gone.reason, gone.by.ident, gone.version) == (
        "removed",
        "erreur de saisie",
        PATIENT,
        4,
    )
    every = record.store.read(health.versions, record.store, record.box_id, record.patient, item_id)
    assert [one.state for one in every] == ["replaced", "replaced", "replaced", "removed"]
    assert [one.item for one in every[:2]] == [ASTHMA, better]
    assert every[2].item.end == PartialDate(2020)  # type: ignore[union-attr]  # an illness
    assert {one.added_at for one in every} == {every[0].at}
    assert [len(record.journal(f"profile_item_{what}")) for what in ("added", "changed", "removed")] == [
        1,
        2,
        1,
    ]
    for change in (health.end, health.remove):
        with pytest.raises(HealthError, match=r"health\.changed"):
            change(record.store, record.box_id, record.patient, item_id)


def test_two_who_correct_at_once(record: Record) -> None:
    item_id = record.put(ASTHMA)
    record.put(msgspec.structs.replace(ASTHMA, note="un"), item_id=item_id, version=1)
    with pytest.raises(HealthError, match=r"health\.changed"):
        record.put(msgspec.structs.replace(ASTHMA, note="deux"), item_id=item_id, version=1)
    [one] = record.items()
    assert one.item.note == "un"  # type: ignore[union-attr]  # an illness
    change = Change(item_id=item_id, version=2, section="illness", state="current", sealed=b"")
    with pytest.raises(HealthError, match=r"health\.changed"):
        record.store.write(
            change_items, box_id=record.box_id, actor=record.patient, action="write_profile",
            changes=[change], entries=[],
        )  # fmt: skip


def test_an_item_stays_what_it_is(record: Record) -> None:
    item_id = record.put(ASTHMA)
    with pytest.raises(HealthError, match=r"health\.value"):
        record.put(PENICILLIN, item_id=item_id)
    with pytest.raises(HealthError, match=r"health\.value"):
        record.put(NoneKnown(of="illness"), item_id=item_id)
    with pytest.raises(HealthError, match=r"health\.unknown"):
        record.put(ASTHMA, item_id=new_id())


def test_not_told_is_not_none(record: Record) -> None:
    def known(section: str) -> str:
        profile = record.store.read(health.profile_for, record.store, record.box_id, record.patient)
        return profile.filled[section]  # type: ignore[index]  # a section

    assert known("allergy") == "not_filled"
    record.put(NoneKnown(of="allergy"))
    assert known("allergy") == "none_known"
    assert known("illness") == "not_filled"
    with pytest.raises(HealthError, match=r"health\.listed"):
        record.put(NoneKnown(of="allergy"))
    item_id = record.put(PENICILLIN)
    assert known("allergy") == "listed"
    assert [one.item for one in record.items()] == [PENICILLIN]  # the statement was taken away
    with pytest.raises(HealthError, match=r"health\.listed"):
        record.put(NoneKnown(of="allergy"))
    health.remove(record.store, record.box_id, record.patient, item_id)
    assert known("allergy") == "not_filled"
    with pytest.raises(HealthError, match=r"health\.value"):
        record.put(NoneKnown(of="wish"))


@pytest.mark.parametrize(
    ("item", "rule"),
    [
        (health.Illness(label="  \t"), "health.text"),
        (health.Illness(label="x" * 201), "health.text"),
        (health.Illness(label="a\ud800"), "health.text"),
        (health.Illness(label="x", note="n" * 2001), "health.text"),
        (health.Illness(label="x", begin=PartialDate(1900)), "health.date"),
        (health.Illness(label="x", begin=PartialDate(2190)), "health.date"),
        (health.Illness(label="x", begin=PartialDate(2020), end=PartialDate(2019)), "health.date"),
        (health.Illness(label="x", system="CIM-10", code="asthme"), "health.value"),
        (health.Illness(label="x", code="J45"), "health.value"),
        (health.Vaccination(vaccine="x", date=PartialDate(2190)), "health.date"),
        (health.Vaccination(vaccine="x", date=PartialDate(2020), next_due=PartialDate(2019)), "health.date"),
        (health.Vaccination(vaccine="x", date=PartialDate(2020), number=99), "health.value"),
        (health.Vaccination(vaccine="x", date=PartialDate(2020), giver_id="Dr X"), "health.value"),
        (health.FamilyHistory(relation="father", illness="x", onset_age=200), "health.value"),
        (health.Contact(role="warn", name="x", phone="appelez-moi"), "health.value"),
        (health.Wish(subject="other"), "health.text"),
        (health.Wish(subject="directives", document="../etc/passwd"), "health.value"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(record: Record, item: health.Item, rule: str) -> None:
    with pytest.raises(HealthError) as caught:
        record.put(item)
    assert caught.value.rule == rule
    assert caught.value.said("fr").endswith(".")
    assert caught.value.peer.isascii()
    assert record.items() == []


def test_texts_are_cleaned(record: Record) -> None:
    record.put(health.Illness(label=" Rhume\x00 \u202e des   foins\n", note="un\r\n\x07deux  trois\n\n"))
    [one] = record.items()
    assert one.item == health.Illness(label="Rhume des foins", note="un\ndeux trois")


def test_there_is_an_end_to_it(record: Record) -> None:
    sealed = record.store.sealer(record.box_id).seal(b"", "x")
    changes = [
        Change(item_id=number, version=1, section="illness", state="current", sealed=sealed)
        for number in range(1, MOST_ITEMS + 2)
    ]
    put = {"box_id": record.box_id, "actor": record.patient, "action": "write_profile", "entries": []}
    with pytest.raises(HealthError, match=r"health\.full"):
        record.store.write(change_items, changes=changes, **put)  # type: ignore[arg-type]  # as above
    assert record.store.read(health.counts, record.box_id) == {}
    record.store.write(change_items, changes=changes[1:], **put)  # type: ignore[arg-type]  # as above
    assert record.store.read(health.counts, record.box_id) == {("illness", "current"): MOST_ITEMS}


# -- professionals --------------------------------------------------------------------------------


def test_a_professional_adds_a_vaccination_as_who_he_is(record: Record) -> None:
    record.authorise(DOCTOR, OTHER)
    item_id = record.put(TETANUS, DOCTOR)
    [one] = record.items()
    assert isinstance(one.item, health.Vaccination)
    assert (one.item.giver, one.item.giver_id) == (DOCTOR.name, DOCTOR.ident)
    assert one.proven
    assert one.added_by.organisation == DOCTOR.organisation
    record.put(msgspec.structs.replace(TETANUS, lot="R9"), DOCTOR, item_id=item_id)
    with pytest.raises(HealthError, match=r"health\.author"):
        record.put(TETANUS, OTHER, item_id=item_id)
    with pytest.raises(HealthError, match=r"health\.author"):
        health.remove(record.store, record.box_id, OTHER, item_id)
    [_, refused] = [
        one
        for one in (*record.journal("profile_item_removed"), *record.journal("profile_item_changed"))
        if one.refused
    ]
    assert (refused.rule, refused.ident) == ("health.author", OTHER.ident)
    health.remove(record.store, record.box_id, DOCTOR, item_id)
    assert record.items() == []


def test_what_the_patient_says_who_gave_it_proves_nothing(record: Record) -> None:
    told = msgspec.structs.replace(TETANUS, giver="Dr Camille EXEMPLE", giver_id=DOCTOR.ident)
    item_id = record.put(told)
    assert not record.items()[0].proven
    record.authorise(DOCTOR)
    with pytest.raises(HealthError, match=r"health\.author"):
        health.end(record.store, record.box_id, DOCTOR, item_id)


def test_a_professional_writes_nothing_else(record: Record) -> None:
    record.authorise(DOCTOR)
    for item in (ASTHMA, PENICILLIN, TRUSTED, NoneKnown(of="allergy")):
        with pytest.raises(RightsError) as caught:
            record.put(item, DOCTOR)
        assert caught.value.rule == "dossier.reserved"
    assert record.items() == []
    assert len([one for one in record.journal("profile_item_added") if one.refused]) == 4


def test_who_reads_what(record: Record) -> None:
    for item in (ASTHMA, TETANUS, TRUSTED, GIVES):
        record.put(item)
    assert record.seen(DOCTOR) == set()
    with pytest.raises(RightsError):
        health.read_profile(record.store, record.box_id, DOCTOR)
    record.authorise(DOCTOR, PHARMACIST)
    assert record.seen(DOCTOR) == {"Asthme", "Revaxis", "Anne EXEMPLE", "wish"}
    assert record.seen(PHARMACIST) == {"Asthme", "Revaxis"}  # no entourage and wishes
    assert record.seen(SUPPORT) == set()
    with pytest.raises(RightsError):
        health.read_profile(record.store, record.box_id, PHARMACIST, at_least="read_wishes")
    profile = health.read_profile(record.store, record.box_id, PHARMACIST)
    assert "wish" not in profile.filled
    assert profile.filled["treatment"] == "not_filled"
    rights.block(record.store, record.box_id, record.patient, PHARMACIST.ident)
    assert record.seen(PHARMACIST) == set()
    health.read_profile(record.store, record.box_id, record.patient)
    read = record.journal("profile_read")
    assert [(one.ident, one.refused) for one in read] == [
        (PHARMACIST.ident, False), (PHARMACIST.ident, True), (DOCTOR.ident, True),
    ]  # fmt: skip


def test_a_right_that_ends_meanwhile(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    record.authorise(DOCTOR)
    sealer = record.store.sealer

    def blocked_first(box_id: int):  # type: ignore[no-untyped-def]  # as Store.sealer
        monkeypatch.setattr(record.store, "sealer", sealer)
        rights.block(record.store, record.box_id, record.patient, DOCTOR.ident)
        return sealer(box_id)

    monkeypatch.setattr(record.store, "sealer", blocked_first)
    with pytest.raises(HealthError, match=r"health\.closed"):
        record.put(TETANUS, DOCTOR)
    assert record.items() == []


# -- minors ---------------------------------------------------------------------------------------


def test_what_a_minor_hides_from_who_represents_him(child: Record) -> None:
    mother = child.actor(MOTHER)
    item_id = child.put(ASTHMA, hidden=True)
    child.put(TETANUS)
    child.authorise(DOCTOR)
    assert child.seen(mother) == {"Revaxis"}
    assert child.seen(child.patient) == {"Revaxis"}  # a parent may have set that sign-in up
    assert child.seen(DOCTOR) == {"Asthme", "Revaxis"}
    assert [one.section for one in child.items(mother)] == ["vaccination"]
    for change in (health.show, health.end, health.remove, health.hide):
        with pytest.raises(HealthError, match=r"health\.unknown"):
            change(child.store, child.box_id, mother, item_id)
    child.put(NoneKnown(of="illness"), mother)  # refusing it would tell
    kept = child.store.read(activity.kept, child.store, child.box_id, mother)
    assert str(item_id) in kept["item"]
    wanted = {"item": {str(item_id)}}
    titles = child.store.read(activity.titles, child.store, child.box_id, mother, wanted)
    assert titles["item", str(item_id)].text == ""
    child.grow_up()
    assert child.seen(child.patient) == {"Asthme", "Revaxis", "illness"}
    profile = child.store.read(health.profile_for, child.store, child.box_id, child.patient)
    assert profile.filled["illness"] == "listed"
    health.show(child.store, child.box_id, child.patient, item_id)
    titles = child.store.read(activity.titles, child.store, child.box_id, child.patient, wanted)
    assert titles["item", str(item_id)].text == "Asthme"


def test_a_representative_writes_and_hides_nothing(child: Record) -> None:
    mother = child.actor(MOTHER)
    item_id = child.put(ASTHMA, mother)
    with pytest.raises(HealthError, match=r"health\.hidden"):
        child.put(HEART, mother, hidden=True)
    with pytest.raises(HealthError, match=r"health\.hidden"):
        health.hide(child.store, child.box_id, mother, item_id)
    health.hide(child.store, child.box_id, child.patient, item_id)
    assert child.seen(mother) == set()
    child.authorise(DOCTOR)
    secret = child.put(TETANUS, DOCTOR, hidden=True)
    assert child.seen(mother) == set()
    health.show(child.store, child.box_id, DOCTOR, secret)
    assert child.seen(mother) == {"Revaxis"}
    health.read_profile(child.store, child.box_id, mother)
    assert [one.by for one in child.journal("profile_read")] == ["representative"]
    posing = Actor(by="patient", ident=MOTHER)  # whatever a caller takes her for
    health.read_profile(child.store, child.box_id, posing)
    assert len(child.journal("profile_read")) == 2


def test_strangers(record: Record) -> None:
    with pytest.raises(ActivityError):
        record.actor(STRANGER)
    stranger = Actor(by="representative", ident=STRANGER)
    with pytest.raises(RightsError):
        record.put(ASTHMA, stranger)
    assert record.seen(stranger) == set()


# -- support, and the end -------------------------------------------------------------------------


def test_support_adds_at_request_and_reads_nothing(record: Record) -> None:
    item_id = record.put(ASTHMA, SUPPORT)
    assert record.seen(SUPPORT) == set()
    with pytest.raises(RightsError):
        record.put(ASTHMA, msgspec.structs.replace(SUPPORT, reason=""))
    with pytest.raises(RightsError):
        record.put(ASTHMA, SUPPORT, item_id=item_id)
    with pytest.raises(RightsError):
        health.read_profile(record.store, record.box_id, SUPPORT)
    assert record.store.read(health.counts, record.box_id) == {("illness", "current"): 1}
    [refused, _, added] = [*record.journal("profile_item_changed"), *record.journal("profile_item_added")]
    assert refused.refused
    assert added.details.reason == SUPPORT.reason


def test_a_deleted_profile_leaves_nothing(record: Record) -> None:
    record.put(INHALER)
    patients.close(record.store, PATIENT, actor="test", reason="asked")
    with pytest.raises(RightsError):
        record.put(ASTHMA)
    patients.ask_deletion(record.store, PATIENT, actor="test", reason="asked")
    left = record.store.read(lambda conn: list(conn.execute(select(health_item))))
    if left:
        patients.expire_archives(record.store, actor="test")
        left = record.store.read(lambda conn: list(conn.execute(select(health_item))))
    assert left == []
    with pytest.raises(StoreError):
        record.store.sealer(record.box_id)
