"""The one transaction that ends a filing: documents, task, evidence and the report to come, or nothing."""

from __future__ import annotations

import msgspec

import activity
import evidence
from activity import Entry
from dossier import Depositor, DossierError, Filed, NewDocument, Outcome, delete_document, put_document, tell
from dossier.rights import Decision, Question, judge
from gateway.dmp_bridge.errors import LABELS, UNKNOWN_PATIENT
from gateway.dmp_bridge.jobs import FilingJob, FilingReport, ReportJob, ReportLine, encode_job
from gateway.dmp_bridge.model import Passed, Refused
from store import StoreError, Tx, operation, tasks


class Deposit(msgspec.Struct, frozen=True):
    """A document to file; ``new`` and ``entry`` (of the journal) are None when this very document is on
    record already."""

    place: str
    title: str
    unique_id: str
    new: NewDocument | None
    entry: Entry | None = None


class Erasure(msgspec.Struct, frozen=True):
    """A document to take out of the record."""

    place: str
    unique_id: str
    entry: Entry


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one filing comes to. ``recipient`` is the patient's address, ``asked`` what the rights
    judge once more; ``entries`` are what the journal tells of each of ``refused``, none in a box whose key
    is gone."""

    task_id: int
    box_id: int
    recipient: str
    job: FilingJob
    by: Depositor
    deposits: list[Deposit]
    erasures: list[Erasure]
    refused: list[Refused]
    entries: list[Entry]
    passed: list[Passed]
    asked: Question


@operation("filing.settle")
def settle(tx: Tx, *, settlement: Settlement) -> FilingReport:
    """File, delete, refuse; end the task; record evidence; queue the report where one is due.

    Returns the report. Raises :class:`StoreError` ``filing.ended`` when the task has ended already: then
    nothing was done.
    """
    evidence.hold(tx)
    lines: list[ReportLine] = []
    decision = judge(tx.conn, settlement.asked)
    lines += [_deposit(tx, settlement, decision, one) for one in settlement.deposits]
    lines += [_erase(tx, settlement, one) for one in settlement.erasures]
    lines += [_refusal(tx, settlement, *msgspec.structs.astuple(one)) for one in settlement.refused]
    for refused, entry in zip(settlement.refused, settlement.entries, strict=False):
        _tell_refusal(tx, entry, refused.rule)
    lines += [ReportLine(one.place, "passed", 0, one.rule, one.reason) for one in settlement.passed]
    code = next((line.code for line in lines if line.outcome == "refused"), 0)
    job = settlement.job
    report = FilingReport(
        key=f"filing:{settlement.task_id}",
        trace_id=job.trace_id,
        box_id=settlement.box_id,
        message_id=job.message_id,
        header_message_id=job.header_message_id,
        sender=job.sender,
        recipient=settlement.recipient,
        report_to=job.report_to,
        code=code,
        label=LABELS.get(code, ""),
        lines=lines,
    )
    if code or (job.report_to and any(line.outcome != "passed" for line in lines)):
        tasks.add_task(
            tx,
            queue=tasks.FILING,
            box_id=settlement.box_id,
            payload=encode_job(ReportJob(report=report)),
            due_at=tx.now,
            subject_key=job.sender,
            trace_id=job.trace_id,
            dedupe=report.key,
        )
    if not tasks.finish_task(tx, task_id=settlement.task_id, state="done", note=_note(lines)):
        raise StoreError("filing.ended", "this filing has ended already")
    return report


def _deposit(tx: Tx, settlement: Settlement, decision: Decision, deposit: Deposit) -> ReportLine:
    sha256 = b""
    outcome: Outcome = "duplicate"
    if deposit.new is not None and deposit.entry is not None:
        if not decision.allowed:
            _tell_refusal(tx, deposit.entry, decision.rule)
            return _refusal(tx, settlement, deposit.place, UNKNOWN_PATIENT, decision.rule, decision.english)
        try:
            filed = put_document(tx, deposit.new)
        except DossierError as error:
            _tell_refusal(tx, deposit.entry, error.rule)
            return _refusal(tx, settlement, deposit.place, error.application, error.rule, error.peer)
        tell(tx, deposit.entry, filed)
        outcome, sha256 = filed.outcome, deposit.new.ref.sha256
    _record_filed(tx, settlement, deposit.place, deposit.unique_id, outcome, sha256)
    return ReportLine(deposit.place, outcome, title=deposit.title)


def _erase(tx: Tx, settlement: Settlement, erasure: Erasure) -> ReportLine:
    try:
        done: Filed = delete_document(
            tx, box_id=settlement.box_id, unique_id=erasure.unique_id, by=settlement.by
        )
    except DossierError as error:
        _tell_refusal(tx, erasure.entry, error.rule)
        return _refusal(tx, settlement, erasure.place, error.application, error.rule, error.peer)
    tell(tx, erasure.entry, done)
    _record_filed(tx, settlement, erasure.place, erasure.unique_id, "deleted", b"")
    return ReportLine(erasure.place, "deleted")


def _tell_refusal(tx: Tx, entry: Entry, rule: str) -> None:
    """The patient learns that a document was refused, and by which rule."""
    activity.note(tx, msgspec.structs.replace(entry, rule=rule))


def _record_filed(
    tx: Tx, settlement: Settlement, place: str, unique_id: str, outcome: str, sha256: bytes
) -> None:
    evidence.record(
        tx,
        "filed",
        trace_id=settlement.job.trace_id,
        message_id=settlement.job.header_message_id,
        sender=settlement.job.sender,
        recipient=settlement.recipient,
        sha256=sha256,
        detail={"place": place, "document": unique_id, "outcome": outcome},
    )


def _refusal(tx: Tx, settlement: Settlement, place: str, code: int, rule: str, reason: str) -> ReportLine:
    evidence.record(
        tx,
        "filing_refused",
        trace_id=settlement.job.trace_id,
        message_id=settlement.job.header_message_id,
        sender=settlement.job.sender,
        recipient=settlement.recipient,
        rule=rule,
        detail={"place": place, "code": str(code)},
    )
    return ReportLine(place, "refused", code, rule, reason)


def _note(lines: list[ReportLine]) -> str:
    """What the administrator sees of an ended task."""
    if not lines:
        return "nothing to file"
    refused = [f"{line.code} {line.rule}" for line in lines if line.outcome == "refused"]
    filed = sum(line.outcome in ("filed", "replaced", "duplicate", "deleted") for line in lines)
    return f"{filed} filed" + (f", refused: {', '.join(refused)}" if refused else "")


@operation("filing.reported")
def reported(tx: Tx, *, task_id: int, report: FilingReport) -> bool:
    """The report went out: end its task and record it. False when it had ended already."""
    if not tasks.finish_task(tx, task_id=task_id, state="done", note=f"told {report.code or 'ok'}"):
        return False
    evidence.record(
        tx,
        "receipt",
        trace_id=report.trace_id,
        message_id=report.header_message_id,
        sender=report.recipient,
        recipient=report.report_to or report.sender,
        detail={"about": "filing", "code": str(report.code)},
    )
    return True


@operation("filing.park")
def park(tx: Tx, *, task_id: int, note: str, sender: str = "", message_id: str = "") -> tasks.Task:
    """Park a task for an administrator, with evidence. Raises :class:`NotFoundError` when it has ended."""
    task = tasks.steer(tx, task_id=task_id, action="hold", note=note)
    evidence.record(
        tx,
        "parked",
        trace_id=task.trace_id,
        message_id=message_id,
        sender=sender,
        recipient=task.subject_key,
        rule=note.partition(":")[0][:64],
        detail={"task": str(task_id)},
    )
    return task
