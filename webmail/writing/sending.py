"""Sending: the same questions as on the submission port, then the router's one transaction.

Invariants:
- a letter is sent once however often its form comes: its token makes its Message-ID, who sends it at the same
  moment makes the same octets, and the router knows these;
- the letter was kept as a draft before, and the draft goes only after the acceptance is on the disk.
"""

from __future__ import annotations

import asyncio
import traceback
from pathlib import PurePath
from typing import Final, Literal

import msgspec
import structlog
from sqlalchemy import Connection

import evidence
from gateway.message import Indexer, MessageIndex, decode_meta
from gateway.routing import Check, Envelope, Origin, Recipient, Verdict, begin_sending, end_sending, words
from store import PasserelleError, Spool, Store, mail, new_id
from webmail.languages import N_
from webmail.mail.letters import Letter
from webmail.people import contact_of
from webmail.turn import Turn
from webmail.visit import Visit
from webmail.writing.answers import answer_boxes, told, writer
from webmail.writing.building import Writing, letter_bytes
from webmail.writing.drafts import drafts_of, header_id
from webmail.writing.stored import writing_in

log = structlog.get_logger("webmail")

_SENT_LOOKED_AT: Final = 100
_FAILED: Final = N_("Une erreur est survenue chez nous : votre message n'est pas parti. Réessayez plus tard.")
_TOO_LARGE: Final = N_("Votre message est trop lourd : retirez une pièce jointe, ou envoyez-en plusieurs.")
_BAD_ADDRESS: Final = N_("L'adresse du destinataire est mal écrite : votre message n'est pas parti.")


class Result(msgspec.Struct, frozen=True):
    """``sent``; ``before``: it had left already, as it stands; ``changed``: it had left, and was changed
    since, which was not sent; ``refused``: ``text`` says why, ``rule`` which rule."""

    outcome: Literal["sent", "before", "changed", "refused"]
    rule: str = ""
    text: str = ""


async def send(turn: Turn, writing: Writing, draft: int, original: Letter | None, quotation: str) -> Result:
    """Send a letter. Nothing is raised that loses it: what went wrong is a refusal.

    :param draft: its number. :param quotation: what stands under the text, "" for nothing.
    """
    try:
        return await asyncio.shield(_send(turn, writing, draft, original, quotation))
    except PasserelleError as error:
        log.info("letter_refused", rule=error.rule)
        return Result("refused", error.rule, turn.sentence(error))
    except Exception as error:  # noqa: BLE001  # whatever it was; its words may be those of the letter
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{PurePath(last.filename).name}:{last.lineno}"
        log.error("letter_failed", error=type(error).__name__, at=where)
        return Result("refused", "gateway.error", turn.say(_FAILED))


async def _send(turn: Turn, writing: Writing, draft: int, original: Letter | None, quotation: str) -> Result:
    visit, store, router = turn.visit, turn.store, turn.kit.router
    ident = header_id(turn, writing)
    begun = await store.awrite(
        begin_sending, box_id=visit.box_id, key=writing.token, trace_id=f"{new_id():x}"
    )
    if await turn.read(was_accepted, ident, visit.address):
        sent = await turn.run(store.read, _sent_copy, visit, ident)
        await _end(turn, writing, draft, original, begun.trace_id)
        whole = sent is None or _same(sent, writing, quotation)
        return Result("before" if whole else "changed")
    origin = writer(visit, tls="TLS", peer=turn.source)
    refusal = await _refusal(turn, origin, writing)
    if refusal is not None:
        return refusal
    names = await turn.read(_names, writing.to)
    try:
        raw = await turn.run(
            letter_bytes,
            writing,
            author=visit.address,
            author_name=visit.profile.name,
            names=names,
            hostname=turn.kit.wants.hostname,
            at=begun.at,
            original=quotation,
        )
    except ValueError:
        return Result("refused", "address.syntax", turn.say(_BAD_ADDRESS))
    if len(raw) > router.policy.size_limit:
        return Result("refused", "message.size", turn.say(_TOO_LARGE))
    verdict = await _accept(turn, origin, writing, raw, begun.trace_id, begun.at)
    if not verdict.accepted:
        return Result("refused", verdict.rule, await _sentence(turn, verdict, writing.to))
    await _end(turn, writing, draft, original, begun.trace_id)
    return Result("sent")


def was_accepted(conn: Connection, ident: str, address: str) -> bool:
    """Whether a message of this Message-ID was taken over from the patient."""
    return any(
        one.event in ("accepted", "delivered") and one.sender.casefold() == address.casefold()
        for one in evidence.trace(conn, ident)
    )


async def _refusal(turn: Turn, origin: Origin, writing: Writing) -> Result | None:
    """What MAIL and RCPT would have answered (RFC 5321 §3.3): the first refusal, or None."""
    router, utf8 = turn.kit.router, not all(one.isascii() for one in writing.to)
    verdict = await router.sender(origin, origin.address, utf8)
    for address in writing.to:
        if verdict.accepted:
            verdict = await router.recipient(origin, origin.address, address)
    if verdict.accepted:
        return None
    return Result("refused", verdict.rule, await _sentence(turn, verdict, writing.to))


async def _sentence(turn: Turn, verdict: Verdict, addresses: list[str]) -> str:
    """What the rule that refused says; the rules are asked again for the day that it may speak of."""
    boxes = await answer_boxes(turn, [*addresses])
    for box in boxes:
        if not box.open and box.rule == verdict.rule:
            return box.text
    if verdict.rule not in words.FAILED:
        return turn.say(_FAILED)
    return told(Check(verdict.rule, False, words.english(verdict.rule, ok=False)), turn.language)


async def _accept(
    turn: Turn, origin: Origin, writing: Writing, raw: bytes, trace_id: str, at: int
) -> Verdict:
    spool = turn.store.spool()
    try:
        index = await turn.run(_take_in, spool, raw)
        envelope = Envelope(
            mail_from=origin.address,
            recipients=[Recipient(address=one) for one in writing.to],
            trace_id=trace_id,
            received_at=at,
            protocol="",
            ret="HDRS",
            smtputf8=not all(one.isascii() for one in writing.to),
        )
        return await turn.kit.router.accept(origin, envelope, spool, index, spool.sha256)
    finally:
        spool.discard()


def _take_in(spool: Spool, raw: bytes) -> MessageIndex:
    indexer = Indexer()
    indexer.feed(raw)
    spool.write(raw)
    return indexer.close()


async def _end(turn: Turn, writing: Writing, draft: int, original: Letter | None, trace_id: str) -> None:
    """The letter is on its way: its drafts go, the original is marked. What fails here fails quietly: it is
    done again when the draft is opened, which tells that it was sent."""
    visit = turn.visit
    try:
        drafts = await turn.read(drafts_of, visit)
        await turn.store.awrite(
            end_sending,
            box_id=visit.box_id,
            key=writing.token,
            trace_id=trace_id,
            drafts=[one.uid for one in drafts.of(writing.token, draft)],
            answered=[(one.folder.folder_id, one.entry.uid) for one in (original.places if original else [])],
        )
    except PasserelleError as error:
        log.warning("draft_left", rule=error.rule)


def _names(conn: Connection, addresses: list[str]) -> dict[str, str]:
    return {one: contact_of(conn, one).name for one in addresses}


def _sent_copy(conn: Connection, visit: Visit, ident: str) -> Writing | None:
    """The Sent copy of a letter as it was written; None where it is no more."""
    store: Store = visit.store
    folder = mail.special_folder(conn, visit.box_id, "\\Sent")
    if folder is None:
        return None
    newest = mail.entries(conn, visit.box_id, folder.folder_id)[-_SENT_LOOKED_AT:]
    for message in store.messages(conn, visit.box_id, [one.message_id for one in newest]).values():
        if decode_meta(message.meta).index.facts.message_id == ident:
            return writing_in(store, message)
    return None


def _same(sent: Writing, writing: Writing, quotation: str) -> bool:
    """Whether what was sent is what stands in the form now; files are compared where the form has any."""
    text = f"{writing.text.rstrip()}\n\n{quotation}" if quotation else writing.text
    if _words(sent.text) != _words(text) or sent.subject != writing.subject:
        return False
    return not writing.files or [one.content for one in sent.files] == [one.content for one in writing.files]


def _words(text: str) -> list[str]:
    return text.split()
