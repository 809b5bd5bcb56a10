"""Lists and bodies of documents: what each reader is given, and the trace that it leaves, or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import dossier
from dossier import Wanted, access, rights
from dossier.rights import RightsError
from store import NotFoundError, StoreError
from tests.dossier.rights_support import BIOLOGY, PRESCRIPTION, SUPPORT, Record, depositor, doctor

AUTHOR, OTHER = doctor(1), doctor(2)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    made = Record(tmp_path / "home")
    yield made
    made.store.close()


def test_a_list_is_filtered_after_the_rights(record: Record) -> None:
    biology, masked = record.file(AUTHOR, kind=BIOLOGY), record.file(AUTHOR, ("N", "MASQUE_PS"), kind=BIOLOGY)
    other = record.file(AUTHOR, kind=PRESCRIPTION)
    rights.authorise(record.store, record.box_id, record.patient, OTHER.ident)
    for who, wanted, found in (
        (OTHER, Wanted(), [other, biology]),
        (OTHER, Wanted(class_code="10"), [biology]),
        (OTHER, Wanted(text="document 2"), []),
        (AUTHOR, Wanted(class_code="10"), [masked, biology]),
    ):
        listed = dossier.list_documents(record.store, record.box_id, who, wanted)
        assert [one.document_id for one in listed] == found
    assert [what for what, _, _ in record.told()[1:]] == ["documents_listed"] * 4


def test_looking_up_one_leaves_no_trace(record: Record) -> None:
    number, withheld = record.file(AUTHOR), record.file(AUTHOR, ("N", "INVISIBLE_PATIENT"))
    store, box = record.store, record.box_id
    assert store.read(dossier.document_for, store, box, number, record.patient).info.title == "Document 1"
    for gone in (withheld, 7):
        with pytest.raises(NotFoundError) as caught:
            store.read(dossier.document_for, store, box, gone, record.patient)
        assert caught.value.rule == "dossier.unknown"
    with pytest.raises(RightsError) as refused:
        store.read(dossier.document_for, store, box, number, OTHER)
    assert (refused.value.rule, refused.value.french[:10]) == ("dossier.not_authorised", "Le patient")
    named = store.read(dossier.document_named, store, box, "1.2.1", record.patient)
    assert named is not None
    assert named.document_id == number
    assert store.read(dossier.document_named, store, box, "1.2.2", record.patient) is None
    assert store.read(dossier.document_named, store, box, "1.2.9", record.patient) is None
    assert record.told() == []


def test_what_a_history_may_name(record: Record) -> None:
    plain, withheld, deleted = (
        record.file(AUTHOR),
        record.file(AUTHOR, ("N", "INVISIBLE_PATIENT")),
        record.file(AUTHOR),
    )
    store, box = record.store, record.box_id
    who = depositor(AUTHOR)
    store.write(dossier.delete_document, box_id=box, unique_id="1.2.3", by=who)
    assert store.read(dossier.kept_from, store, box, record.patient) == {withheld}
    assert store.read(dossier.kept_from, store, box, OTHER) == set()
    assert store.read(dossier.titles_for, store, box, record.patient) == {
        plain: ("Document 1", False),
        deleted: ("Document 3", True),
    }
    assert store.read(dossier.titles_for, store, box, OTHER)[plain] == ("", False)
    assert store.read(dossier.titles_for, store, box, SUPPORT)[deleted] == ("", True)


def test_a_list_made_while_rights_change_is_made_again(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody blocks and unblocks without end: a list is never what no moment held."""
    number = record.file(AUTHOR)
    real = access._listing
    turns: list[int] = []

    def meanwhile(*words: object, **named: object) -> object:
        found = real(*words, **named)  # type: ignore[arg-type]
        turns.append(1)
        if len(turns) < limit:
            change = rights.unblock if len(turns) % 2 == 0 else rights.block
            change(record.store, record.box_id, record.patient, OTHER.ident)
        return found

    rights.appoint(record.store, record.box_id, record.patient, OTHER.ident)
    monkeypatch.setattr(access, "_listing", meanwhile)
    limit = 3  # let in; blocked meanwhile; then refused for it
    with pytest.raises(RightsError) as refused:
        dossier.list_documents(record.store, record.box_id, OTHER)
    assert refused.value.rule == "dossier.blocked"
    turns.clear()
    rights.unblock(record.store, record.box_id, record.patient, OTHER.ident)
    limit = 99
    with pytest.raises(StoreError) as busy:
        dossier.list_documents(record.store, record.box_id, AUTHOR)
    assert busy.value.rule == "dossier.busy"
    monkeypatch.undo()
    assert [one.document_id for one in dossier.list_documents(record.store, record.box_id, AUTHOR)] == [
        number
    ]


def test_masked_and_withheld_is_not_filed(record: Record) -> None:
    with pytest.raises(dossier.DossierError) as caught:
        record.file(AUTHOR, ("N", "MASQUE_PS", "INVISIBLE_PATIENT"))
    assert (caught.value.rule, caught.value.application) == ("dossier.together", 906)
    assert record.all() == []
