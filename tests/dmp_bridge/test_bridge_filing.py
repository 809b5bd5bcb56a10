"""The bridge on a real store: a message in a box becomes documents in a record, once, or tells why not."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from bridge_support import INS, OID, OTHER_INS, T0, archive, cda, pdf

import annuaire
import dossier
import evidence
import patients
from annuaire.demo import write_mssante
from dossier import documents as every
from gateway import routing
from gateway.dmp_bridge import (
    ArchiveDocument,
    FilingJob,
    FilingReport,
    FilingRequest,
    FilingWorker,
    LocalDossier,
    Policy,
    decode_job,
    encode_job,
    read_cda,
)
from gateway.message import Indexer, MessageMeta, encode_meta
from patients import Person
from store import Store, StoreError, Tx, mail, operation, tasks

DOCTOR = "marie.exemple@hopital.mssante.fr"
DOMAIN = "patient.mssante.fr"
PERSON = Person(INS, OID, "PAT-TROIS", "DOMINIQUE MARIE-LOUISE", "", "F", "1979-03-28", "51215")


@operation("test.add_filing")
def add_filing(tx: Tx, *, box_id: int, payload: bytes, trace_id: str) -> int:
    return tasks.add_task(
        tx,
        queue=tasks.FILING,
        box_id=box_id,
        payload=payload,
        due_at=tx.now,
        subject_key=INS,
        trace_id=trace_id,
    )


class Room:
    """A store with one patient and one doctor, and a worker whose reports are kept."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        row = {
            "kind": "PER",
            "address": DOCTOR,
            "national": "810009999991",
            "civility": "DR",
            "family": "EXEMPLE",
            "given": "MARIE",
            "profession": "10",
            "speciality": "SM26",
        }
        annuaire.import_extraction(store, write_mssante(folder / "mss.txt", [row]))
        store.write(patients.persons.add_persons, persons=[PERSON], actor="test")
        profile = patients.activate(store, INS, DOMAIN, actor="test")
        assert profile.box_id is not None
        self.box_id = profile.box_id
        self.reports: list[FilingReport] = []
        self.policy = Policy(retry_ms=1, retry_max_ms=1, attempts=3)
        self.target: object = LocalDossier(store)

    async def report(self, report: FilingReport) -> None:
        self.reports.append(report)

    def worker(self) -> FilingWorker:
        target = self.target
        assert isinstance(target, LocalDossier)
        return FilingWorker(self.store, target, self.report, owner="test", policy=self.policy)

    async def until_idle(self) -> None:
        worker = self.worker()
        while await worker.run_once():
            pass

    def receive(self, raw: bytes, *, sender: str = DOCTOR, ins: str = INS, report_to: str = "") -> int:
        """The message into the INBOX, and its filing task; returns the task's number."""
        indexer = Indexer()
        indexer.feed(raw)
        spool = self.store.spool()
        spool.write(raw)
        meta = encode_meta(MessageMeta(b"", indexer.close()))
        message = self.store.new_message(self.box_id, spool, meta)
        self.store.write(mail.append, box_id=self.box_id, folder_id=mail.INBOX_ID, message=message)
        job = FilingJob(
            ins=ins,
            message_id=message.message_id,
            sender=sender,
            trace_id="trace-1",
            received_at=T0,
            header_message_id="<1@hopital.mssante.fr>",
            report_to=report_to,
        )
        return self.store.write(
            add_filing, box_id=self.box_id, payload=encode_job(job), trace_id=job.trace_id
        )

    def documents(self, *, history: bool = False) -> list[dossier.Document]:
        return self.store.read(every.documents, self.store, self.box_id, history=history)

    def task(self, task_id: int) -> tasks.Task:
        return self.store.read(tasks.by_id, task_id)

    def events(self) -> list[tuple[str, str]]:
        links = self.store.read(lambda conn: list(evidence.walk(conn)))
        return [(one.event, one.rule) for one in links if one.event not in ("profile", "activity")]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with Store.open(tmp_path / "home") as store:
        yield Room(store, tmp_path)


def message(*files: tuple[str, str, bytes]) -> bytes:
    """A multipart/mixed message: a text, then (filename, media type, content) in base64."""
    parts = ["Content-Type: text/plain; charset=utf-8\r\n\r\nBonjour, voici vos documents.\r\n"]
    for name, kind, content in files:
        parts.append(
            f'Content-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
            f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
            + base64.encodebytes(content).decode().replace("\n", "\r\n")
        )
    body = "".join(f"--sep\r\n{part}\r\n" for part in parts)
    return (
        f"From: Dr Marie EXEMPLE <{DOCTOR}>\r\nTo: {INS}@{DOMAIN}\r\nMessage-ID: <1@hopital.mssante.fr>\r\n"
        "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nSubject: XDM/1.0/DDM+Documents\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/mixed; boundary="sep"\r\n\r\n{body}--sep--\r\n'
    ).encode()


PDF = ("lettre.pdf", "application/pdf", pdf("lettre"))


def xdm(*documents: bytes | ArchiveDocument, ins: str = INS) -> tuple[str, str, bytes]:
    return ("IHE_XDM.ZIP", "application/zip", archive(*documents, ins=ins))


async def test_text_pdf_and_archive_become_two_documents_once(room: Room) -> None:
    raw = message(PDF, xdm(cda(1)))
    first = room.receive(raw, report_to=DOCTOR)
    await room.until_idle()
    wrapped, sent = sorted(room.documents(), key=lambda one: one.info.title != "lettre")
    assert every.open_document(room.store, sent).read(0, 10**6) == cda(1)
    inner = read_cda(every.open_document(room.store, wrapped).read(0, 10**6))
    assert inner.body is not None
    assert inner.body.content == pdf("lettre")
    assert inner.header.author.person.id == wrapped.author_id == "810009999991"
    assert (inner.header.author.person.name, inner.header.author.person.given) == ("EXEMPLE", "Marie")
    assert sent.author_id == "899700000001"
    assert room.task(first).state == "done"
    (report,) = room.reports
    assert (report.code, report.report_to, report.recipient) == (0, DOCTOR, f"{INS}@{DOMAIN}")
    assert sorted(line.outcome for line in report.lines) == ["filed", "filed"]
    assert room.events() == [("filed", ""), ("filed", ""), ("receipt", "")]

    room.receive(raw)  # the same message once more
    await room.until_idle()
    assert len(room.documents(history=True)) == 2
    assert len(room.reports) == 1  # nobody asked for a receipt, nothing was refused
    assert room.events()[3:] == [("filed", ""), ("filed", "")]


async def test_another_patients_document_is_not_filed_and_the_sender_is_told(room: Room) -> None:
    task = room.receive(message(xdm(cda(1, ins=OTHER_INS), ins=OTHER_INS), PDF))
    await room.until_idle()
    assert room.documents(history=True) == []
    (report,) = room.reports
    assert (report.code, report.sender, report.report_to) == (904, DOCTOR, "")
    assert report.label.startswith("INS ou traits")
    assert [(line.code, line.rule) for line in report.lines] == [
        (904, "identity.metadata"),
        (904, "plan.archive"),
    ]
    assert room.task(task).last_error == "0 filed, refused: 904 identity.metadata, 904 plan.archive"
    assert room.events() == [
        ("filing_refused", "identity.metadata"),
        ("filing_refused", "plan.archive"),
        ("receipt", ""),
    ]


async def test_replace_and_delete(room: Room) -> None:
    room.receive(message(xdm(cda(1))))
    room.receive(
        message(xdm(ArchiveDocument(cda(2, set_number=1, version=2, replaces="1.2.250.1.999.1.1"), "C")))
    )
    await room.until_idle()
    assert [one.unique_id for one in room.documents()] == ["1.2.250.1.999.1.2"]
    assert room.reports == []

    room.receive(message(xdm(ArchiveDocument(cda(2, set_number=1, version=2), "D"))), sender="paul@autre.fr")
    await room.until_idle()
    assert [report.code for report in room.reports] == [901]
    assert len(room.documents()) == 1

    room.receive(message(xdm(ArchiveDocument(cda(2, set_number=1, version=2), "D"))))
    await room.until_idle()
    assert room.documents() == []

    room.receive(message(xdm(ArchiveDocument(cda(3, set_number=1, version=1), "C"))))
    await room.until_idle()
    assert [report.code for report in room.reports] == [901, 900]


async def test_a_message_without_files_ends_quietly(room: Room) -> None:
    task = room.receive(b"Subject: bonjour\r\n\r\nSans document.\r\n", report_to=DOCTOR)
    await room.until_idle()
    assert (room.task(task).state, room.task(task).last_error) == ("done", "nothing to file")
    assert room.reports == []


async def test_the_patient_must_be_the_one_of_the_box(room: Room) -> None:
    room.receive(message(PDF), ins=OTHER_INS)
    await room.until_idle()
    assert [report.code for report in room.reports] == [902]
    assert room.documents() == []


async def test_a_suspended_profile_parks_the_filing(room: Room) -> None:
    patients.suspend(room.store, INS, actor="test")
    task = room.receive(message(PDF))
    await room.until_idle()
    assert room.task(task).state == "held"
    assert room.task(task).last_error.startswith("filing.suspended")
    assert room.events() == [("parked", "filing.suspended")]
    patients.resume(room.store, INS, actor="test")
    room.store.write(tasks.steer, task_id=task, action="release")
    await room.until_idle()
    assert len(room.documents()) == 1


class Failing(LocalDossier):
    """A target that fails ``times`` times with ``error`` before it works."""

    def __init__(self, store: Store, error: Exception, times: int) -> None:
        super().__init__(store)
        self.error, self.times = error, times

    async def file(self, request: FilingRequest) -> FilingReport:
        if self.times:
            self.times -= 1
            raise self.error
        return await super().file(request)


async def drained(room: Room) -> None:
    """Until idle, with time for the short pauses between retries."""
    for _ in range(6):
        await room.until_idle()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("error", [OSError("disk"), StoreError("store.writer", "away")])
async def test_passing_troubles_are_retried(room: Room, error: Exception) -> None:
    room.target = Failing(room.store, error, 2)
    task = room.receive(message(PDF))
    await drained(room)
    assert room.task(task).state == "done"
    assert room.task(task).attempts == 3
    assert len(room.documents()) == 1


async def test_lasting_troubles_are_parked_and_can_be_released(room: Room) -> None:
    room.target = failing = Failing(room.store, OSError("disk"), 99)
    task = room.receive(message(PDF))
    await drained(room)
    assert (room.task(task).state, room.task(task).attempts) == ("held", 3)
    failing.times = 0
    room.store.write(tasks.retry, task_id=task, due_at=0)
    await drained(room)
    assert room.task(task).state == "done"
    assert len(room.documents()) == 1


async def test_a_bug_parks_the_task_and_its_error_says_nothing_of_the_patient(room: Room) -> None:
    room.target = Failing(room.store, RuntimeError("DOMINIQUE PAT-TROIS"), 1)
    task = room.receive(message(PDF))
    await room.until_idle()
    parked = room.task(task)
    assert parked.state == "held"
    assert parked.last_error.startswith("filing.error: RuntimeError at test_bridge_filing.py:")
    assert "PAT-TROIS" not in parked.last_error


async def test_an_unreadable_payload_is_parked(room: Room) -> None:
    task = room.store.write(add_filing, box_id=room.box_id, payload=b"\xc1junk", trace_id="t")
    await room.until_idle()
    assert room.task(task).state == "held"


async def test_a_message_that_is_gone_is_parked(room: Room) -> None:
    job = FilingJob(ins=INS, message_id=5, sender=DOCTOR, trace_id="t", received_at=T0)
    task = room.store.write(add_filing, box_id=room.box_id, payload=encode_job(job), trace_id="t")
    await room.until_idle()
    assert room.task(task).last_error.startswith("filing.message")


async def test_a_crash_between_bodies_and_the_end_files_once(room: Room) -> None:
    """The worker dies after it sealed the bodies: nothing is on record, and the next one does it all."""
    request: list[FilingRequest] = []

    class Dying(LocalDossier):
        async def file(self, one: FilingRequest) -> FilingReport:
            await self._store.in_thread(self._prepare, one)
            request.append(one)
            raise asyncio.CancelledError

    task = room.receive(message(PDF, xdm(cda(1))))
    room.target = Dying(room.store)
    room.policy = Policy(lease_ms=1)
    with pytest.raises(asyncio.CancelledError):
        await room.worker().run_once()
    assert room.documents() == []
    assert room.task(task).state == "leased"
    await asyncio.sleep(0.01)
    room.target = LocalDossier(room.store)
    await room.until_idle()
    assert len(room.documents()) == 2
    # the first worker was only slow: what it had prepared comes to nothing
    with pytest.raises(StoreError) as caught:
        await LocalDossier(room.store).file(request[0])
    assert caught.value.rule == "filing.ended"
    assert len(room.documents(history=True)) == 2
    assert [event for event, _ in room.events()] == ["filed", "filed"]


async def test_a_report_that_fails_is_sent_again(room: Room) -> None:
    calls: list[str] = []

    async def unsteady(report: FilingReport) -> None:
        calls.append(report.key)
        if len(calls) == 1:
            raise OSError("relay")

    room.receive(message(PDF), report_to=DOCTOR)
    target = LocalDossier(room.store)
    worker = FilingWorker(room.store, target, unsteady, owner="test", policy=room.policy)
    for _ in range(4):
        while await worker.run_once():
            pass
        await asyncio.sleep(0.01)
    assert len(calls) == 2
    assert calls[0] == calls[1]
    assert [event for event, _ in room.events()] == ["filed", "receipt"]


async def test_policy_by_sender(room: Room) -> None:
    room.policy = Policy(y_by_sender={"hopital.mssante.fr": "xdm"})
    room.receive(message(PDF, xdm(cda(1))))
    await room.until_idle()
    assert [one.unique_id for one in room.documents()] == ["1.2.250.1.999.1.1"]


async def test_run_wakes_and_stops(room: Room) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(room.worker().run(stop))
    await asyncio.sleep(0.05)
    await asyncio.to_thread(room.receive, message(PDF))
    for _ in range(200):
        if await asyncio.to_thread(room.documents):
            break
        await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(running, 5)
    assert len(room.documents()) == 1


def test_the_pipelines_job_is_understood() -> None:
    theirs = routing.FilingJob(
        ins=INS,
        message_id=7,
        header_message_id="<1@x>",
        sender=DOCTOR,
        operator_dn="CN=x",
        trace_id="t",
        received_at=T0,
        report_to=DOCTOR,
    )
    ours = decode_job(msgspec.msgpack.encode(theirs))
    assert isinstance(ours, FilingJob)
    assert msgspec.to_builtins(ours) == msgspec.to_builtins(theirs)
