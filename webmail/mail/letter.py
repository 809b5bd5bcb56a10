"""``/messages/{id}``: one letter, its text, its files, what its sender proves, what can be done with it."""

from __future__ import annotations

from typing import Final

import msgspec
from markupsafe import Markup
from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

from gateway.message import Address
from store import BodyReader, mail
from webmail import content
from webmail.guards import get
from webmail.languages import N_
from webmail.mail import html, kinds, plain
from webmail.mail.kinds import Kind
from webmail.mail.letters import Letter, letter_of
from webmail.mail.octets import read_some
from webmail.mail.origins import Hop, Seal, hop_of, seal_of
from webmail.mail.parts import Attachment, attachments_of, has_html, joined, texts_of
from webmail.mail.reports import Report, reports_of
from webmail.mail.returned import returned
from webmail.mail.saving import Filing, digests_of, filings_of
from webmail.mail.shelf import ours_of, view_for
from webmail.mail.views import BIN, DRAFTS
from webmail.mail.wording import shown, subject_of
from webmail.people import Contact, contact_of
from webmail.record.wording import HEADINGS
from webmail.rendering import STATIC
from webmail.rendering import draw as draw_page
from webmail.turn import Turn
from webmail.writing import answer_box, receipt_state, sent_state

#: Files that a page lists, and addresses that it names.
FILES: Final = 100
_NAMED: Final = 30
_QUOTED: Final = N_("Message précédent (texte cité)")
_SIGNATURE: Final = N_("Signature et mentions de l'expéditeur")
#: How letters look in their frame. It stands in the page itself, as that of documents.
_STYLE: Final = (STATIC / "letter.css").read_text(encoding="utf-8").strip()
#: Of the frame of an HTML letter: no script, nothing from elsewhere. It keeps our origin, so that the page
#: around it can see how high it is; with no script in it, that gives it nothing.
_FRAME: Final = (
    "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


class File(msgspec.Struct, frozen=True):
    """A file of a letter as it is listed. ``trap``: it is not what its name promises."""

    file: Attachment
    kind: Kind
    trap: bool
    filing: Filing


class Sheet(msgspec.Struct, frozen=True):
    """What a letter's page shows beside the letter itself, read in one go."""

    sender: Contact | None
    given: str
    to: list[str]
    files: list[File]
    more: int
    reports: list[Report]
    hop: Hop
    seal: Seal | None
    text: Markup = Markup("")
    cut: bool = False


async def letter_page(turn: Turn) -> Response:
    """``/messages/{id}``; ``?texte``: an HTML letter as plain text. Opening it marks it as read."""
    letter = await letter_of(turn, turn.request.path_params["message_id"])
    if not content.is_look_ahead(turn.request):
        await _mark_seen(turn, letter)
    return await page_of(turn, letter)


async def page_of(
    turn: Turn, letter: Letter, status: int = 200, results: dict[int, list[str]] | None = None
) -> Response:
    """The page of a letter; ``results``: what could not be saved, by the number of the file."""
    html_too = await turn.run(has_html, letter.meta.index.root)
    rich = html_too and "texte" not in turn.request.query_params
    sheet = await turn.run(_sheet, turn, letter, rich)
    facts = letter.meta.index.facts
    sent = bool(facts.from_) and facts.from_[0].address.casefold() == turn.visit.address.casefold()
    view = await view_for(turn)
    item = view.by_id.get(letter.message_id)
    around = next((one for one in view.conversations if item is not None and item in one.items), None)
    place = around.items.index(item) if around is not None and item is not None else 0
    state = await sent_state(turn, letter) if sent else None
    return turn.page(
        "mail/letter.html",
        status,
        letter=letter,
        number=letter.message_id,
        subject=shown(subject_of(facts.subject)),
        sheet=sheet,
        sent=sent,
        state=state,
        report=await returned(turn, letter, view) if state and state.state == "handed" else 0,
        rich=rich,
        has_html=html_too,
        box=None if letter.in_folder(DRAFTS) else await answer_box(turn, letter),
        receipt=receipt_state(letter),
        binned=letter.in_folder(BIN) is not None,
        around=around,
        newer=around.items[place - 1] if around is not None and place > 0 else None,
        older=around.items[place + 1] if around is not None and place + 1 < len(around.items) else None,
        headings=HEADINGS,
        results=results or {},
    )


async def _mark_seen(turn: Turn, letter: Letter) -> None:
    if turn.visit.guest or all(one.entry.flags & mail.SEEN for one in letter.places):
        return
    await turn.store.awrite(
        mail.mark_messages,
        box_id=turn.visit.box_id,
        message_ids=[letter.message_id],
        mode="add",
        flags=mail.SEEN,
    )


def _sheet(turn: Turn, letter: Letter, rich: bool, *, paper: bool = False) -> Sheet:
    """Everything that is read for a page. Blocking. :param paper: no file is read whole to know it again."""
    store, facts = turn.store, letter.meta.index.facts
    ours = ours_of(turn)
    root, body = letter.meta.index.root, store.open_body(letter.message)
    every = attachments_of(letter)
    files = every[:FILES]
    digests = {} if paper else digests_of(body, files)
    sender = facts.from_[0] if facts.from_ else None

    def look(conn: Connection) -> tuple[Contact | None, list[str], dict[int, Filing]]:
        contact = contact_of(conn, sender.address, sender.name, ours) if sender else None
        to = [
            _name(conn, turn, one, ours)
            for one in [*facts.to[:_NAMED], *facts.cc[: max(0, _NAMED - len(facts.to))]]
        ]
        return contact, to, filings_of(conn, turn.visit, letter, files, digests)

    contact, to, filings = store.read(look)
    listed = [_file(body, one, filings[one.number]) for one in files]
    text, cut = (Markup(""), False) if rich else as_page(turn, joined(texts_of(body, root, rich=False)))
    return Sheet(
        contact,
        shown(sender.name or "", 100) if sender else "",
        to,
        listed,
        len(every) - len(files),
        reports_of(body, root, facts.auto),
        hop_of(letter.meta),
        seal_of(letter.meta.signature),
        text,
        cut,
    )


def as_page(turn: Turn, text: str) -> tuple[Markup, bool]:
    """A text in the person's language: what folds are called. Linear."""
    return plain.as_html(text, turn.say(_QUOTED), turn.say(_SIGNATURE))


def _name(conn: Connection, turn: Turn, one: Address, ours: frozenset[str]) -> str:
    """What a recipient is called; the patient himself by his name."""
    if one.address.casefold() == turn.visit.address.casefold():
        return turn.visit.profile.name
    return contact_of(conn, one.address, one.name, ours).label(turn.language)


def _file(body: BodyReader, one: Attachment, filing: Filing) -> File:
    head, _ = read_some(body, one.part, kinds.HEAD)
    kind = kinds.kind_of(head, one.name, one.media)
    return File(one, kind, kind.danger or kinds.pretends(one.name, kind), filing)


async def frame(turn: Turn) -> Response:
    """``/messages/{id}/contenu``: the HTML of a letter, made harmless, for its sandboxed frame."""
    letter = await letter_of(turn, turn.request.path_params["message_id"])
    made = await turn.run(_framed, turn, letter)
    style = Markup(_STYLE)  # noqa: S704  # a file of ours
    body = draw_page(turn, "mail/letter_frame.html", "", {"made": made, "style": style})
    return content.frame(body, policy=_FRAME)


class Framed(msgspec.Struct, frozen=True):
    """The inside of a letter's frame, and what was left out of it."""

    body: Markup
    remote: int
    images: int
    coloured: bool
    cut: bool


def _framed(turn: Turn, letter: Letter) -> Framed:
    body = turn.store.open_body(letter.message)
    root = letter.meta.index.root
    images = html.Images(body, root)
    made: list[Markup] = []
    remote = lost = 0
    coloured = cut = False
    for one in texts_of(body, root, rich=True):
        cut = cut or one.cut
        clean = html.clean(one.text, images.address) if one.html else None
        if clean is None or clean.tangled:
            text, more = as_page(turn, joined([one]))
            made.append(text)
            cut = cut or more
            continue
        made.append(clean.body)
        remote, lost = remote + clean.remote, lost + clean.images
        coloured = coloured or clean.coloured
    return Framed(Markup("<hr>").join(made), remote, lost, coloured, cut)


async def printed(turn: Turn) -> Response:
    """``/messages/{id}/imprimer``: the letter on plain paper, as text."""
    letter = await letter_of(turn, turn.request.path_params["message_id"])
    sheet = await turn.run(_sheet, turn, letter, False, paper=True)
    subject = shown(subject_of(letter.meta.index.facts.subject))
    return turn.page(
        "mail/letter_print.html", letter=letter, number=letter.message_id, subject=subject, sheet=sheet
    )


ROUTES: Final[list[BaseRoute]] = [
    get("/messages/{message_id:int}", letter_page),
    get("/messages/{message_id:int}/contenu", frame),
    get("/messages/{message_id:int}/imprimer", printed),
]
