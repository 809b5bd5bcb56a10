from __future__ import annotations

import hashlib
from typing import Any

import pytest
from bridge_support import (
    INS,
    OTHER_INS,
    SENDER,
    T0,
    archive,
    attachment,
    cda,
    patient,
    pdf,
    rezip,
    structured,
    zip_attachment,
)

from gateway.dmp_bridge import (
    ArchiveDocument,
    Attachment,
    Plan,
    Policy,
    Sender,
    check_header,
    plan_filing,
    read_cda,
)


def plan(*attachments: Attachment, subject: str = "", **changes: Any) -> Plan:
    values: dict[str, Any] = {"patient": patient(), "sender": SENDER, "y": "all", "received_at": T0}
    return plan_filing(list(attachments), subject=subject, default_type="11488-4", **(values | changes))


def ends(found: Plan) -> tuple[int, list[tuple[int, str]], list[str]]:
    return (
        len(found.filings),
        [(one.code, one.rule) for one in found.refused],
        [one.rule for one in found.passed],
    )


def test_archive_and_a_document_beside_it() -> None:
    found = plan(attachment("lettre.pdf", pdf("lettre")), zip_attachment(archive(cda(1))))
    assert ends(found) == (2, [], [])
    structured_one, wrapped = found.filings
    assert structured_one.unique_id == "1.2.250.1.999.1.1"
    assert structured_one.load() == cda(1)
    document = read_cda(wrapped.load())
    check_header(document)
    assert document.body is not None
    assert document.body.content == pdf("lettre")
    assert document.header.unique_id == wrapped.unique_id
    assert document.header.patient.value == INS
    assert document.header.author.person.id == SENDER.id_nat
    assert document.header.author.speciality.startswith("Médecin")
    assert (wrapped.type.code, wrapped.class_.code, wrapped.title) == ("11488-4", "10", "lettre")


def test_copies_are_not_filed() -> None:
    inside = pdf("le même")
    embedded = plan(zip_attachment(archive(cda(1, content=inside))), attachment("copie.pdf", inside))
    assert ends(embedded) == (1, [], ["plan.copy"])
    unlisted = rezip(archive(cda(1)), extra={"IHE_XDM/SUBSET01/COPIE.PDF": inside})
    assert ends(plan(zip_attachment(unlisted), attachment("copie.pdf", inside))) == (1, [], ["plan.copy"])


@pytest.mark.parametrize(
    ("name", "copy"),
    [
        ("20231114_Compte_rendu_de_consultation_PAT-TROIS_DOMINIQUE.pdf", True),
        ("20231114_CR ou fiche de consultation ou de visite_PAT_TROIS_Dominique_1234.pdf", True),
        ("20231115_compte_rendu_de_consultation_pat_trois_dominique.PDF", True),  # midnight in Paris
        ("20231114_CR_ou_fiche_de_consultat_PAT_TROIS_DOMINIQUE.pdf", True),
        ("20231114_1_documents_PAT_TROIS_DOMINIQUE.pdf", True),
        ("20231120_Compte_rendu_de_consultation_PAT-TROIS_DOMINIQUE.pdf", False),
        ("20231114_Ordonnance_PAT-TROIS_DOMINIQUE.pdf", False),
        ("20231114_Compte_rendu_de_consultation_AUTRE_PERSONNE.pdf", False),
        ("20231114_PAT-TROIS_DOMINIQUE.pdf", False),
        ("compte_rendu.pdf", False),
    ],
)
def test_copies_of_structured_documents_are_known_by_name(name: str, copy: bool) -> None:
    found = plan(zip_attachment(archive(structured(1))), attachment(name, pdf("rendu")))
    assert ends(found) == ((1, [], ["plan.copy"]) if copy else (2, [], []))


def test_a_level_1_document_has_no_copy_by_name() -> None:
    name = "20231114_Compte_rendu_de_consultation_PAT-TROIS_DOMINIQUE.pdf"
    assert ends(plan(zip_attachment(archive(cda(1))), attachment(name, pdf("autre")))) == (2, [], [])


def test_the_same_twice_is_filed_once() -> None:
    twice = plan(attachment("a.pdf", pdf()), attachment("b.pdf", pdf()))
    assert ends(twice) == (1, [], ["plan.twice"])
    raw = archive(cda(1))
    assert ends(plan(zip_attachment(raw), zip_attachment(raw, "ihe_xdm(1).zip"))) == (1, [], ["plan.twice"])


def test_one_id_two_contents_is_refused() -> None:
    found = plan(
        zip_attachment(archive(cda(1, content=pdf("a")))),
        zip_attachment(archive(cda(1, content=pdf("b"))), "ihe_xdm2.zip"),
    )
    assert ends(found) == (1, [(906, "plan.unique_id")], [])


def test_ids_of_wrapped_files_are_stable_and_personal() -> None:
    def wrapped(**changes: Any) -> str:
        return plan(attachment("a.pdf", pdf()), **changes).filings[0].unique_id

    first = wrapped()
    assert first.startswith("2.25.")
    assert wrapped(received_at=T0 + 1, sender=Sender(address="autre@x.fr"), subject="x") == first
    assert wrapped(patient=patient(ins=OTHER_INS)) != first
    assert plan(attachment("a.pdf", pdf("autre"))).filings[0].unique_id != first


def test_another_patients_document() -> None:
    other = archive(cda(1, ins=OTHER_INS), ins=OTHER_INS)
    found = plan(zip_attachment(other), attachment("copie.pdf", pdf("document 1")))
    assert ends(found) == (0, [(904, "identity.metadata"), (904, "plan.archive")], [])
    hidden = archive(cda(1, ins=OTHER_INS))  # the metadata say the recipient, the document another
    assert ends(plan(zip_attachment(hidden))) == (0, [(904, "identity.ins")], [])


def test_a_good_document_beside_a_bad_one() -> None:
    found = plan(zip_attachment(archive(cda(1), cda(2, ins=OTHER_INS))), attachment("x.pdf", pdf("x")))
    assert ends(found) == (1, [(904, "identity.ins"), (904, "plan.archive")], [])


def test_an_unreadable_archive_holds_back_what_is_beside_it() -> None:
    found = plan(zip_attachment(b"no zip"), attachment("x.pdf", pdf()))
    assert ends(found) == (0, [(906, "xdm.zip"), (906, "plan.archive")], [])


def test_metadata_and_document_must_agree() -> None:
    raw = rezip(
        archive(cda(1)),
        replace=lambda name, data: (
            data.replace(b"1.2.250.1.999.1.1", b"1.2.250.1.999.1.7") if "META" in name else data
        ),
    )
    assert ends(plan(zip_attachment(raw))) == (0, [(906, "metadata.unique_id")], [])
    masked = rezip(
        archive(cda(1)),
        replace=lambda name, data: (
            data.replace(b'nodeRepresentation="N"', b'nodeRepresentation="INVISIBLE_PATIENT"')
            if "META" in name
            else data
        ),
    )
    assert ends(plan(zip_attachment(masked))) == (0, [(906, "metadata.invisible")], [])
    masked = rezip(
        archive(cda(1)),
        replace=lambda name, data: (
            data.replace(b'nodeRepresentation="N"', b'nodeRepresentation="MASQUE_PS"')
            if "META" in name
            else data
        ),
    )
    assert plan(zip_attachment(masked)).filings[0].confidentiality == ["N", "MASQUE_PS"]


def test_types_outside_the_set_are_refused() -> None:
    raw = cda(1).replace(b'code="11488-4"', b'code="11528-7"')
    good = archive(cda(1))
    swapped = rezip(
        good,
        replace=lambda name, data: (
            raw
            if "DOC0" in name
            else data.replace(
                hashlib.sha1(cda(1)).hexdigest().encode(), hashlib.sha1(raw).hexdigest().encode()
            )
        ),
    )
    assert ends(plan(zip_attachment(swapped))) == (0, [(906, "codes.type")], [])


def test_deletions() -> None:
    found = plan(zip_attachment(archive(ArchiveDocument(cda(1), "D"))))
    assert ends(found) == (0, [], [])
    assert [one.unique_id for one in found.deletions] == ["1.2.250.1.999.1.1"]
    other = plan(zip_attachment(archive(ArchiveDocument(cda(1, ins=OTHER_INS), "D"))))
    assert (other.deletions, ends(other)[1]) == ([], [(904, "identity.ins")])


def test_listed_files_that_are_no_cda_are_wrapped() -> None:
    inside = pdf("listé")
    xml, sha = cda(1), hashlib.sha1(cda(1)).hexdigest().encode()

    def replace(name: str, data: bytes) -> bytes:
        if "DOC0" in name:
            return inside
        data = data.replace(sha, hashlib.sha1(inside).hexdigest().encode()).replace(
            b'"text/xml"', b'"application/pdf"'
        )
        return data.replace(f"<rim:Value>{len(xml)}<".encode(), f"<rim:Value>{len(inside)}<".encode())

    found = plan(zip_attachment(rezip(archive(xml), replace=replace)), attachment("copie.pdf", inside))
    assert ends(found) == (1, [], ["plan.copy"])
    assert found.filings[0].title == "Compte rendu de consultation"
    document = read_cda(found.filings[0].load())
    assert document.body is not None
    assert document.body.content == inside


def test_what_is_not_taken() -> None:
    found = plan(
        attachment("photo.png", b"\x89PNG", "image/png"),
        attachment("note.docx", b"PK", "application/msword"),
        attachment("doc.xml", cda(1), "text/xml"),
        attachment("photos.zip", b"PK", "application/zip"),
        attachment("logo.jpg", b"\xff\xd8\xff", "image/jpeg", inline=True),
        attachment("smime.p7s", b"0", "application/pkcs7-signature"),
    )
    kinds = ["plan.kind"] * 4
    assert ends(found) == (0, [], [*kinds, "plan.inline", "plan.kind"])


@pytest.mark.parametrize(
    ("name", "content", "media"),
    [
        ("x.pdf", b"MZ\x90 program", "application/pdf"),
        ("x.pdf", b"%PDF-1.4 cut", "application/pdf"),
        ("x.jpg", b"GIF89a", "image/jpeg"),
        ("x.tif", b"II+\0", "image/tiff"),
        ("x.rtf", b"<html>", "text/rtf"),
        ("x.txt", b"a\0b", "text/plain"),
        ("x.txt", b"%PDF-1.4", "text/plain"),
        ("vide.pdf", b"", "application/pdf"),
    ],
)
def test_files_that_are_not_what_they_claim(name: str, content: bytes, media: str) -> None:
    assert ends(plan(attachment(name, content, media))) == (0, [(906, "cda.media")], [])


def test_text_is_filed_as_utf8() -> None:
    found = plan(attachment("note.txt", "été".encode("iso-8859-1"), "text/plain", charset="iso-8859-1"))
    document = read_cda(found.filings[0].load())
    assert document.body is not None
    assert document.body.content == "été".encode()


def test_unknown_patient() -> None:
    found = plan(zip_attachment(archive(cda(1))), attachment("x.pdf", pdf()), patient=None)
    assert ends(found) == (0, [(902, "identity.patient"), (902, "identity.patient")], [])


def test_policy() -> None:
    both = (zip_attachment(archive(cda(1))), attachment("x.pdf", pdf()))
    assert ends(plan(*both, y="xdm")) == (1, [], ["plan.policy"])
    assert ends(plan(*both, y="none")) == (0, [], ["plan.policy"])
    policy = Policy(y="all", y_by_sender={"hopital.mssante.fr": "xdm", "marie@hopital.mssante.fr": "none"})
    assert [
        policy.for_sender(who) for who in ("Marie@Hopital.mssante.fr", "x@hopital.mssante.fr", "y@z.fr")
    ] == [
        "none",
        "xdm",
        "all",
    ]


def test_an_unlisted_sender_can_still_be_an_author() -> None:
    found = plan(attachment("x.pdf", pdf()), sender=Sender(address="app@hopital.mssante.fr"))
    header = read_cda(found.filings[0].load()).header
    assert header.author.person.name == "app@hopital.mssante.fr"
    assert header.author.person.id == "app@hopital.mssante.fr"
    assert header.author.organisation.id == ""
    assert header.custodian.oid == "1.2.250.1.213.4.1"
    organisation = Sender(
        address="secretariat@hopital.mssante.fr", struct_id="1750803447", structure="Hôpital"
    )
    author = read_cda(plan(attachment("x.pdf", pdf()), sender=organisation).filings[0].load()).header.author
    assert (author.person.id, author.person.name) == ("3750803447/secretariat", "Hôpital")
