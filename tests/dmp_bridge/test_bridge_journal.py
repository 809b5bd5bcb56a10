"""What the patient reads of filings in his journal: what came, was replaced, deleted, refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bridge_support import OTHER_INS, T0, archive, pdf

import evidence
import patients
from gateway.dmp_bridge import (
    ArchiveDocument,
    FilingJob,
    FilingReport,
    FilingRequest,
    FilingWorker,
    LocalDossier,
    encode_job,
)
from store import Tx, operation, tasks
from tests.dmp_bridge.saving_support import SENDER, his_archive, his_cda, message, receive
from tests.dossier.deposit_support import PATIENT, Desk


@operation("test.add_journal_filing")
def add_filing(tx: Tx, *, box_id: int, payload: bytes) -> int:
    return tasks.add_task(
        tx, queue=tasks.FILING, box_id=box_id, payload=payload, due_at=tx.now, subject_key="x", trace_id="t"
    )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    with made.store:
        yield made


async def filed(
    desk: Desk, *files: tuple[str, str, bytes], target: LocalDossier | None = None
) -> FilingReport:
    job = FilingJob(
        ins=PATIENT, message_id=receive(desk, message(*files)), sender=SENDER, trace_id="t", received_at=T0,
        report_to=SENDER,
    )  # fmt: skip
    desk.store.write(add_filing, box_id=desk.box_id, payload=encode_job(job))
    reports: list[FilingReport] = []

    async def keep(report: FilingReport) -> None:
        reports.append(report)

    worker = FilingWorker(desk.store, target or LocalDossier(desk.store), keep, owner="test")
    while await worker.run_once():
        pass
    return reports[-1]


def xdm(*documents: bytes | ArchiveDocument) -> tuple[str, str, bytes]:
    return ("IHE_XDM.ZIP", "application/zip", his_archive(*documents))


async def test_each_document_is_told_with_who_sent_it(desk: Desk) -> None:
    await filed(desk, ("lettre.pdf", "application/pdf", pdf()), xdm(his_cda(1)))
    assert desk.told() == [("document_deposited", "")] * 2
    by_subject = {one.subject: one for one in desk.journal()}
    assert set(by_subject) == {str(one.document_id) for one in desk.seen()}
    for entry in by_subject.values():
        assert (entry.by, entry.ident, entry.details.name) == ("structure", SENDER, SENDER)
    assert {entry.details.more["title"] for entry in by_subject.values()} == {
        "lettre", "Compte rendu de consultation",
    }  # fmt: skip
    await filed(desk, xdm(his_cda(1)))  # a duplicate is no news
    assert len(desk.told()) == 2


async def test_replacement_and_deletion_are_told(desk: Desk) -> None:
    await filed(desk, xdm(his_cda(1)))
    await filed(desk, xdm(his_cda(2, set_number=1, version=2, replaces="1.2.250.1.999.1.1")))
    await filed(desk, xdm(ArchiveDocument(his_cda(2, set_number=1, version=2), "D")))
    assert desk.told() == [("document_deposited", ""), ("document_replaced", ""), ("document_deleted", "")]
    assert desk.seen() == []


async def test_refusals_are_told(desk: Desk) -> None:
    wrong = ("IHE_XDM.ZIP", "application/zip", archive(his_cda(1, ins=OTHER_INS), ins=OTHER_INS))
    report = await filed(desk, wrong, ("lettre.pdf", "application/pdf", pdf()))
    assert report.code == 904
    assert desk.told() == [
        ("document_deposited", "identity.metadata"),
        ("document_deposited", "plan.archive"),
    ]
    await filed(desk, xdm(his_cda(2, set_number=5, version=2)))
    await filed(desk, xdm(his_cda(3, set_number=5, version=1)))
    await filed(desk, xdm(ArchiveDocument(his_cda(9), "D")))
    assert desk.told()[2:] == [
        ("document_deposited", ""), ("document_deposited", "dossier.version"),
        ("document_deleted", "dossier.unknown"),
    ]  # fmt: skip


class _Closing(LocalDossier):
    """Closes the profile between the plan and the end."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.store)
        self._desk = desk

    async def file(self, request: FilingRequest) -> FilingReport:
        patients.close(self._desk.store, PATIENT, actor="test")
        return await super().file(request)


async def test_a_record_that_closes_meanwhile_takes_nothing(desk: Desk) -> None:
    report = await filed(desk, xdm(his_cda(1)), target=_Closing(desk))
    assert (report.code, report.lines[0].rule) == (902, "dossier.closed")
    assert desk.seen(history=True) == []
    assert desk.told() == [("document_deposited", "dossier.closed")]


class _Erasing(LocalDossier):
    """Deletes the profile between the plan and the end."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.store)
        self._desk = desk

    async def file(self, request: FilingRequest) -> FilingReport:
        patients.close(self._desk.store, PATIENT, actor="test")
        patients.ask_deletion(self._desk.store, PATIENT, actor="test", reason="demande")
        return await super().file(request)


async def test_refusals_for_a_deleted_profile_reach_the_sender_all_the_same(desk: Desk) -> None:
    wrong = ("IHE_XDM.ZIP", "application/zip", archive(his_cda(1, ins=OTHER_INS), ins=OTHER_INS))
    report = await filed(desk, wrong, target=_Erasing(desk))
    assert report.code == 904


async def test_the_journal_stands_in_the_evidence(desk: Desk) -> None:
    await filed(desk, xdm(his_cda(1)))
    links = desk.store.read(lambda conn: list(evidence.walk(conn)))
    told = {one.trace_id for one in links if one.event == "activity"}
    assert told == {str(entry.activity_id) for entry in desk.journal()}
