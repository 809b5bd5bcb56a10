"""Gathering what a decision is made of: who an actor is to a record, and what holds of its documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row

import patients
from activity import Actor, By
from dossier.documents import is_own
from dossier.model import APPROVED, DEPRECATED, PATIENT_SIDE, Depositor, Document, DocumentInfo
from dossier.right_events import right_events
from dossier.rights.matrix import Matrix, current_matrix
from dossier.rights.model import Asker, DocumentFacts, RecordFacts
from dossier.rights.standing import NO_MARKS, Standing, standing
from patients import Profile, Secrets, Viewer
from store import mail

PHYSICIAN: Final = "10"  # G15
MASKED: Final = "MASQUE_PS"  # JDV_J58


#: A document, or its row: what is in the clear of it.
Held = Row[Any] | Document


class Codes(msgspec.Struct, frozen=True):
    """What of a document's sealed part a decision needs; it never changes."""

    class_code: str
    type_code: str
    masked: bool
    withheld: bool
    secret: bool


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A record as one actor stands before it, now or at a past moment: what judging its documents takes."""

    box_id: int
    actor: Actor
    asker: Asker
    record: RecordFacts
    standing: Standing
    matrix: Matrix
    secrets: Secrets

    @property
    def stamp(self) -> bytes:
        """A digest that changes with anything that could change a decision, documents left out."""
        secret = (sorted(self.secrets.messages), sorted(self.secrets.documents))
        parts = (self.asker, self.record, self.standing.last, self.matrix.version, secret)
        return hashlib.sha256(msgspec.msgpack.encode(parts)).digest()


def codes_of(info: DocumentInfo) -> Codes:
    """What of a document's sealed part a decision needs."""
    flags = patients.flags_of(info.confidentiality)
    return Codes(
        info.class_code, info.type_code, MASKED in info.confidentiality, flags.withheld, flags.secret
    )


def view(conn: Connection, box_id: int, actor: Actor, at: int | None = None) -> View:
    """How ``actor`` stands before the record of a box, now or at a past moment ``at`` (ms)."""
    owner = patients.profile_by_box(conn, box_id)
    held = standing(right_events(conn, box_id, at))
    table = current_matrix(conn, at)
    secrets = patients.secrets_of(conn, box_id, at)
    asker = _asker(conn, box_id, actor, owner, at)
    return View(
        box_id=box_id,
        actor=actor,
        asker=asker,
        record=_record(conn, actor, owner, held, table, at),
        standing=held,
        matrix=table,
        secrets=secrets,
    )


def facts_of(conn: Connection, box_id: int, actor: Actor, at: int | None = None) -> tuple[Asker, RecordFacts]:
    """Who asks, and what holds of the record for him, now or at a past moment ``at`` (ms)."""
    found = view(conn, box_id, actor, at)
    return found.asker, found.record


def _asker(conn: Connection, box_id: int, actor: Actor, owner: Profile | None, at: int | None) -> Asker:
    by: By = actor.by
    viewer: Viewer = "stranger"
    if actor.by in ("patient", "representative"):
        viewer = patients.reader(conn, actor.ident, box_id, at).viewer
        by = "patient" if owner is not None and owner.ins == actor.ident else "representative"
    return Asker(by=by, viewer=viewer, purpose=actor.purpose, reasoned=bool(actor.reason.strip()))


def _record(
    conn: Connection, actor: Actor, owner: Profile | None, held: Standing, table: Matrix, at: int | None
) -> RecordFacts:
    state = None
    if owner is not None:
        state = owner.state if at is None else patients.state_at(conn, owner.ins, at)
    is_open = state in patients.RECEIVING
    if actor.by != "professional":
        return RecordFacts(
            open=is_open,
            regulation_refused=held.regulation_refused,
            glass_refused=held.glass_refused,
            all_masked=bool(held.all_masked),
        )
    profession = actor.profession
    return RecordFacts(
        open=is_open,
        authorised=actor.ident in held.authorised,
        blocked=actor.ident in held.blocked,
        treating=bool(actor.ident) and actor.ident == held.treating and profession == PHYSICIAN,
        regulation_refused=held.regulation_refused,
        glass_refused=held.glass_refused,
        all_masked=bool(held.all_masked),
        sees_profile=table.reads(profession, "profile"),
        sees_vaccinations=table.reads(profession, "vaccinations"),
        sees_wishes=table.reads(profession, "wishes"),
        sees_measures=table.reads(profession, "measures"),
        adds_vaccinations=table.adds(profession, "vaccinations"),
    )


def hidden_carriers(conn: Connection, found: View, held: Iterable[Held]) -> frozenset[int]:
    """Messages among those that brought some documents that are kept from legal representatives."""
    wanted = {one.message_id for one in held} - {0}
    if not wanted or not found.secrets.messages:
        return frozenset()
    rows = mail.message_rows(conn, found.box_id, list(wanted))
    return frozenset(row.message_id for row in rows if bytes(row.sha256) in found.secrets.messages)


def document_facts(
    found: View,
    one: Held,
    codes: Codes,
    carriers: frozenset[int],
    newer: Iterable[tuple[Held, Codes]] = (),
    *,
    reading: bool,
) -> DocumentFacts:
    """What holds of one document for the actor of a view.

    ``reading``: it is asked for ``see`` or ``read``. A professional reads unasked only what he wrote or filed
    in person: his structure may have thousands. To change it is his structure's too (error 901).
    ``carriers``: see :func:`hidden_carriers`; ``newer``: the versions that took its place, one after the
    other: an older one is shown no more widely than they are.
    """
    versions = [(one, codes), *newer]
    marks = [found.standing.marks.get(held.document_id, NO_MARKS) for held, _ in versions]
    pairs = list(zip(versions, marks, strict=True))
    all_masked = found.standing.all_masked
    return DocumentFacts(
        status=one.status,
        own=_own(one, found.actor, in_person=reading),
        by_patient=one.deposited_by in PATIENT_SIDE,
        allowed=found.asker.by == "professional"
        and found.matrix.opens(found.actor.profession, codes.class_code, codes.type_code),
        masked=any(mark.masked or (said.masked and not mark.unmasked) for (_, said), mark in pairs),
        bared=all(mark.unmasked > all_masked for mark in marks),
        withheld=any(mark.withheld or (said.withheld and not mark.announced) for (_, said), mark in pairs),
        announced=bool(marks[0].announced),
        hidden=any(
            patients.document_item(held.unique_id) in found.secrets.documents
            or held.message_id in carriers
            or (said.secret and not mark.shown)
            for (held, said), mark in pairs
        ),
    )


def _own(one: Held, actor: Actor, *, in_person: bool) -> bool:
    """What a patient put into the record is nobody's but his, whatever author he named."""
    if actor.by not in ("professional", "structure") or one.deposited_by in PATIENT_SIDE:
        return False
    if actor.by == "structure":
        who = Depositor(address="", struct_id=actor.structure or actor.ident, by="structure")
    else:
        who = Depositor(
            address=actor.address, id_nat=actor.ident, struct_id="" if in_person else actor.structure
        )
    return is_own(one, who)


def newer_versions(one: Document, by_id: Mapping[int, Document]) -> list[tuple[Document, Codes]]:
    """The versions that took a document's place, one after the other."""
    found: list[tuple[Document, Codes]] = []
    following = one.replaced_by
    while following is not None and following in by_id and len(found) < len(by_id):
        following_one = by_id[following]
        found.append((following_one, codes_of(following_one.info)))
        following = following_one.replaced_by
    return found


def as_of(held: Sequence[Document], at: int) -> list[Document]:
    """The documents as they stood at ``at``: later ones are not there yet, what ended later had not ended."""
    filed = {one.document_id: one.filed_at for one in held}
    found = []
    for one in held:
        if one.filed_at > at:
            continue
        if one.ended_at is None or one.ended_at <= at:
            found.append(one)
            continue
        follower = one.replaced_by if filed.get(one.replaced_by or 0, at + 1) <= at else None
        found.append(
            msgspec.structs.replace(
                one,
                status=APPROVED if follower is None else DEPRECATED,
                replaced_by=follower,
                ended_at=None if follower is None else filed[follower],
            )
        )
    return found
