"""Where documents are filed. The worker knows only :class:`FilingTarget`; the local record is the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import dossier
from gateway.dmp_bridge.errors import BridgeError
from gateway.dmp_bridge.jobs import FilingJob, FilingReport
from gateway.dmp_bridge.model import Filing, Plan, Refused, Sender
from gateway.dmp_bridge.settle import Deposit, Erasure, Settlement, settle
from store import Store, faults

_CHUNK = 256 * 1024


@dataclass(frozen=True)
class FilingRequest:
    """One message's filing: its task, what is planned, for whom (the patient's address), from whom."""

    task_id: int
    box_id: int
    job: FilingJob
    recipient: str
    sender: Sender
    plan: Plan


class FilingTarget(Protocol):
    """A place where documents are filed: the local record, or a DMP by ITI-41."""

    async def file(self, request: FilingRequest) -> FilingReport:
        """File what the plan says and end the task, exactly once (:func:`settle.settle` does the end).

        Raises :class:`StoreError` ``filing.ended`` when the task ended meanwhile, and whatever did not
        work otherwise: the worker then retries or parks.
        """
        ...


class LocalDossier:
    """The record kept here (``dossier``): bodies are sealed first, one transaction does the rest."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def file(self, request: FilingRequest) -> FilingReport:
        settlement = await self._store.in_thread(self._prepare, request)
        faults.point("filing.sealed")
        return await self._store.awrite(settle, settlement=settlement)

    def _prepare(self, request: FilingRequest) -> Settlement:
        by = dossier.Depositor(
            address=request.sender.address, id_nat=request.sender.id_nat, struct_id=request.sender.struct_id
        )
        deposits = []
        refused = list(request.plan.refused)
        for filing in request.plan.filings:
            try:
                deposits.append(self._deposit(request, filing, by))
            except BridgeError as error:
                refused.append(Refused(filing.place, error.application, error.rule, error.peer))
        return Settlement(
            task_id=request.task_id,
            box_id=request.box_id,
            recipient=request.recipient,
            job=request.job,
            by=by,
            deposits=deposits,
            erasures=[Erasure(one.place, one.unique_id) for one in request.plan.deletions],
            refused=refused,
            passed=request.plan.passed,
        )

    def _deposit(self, request: FilingRequest, filing: Filing, by: dossier.Depositor) -> Deposit:
        known = self._store.read(dossier.is_filed, request.box_id, filing.unique_id, filing.content_sha256)
        if known:  # no second body for what is on record
            return Deposit(filing.place, filing.title, filing.unique_id, None)
        spool = self._store.spool()
        try:
            content = memoryview(filing.load())
            for start in range(0, len(content), _CHUNK):
                spool.write(content[start : start + _CHUNK])
            author = filing.author
            new = dossier.prepare_document(
                self._store,
                spool,
                box_id=request.box_id,
                unique_id=filing.unique_id,
                set_id=filing.set_id,
                version=filing.version,
                author_id=author.person.id,
                author_struct=author.organisation.id,
                depositor=by,
                created_at=filing.created_at,
                content_sha256=filing.content_sha256,
                replaces=filing.replaces,
                trace_id=request.job.trace_id,
                message_id=request.job.message_id,
                info=_info(filing),
            )
        finally:
            spool.discard()
        return Deposit(filing.place, filing.title, filing.unique_id, new)


def _info(filing: Filing) -> dossier.DocumentInfo:
    person = filing.author.person
    return dossier.DocumentInfo(
        title=filing.title,
        type_code=filing.type.code,
        type_label=filing.type.display,
        class_code=filing.class_.code,
        class_label=filing.class_.display,
        format_code=filing.format.code,
        author=" ".join(part for part in (person.given, person.name) if part),
        author_speciality=filing.author.speciality,
        organisation=filing.author.organisation.name,
        confidentiality=filing.confidentiality,
        facility=filing.facility,
        practice=filing.practice,
        service_at=filing.service_at,
        body_mime=filing.body_mime,
        filename=filing.filename,
    )
