"""What stands in the form of a letter: gathered from what was posted, from the draft, from the original."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from store import NotFoundError
from webmail import formats
from webmail.languages import N_
from webmail.mail.letters import Letter, letter_of
from webmail.mail.shelf import view_for
from webmail.mail.wording import subject_of
from webmail.people import contact_of, contacts_at
from webmail.turn import Missing, Turn
from webmail.writing.answers import AnswerBox, answer_box, answer_boxes
from webmail.writing.building import (
    SUBJECT,
    TEXT,
    File,
    Writing,
    answering,
    cleaned,
    is_address,
    new_token,
    quoted,
    thread_of,
    token_of,
)
from webmail.writing.drafts import draft_of, drafts_of
from webmail.writing.files import ACCEPT, MOST, Fault, left, room, take
from webmail.writing.references import address_of
from webmail.writing.stored import text_in

_MOST_TO: Final = 20
_WROTE: Final = N_("Le %(when)s, %(who)s a écrit :")


class Work(msgspec.Struct, kw_only=True):
    """One letter on its way: ``draft`` is its number in the folder of drafts (0: not kept yet), ``original``
    what it answers, ``quotation`` how that would stand under the text."""

    writing: Writing
    draft: int = 0
    original: Letter | None = None
    quotation: str = ""
    lost: bool = False  # the form was made of a draft that is no more
    faults: list[Fault] = msgspec.field(default_factory=list)
    errors: dict[str, str] = msgspec.field(default_factory=dict)
    refusal: str = ""


async def answer_to(turn: Turn, letter: Letter) -> tuple[AnswerBox, Work]:
    """A new answer to a letter, before anything is typed."""
    box = await answer_box(turn, letter)
    facts = letter.meta.index.facts
    in_reply_to, references = thread_of(facts.message_id, facts.references, facts.in_reply_to)
    writing = Writing(
        token=new_token(),
        to=list(box.addresses or [box.address]),
        subject=answering(subject_of(facts.subject)),
        original=letter.message_id,
        in_reply_to=in_reply_to,
        references=references,
    )
    return box, Work(writing=writing, original=letter, quotation=await quotation_of(turn, letter))


async def go_on(turn: Turn, message_id: int) -> Work:
    """A draft as it was kept. :raises Missing: there is none."""
    _, writing = await draft_of(turn, message_id)
    original = await _original(turn, writing.original)
    quotation = await quotation_of(turn, original) if original else ""
    return Work(writing=writing, draft=message_id, original=original, quotation=quotation)


async def posted(turn: Turn) -> Work:
    """What a form says, with the attachments that its draft keeps and those that come with it; what would be
    quoted is not looked up."""
    number = _number(turn.text("brouillon")) or int(turn.request.path_params.get("draft_id", 0))
    token = token_of(turn.text("jeton"))
    kept, draft = await _kept(turn, token, number)
    original = await _original(turn, _number(turn.text("original")) or (kept.original if kept else 0))
    before = kept or Writing(token=token or new_token(), to=[])
    in_reply_to, references = before.in_reply_to, before.references
    if original is not None:
        facts = original.meta.index.facts
        in_reply_to, references = thread_of(facts.message_id, facts.references, facts.in_reply_to)
    writing = Writing(
        token=token or before.token,
        to=await _known(turn, _addresses(turn.text("a")), before.to, original) or before.to,
        subject=turn.text("objet")[:SUBJECT],
        text=cleaned(turn.text("texte"))[:TEXT],
        quote=bool(turn.text("citer")),
        original=original.message_id if original else 0,
        in_reply_to=in_reply_to,
        references=references,
        files=before.files,
    )
    work = Work(writing=writing, draft=draft, original=original, lost=bool(number) and kept is None)
    given = [(one.filename or "", one.content_type or "", await one.read()) for one in turn.files("fichiers")]
    if given:
        limit = turn.kit.router.policy.size_limit
        writing.files, work.faults = await turn.run(take, writing.files, given, limit)
    return work


async def shown(turn: Turn, work: Work, *, title: str, action: str, back: str) -> dict[str, Any]:
    """What the page of a letter is drawn with."""
    limit = turn.kit.router.policy.size_limit
    people = await turn.read(contacts_at, work.writing.to)
    boxes = await answer_boxes(turn, [*work.writing.to]) if work.writing.to else []
    warnings = dict.fromkeys(one.text for one in boxes if one.text)
    return {
        "title": title,
        "action": action,
        "back": back,
        "work": work,
        "writing": work.writing,
        "people": people,
        "closed": any(not one.open for one in boxes) or not boxes,
        "warnings": list(warnings),
        "pharmacy": any(one.pharmacy for one in people),
        "room": room(limit),
        "left": left(work.writing.files, limit),
        "most": MOST,
        "accept": ACCEPT,
        "longest": TEXT,
        "kept_at": 0,
    }


async def quotation_of(turn: Turn, letter: Letter) -> str:
    """The original as it would stand under an answer."""
    text = await turn.run(text_in, turn.store, letter.message)
    facts = letter.meta.index.facts
    contact = await turn.read(
        contact_of, facts.from_[0].address if facts.from_ else "", facts.from_[0].name if facts.from_ else ""
    )
    when = formats.moment(letter.message.received_at, language=turn.language)
    return quoted(text, turn.say(_WROTE, when=when, who=contact.label(turn.language)))


def without(files: list[File], mark: str) -> list[File]:
    """The attachments but the one that ``mark`` names: its place and its size."""
    return [one for place, one in enumerate(files) if mark_of(place, one) != mark]


def mark_of(place: int, file: File) -> str:
    """What a button that removes an attachment says of it."""
    return f"{place}-{len(file.content)}"


async def _kept(turn: Turn, token: str, number: int) -> tuple[Writing | None, int]:
    try:
        drafts = await turn.read(drafts_of, turn.visit)
    except NotFoundError:
        return None, 0
    for one in drafts.of(token, number):
        try:
            return (await draft_of(turn, one.message_id))[1], one.message_id
        except Missing:
            continue
    return None, 0


async def _original(turn: Turn, number: int) -> Letter | None:
    if not number:
        return None
    try:
        return await letter_of(turn, number)
    except Missing:
        return None


async def _known(turn: Turn, wanted: list[str], before: list[str], original: Letter | None) -> list[str]:
    """Those of the addresses that a form names which its page may have had: who acts for a child learns from
    no answer of the rules whether somebody wrote whose letters are kept from him."""
    if turn.visit.own:
        return wanted
    known = {one.casefold() for one in before}
    known.add(await turn.run(address_of, turn.visit, turn.request.path_params.get("reference", "")))
    known.update(address for one in (await view_for(turn)).items for address, _ in one.people)
    if original is not None:
        box = await answer_box(turn, original)
        known.update((box.address, *box.addresses))
    return [one for one in wanted if one in known]


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _addresses(text: str) -> list[str]:
    found = [one.strip().casefold() for one in text.split(",")]
    return [one for one in dict.fromkeys(found[:_MOST_TO]) if is_address(one)]
