"""Attachments of a message saved into the record: by whom, as what, once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from bridge_support import OTHER_INS, T0, archive, pdf

import annuaire
import patients
from annuaire.demo import write_mssante
from dossier.rights import RightsError
from gateway.dmp_bridge import (
    FilingJob,
    FilingReport,
    FilingWorker,
    LocalDossier,
    encode_job,
    save_parts,
)
from store import InvalidInputError, NotFoundError, Tx, mail, operation, tasks
from tests.dmp_bridge.saving_support import SENDER, his_archive, his_cda, message, receive
from tests.dossier.deposit_support import CHILD, KINDS, MOTHER, OPERATOR, PATIENT, Desk, image

PDF = ("compte rendu.pdf", "application/pdf", pdf("lettre"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    row = {
        "kind": "PER", "address": SENDER, "national": "810009999991", "civility": "DR", "family": "EXEMPLE",
        "given": "MARIE", "profession": "10", "speciality": "SM26",
    }  # fmt: skip
    with made.store:
        annuaire.import_extraction(made.store, write_mssante(tmp_path / "mss.txt", [row]))
        yield made


def saved(desk: Desk, number: int, *parts: int, **more: object) -> list[tuple[int, str, str]]:
    chosen = list(parts) or None
    made = save_parts(desk.store, desk.box_id, number, desk.me, chosen, **more)  # type: ignore[arg-type]
    return [(one.part, one.outcome, one.rule) for one in made]


def test_all_at_once(desk: Desk) -> None:
    files = [(name, kind, content) for name, (kind, content) in KINDS.items()]
    number = receive(desk, message(*files, ("IHE_XDM.ZIP", "application/zip", his_archive(his_cda(1)))))
    assert saved(desk, number) == [(part, "filed", "") for part in range(1, 8)]
    found = {one.info.mime: one for one in desk.seen()}
    assert set(found) == {*(kind for kind, _ in KINDS.values()), "text/xml"}
    for one in found.values():
        assert (one.deposited_by, one.depositor_id, one.message_id) == ("patient", PATIENT, number)
    photo = found["image/jpeg"]
    assert photo.info.author == "Marie EXEMPLE"  # in words; nothing claims that he deposited it
    assert (photo.author_id, photo.info.type_code) == ("", "EXPPAT_2")
    document = found["text/xml"]
    assert (document.author_id, document.info.type_code) == ("899700000001", "11488-4")
    assert document.created_at == T0
    assert desk.bytes_of(document.document_id) == his_cda(1)
    assert desk.told() == [("document_saved", "")] * 7
    assert saved(desk, number) == [(part, "duplicate", "") for part in range(1, 8)]
    assert len(desk.told()) == 7


def test_one_of_them_under_a_heading(desk: Desk) -> None:
    number = receive(desk, message(PDF, ("photo.jpg", "image/jpeg", image("JPEG"))))
    assert saved(desk, number, 2, category="Certificats") == [(2, "filed", "")]
    (found,) = desk.seen()
    assert (found.info.type_code, found.info.title) == ("DOCPAT07", "photo")
    assert saved(desk, number, 1) == [(1, "filed", "")]


@pytest.mark.parametrize(
    ("name", "subject", "code"),
    [
        ("ordonnance.pdf", "x", "DOCPAT02"),
        ("piece.pdf", "Scanner du genou", "DOCPAT04"),
        ("bilan labo.pdf", "x", "DOCPAT05"),
        ("vaccin.pdf", "x", "DOCPAT06"),
        ("certificat.pdf", "x", "DOCPAT07"),
        ("consultation.pdf", "x", "DOCPAT03"),
        ("piece.pdf", "x", "EXPPAT_2"),
    ],
)
def test_the_heading_is_guessed(desk: Desk, name: str, subject: str, code: str) -> None:
    number = receive(desk, message((name, "application/pdf", pdf()), subject=subject))
    saved(desk, number)
    assert [one.info.type_code for one in desk.seen()] == [code]


def test_what_may_not_be_saved_tells_why(desk: Desk) -> None:
    number = receive(
        desk,
        message(
            ("macro.docm", "application/msword", b"PK\x03\x04"),
            ("faux.pdf", "application/pdf", b"MZ"),
            ("trop.txt", "text/plain", b"x" * 5_000_001),
            ("IHE_XDM.ZIP", "application/zip", archive(his_cda(1, ins=OTHER_INS), ins=OTHER_INS)),
            ("IHE_XDM(1).ZIP", "application/zip", b"no zip"),
            ("courrier.xml", "text/xml", his_cda(1)),
            PDF,
        ),
    )
    assert saved(desk, number) == [
        (1, "refused", "dossier.media"),
        (2, "refused", "dossier.media"),
        (3, "refused", "dossier.size"),
        (4, "refused", "identity.metadata"),
        (5, "refused", "xdm.zip"),
        (6, "refused", "dossier.media"),
        (7, "filed", ""),
    ]
    with pytest.raises(InvalidInputError):
        saved(desk, number, 8)
    with pytest.raises(InvalidInputError):
        saved(desk, number, 0)
    with pytest.raises(NotFoundError):
        saved(desk, 1)


def test_images_of_the_text_are_left_out_unless_asked_for(desk: Desk) -> None:
    number = receive(desk, message(("logo.png", "image/png", image("PNG")), inline=True))
    assert saved(desk, number) == [(1, "passed", "plan.inline")]
    assert saved(desk, number, 1) == [(1, "filed", "")]


@operation("test.add_saving_filing")
def add_filing(tx: Tx, *, box_id: int, payload: bytes) -> int:
    return tasks.add_task(
        tx, queue=tasks.FILING, box_id=box_id, payload=payload, due_at=tx.now, subject_key="x", trace_id="t"
    )


async def test_what_the_bridge_filed_is_told_as_a_duplicate(desk: Desk) -> None:
    latin = ("mot.txt", "text/plain; charset=iso-8859-1", "à jeûn".encode("latin-1"))
    xdm = ("IHE_XDM.ZIP", "application/zip", his_archive(his_cda(1)))
    number = receive(desk, message(PDF, latin, xdm))
    job = FilingJob(ins=PATIENT, message_id=number, sender=SENDER, trace_id="t", received_at=T0)
    desk.store.write(add_filing, box_id=desk.box_id, payload=encode_job(job))

    async def silent(report: FilingReport) -> None:
        assert report.code == 0

    await FilingWorker(desk.store, LocalDossier(desk.store), silent, owner="test").run_once()
    filed = {one.document_id for one in desk.seen()}
    assert len(filed) == 3
    assert desk.told() == [("document_deposited", "")] * 3
    made = save_parts(desk.store, desk.box_id, number, desk.me)
    assert [one.outcome for one in made] == ["duplicate"] * 3
    assert {one.document_id for one in made} == filed
    assert len(desk.told()) == 3


def test_text_is_kept_in_utf8(desk: Desk) -> None:
    latin = ("mot.txt", "text/plain; charset=iso-8859-1", "à jeûn".encode("latin-1"))
    saved(desk, receive(desk, message(latin)))
    (found,) = desk.seen()
    assert desk.bytes_of(found.document_id) == "à jeûn".encode()


def test_a_mother_saves_but_not_from_what_is_kept_from_her(desk: Desk) -> None:
    box = desk.box_of(CHILD)
    mother = desk.person(MOTHER, CHILD)
    number = receive(desk, message(PDF), box)
    assert save_parts(desk.store, box, number, mother)[0].outcome == "filed"
    secret = receive(desk, message(("ivg.pdf", "application/pdf", pdf("secret"))), box)
    (row,) = desk.store.read(mail.message_rows, box, [secret])
    desk.store.write(
        patients.set_secret, box_id=box, kind="message", item=bytes(row.sha256), event="hide",
        by="professional", actor="x",
    )  # fmt: skip
    with pytest.raises(NotFoundError):
        save_parts(desk.store, box, secret, mother)
    assert len(desk.seen(mother, box_id=box)) == 1


def test_neither_a_stranger_nor_support_saves_anything(desk: Desk) -> None:
    number = receive(desk, message(PDF))
    stranger = desk.person(MOTHER)
    for actor in (stranger, OPERATOR):
        with pytest.raises(RightsError):
            save_parts(desk.store, desk.box_id, number, actor)
    assert desk.seen() == []


def test_it_is_known_by_what_came(desk: Desk) -> None:
    saved(desk, receive(desk, message(PDF)))
    assert [one.content_sha256 for one in desk.seen()] == [hashlib.sha256(PDF[2]).digest()]
