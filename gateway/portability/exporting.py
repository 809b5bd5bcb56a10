"""Everything about one person as one archive: decided, written into the journal, then streamed.

Invariants: nothing is written before the right was decided and its entry committed; the archive holds what
the reader may see, nothing else; memory does not grow with the octets of mail or documents.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec

import activity
import agenda
import catalogue
import dossier
import evidence
import patients
from activity import Actor, By, Entry
from catalogue import Consent
from dossier import Line, rights
from dossier.rights import Decision, Question
from gateway.portability.documents_out import DocumentPlan, DocumentWriter, plan_documents
from gateway.portability.errors import PortabilityError
from gateway.portability.health_out import (
    BUNDLE,
    ITEMS,
    MEASURES,
    HealthPlan,
    bundle,
    item_facts,
    plan_health,
)
from gateway.portability.mail_out import MailPlan, plan_mail, write_mail
from gateway.portability.model import Manifest, Missing, Person, Progress
from gateway.portability.words import readme
from gateway.portability.writing import ArchiveWriter
from patients import Profile
from store import PasserelleError, Store, Tx, now_ms, operation

T = TypeVar("T")
#: Lines of the history that go along, the newest.
MOST_LINES: Final = 100_000
AGENDA: Final = "agenda/agenda.ics"
CONSENTS: Final = "catalogue/consents.json"


class _Plan(msgspec.Struct):
    """Whose archive it is, for whom, made when (ms); what was gathered of each part. None: it could not be,
    and ``missing`` says why."""

    owner: Profile
    eyes: Actor
    made_by: By
    moment: int
    mail: MailPlan
    documents: DocumentPlan | None
    health: HealthPlan | None
    calendar: bytes | None
    history: list[Line] | None
    consents: list[Consent]
    missing: list[Missing]


def export_archive(
    store: Store,
    box_id: int,
    actor: Actor,
    out: BinaryIO,
    progress: Progress | None = None,
    *,
    reader: Actor | None = None,
) -> Manifest:
    """Write a person's archive to ``out`` (it need not be seekable). Blocking, for long.

    :param actor: who asks; the right is his (action ``export``), and the journal's entry.
    :param reader: the patient, or who represents him, who is given it; needed of an operator, else the actor.
    :param progress: called with octets of mail, then documents, done and to do.

    Raises :class:`dossier.rights.RightsError` after the refusal went to the journal;
    :class:`PortabilityError` ``portability.person`` (the reader is a stranger); :class:`StoreError` when the
    box's key is gone.
    """
    tell = progress or _silent
    eyes = _reader(actor, reader)
    rights.require(store, box_id, actor, "export", what="archive_exported")
    owner = store.read(patients.profile_by_box, box_id)
    viewer = store.read(patients.reader, eyes.ident, box_id).viewer
    if owner is None or viewer == "stranger":
        raise PortabilityError(
            "portability.person", "the archive is given to the patient or who represents him"
        )
    plan = _gather(store, box_id, owner, eyes, actor.by, store.read(plan_mail, box_id, viewer))
    told = {name: str(count) for name, count in _counts(plan).items()} | {"reader": eyes.by}
    entry = activity.entry(store, box_id, actor, "archive_exported", more=told)
    asked = store.read(rights.question, store, box_id, actor, "export")
    decision = store.write(note_export, asked=asked, entry=entry)
    if not decision.allowed:
        raise rights.refusal(store, box_id, actor, decision, what="archive_exported")
    archive = ArchiveWriter(out, plan.moment)
    try:
        return _write(store, box_id, plan, archive, tell)
    except BaseException:
        archive.abandon()
        raise


def _write(store: Store, box_id: int, plan: _Plan, archive: ArchiveWriter, tell: Progress) -> Manifest:
    counts = _counts(plan)
    counts["messages"], missing = write_mail(store, box_id, plan.mail, archive, tell)
    plan.missing += missing
    if plan.documents is not None:
        writer = DocumentWriter(store, box_id, plan.eyes, plan.owner, plan.documents, archive, plan.moment)
        counts["documents"], missing = writer.run(tell)
        plan.missing += missing
    _write_rest(archive, plan)
    manifest = Manifest(
        made_at=plan.moment,
        made_by=plan.made_by,
        reader=plan.eyes.by,
        person=person_of(plan.owner),
        counts=counts,
        missing=plan.missing,
        files=archive.files,
    )
    archive.put("LISEZMOI.txt", [readme(manifest, plan.owner.name).encode()])
    archive.close(manifest)
    return manifest


def export_to_file(
    store: Store,
    box_id: int,
    actor: Actor,
    path: Path,
    progress: Progress | None = None,
    *,
    reader: Actor | None = None,
) -> Manifest:
    """:func:`export_archive` into a new file of mode 0600: whole under its name, or not there.

    Raises also :class:`PortabilityError` ``portability.file``: it exists, or cannot be written.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        if path.exists():
            raise PortabilityError("portability.file", f"{path.name} exists already")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise PortabilityError("portability.file", f"{path.name}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as out:
            manifest = export_archive(store, box_id, actor, out, progress, reader=reader)
            out.flush()
            os.fsync(out.fileno())
        draft.rename(path)
    except OSError as error:
        raise PortabilityError("portability.file", f"{path.name}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    return manifest


@operation("portability.note_export")
def note_export(tx: Tx, *, asked: Question, entry: Entry) -> Decision:
    """Decide once more, and write the entry of an export if it is allowed; the answer."""
    evidence.hold(tx)
    decision = rights.judge(tx.conn, asked)
    if decision.allowed:
        activity.note(tx, entry)
    return decision


def person_of(owner: Profile) -> Person:
    """Whose archive it is."""
    return Person(
        ins=owner.ins,
        oid=owner.oid,
        birth_name=owner.birth_name,
        given_names=owner.given_names,
        sex=owner.sex,
        birth_date=owner.birth_date,
    )


def _silent(done: int, total: int) -> None:
    """Nobody looks."""


def _reader(actor: Actor, reader: Actor | None) -> Actor:
    if actor.by in ("patient", "representative"):
        return actor
    if reader is None or reader.by not in ("patient", "representative"):
        raise PortabilityError("portability.person", "say to whom the archive is given")
    return spoken_for(reader, actor)


def spoken_for(person: Actor, actor: Actor) -> Actor:
    """A person for whom an operator acts: with his eyes and rights; the history keeps by whom, why."""
    return msgspec.structs.replace(person, operator=actor.ident, reason=actor.reason)


def _gather(store: Store, box_id: int, owner: Profile, eyes: Actor, made_by: By, mail: MailPlan) -> _Plan:
    missing: list[Missing] = []

    def part(name: str, get: Callable[[], T]) -> T | None:
        try:
            return get()
        except PasserelleError as error:
            if error.rule == "store.key":
                raise
            missing.append(Missing(part=name, item="", reason=error.log))
            return None

    return _Plan(
        owner=owner,
        eyes=eyes,
        made_by=made_by,
        moment=now_ms(),
        mail=mail,
        documents=part("documents", lambda: store.read(plan_documents, store, box_id, eyes)),
        health=part("profile", lambda: store.read(plan_health, store, box_id, eyes)),
        calendar=part("agenda", lambda: agenda.export_calendar(store, box_id, eyes)),
        history=part("history", lambda: dossier.history_for(store, box_id, eyes, limit=MOST_LINES)),
        consents=store.read(catalogue.consents, store, box_id),
        missing=missing,
    )


def _counts(plan: _Plan) -> dict[str, int]:
    return {
        "messages": plan.mail.messages,
        "documents": len(plan.documents.documents) if plan.documents is not None else 0,
        "items": len(plan.health.items) if plan.health is not None else 0,
        "measures": len(plan.health.measures) if plan.health is not None else 0,
        "appointments": plan.calendar.count(b"BEGIN:VEVENT\r\n") if plan.calendar is not None else 0,
        "history": len(plan.history) if plan.history is not None else 0,
        "consents": len(plan.consents),
    }


def _write_rest(archive: ArchiveWriter, plan: _Plan) -> None:
    if plan.health is not None:
        when = datetime.fromtimestamp(plan.moment // 1000, UTC).isoformat()
        archive.put_json(BUNDLE, bundle(plan.owner, plan.health, plan.consents, when))
        archive.put_json(ITEMS, item_facts(plan.health))
        archive.put(MEASURES, [dossier.measures.to_csv(plan.health.measures).encode()])
    if plan.calendar is not None:
        archive.put(AGENDA, [plan.calendar])
    if plan.history is not None:
        archive.put("history/history.csv", [dossier.history_csv(plan.history)])
        archive.put("history/history.json", [dossier.history_json(plan.history)])
    archive.put_json(CONSENTS, [_told(one) for one in plan.consents])


def _told(one: Consent) -> dict[str, object]:
    """A consent for the person's own reading, and for programs."""
    return {**msgspec.to_builtins(one), "sentence": catalogue.sentence(one)}
