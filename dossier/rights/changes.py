"""Changing the rights to a record: masks, blocks, agreements, the treating physician, emergencies.

Each change is a blocking function: it makes the journal's entry, in which the reason is sealed, then one
operation judges it, looks whether it changes anything, and writes both. True says that something changed;
nothing is written where it did not. Each raises :class:`RightsError` (or :class:`NotFoundError`
``dossier.unknown`` for a document that is kept from the actor) after the refusal went to the journal, and
:class:`StoreError` when the box's key is gone.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection

import activity
import annuaire
import evidence
import patients
from activity import Actor, Entry, Kind, What
from dossier.documents import brought_by, row_versions
from dossier.right_events import RightEventName, append, right_events
from dossier.rights.decisions import Question, judge, question, refusal
from dossier.rights.facts import PHYSICIAN
from dossier.rights.model import Action, Decision
from dossier.rights.standing import NO_MARKS, Standing, standing
from store import InvalidInputError, PasserelleError, Store, Tx, mail, operation

_IDENT: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z/._-]{2,63}", re.ASCII)
#: An RPPS or ADELI number without the digit of its kind: nobody ever comes with it.
_BARE: Final = re.compile(r"[0-9]{11}|[0-9]{9}", re.ASCII)
#: What an emergency may be.
Emergency = Literal["regulation", "break_glass"]


class Changed(msgspec.Struct, frozen=True):
    """How a change ended: the decision, and whether anything was written."""

    decision: Decision
    changed: bool = False


# -- what the patient says of professionals -------------------------------------------------------


def block(store: Store, box_id: int, actor: Actor, professional: str) -> bool:
    """Shut the record to a professional (IdNat_PS); what let him in ends with it."""
    return _of_professional(store, box_id, actor, "block", "professional_blocked", professional)


def unblock(store: Store, box_id: int, actor: Actor, professional: str) -> bool:
    """End a block. The professional has to be authorised anew, unless he is the treating physician."""
    return _of_professional(store, box_id, actor, "unblock", "professional_unblocked", professional)


def authorise(store: Store, box_id: int, actor: Actor, professional: str) -> bool:
    """Let a professional (IdNat_PS) in, until he is blocked."""
    return _of_professional(store, box_id, actor, "authorise", "professional_authorised", professional)


def declare_consent(store: Store, box_id: int, actor: Actor) -> bool:
    """By the professional himself: the patient, before him, agreed that he looks into the record."""
    return _of_professional(store, box_id, actor, "declare_consent", "consent_declared", actor.ident)


def appoint(store: Store, box_id: int, actor: Actor, professional: str) -> bool:
    """Make a physician the treating one, in the place of whoever was.

    Raises :class:`InvalidInputError` ``dossier.physician``: the directory lists him, not as a physician.
    """
    listed = store.read(annuaire.activities, professional.strip())
    if listed and all(one.profession != PHYSICIAN for one in listed):
        raise InvalidInputError("dossier.physician", "the directory does not list him as a physician")
    return _of_professional(store, box_id, actor, "appoint", "physician_appointed", professional)


def dismiss(store: Store, box_id: int, actor: Actor) -> bool:
    """Have no treating physician any more."""
    held = store.read(rights_of, box_id)
    return _change(
        store, box_id, actor, "dismiss", "physician_dismissed", ["dismiss"],
        kind="professional", subject=held.treating,
    )  # fmt: skip


def set_emergency(
    store: Store,
    box_id: int,
    actor: Actor,
    *,
    regulation: bool | None = None,
    break_glass: bool | None = None,
) -> bool:
    """Allow or refuse what emergencies may do; None leaves it as it is."""
    events: list[RightEventName] = []
    if regulation is not None:
        events.append("accept_regulation" if regulation else "refuse_regulation")
    if break_glass is not None:
        events.append("accept_break_glass" if break_glass else "refuse_break_glass")
    return _change(store, box_id, actor, "set_emergency", "emergency_changed", events)


# -- masks ----------------------------------------------------------------------------------------


def mask_all(store: Store, box_id: int, actor: Actor) -> bool:
    """Mask every document from professionals, those too that are filed later, until :func:`unmask_all`."""
    return _change(store, box_id, actor, "mask_all", "documents_masked", ["mask_all"])


def unmask_all(store: Store, box_id: int, actor: Actor) -> bool:
    """End what :func:`mask_all` did; documents that were masked one by one stay masked."""
    return _change(store, box_id, actor, "unmask_all", "documents_unmasked", ["unmask_all"])


def mask(store: Store, box_id: int, actor: Actor, document_id: int) -> bool:
    """Mask a document from professionals, its author and the treating physician excepted."""
    return _of_document(store, box_id, actor, "mask", "document_masked", document_id)


def unmask(store: Store, box_id: int, actor: Actor, document_id: int) -> bool:
    """End the mask of a document, also that of its author's code and of :func:`mask_all` before."""
    return _of_document(store, box_id, actor, "unmask", "document_unmasked", document_id)


def withhold(store: Store, box_id: int, actor: Actor, document_id: int) -> bool:
    """Withhold a document from the patient's side until he was told."""
    return _of_document(store, box_id, actor, "withhold", "document_withheld", document_id)


def announce(store: Store, box_id: int, actor: Actor, document_id: int) -> bool:
    """Make a document visible to the patient, for good."""
    return _of_document(store, box_id, actor, "announce", "document_announced", document_id)


def hide(store: Store, box_id: int, actor: Actor, document_id: int) -> bool:
    """Hide a document from legal representatives.

    Raises also :class:`patients.GuardianError` ``guardian.secret``.
    """
    return _of_document(store, box_id, actor, "hide", "document_hidden", document_id)


def show(store: Store, box_id: int, actor: Actor, document_id: int) -> bool:
    """Show a document to legal representatives again, and the message that brought it where nothing else that
    is hidden came with it. Raises also :class:`patients.GuardianError` ``guardian.secret``."""
    return _of_document(store, box_id, actor, "show", "document_shown", document_id)


# -- reading --------------------------------------------------------------------------------------


def rights_of(conn: Connection, box_id: int, at: int | None = None) -> Standing:
    """The rights to a record as they stand, or stood at ``at`` (ms)."""
    return standing(right_events(conn, box_id, at))


# -- the one operation ----------------------------------------------------------------------------


#: Actions that are events of the same name.
_Said = Literal[
    "mask", "unmask", "withhold", "announce", "hide", "show",
    "mask_all", "unmask_all", "block", "unblock", "authorise", "declare_consent", "appoint", "dismiss",
]  # fmt: skip


def _of_professional(
    store: Store, box_id: int, actor: Actor, action: _Said, what: What, professional: str
) -> bool:
    ident = professional.strip()
    if not _IDENT.fullmatch(ident) or _BARE.fullmatch(ident):
        raise InvalidInputError("dossier.professional", "not an identifier of a professional (IdNat_PS)")
    return _change(store, box_id, actor, action, what, [action], kind="professional", subject=ident)


def _of_document(
    store: Store, box_id: int, actor: Actor, action: _Said, what: What, document_id: int
) -> bool:
    return _change(store, box_id, actor, action, what, [action], document_id=document_id)


def _change(
    store: Store,
    box_id: int,
    actor: Actor,
    action: Action,
    what: What,
    events: list[RightEventName],
    *,
    document_id: int | None = None,
    kind: Kind = "record",
    subject: str = "",
) -> bool:
    asked = store.read(question, store, box_id, actor, action, document_id)
    if document_id:
        kind, subject = "document", str(document_id)
    decision = store.read(judge, asked)
    if decision.allowed:
        entry = activity.entry(store, box_id, actor, what, kind=kind, subject=subject)
        try:
            done = store.write(change_rights, asked=asked, events=events, entry=entry)
        except PasserelleError as error:
            if error.rule == "guardian.secret":
                told = activity.entry(store, box_id, actor, what, kind=kind, subject=subject, rule=error.rule)
                store.write(activity.record, entry=told)
            raise
        if done.decision.allowed:
            return done.changed
        decision = done.decision
    raise refusal(store, box_id, actor, decision, what=what, kind=kind, subject=subject)


@operation("dossier.change_rights")
def change_rights(tx: Tx, *, asked: Question, events: list[RightEventName], entry: Entry) -> Changed:
    """Write those of ``events`` that change something, and the entry if any does.

    The subject of events on professionals is the entry's. Raises :class:`patients.GuardianError`
    ``guardian.secret``: what is hidden from legal representatives stays hidden.
    """
    evidence.hold(tx)
    decision = judge(tx.conn, asked)
    if not decision.allowed:
        return Changed(decision)
    held = rights_of(tx.conn, asked.box_id)
    new = [one for one in events if _changes(one, held, asked.document_id, entry.subject)]
    if asked.action in ("hide", "show"):
        new = _tell_guardians(tx, asked, held)
    for one in new:
        append(
            tx,
            asked.box_id,
            one,
            by=asked.actor.by,
            actor=asked.actor.ident,
            activity_id=entry.activity_id,
            document_id=asked.document_id,
            subject="" if asked.document_id else entry.subject,
        )
    if new:
        activity.note(tx, entry)
    return Changed(decision, bool(new))


def _changes(name: RightEventName, held: Standing, document_id: int, subject: str) -> bool:
    """Whether an event would make a difference; :func:`_tell_guardians` knows it of two of them."""
    marks = held.marks.get(document_id, NO_MARKS)
    differs: dict[RightEventName, bool] = {
        "mask": not marks.masked,
        "unmask": marks.unmasked <= held.all_masked,
        "withhold": not marks.withheld,
        "announce": not marks.announced,
        "hide": True,
        "show": True,
        "block": subject not in held.blocked,
        "unblock": subject in held.blocked,
        "authorise": subject not in held.authorised,
        "declare_consent": subject not in held.authorised,
        "appoint": subject != held.treating,
        "dismiss": bool(held.treating),
        "mask_all": True,  # it also masks again what was unmasked by itself since
        "unmask_all": bool(held.all_masked),
        "refuse_regulation": not held.regulation_refused,
        "accept_regulation": held.regulation_refused,
        "refuse_break_glass": not held.glass_refused,
        "accept_break_glass": held.glass_refused,
    }
    return differs[name]


def _tell_guardians(tx: Tx, asked: Question, held: Standing) -> list[RightEventName]:
    """Hide a document from legal representatives, or show it: where :mod:`patients` keeps it. The event, or
    none when nothing changes."""
    event: Literal["hide", "show"] = "hide" if asked.action == "hide" else "show"
    row = row_versions(tx.conn, asked.box_id, asked.document_id)[0]
    item = patients.document_item(row.unique_id)
    secrets = patients.secrets_of(tx.conn, asked.box_id)
    wanted: list[tuple[patients.ItemKind, bytes]] = []
    if (item in secrets.documents) == (event == "show"):
        wanted.append(("document", item))
    by_code = asked.codes[asked.document_id].secret
    if event == "show" and row.message_id:
        beside = [one for one in brought_by(tx.conn, asked.box_id, row.message_id) if one != row.unique_id]
        if not any(patients.document_item(one) in secrets.documents for one in beside):
            rows = mail.message_rows(tx.conn, asked.box_id, [row.message_id])
            wanted += [
                ("message", bytes(one.sha256)) for one in rows if bytes(one.sha256) in secrets.messages
            ]
    for kind, name in wanted:
        patients.set_secret(
            tx,
            box_id=asked.box_id,
            kind=kind,
            item=name,
            event=event,
            by=_secret_by(asked.actor),
            actor=asked.actor.ident,
        )
    shown = held.marks.get(asked.document_id, NO_MARKS).shown
    return [event] if wanted or (by_code and event == "show" and not shown) else []


def _secret_by(actor: Actor) -> Literal["professional", "patient", "operator"]:
    if actor.by == "patient":
        return "patient"
    return "operator" if actor.by == "operator" else "professional"
