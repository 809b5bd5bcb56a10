"""What a patient, who represents him, a professional and a structure deposit, replace and delete."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select

import dossier
import patients
from dossier import PATIENT_LIMIT, PATIENT_TYPES, DossierError, Filed, Said
from dossier.rights import RightsError
from dossier.tables import document
from store import NotFoundError, Spool, Store, now_ms
from tests.dossier.deposit_support import (
    CHILD,
    DOCTOR,
    HOSPITAL,
    KINDS,
    MOTHER,
    OPERATOR,
    PATIENT,
    PDF,
    Desk,
    image,
)
from tests.store.postgres import new_database, postgres_server


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    with made.store:
        yield made


def rule_of(desk: Desk, **changes: object) -> str:
    before = desk.seen(history=True)
    with pytest.raises(DossierError) as caught:
        desk.deposit(**changes)  # type: ignore[arg-type]
    assert desk.seen(history=True) == before
    return caught.value.rule


# -- the patient ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_kept_as_the_file_it_is(desk: Desk, name: str) -> None:
    mime, content = KINDS[name]
    filed = desk.deposit(name)
    (found,) = desk.seen()
    assert filed == Filed(found.document_id, "filed")
    assert (found.info.mime, found.info.filename, found.info.title) == (mime, name, name.split(".")[0])
    assert (found.deposited_by, found.from_patient, found.depositor) == ("patient", True, "")
    assert found.info.author == desk.me.name
    assert desk.bytes_of(found.document_id) == content
    assert desk.told() == [("document_deposited", "")]
    assert desk.journal()[0].subject == str(found.document_id)
    assert desk.journal()[0].details.more["title"] == found.info.title


@pytest.mark.parametrize(("heading", "code"), PATIENT_TYPES.items())
def test_the_heading_gives_type_and_class(desk: Desk, heading: str, code: str) -> None:
    desk.deposit(category=heading)
    (found,) = desk.seen()
    known = dossier.find_code("type", code)
    assert known is not None
    assert (found.info.type_code, found.info.class_code) == (code, known.class_code)
    assert dossier.category(found.info.type_code, found.info.class_code) == heading


def test_a_heading_must_be_chosen(desk: Desk) -> None:
    assert rule_of(desk, category="") == "dossier.category"
    assert rule_of(desk, category="Horoscopes") == "dossier.category"
    assert rule_of(desk, category="", type_code="11488-4") == "dossier.category"
    assert rule_of(desk, category="", type_code="DOCPAT08") == "dossier.category"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("virus.pdf", b"MZ\x90\x00 not a PDF"),
        ("vide.txt", b""),
        ("page.html", b"<html></html>"),
        ("archive.zip", b"PK\x03\x04"),
        ("photo.jpg", image("PNG")),  # another kind than it says
        ("photo.png", image("PNG")[:40]),  # cut short
        ("photo.jpg", b"\xff\xd8\xff" + bytes(200)),
        ("fax.tif", b"II*\x00" + b"\xff" * 100),
        ("texte.txt", b"a\x00b"),
        ("courrier.xml", b"<?xml version='1.0'?><ClinicalDocument xmlns='urn:hl7-org:v3'/>"),
        ("sans-extension", PDF),
    ],
)
def test_what_is_not_what_it_says_is_refused(desk: Desk, name: str, content: bytes) -> None:
    assert rule_of(desk, name=name, content=content) == "dossier.media"
    assert desk.told() == []  # he is told himself


def test_the_size_has_a_limit(desk: Desk) -> None:
    text = b"x" * PATIENT_LIMIT
    assert desk.deposit("mot.txt", content=text).outcome == "filed"
    assert rule_of(desk, name="mot.txt", content=text + b"y") == "dossier.size"


def _png(width: int, height: int) -> bytes:
    """A PNG whose header announces a size that its few octets do not hold."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("size", [(7746, 7746), (12_000, 12_000), (2_000_000, 2_000_000)])
def test_a_bomb_of_pixels_is_refused(desk: Desk, size: tuple[int, int]) -> None:
    assert rule_of(desk, name="photo.png", content=_png(*size)) == "dossier.image"


def test_too_many_pages_are_refused(desk: Desk) -> None:
    pages = image("TIFF", (1, 1), pages=201)
    assert rule_of(desk, name="fax.tif", content=pages) == "dossier.image"


def test_the_same_file_twice_is_one_document(desk: Desk) -> None:
    first = desk.deposit()
    again = desk.deposit(title="Un autre titre", category="Autres")
    assert again == Filed(first.document_id, "duplicate")
    assert len(desk.seen()) == 1
    assert desk.told() == [("document_deposited", "")]
    dossier.remove(desk.store, desk.box_id, desk.me, first.document_id)
    assert desk.deposit().outcome == "filed"  # what was deleted may come again


def test_a_duplicate_of_what_he_may_not_see_is_not_told(desk: Desk) -> None:
    withheld = Said(confidentiality=["INVISIBLE_PATIENT"])
    hidden = desk.deposit(actor=DOCTOR, category="", type_code="11488-4", said=withheld)
    assert desk.seen() == []
    mine = desk.deposit()
    assert mine.outcome == "filed" and mine.document_id != hidden.document_id


def test_he_replaces_and_deletes_what_he_deposited(desk: Desk) -> None:
    first = desk.deposit()
    (old,) = desk.seen()
    second = desk.deposit("dessin.png", category="", replaces=old.unique_id, title="Mieux")
    assert second.outcome == "replaced"
    (current,) = desk.seen()
    assert (current.version, current.set_id, current.info.title) == (2, old.set_id, "Mieux")
    assert current.info.type_code == old.info.type_code
    # the same file again under another title is a new version, no duplicate
    third = desk.deposit("dessin.png", replaces=current.unique_id, title="Encore mieux")
    family = [third.document_id, second.document_id, first.document_id]
    for number in family:
        versions = desk.store.read(dossier.document_versions, desk.store, desk.box_id, number, desk.me)
        assert [one.document_id for one in versions] == family
    assert dossier.remove(desk.store, desk.box_id, desk.me, third.document_id).outcome == "deleted"
    assert desk.seen() == []
    with pytest.raises(NotFoundError):
        desk.bytes_of(third.document_id)
    assert [what for what, rule in desk.told() if not rule] == [
        "document_deposited", "document_replaced", "document_replaced", "document_deleted",
    ]  # fmt: skip


def test_he_touches_nothing_of_a_professional(desk: Desk) -> None:
    filed = desk.deposit(actor=DOCTOR, category="", type_code="11488-4")
    (found,) = desk.seen()
    with pytest.raises(RightsError) as caught:
        desk.deposit("dessin.png", replaces=found.unique_id)
    assert caught.value.rule == "dossier.author"
    with pytest.raises(RightsError):
        dossier.remove(desk.store, desk.box_id, desk.me, filed.document_id)
    assert desk.seen() == [found]
    assert desk.told()[1:] == [
        ("document_replaced", "dossier.author"),
        ("document_deleted", "dossier.author"),
    ]


def test_what_is_replaced_must_be_there(desk: Desk) -> None:
    with pytest.raises(NotFoundError):
        desk.deposit(replaces="1.2.3")


@pytest.mark.parametrize("moment", [-3_000_000_000_000, 9_000_000_000_000])
def test_impossible_dates_are_refused(desk: Desk, moment: int) -> None:
    assert rule_of(desk, date=moment) == "dossier.date"


def test_the_date_of_the_document_is_kept(desk: Desk) -> None:
    born = -1_234_567_000  # 1969: an old paper
    desk.deposit(date=born)
    desk.deposit("dessin.png")
    new, old = desk.seen()
    assert old.created_at == born
    assert abs(new.created_at - now_ms()) < 60_000


def test_the_patient_cannot_pass_for_somebody_else(desk: Desk) -> None:
    said = Said(author_id="810000000001", author_struct="1750803447", confidentiality=["MASQUE_PS"])
    desk.deposit(said=said)
    (found,) = desk.seen()
    assert (found.author_id, found.author_struct, found.info.confidentiality) == ("", "", ["N"])


# -- who represents him ---------------------------------------------------------------------------


def test_a_mother_deposits_for_her_child_and_both_own_it(desk: Desk) -> None:
    box = desk.box_of(CHILD)
    mother = desk.person(MOTHER, CHILD)
    filed = desk.deposit(actor=mother, box_id=box)
    (found,) = desk.seen(mother, box_id=box)
    assert (found.deposited_by, found.depositor_id) == ("representative", MOTHER)
    assert dossier.remove(desk.store, box, desk.person(CHILD), filed.document_id).outcome == "deleted"


def test_a_stranger_deposits_nothing(desk: Desk) -> None:
    stranger = msgspec.structs.replace(desk.person(MOTHER, CHILD), ident=PATIENT)
    with pytest.raises(RightsError):
        desk.deposit(actor=stranger, box_id=desk.box_of(CHILD))
    assert desk.told(desk.box_of(CHILD)) == [("document_deposited", "dossier.stranger")]


def test_nothing_is_deposited_into_a_closed_record(desk: Desk) -> None:
    patients.close(desk.store, PATIENT, actor="test")
    for actor in (desk.me, DOCTOR):
        with pytest.raises(RightsError) as caught:
            desk.deposit(actor=actor, type_code="11488-4")
        assert caught.value.rule == "dossier.closed"


# -- professionals and structures -----------------------------------------------------------------


def test_a_professional_deposits_with_metadata(desk: Desk) -> None:
    said = Said(
        mime="application/pdf",
        unique_id="1.2.250.1.999.7",
        confidentiality=["N", "MASQUE_PS", "UNHEARD_OF", "R"],
        author_speciality="Cardiologie",
        practice="AMBULATOIRE",
        service_at=1_700_000_000_000,
    )
    filed = desk.deposit(actor=DOCTOR, category="", type_code="11488-4", title="Consultation", said=said)
    (found,) = desk.seen(DOCTOR)
    assert found.document_id == filed.document_id
    assert found.unique_id == "1.2.250.1.999.7"
    assert (found.author_id, found.author_struct) == (DOCTOR.ident, DOCTOR.structure)
    assert (found.info.author, found.info.organisation) == (DOCTOR.name, DOCTOR.organisation)
    assert (found.info.class_code, found.info.type_label) == (
        "10",
        "CR ou fiche de consultation ou de visite",
    )
    assert found.info.confidentiality == ["N", "MASQUE_PS"]
    assert desk.deposit(actor=DOCTOR, category="", type_code="11488-4", said=said).outcome == "duplicate"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"type_code": "no-such-type"}, "dossier.type"),
        ({"type_code": "101881-1"}, "dossier.type"),  # the one type without a class in ASS_X04
        ({"type_code": "11488-4", "name": "dessin.png"}, "dossier.media"),  # patients only
        ({"type_code": "11488-4", "said": Said(confidentiality=["MASQUE_PS", "INVISIBLE_PATIENT"])},
         "dossier.together"),
    ],
)  # fmt: skip
def test_what_is_refused_to_a_professional_is_told_to_the_patient(
    desk: Desk, changes: dict[str, object], rule: str
) -> None:
    assert rule_of(desk, actor=DOCTOR, category="", **changes) == rule
    assert desk.told() == [("document_deposited", rule)]


def test_a_type_without_a_class_takes_the_one_that_is_given(desk: Desk) -> None:
    desk.deposit(actor=DOCTOR, category="", type_code="101881-1", said=Said(class_code="11"))
    assert desk.seen()[0].info.class_label == "Synthèse"


@pytest.mark.parametrize(
    "said",
    [Said(unique_id="1" * 129), Said(author_id="8" * 65), Said(set_id="1.2\x00"), Said(author_struct="\n")],
)
def test_identifiers_must_fit(desk: Desk, said: Said) -> None:
    assert rule_of(desk, actor=DOCTOR, category="", type_code="11488-4", said=said) == "dossier.identifier"


def test_a_cda_document_replaces_what_is_named(desk: Desk) -> None:
    def read(version: int) -> dossier.CdaReader:
        return lambda _, __: Said(
            title="v",
            type_code="11502-2",
            unique_id=f"1.2.{version}",
            set_id="",
            created_at=5,
            version=version,
        )

    content = b"<?xml version='1.0'?><ClinicalDocument xmlns='urn:hl7-org:v3'/>"
    dossier.deposit(desk.store, desk.box_id, DOCTOR, content=content, read_cda=read(1))
    done = dossier.deposit(
        desk.store, desk.box_id, DOCTOR, content=content + b" ", read_cda=read(2), replaces="1.2.1"
    )
    assert done.outcome == "replaced"
    assert [one.unique_id for one in desk.seen()] == ["1.2.2"]


def test_his_structure_replaces_what_he_deposited(desk: Desk) -> None:
    desk.deposit(actor=DOCTOR, category="", type_code="11488-4")
    (old,) = desk.seen()
    done = desk.deposit("note.rtf", actor=HOSPITAL, category="", type_code="11488-4", replaces=old.unique_id)
    assert done.outcome == "replaced"
    other = msgspec.structs.replace(DOCTOR, ident="810000000099", structure="1999999999", address="x@y.fr")
    with pytest.raises((RightsError, NotFoundError)):
        dossier.remove(desk.store, desk.box_id, other, done.document_id)
    assert dossier.remove(desk.store, desk.box_id, HOSPITAL, done.document_id).outcome == "deleted"


def test_an_operator_deposits_and_deletes_nothing(desk: Desk) -> None:
    filed = desk.deposit()
    with pytest.raises(RightsError):
        desk.deposit("dessin.png", actor=OPERATOR)
    with pytest.raises(RightsError):
        dossier.remove(desk.store, desk.box_id, OPERATOR, filed.document_id)
    assert len(desk.seen()) == 1


def test_a_reader_of_cda_says_what_the_document_is(desk: Desk) -> None:
    seen: list[tuple[bytes, str]] = []

    def read(content: bytes, profile: patients.Profile) -> Said:
        seen.append((content, profile.ins))
        return Said(title="Du CDA", type_code="11502-2", unique_id="1.2.3", set_id="1.2.4", created_at=5)

    cda = b"<?xml version='1.0'?><ClinicalDocument xmlns='urn:hl7-org:v3'/>"
    said = Said(mime="text/xml", unique_id="1.2.3", confidentiality=["MASQUE_PS"])
    dossier.deposit(desk.store, desk.box_id, DOCTOR, content=cda, said=said, read_cda=read)
    (found,) = desk.seen()
    assert seen == [(cda, PATIENT)]
    assert (found.info.title, found.info.mime, found.unique_id) == ("Du CDA", "text/xml", "1.2.3")
    assert found.info.confidentiality == ["N", "MASQUE_PS"]
    with pytest.raises(DossierError) as caught:
        dossier.deposit(
            desk.store, desk.box_id, DOCTOR, content=cda, read_cda=read,
            said=Said(mime="text/xml", unique_id="9.9"),
        )  # fmt: skip
    assert caught.value.rule == "dossier.cda"


# -- together -------------------------------------------------------------------------------------


def _deposited_by_eight(desk: Desk) -> None:
    """Eight threads deposit the same file at once: one document, told once."""
    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(one.outcome for one in pool.map(lambda _: desk.deposit(), range(8)))
    assert outcomes == ["duplicate"] * 7 + ["filed"]
    assert len(desk.seen()) == 1
    assert desk.told() == [("document_deposited", "")]


def test_the_same_file_eight_times_at_once(desk: Desk) -> None:
    _deposited_by_eight(desk)


def test_a_record_that_closes_meanwhile_takes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Store.place_body

    def closing(self: Store, box_id: int, spool: Spool) -> object:
        placed = place(self, box_id, spool)
        patients.close(self, PATIENT, actor="test")  # after the decision, before the writing
        return placed

    monkeypatch.setattr(Store, "place_body", closing)
    with pytest.raises(RightsError) as caught:
        desk.deposit()
    assert caught.value.rule == "dossier.closed"
    assert _rows(desk) == set()


@pytest.mark.package("postgres")
def test_deposits_on_postgresql(tmp_path: Path) -> None:
    with postgres_server() as url:
        desk = Desk(tmp_path / "home", url=new_database(url, "deposits"))
        with desk.store:
            _deposited_by_eight(desk)
            (old,) = desk.seen()
            new = desk.deposit("dessin.png", replaces=old.unique_id)
            assert [one.version for one in desk.seen(history=True)] == [2, 1]
            dossier.remove(desk.store, desk.box_id, desk.me, new.document_id)
            patients.close(desk.store, PATIENT, actor="test")
            patients.ask_deletion(desk.store, PATIENT, actor="test", reason="demande")
            assert _rows(desk) == set()


# -- what becomes of it ---------------------------------------------------------------------------


def test_deleting_a_profile_drops_its_documents(desk: Desk) -> None:
    desk.deposit()
    child = desk.box_of(CHILD)
    desk.deposit(actor=desk.person(MOTHER, CHILD), box_id=child)
    assert _rows(desk) == {desk.box_id, child}
    patients.close(desk.store, PATIENT, actor="test")
    assert _rows(desk) == {desk.box_id, child}  # closed is not deleted
    patients.ask_deletion(desk.store, PATIENT, actor="test", reason="demande")
    assert _rows(desk) == {child}


def _rows(desk: Desk) -> set[int]:
    return set(desk.store.read(lambda conn: conn.execute(select(document.c.box_id)).scalars().all()))


# -- words ----------------------------------------------------------------------------------------


@given(st.text())
@example("a\u202egpj.exe")
@example("\ufeffx\u200b y\u2066z\x00\x1b[31m")
@example("e\u0301" * 200)
def test_titles_are_one_clean_line(text: str) -> None:
    cleaned = dossier.clean(text)
    assert len(cleaned) <= 128
    assert cleaned == cleaned.strip() == " ".join(cleaned.split())
    assert cleaned.isprintable()
    assert dossier.clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\moi\\Mes documents\\bilan.pdf", "bilan.pdf"),
        ("...caché", "caché"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ('a"<b>|c?.pdf', "a__b__c_.pdf"),
        ("", ""),
        ("///", ""),
    ],
)
def test_names_of_files_are_cleaned(name: str, cleaned: str) -> None:
    assert dossier.clean_filename(name) == cleaned


def test_a_title_is_made_of_the_name(desk: Desk) -> None:
    assert dossier.title_from("Bilan_sanguin  2024.pdf", "x") == "Bilan sanguin 2024"
    assert dossier.title_from("", "Compte rendu") == "Compte rendu"
    assert dossier.title_from("sans extension", "x") == "sans extension"
