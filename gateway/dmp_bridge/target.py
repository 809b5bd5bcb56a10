"""Where documents are filed. The worker knows only :class:`FilingTarget`; the local record is the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import activity
import dossier
from activity import Actor, Entry, What
from dossier.rights import question
from gateway.dmp_bridge.errors import BridgeError
from gateway.dmp_bridge.jobs import FilingJob, FilingReport
from gateway.dmp_bridge.model import Filing, Plan, Refused, Sender
from gateway.dmp_bridge.settle import Deposit, Erasure, Settlement, settle
from store import Store, StoreError, faults

_CHUNK = 256 * 1024


def actor_of(sender: Sender) -> Actor:
    """A sender as who acts in a record: the professional whom the directory knows, else his structure."""
    name = " ".join(part for part in (sender.given, sender.name) if part)
    return Actor(
        by="professional" if sender.id_nat else "structure",
        ident=sender.id_nat or sender.struct_id or sender.address,
        name=name or sender.structure or sender.address,
        profession=sender.profession,
        speciality=sender.speciality,
        structure=sender.struct_id,
        organisation=sender.structure,
        address=sender.address,
    )


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
        actor = actor_of(request.sender)
        by = dossier.Depositor(
            address=request.sender.address,
            id_nat=request.sender.id_nat,
            struct_id=request.sender.struct_id,
            by=actor.by,
        )
        deposits = []
        refused = list(request.plan.refused)
        for filing in request.plan.filings:
            try:
                deposits.append(self._deposit(request, filing, by, actor))
            except (BridgeError, dossier.DossierError) as error:
                refused.append(Refused(filing.place, error.application, error.rule, error.peer))
        return Settlement(
            task_id=request.task_id,
            box_id=request.box_id,
            recipient=request.recipient,
            job=request.job,
            by=by,
            deposits=deposits,
            erasures=[
                Erasure(one.place, one.unique_id, self._entry(request, actor, "document_deleted"))
                for one in request.plan.deletions
            ],
            refused=refused,
            entries=self._entries(request, actor, len(refused)),
            passed=request.plan.passed,
            asked=self._store.read(question, self._store, request.box_id, actor, "deposit"),
        )

    def _entry(
        self, request: FilingRequest, actor: Actor, what: What, more: dict[str, str] | None = None
    ) -> Entry:
        return activity.entry(self._store, request.box_id, actor, what, kind="document", more=more)

    def _entries(self, request: FilingRequest, actor: Actor, count: int) -> list[Entry]:
        """One for each refusal; none in a box whose key is gone: nobody reads them there."""
        try:
            return [self._entry(request, actor, "document_deposited") for _ in range(count)]
        except StoreError:
            return []

    def _deposit(
        self, request: FilingRequest, filing: Filing, by: dossier.Depositor, actor: Actor
    ) -> Deposit:
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
        more = {"title": filing.title, "type": filing.type.display}
        entry = self._entry(request, actor, "document_deposited", more)
        return Deposit(filing.place, filing.title, filing.unique_id, new, entry)


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
