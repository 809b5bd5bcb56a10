"""What somebody might try: to learn of what is kept from him, to do what is not his, to leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import dossier
import patients
from activity import Actor
from dossier import Said, rights
from dossier.rights import RightsError
from store import InvalidInputError, NotFoundError, Spool, Store
from tests.dossier.deposit_support import CHILD, DOCTOR, MOTHER, PDF, Desk
from tests.dossier.rights_support import Record, doctor

REPORT = {"category": "", "type_code": "11488-4"}


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    made = Record(tmp_path / "home")
    yield made
    made.store.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    yield made
    made.store.close()


def test_the_history_of_his_own_questions_tells_nothing_of_what_is_kept(record: Record) -> None:
    """A number that was withheld and one that never was leave the same line, now and when it is announced."""
    withheld, deleted = record.file(doctor(1), ("N", "INVISIBLE_PATIENT")), record.file(record.patient)
    dossier.remove(record.store, record.box_id, record.patient, deleted)

    def lines() -> list[str]:
        found = dossier.history_for(record.store, record.box_id, record.patient)
        return [one.french for one in found if "documents" not in one.what and one.refused]

    acts = (
        lambda number: dossier.read_document(record.store, record.box_id, number, record.patient),
        lambda number: rights.mask(record.store, record.box_id, record.patient, number),
        lambda number: dossier.remove(record.store, record.box_id, record.patient, number),
    )
    told: list[list[str]] = []
    for number in (withheld, 7, deleted):
        before = len(lines())
        for act in acts:
            with pytest.raises(NotFoundError):
                act(number)
        told.append(lines()[: len(lines()) - before])
    assert len(told[0]) == 3 and told[0] == told[1] == told[2]
    rights.announce(record.store, record.box_id, doctor(1), withheld)
    assert len(lines()) == 9


def test_a_blocked_treating_physician_has_no_rights_of_his_in_an_emergency(record: Record) -> None:
    """Regulation goes through a block: masks hold then, and what others withheld stays withheld."""
    masked, withheld = (record.file(doctor(1), ("N", code)) for code in ("MASQUE_PS", "INVISIBLE_PATIENT"))
    plain, regulator = record.file(doctor(1)), doctor(2, purpose="regulation")
    rights.appoint(record.store, record.box_id, record.patient, regulator.ident)
    assert masked in record.seen(regulator)
    rights.block(record.store, record.box_id, record.patient, regulator.ident)
    assert record.seen(regulator) == {plain, withheld}
    for act, number in ((rights.announce, withheld), (rights.mask, plain)):
        with pytest.raises(RightsError) as caught:
            act(record.store, record.box_id, regulator, number)
        assert caught.value.rule == "dossier.author"
    with pytest.raises(NotFoundError):
        record.read(regulator, masked)


def test_nobody_passes_for_the_patient_by_his_ins(desk: Desk) -> None:
    """What the patient deposited is his whole side's alone, whatever identifier somebody else has."""
    desk.deposit()
    (mine,) = desk.seen()
    namesake = Actor(by="professional", ident=desk.me.ident, profession="10")
    with pytest.raises(dossier.DossierError) as caught:
        desk.deposit(actor=namesake, content=PDF + b"2", said=Said(set_id=mine.set_id, version=2), **REPORT)
    assert caught.value.rule == "dossier.author"
    with pytest.raises(dossier.DossierError) as caught:
        desk.store.write(
            dossier.delete_document,
            box_id=desk.box_id,
            unique_id=mine.unique_id,
            by=dossier.depositor_of(namesake),
        )
    assert caught.value.rule == "dossier.author"
    assert desk.seen() == [mine]


def test_depositing_again_does_not_tell_that_it_was_hidden(desk: Desk) -> None:
    box, mother, child = desk.box_of(CHILD), desk.person(MOTHER, CHILD), desk.person(CHILD)
    first = desk.deposit(actor=mother, box_id=box)
    rights.hide(desk.store, box, child, first.document_id)
    assert desk.seen(mother, box_id=box) == []
    again = desk.deposit(actor=mother, box_id=box)
    assert again.outcome == "filed"
    assert desk.deposit(actor=mother, box_id=box).document_id == again.document_id


def test_a_refused_deposit_does_not_tell_that_something_is_to_be_withheld(desk: Desk) -> None:
    both = Said(confidentiality=["MASQUE_PS", "INVISIBLE_PATIENT"])
    other = Said(set_id="\n")
    for said in (both, other):
        with pytest.raises(dossier.DossierError):
            desk.deposit(actor=DOCTOR, said=said, **REPORT)
    lines = dossier.history_for(desk.store, desk.box_id, desk.me)
    refused = {(one.french, one.english, one.why) for one in lines if one.refused}
    assert len(refused) == 1


def test_a_right_lost_meanwhile_leaves_a_refusal_in_the_journal(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, mother = desk.box_of(CHILD), desk.person(MOTHER, CHILD)
    filed = desk.deposit(actor=mother, box_id=box)

    def removed() -> None:
        desk.store.write(
            patients.remove_representative, ins=CHILD, representative=MOTHER, actor="desk", reason="court"
        )

    real = Store.place_body

    def placing(self: Store, box_id: int, spool: Spool) -> object:
        placed = real(self, box_id, spool)
        removed()
        return placed

    monkeypatch.setattr(Store, "place_body", placing)
    with pytest.raises(RightsError) as caught:
        desk.deposit("mot.txt", actor=mother, box_id=box)
    assert caught.value.rule == "dossier.stranger"
    assert desk.told(box)[-1] == ("document_deposited", "dossier.stranger")
    monkeypatch.undo()
    assert [one.document_id for one in desk.seen(desk.person(CHILD), box_id=box)] == [filed.document_id]


def test_naming_what_is_not_there_to_replace_leaves_a_refusal(desk: Desk) -> None:
    with pytest.raises(NotFoundError):
        desk.deposit(actor=DOCTOR, replaces="1.2.3", **REPORT)
    assert desk.told() == [("document_replaced", "dossier.unknown")]


@pytest.mark.parametrize("ident", ["10000000001", "751234567"])
def test_a_number_that_nobody_comes_with_is_not_blocked(record: Record, ident: str) -> None:
    """A block by the bare RPPS or ADELI number would shut nobody out: an IdNat_PS begins with its kind."""
    with pytest.raises(InvalidInputError) as caught:
        rights.block(record.store, record.box_id, record.patient, ident)
    assert caught.value.rule == "dossier.professional"


def test_a_hospital_is_not_one_reader(desk: Desk) -> None:
    """Who works where a document was written reads it when he is let in, as anybody."""
    filed = desk.deposit(actor=DOCTOR, **REPORT)
    mate = msgspec.structs.replace(DOCTOR, ident="810000000009", address="paul@hopital.mssante.fr")
    assert desk.seen(mate) == []
    with pytest.raises(RightsError) as caught:
        desk.bytes_of(filed.document_id, mate)
    assert caught.value.rule == "dossier.not_authorised"
    rights.authorise(desk.store, desk.box_id, desk.me, mate.ident)
    assert desk.bytes_of(filed.document_id, mate)
    rights.mask(desk.store, desk.box_id, desk.me, filed.document_id)
    assert desk.seen(mate) == [] and len(desk.seen(DOCTOR)) == 1
    assert dossier.remove(desk.store, desk.box_id, mate, filed.document_id).outcome == "deleted"


def test_what_is_said_to_be_of_the_past_takes_no_newer_place(desk: Desk) -> None:
    """An archive may say what it likes: what it dates before a document of the record does not end it."""
    here = desk.deposit(actor=DOCTOR, said=Said(unique_id="1.2.3"), **REPORT)
    (old,) = desk.seen()
    said = Said(
        title="x", type_code="11488-4", class_code="10", mime="application/pdf", unique_id="1.2.4",
        replaces=["1.2.3"], created_at=old.created_at - 1, version=2,
    )  # fmt: skip
    filed = dossier.keep(desk.store, desk.box_id, desk.me, PDF + b"2", said, past=True)
    assert filed.outcome == "filed"
    assert [one.status for one in desk.seen() if one.document_id == here.document_id] == ["approved"]
