from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dossier
from dossier import CATEGORIES, Depositor, Document, DocumentInfo, DossierError, Filed, NewDocument, category
from dossier import documents as raw
from store import NotFoundError, PasserelleError, Store, StoreError

DOCTOR = Depositor(address="marie@hopital.mssante.fr", id_nat="810000000001", struct_id="1750803447")
STRANGER = Depositor(address="paul@autre.mssante.fr", id_nat="810000000002", struct_id="1999999999")
INFO = DocumentInfo(
    title="Compte rendu de consultation de cardiologie",
    type_code="11488-4",
    type_label="CR ou fiche de consultation ou de visite",
    class_code="10",
    class_label="Compte rendu",
    format_code="urn:ihe:iti:xds-sd:pdf:2008",
    author="Marie EXEMPLE",
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def box(store: Store) -> int:
    return store.create_box(
        address="279035121518989@patient.mssante.fr", kind="patient", owner="279035121518989"
    )


def new(store: Store, box_id: int, number: int = 1, **changes: Any) -> NewDocument:
    content = changes.pop("content", b"<ClinicalDocument/>" * number)
    spool = store.spool()
    spool.write(content)
    values: dict[str, Any] = {
        "box_id": box_id,
        "unique_id": f"1.2.{number}",
        "set_id": f"1.3.{number}",
        "version": 1,
        "author_id": "810000000001",
        "author_struct": "1750803447",
        "depositor": DOCTOR,
        "created_at": 1_700_000_000_000 + number,
        "content_sha256": spool.sha256,
        "replaces": [],
        "trace_id": "t",
        "message_id": 7,
        "info": INFO,
    }
    return dossier.prepare_document(store, spool, **(values | changes))


def filed(store: Store, document: NewDocument) -> Filed:
    return store.write(dossier.file_document, new=document)


def listed(store: Store, box_id: int, *, history: bool = False) -> list[Document]:
    return store.read(raw.documents, store, box_id, history=history)


def refused(store: Store, document: NewDocument) -> tuple[str, int]:
    before = listed(store, document.box_id, history=True)
    with pytest.raises(DossierError) as caught:
        filed(store, document)
    assert listed(store, document.box_id, history=True) == before
    return caught.value.rule, caught.value.application


def test_file_list_open(store: Store, box: int) -> None:
    content = b"x" * 600_000
    one = filed(store, new(store, box, 1, content=content))
    two = filed(store, new(store, box, 2))
    assert (one.outcome, two.outcome) == ("filed", "filed")
    found = listed(store, box)
    assert [document.document_id for document in found] == [two.document_id, one.document_id]
    assert found[1].info == INFO
    assert (found[1].status, found[1].size, found[1].message_id) == ("approved", 600_000, 7)
    assert raw.open_document(store, found[1]).read(0, 10**6) == content
    assert store.read(raw.document_by_id, store, one.document_id) == found[1]
    assert store.read(raw.document_by_unique_id, store, box, "1.2.1") == found[1]
    assert store.read(raw.document_by_unique_id, store, box, "1.2.9") is None
    with pytest.raises(NotFoundError):
        store.read(raw.document_by_id, store, 5)


def test_it_survives_a_restart(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as first:
        box = first.create_box(address="a@patient.mssante.fr", kind="patient", owner="a")
        filed(first, new(first, box, 1, content=b"durable"))
    with Store.open(tmp_path / "home") as second:
        (found,) = listed(second, box)
        assert raw.open_document(second, found).read(0, 100) == b"durable"


def test_the_same_document_twice(store: Store, box: int) -> None:
    first = filed(store, new(store, box, 1))
    again = filed(store, new(store, box, 1))
    assert again == Filed(first.document_id, "duplicate")
    assert len(listed(store, box)) == 1
    digest = listed(store, box)[0].sha256
    assert store.read(dossier.is_filed, box, "1.2.1", digest)
    assert not store.read(dossier.is_filed, box, "1.2.1", b"x" * 32)
    assert not store.read(dossier.is_filed, box, "1.2.2", digest)
    assert refused(store, new(store, box, 1, content=b"other")) == ("dossier.unique_id", 906)


def test_two_patients_may_have_the_same_id(store: Store, box: int) -> None:
    other = store.create_box(address="b@patient.mssante.fr", kind="patient", owner="b")
    assert filed(store, new(store, box, 1)).outcome == filed(store, new(store, other, 1)).outcome == "filed"
    assert len(listed(store, box)) == len(listed(store, other)) == 1


def test_replace(store: Store, box: int) -> None:
    old = filed(store, new(store, box, 1))
    done = filed(store, new(store, box, 2, set_id="1.3.1", version=2, replaces=["1.2.1"]))
    assert done.outcome == "replaced"
    assert [document.document_id for document in listed(store, box)] == [done.document_id]
    before = store.read(raw.document_by_id, store, old.document_id)
    assert (before.status, before.replaced_by) == ("deprecated", done.document_id)
    assert before.ended_at is not None
    # the old version comes again: nothing changes
    assert filed(store, new(store, box, 1)).outcome == "duplicate"
    assert [document.status for document in listed(store, box, history=True)] == ["approved", "deprecated"]


@pytest.mark.parametrize(
    "changes",
    [
        {"set_id": "1.3.1", "version": 1},  # same set, same version
        {"set_id": "1.3.1", "version": 0},  # older
        {"replaces": ["1.2.1"], "version": 1},  # replaces without a newer version
    ],
)
def test_versions_must_grow(store: Store, box: int, changes: dict[str, Any]) -> None:
    filed(store, new(store, box, 1))
    assert refused(store, new(store, box, 2, **changes)) == ("dossier.version", 900)


def test_what_was_replaced_cannot_be_replaced_again(store: Store, box: int) -> None:
    filed(store, new(store, box, 1))
    filed(store, new(store, box, 2, set_id="1.3.1", version=2, replaces=["1.2.1"]))
    third = new(store, box, 3, set_id="1.3.9", version=3, replaces=["1.2.1"])
    assert refused(store, third) == ("dossier.version", 900)


def test_a_replacement_of_something_unknown_is_filed(store: Store, box: int) -> None:
    assert filed(store, new(store, box, 2, version=2, replaces=["9.9.9"])).outcome == "filed"


def test_only_the_author_or_his_structure_replaces(store: Store, box: int) -> None:
    filed(store, new(store, box, 1))
    theft = new(store, box, 2, set_id="1.3.1", version=2, depositor=STRANGER, author_id="810000000001")
    assert refused(store, theft) == ("dossier.author", 901)
    colleague = Depositor(address="secretariat@hopital.mssante.fr", struct_id="1750803447")
    assert (
        filed(store, new(store, box, 3, set_id="1.3.1", version=2, depositor=colleague)).outcome == "replaced"
    )


def test_unknown_identifiers_match_nobody(store: Store, box: int) -> None:
    nobody = Depositor(address="app@hopital.mssante.fr")
    filed(store, new(store, box, 1, author_id="", author_struct="", depositor=nobody))
    other = Depositor(address="app@autre.mssante.fr")
    theft = new(store, box, 2, set_id="1.3.1", version=2, author_id="", author_struct="", depositor=other)
    assert refused(store, theft) == ("dossier.author", 901)
    again = Depositor(address="APP@hopital.mssante.fr")
    assert filed(store, new(store, box, 3, set_id="1.3.1", version=2, depositor=again)).outcome == "replaced"


def test_delete(store: Store, box: int) -> None:
    filed(store, new(store, box, 1))
    for by, unique_id, rule, code in (
        (STRANGER, "1.2.1", "dossier.author", 901),
        (DOCTOR, "1.2.7", "dossier.unknown", 906),
    ):
        with pytest.raises(DossierError) as caught:
            store.write(dossier.delete_document, box_id=box, unique_id=unique_id, by=by)
        assert (caught.value.rule, caught.value.application) == (rule, code)
    for _ in range(2):
        assert (
            store.write(dossier.delete_document, box_id=box, unique_id="1.2.1", by=DOCTOR).outcome
            == "deleted"
        )
    assert listed(store, box) == []
    assert [document.status for document in listed(store, box, history=True)] == ["deleted"]
    assert refused(store, new(store, box, 1)) == (
        "dossier.deleted",
        906,
    )  # it does not come back, and that is told
    revived = new(store, box, 2, version=2, replaces=["1.2.1"])
    assert refused(store, revived) == ("dossier.version", 900)


def test_what_tells_of_health_is_sealed(store: Store, box: int) -> None:
    filed(store, new(store, box, 1, content=b"secret diagnosis" * 50))
    raw = b"".join(path.read_bytes() for path in store.home.rglob("*") if path.is_file())
    for secret in (b"cardiologie", b"11488-4", b"secret diagnosis", b"EXEMPLE"):
        assert secret not in raw


def test_a_sealed_document_cannot_pass_for_another(store: Store, box: int) -> None:
    one, two = new(store, box, 1), new(store, box, 2)
    filed(
        store,
        NewDocument(**{name: getattr(one, name) for name in one.__struct_fields__} | {"sealed": two.sealed}),
    )
    with pytest.raises(StoreError):
        listed(store, box)


def test_a_closed_box_takes_nothing(store: Store) -> None:
    spool = store.spool()
    spool.write(b"x")
    with pytest.raises(PasserelleError):
        store.place_body(404, spool)
    spool.discard()


def test_every_type_has_a_heading() -> None:
    assert category("11502-2", "10") == "Résultats de biologie"
    assert category("18748-4", "31") == "Radio, écho, scanner, IRM"
    assert category("57833-6", "42") == "Ordonnances et soins"
    assert category("SYNTH", "11") == "Ma santé en résumé"
    assert category("11488-4", "10") == "Comptes rendus"
    assert category("", "") == "Autres"
    assert len(set(CATEGORIES)) == 10
