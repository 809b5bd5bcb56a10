"""Saving what a message brought into the record: one attachment, or all at once, for the patient's side.

The patient deposits; whoever sent the message is the author in words. What is in the record already, filed by
the bridge or saved before, is told as a duplicate; what may not be saved tells why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection

import dossier
import patients
from activity import Actor
from dossier import PATIENT_KINDS, PATIENT_TYPES, Outcome, Said, file_kind
from dossier.rights import RightsError, require
from gateway.dmp_bridge import codes
from gateway.dmp_bridge.described import said_of
from gateway.dmp_bridge.filing import attachment_of
from gateway.dmp_bridge.guess import guess_type
from gateway.dmp_bridge.model import Attachment, Sender
from gateway.dmp_bridge.plan import plan_filing
from gateway.dmp_bridge.senders import sender_of
from gateway.dmp_bridge.wrapping import as_utf8
from gateway.dmp_bridge.xdm import is_xdm_name
from gateway.message import MessageIndex, attachments, decode_meta
from patients import Profile
from store import InvalidInputError, NotFoundError, PasserelleError, Store, StoreError, mail

#: The type that says nothing: its heading is "Autres".
_UNTOLD: Final = "EXPPAT_2"


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one attachment, or of one document of an archive. ``part`` counts attachments from 1;
    ``outcome`` filed, replaced, duplicate, refused, or passed (an image of the text itself); ``rule`` and
    ``reason`` tell why it was not saved."""

    part: int
    filename: str
    outcome: Outcome | str
    document_id: int = 0
    rule: str = ""
    reason: str = ""


class _Opened(msgspec.Struct, frozen=True):
    message: mail.StoredMessage
    index: MessageIndex
    owner: Profile
    sender: Sender


def save_parts(
    store: Store,
    box_id: int,
    message_id: int,
    actor: Actor,
    parts: Sequence[int] | None = None,
    *,
    category: str = "",
) -> list[Saved]:
    """Save attachments of a message of a patient's mailbox into his record. Blocking.

    :param parts: numbers of attachments from 1; all when None, images of the text left out.
    :param category: the heading (:data:`dossier.CATEGORIES`) of what is no CDA document; guessed when "".

    Raises :class:`NotFoundError` ``dossier.message`` (no such message, or one that is kept from him),
    :class:`InvalidInputError` ``dossier.part`` (no such attachment),
    :class:`dossier.rights.RightsError` (told in the journal).
    """
    require(store, box_id, actor, "deposit", what="document_saved")
    opened = store.read(_open, store, box_id, message_id, actor)
    found = attachments(opened.index.root)
    wanted = range(1, len(found) + 1) if parts is None else list(dict.fromkeys(parts))
    if any(not 1 <= number <= len(found) for number in wanted):
        raise InvalidInputError("dossier.part", f"the message has {len(found)} attachments")
    body = store.open_body(opened.message)
    saved: list[Saved] = []
    for number in wanted:
        attachment = attachment_of(found[number - 1], body)
        if parts is None and attachment.inline and attachment.media.startswith("image/"):
            reason = "an image that belongs to the text"
            saved.append(Saved(part=number, filename="", outcome="passed", rule="plan.inline", reason=reason))
        elif is_xdm_name(attachment.filename):
            saved += _archive(store, box_id, actor, opened, number, attachment)
        else:
            saved.append(_one(store, box_id, actor, opened, number, attachment, category))
    return saved


def _open(conn: Connection, store: Store, box_id: int, message_id: int, actor: Actor) -> _Opened:
    message = store.messages(conn, box_id, [message_id]).get(message_id)
    owner = patients.profile_by_box(conn, box_id)
    viewer = patients.reader(conn, actor.ident, box_id).viewer
    kept = viewer != "self" and message_id in patients.hidden_messages(conn, box_id, [message_id])
    if message is None or owner is None or kept:
        raise NotFoundError("dossier.message", "there is no such message in this mailbox")
    index = decode_meta(message.meta).index
    return _Opened(message, index, owner, sender_of(conn, _from(index)))


def _from(index: MessageIndex) -> str:
    senders = index.facts.from_
    return senders[0].address if senders else ""


def _one(
    store: Store,
    box_id: int,
    actor: Actor,
    opened: _Opened,
    number: int,
    attachment: Attachment,
    category: str,
) -> Saved:
    """A plain file, as a deposit of the patient's."""
    sender = opened.sender
    name = " ".join(part for part in (sender.given, sender.name) if part)
    said = Said(
        mime=file_kind(attachment.media, attachment.filename, PATIENT_KINDS) or attachment.media,
        author=name or sender.structure or _name(opened.index),
        organisation=sender.structure,
        created_at=opened.message.received_at,
        message_id=opened.message.message_id,
        category=category or _heading(attachment.filename, opened, sender),
    )
    try:
        content = attachment.load()
        if said.mime == "text/plain":  # the bridge files the text in UTF-8, under the digest of what came
            said = msgspec.structs.replace(said, content_sha256=hashlib.sha256(content).digest())
            content = as_utf8(content, attachment.charset)
        filed = dossier.deposit(
            store,
            box_id,
            actor,
            content=content,
            filename=attachment.filename,
            said=said,
            what="document_saved",
        )
    except (RightsError, StoreError):
        raise
    except PasserelleError as error:
        return _refused(number, attachment, error.rule, error.peer)
    return Saved(
        part=number, filename=attachment.filename, outcome=filed.outcome, document_id=filed.document_id
    )


def _name(index: MessageIndex) -> str:
    senders = index.facts.from_
    return senders[0].name or senders[0].address if senders else ""


def _heading(filename: str, opened: _Opened, sender: Sender) -> str:
    code = guess_type(filename, opened.index.facts.subject, sender.speciality, _UNTOLD)
    heading = dossier.category(code, codes.document_type(code).class_code)
    return heading if heading in PATIENT_TYPES else dossier.category(_UNTOLD, "")


def _archive(
    store: Store, box_id: int, actor: Actor, opened: _Opened, number: int, attachment: Attachment
) -> list[Saved]:
    """The documents of an IHE_XDM archive, with their own codes, ids and authors."""
    plan = plan_filing(
        [attachment],
        patient=opened.owner,
        sender=opened.sender,
        subject=opened.index.facts.subject,
        received_at=opened.message.received_at,
        y="xdm",
        default_type=_UNTOLD,
    )
    saved = [_refused(number, attachment, one.rule, one.reason) for one in plan.refused]
    for filing in plan.filings:
        said = msgspec.structs.replace(said_of(filing), message_id=opened.message.message_id)
        try:
            filed = dossier.keep(store, box_id, actor, filing.load(), said, what="document_saved")
        except (RightsError, StoreError):
            raise
        except PasserelleError as error:
            saved.append(_refused(number, attachment, error.rule, error.peer))
        else:
            saved.append(
                Saved(
                    part=number,
                    filename=attachment.filename,
                    outcome=filed.outcome,
                    document_id=filed.document_id,
                )
            )
    return saved


def _refused(number: int, attachment: Attachment, rule: str, reason: str) -> Saved:
    return Saved(part=number, filename=attachment.filename, outcome="refused", rule=rule, reason=reason)
