"""A former DMP's history out of archives: as it was, once, and only this patient's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bridge_support import OTHER_INS, T0, archive, rezip, structured

import dossier
from dossier.rights import RightsError
from gateway.dmp_bridge import ArchiveDocument, Imported, import_history
from store import InvalidInputError
from tests.dmp_bridge.saving_support import his_archive, his_cda
from tests.dossier.deposit_support import DOCTOR, OPERATOR, PDF, Desk

DEPRECATED = b'status="urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated" '


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    with made.store:
        yield made


def run(desk: Desk, *archives: bytes, dry_run: bool = False) -> list[Imported]:
    paths = []
    for number, content in enumerate(archives):
        paths.append(desk.home.parent / f"{number}.zip")
        paths[-1].write_bytes(content)
    return import_history(desk.store, desk.box_id, OPERATOR, paths, dry_run=dry_run)


def outcomes(lines: list[Imported]) -> list[tuple[str, str, int, str]]:
    return [(line.place, line.outcome, line.code, line.rule) for line in lines]


def status(desk: Desk) -> dict[str, str]:
    return {one.unique_id[-1]: one.status for one in desk.seen(history=True)}


V1 = his_cda(1)
V2 = his_cda(2, set_number=1, version=2, replaces="1.2.250.1.999.1.1")


def test_dates_authors_and_ids_stay(desk: Desk) -> None:
    lines = run(desk, his_archive(his_cda(7), his_cda(8, type_code="11502-2")))
    assert outcomes(lines) == [
        ("0.zip, document 001", "filed", 0, ""),
        ("0.zip, document 002", "filed", 0, ""),
    ]
    found = {one.unique_id[-1]: one for one in desk.seen()}
    seven = found["7"]
    assert (seven.unique_id, seven.set_id) == ("1.2.250.1.999.1.7", "1.2.250.1.999.2.7")
    assert (seven.created_at, seven.author_id, seven.info.author) == (T0, "899700000001", "Marie EXEMPLE")
    assert (seven.info.organisation, seven.info.mime) == ("Hôpital Exemple", "text/xml")
    assert (seven.deposited_by, seven.from_patient) == ("operator", False)
    assert found["8"].info.type_code == "11502-2"
    assert desk.bytes_of(seven.document_id) == his_cda(7)
    assert desk.told() == [("document_deposited", "")] * 2 + [("archive_imported", "")]
    assert desk.journal()[2].details.more == {"documents": "2"}
    assert desk.journal()[2].details.reason == OPERATOR.reason


def test_the_same_archive_twice_changes_nothing(desk: Desk) -> None:
    whole = his_archive(V1, V2)
    run(desk, whole)
    before, told = desk.seen(history=True), desk.told()
    assert [line.outcome for line in run(desk, whole)] == ["duplicate", "duplicate"]
    assert (desk.seen(history=True), desk.told()) == (before, told)


def test_a_dry_run_files_nothing(desk: Desk) -> None:
    assert [line.outcome for line in run(desk, his_archive(V1, V2), dry_run=True)] == ["new", "new"]
    assert (desk.seen(history=True), desk.told()) == ([], [])


@pytest.mark.parametrize(
    "order",
    [[V1, V2], [V2, V1]],
    ids=["in order", "the newer one first"],
)
def test_versions_in_one_archive(desk: Desk, order: list[bytes]) -> None:
    run(desk, his_archive(*order))
    assert status(desk) == {"1": "deprecated", "2": "approved"}
    (current,) = desk.seen()
    versions = desk.store.read(
        dossier.document_versions, desk.store, desk.box_id, current.document_id, desk.me
    )
    assert [one.version for one in versions] == [2, 1]


def test_an_older_version_that_comes_later_stays_the_older_one(desk: Desk) -> None:
    run(desk, his_archive(V2))
    assert [line.outcome for line in run(desk, his_archive(V1))] == ["filed"]
    assert status(desk) == {"1": "deprecated", "2": "approved"}
    found = {one.unique_id[-1]: one for one in desk.seen(history=True)}
    assert found["1"].replaced_by == found["2"].document_id


def test_a_newer_one_here_already_stays(desk: Desk) -> None:
    third = his_cda(3, set_number=1, version=3, replaces="1.2.250.1.999.1.2")
    run(desk, his_archive(third))
    run(desk, his_archive(V1, V2))
    assert status(desk) == {"1": "deprecated", "2": "deprecated", "3": "approved"}


def test_the_status_of_the_metadata_is_kept(desk: Desk) -> None:
    def mark(name: str, data: bytes) -> bytes:
        if not name.endswith("METADATA.XML"):
            return data
        return data.replace(b'mimeType="text/xml"', DEPRECATED + b'mimeType="text/xml"')

    assert run(desk, rezip(his_archive(his_cda(5)), replace=mark))[0].outcome == "filed"
    assert status(desk) == {"5": "deprecated"}


def test_masks_are_kept(desk: Desk) -> None:
    def mask(name: str, data: bytes) -> bytes:
        if not name.endswith("METADATA.XML"):
            return data
        return data.replace(b'nodeRepresentation="N"', b'nodeRepresentation="INVISIBLE_PATIENT"')

    assert run(desk, rezip(his_archive(his_cda(5)), replace=mask))[0].outcome == "filed"
    assert desk.seen() == []  # the patient was not told yet


def test_documents_of_others_are_refused_one_by_one(desk: Desk) -> None:
    lines = run(
        desk,
        his_archive(his_cda(1), his_cda(2, ins=OTHER_INS), his_cda(3)),
        archive(his_cda(4, ins=OTHER_INS), ins=OTHER_INS),
        b"no archive",
    )
    assert outcomes(lines) == [
        ("0.zip, document 001", "filed", 0, ""),
        ("0.zip, document 002", "refused", 904, "identity.ins"),
        ("0.zip, document 003", "filed", 0, ""),
        ("1.zip, document 001", "refused", 904, "identity.metadata"),
        ("2.zip", "refused", 906, "xdm.zip"),
    ]
    assert status(desk) == {"1": "approved", "3": "approved"}


def test_another_content_under_the_same_id_is_refused(desk: Desk) -> None:
    run(desk, his_archive(his_cda(1)))
    lines = run(desk, his_archive(his_cda(1, content=PDF)))
    assert outcomes(lines) == [("0.zip, document 001", "refused", 906, "dossier.unique_id")]


def test_a_request_to_delete_is_not_followed(desk: Desk) -> None:
    run(desk, his_archive(his_cda(1)))
    lines = run(desk, his_archive(ArchiveDocument(his_cda(1), "D")))
    assert outcomes(lines) == [("0.zip, document 001", "refused", 906, "metadata.action")]
    assert status(desk) == {"1": "approved"}


def test_files_that_are_no_cda_keep_their_metadata(desk: Desk) -> None:
    def as_pdf(name: str, data: bytes) -> bytes:
        if name.endswith("METADATA.XML"):
            plain = data.replace(b'mimeType="text/xml"', b'mimeType="application/pdf"')
            for slot in (b"hash", b"size"):
                start = plain.find(b'<rim:Slot name="%s"' % slot) if b"rim:" in plain else -1
                start = start if start >= 0 else plain.find(b'<Slot name="%s"' % slot)
                end = plain.find(b"Slot>", start) + len(b"Slot>")
                plain = plain[:start] + plain[end:] if start >= 0 else plain
            return plain
        return PDF if name.endswith("DOC00001.XML") else data

    lines = run(desk, rezip(his_archive(his_cda(9)), replace=as_pdf))
    assert [line.outcome for line in lines] == ["filed"], lines
    (found,) = desk.seen()
    assert (found.info.mime, found.unique_id) == ("application/pdf", "1.2.250.1.999.1.9")
    assert (found.created_at, found.info.author, found.info.type_code) == (T0, "Marie EXEMPLE", "11488-4")
    assert desk.bytes_of(found.document_id) == PDF


def test_structured_documents_too(desk: Desk) -> None:
    text = structured(1).decode()
    mine = his_cda(1).decode()
    head = mine[: mine.index("<nonXMLBody>")]
    whole = (head + text[text.index("<structuredBody>") :]).encode()
    assert run(desk, his_archive(whole))[0].outcome == "filed"
    assert "Rien." in dossier.render_cda(desk.bytes_of(desk.seen()[0].document_id)).text


def test_only_support_imports_and_with_a_reason(desk: Desk) -> None:
    path = desk.home.parent / "a.zip"
    path.write_bytes(his_archive(V1))
    no_reason = type(OPERATOR)(by="operator", ident="support")
    for actor in (DOCTOR, no_reason):
        with pytest.raises(RightsError):
            import_history(desk.store, desk.box_id, actor, [path])
    with pytest.raises(InvalidInputError):
        import_history(desk.store, desk.box_id, OPERATOR, [desk.home.parent / "nothing.zip"])
    assert desk.seen() == []
    assert [what for what, _ in desk.told()] == ["archive_imported"] * 2
