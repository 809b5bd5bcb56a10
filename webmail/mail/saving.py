"""Attachments into the record: what of a letter is there already, and the form that puts the rest there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, select

import dossier
import evidence
from dossier import PATIENT_KINDS, PATIENT_LIMIT, Document
from gateway.dmp_bridge import FilingJob, Saved, decode_job, is_xdm_name, save_parts
from store import BodyReader, tasks
from store.schema import task
from webmail.languages import N_
from webmail.mail.letters import Letter
from webmail.mail.octets import content
from webmail.mail.origins import hop_of
from webmail.mail.parts import Attachment
from webmail.visit import Visit

State = Literal["filed", "waiting", "refused", "none"]
#: Files of one letter whose digest is looked for, and octets of all.
_DIGESTS: Final = 60
_DIGEST_OCTETS: Final = 40_000_000

#: Code of the bridge → what it means to the patient (CI-SIS volet "Transmission au LPS", error codes).
REFUSALS: Final[dict[int, str]] = {
    900: N_("La version de ce document ne convient pas : une version plus récente est peut-être déjà là."),
    901: N_("L'expéditeur n'est pas l'auteur du document qu'il voulait remplacer ou supprimer."),
    902: N_("Votre dossier n'a pas pu être reconnu, ou ne peut pas recevoir ce document."),
    903: N_("Le document ne porte pas votre identité nationale de santé (INS)."),
    904: N_("Le nom, la date de naissance ou l'INS écrits dans le document ne sont pas les vôtres."),
    905: N_("L'identité écrite dans le document est incomplète."),
    906: N_("Le document n'a pas pu être lu, ou n'est pas d'un genre accepté par le dossier."),
}
TAKEN: Final = N_("Le dossier accepte les fichiers PDF, texte, RTF, JPEG, PNG et TIFF, de 5 Mo au plus.")


class Filing(msgspec.Struct, frozen=True):
    """What is known of one file: ``documents`` in the record, ``why`` it was refused (a msgid) and by which
    ``code``. ``may``: it can be saved by hand; ``taken``: it is of a kind that the record takes."""

    state: State
    documents: list[int] = []
    code: int = 0
    why: str = ""
    may: bool = False
    taken: bool = True


def digests_of(body: BodyReader, files: Sequence[Attachment]) -> dict[int, bytes]:
    """SHA-256 of files by their numbers, as far as there are not too many. Blocking."""
    made: dict[int, bytes] = {}
    left = _DIGEST_OCTETS
    for one in files[:_DIGESTS]:
        left -= one.octets
        if left < 0:
            break
        digest = hashlib.sha256()
        for piece in content(body, one.part):
            digest.update(piece)
        made[one.number] = digest.digest()
    return made


def filings_of(
    conn: Connection, visit: Visit, letter: Letter, files: Sequence[Attachment], digests: dict[int, bytes]
) -> dict[int, Filing]:
    """The state of each file, out of the evidence, the queue and the record; nothing of it is kept."""
    trace_id = hop_of(letter.meta).trace_id
    records = evidence.trace(conn, trace_id) if trace_id and files else []
    mine = [one for one in records if one.recipient.casefold() == visit.address.casefold()]
    told = [(one.event, json.loads(one.detail)) for one in mine]
    waiting = bool(trace_id) and _is_waiting(conn, visit.box_id, trace_id, letter.message_id)
    store, actor = visit.store, visit.actor
    held = dossier.come_with(conn, store, visit.box_id, letter.message_id, list(digests.values()), actor)
    by_digest: dict[bytes, list[Document]] = {}
    for one in held:
        by_digest.setdefault(one.content_sha256, []).append(one)
    made: dict[int, Filing] = {}
    matched: set[int] = set()
    for file in files:
        found = [one.document_id for one in by_digest.get(digests.get(file.number, b""), [])]
        refused, code = False, 0
        for event, detail in told:
            place = detail.get("place", "")
            if place != f"attachment {file.number}" and not place.startswith(f"attachment {file.number},"):
                continue
            if event == "filed" and detail.get("outcome") != "deleted":
                document = dossier.document_named(
                    conn, store, visit.box_id, detail.get("document", ""), actor
                )
                if document is not None and document.document_id not in found:
                    found.append(document.document_id)
            elif event == "filing_refused":
                refused, code = True, int(detail.get("code", "0") or 0)
        matched.update(found)
        made[file.number] = _filing(file, found, refused, code, waiting)
    return _archives(made, files, [one for one in held if one.document_id not in matched])


def _filing(file: Attachment, found: list[int], refused: bool, code: int, waiting: bool) -> Filing:
    taken = may_be_saved(file)
    if found:
        return Filing("filed", found)
    if refused:
        return Filing("refused", [], code, REFUSALS.get(code, REFUSALS[906]), taken, taken)
    if waiting and taken:
        return Filing("waiting")
    return Filing("none", may=taken, taken=taken)


def _archives(
    made: dict[int, Filing], files: Sequence[Attachment], left: list[Document]
) -> dict[int, Filing]:
    """Documents out of an archive of the letter, saved by hand: their digests are not the file's."""
    for file in files:
        if is_xdm_name(file.name) and left and made[file.number].state != "filed":
            made[file.number] = Filing("filed", [one.document_id for one in left])
            break
    return made


def may_be_saved(file: Attachment) -> bool:
    """Whether a file says that it is of a kind that the record takes."""
    if is_xdm_name(file.name):
        return True
    fits = file.octets <= PATIENT_LIMIT * 11 // 10  # its true size is judged when it is saved
    return fits and bool(dossier.file_kind(file.media, file.name, PATIENT_KINDS))


def _is_waiting(conn: Connection, box_id: int, trace_id: str, message_id: int) -> bool:
    rows = conn.execute(
        select(task.c.payload).where(
            task.c.trace_id == trace_id,
            task.c.box_id == box_id,
            task.c.queue == tasks.FILING,
            task.c.state.in_(["due", "leased", "held"]),
        )
    ).all()
    jobs = (decode_job(row.payload) for row in rows)
    return any(isinstance(job, FilingJob) and job.message_id == message_id for job in jobs)


def save(visit: Visit, letter: Letter, numbers: list[int] | None, category: str) -> list[Saved]:
    """Put files of a letter into the record, all of them when ``numbers`` is None. Blocking.

    Raises :class:`NotFoundError`, :class:`InvalidInputError` ``dossier.part``, and what the rights refuse.
    """
    return save_parts(visit.store, visit.box_id, letter.message_id, visit.actor, numbers, category=category)
