"""``/messages/{id}/piece/{path}/apercu``: a file of a letter looked at without opening it elsewhere."""

from __future__ import annotations

import io
from typing import Final

import msgspec
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

import dossier
from dossier import DossierError, UnsafeXmlError
from gateway.dmp_bridge import BridgeError, XdmArchive
from gateway.message import Indexer, Part
from store import PasserelleError
from webmail import content
from webmail.guards import get
from webmail.languages import N_, Language
from webmail.mail import kinds
from webmail.mail.downloads import file_at, head_of
from webmail.mail.kinds import Kind
from webmail.mail.letter import as_page
from webmail.mail.letters import Letter, letter_of
from webmail.mail.octets import decoded, read_some
from webmail.mail.parts import Attachment, joined, part_at, texts_of
from webmail.mail.wording import lines, shown, shown_name, subject_of
from webmail.record.pictures import draw
from webmail.record.shown import Shown
from webmail.rendering import draw as draw_page
from webmail.turn import Missing, Turn

#: Octets of a file that are read to be shown, and of a text.
_MOST: Final = 32 * 1024 * 1024
_TEXT: Final = 400_000
_DOCUMENTS: Final = 100

_NOT_SHOWN: Final = N_(
    "Ce fichier ne peut pas être affiché ici : il est endommagé, ou n'est pas ce qu'il prétend être."
)
_BAD_ARCHIVE: Final = N_(
    "Cette archive de documents ne peut pas être ouverte sans risque : elle est endommagée, ou faite pour "
    "nuire. Rien n'en a été affiché."
)


class Inside(msgspec.Struct, frozen=True):
    """One document of an archive: ``number`` counts from 1, ``look`` as for files."""

    number: int
    title: str
    kind: Kind


class Look(msgspec.Struct, frozen=True):
    """What the page of a preview shows. ``inside``: the documents of an archive; ``text``: an attached
    message as (subject, from, date, text)."""

    kind: Kind
    inside: list[Inside] = []
    wrong: str = ""
    title: str = ""
    sender: str = ""
    date: str = ""
    text: str = ""


class _Found(msgspec.Struct, frozen=True):
    letter: Letter
    part: Part
    name: str
    file: Attachment | None


async def _found(turn: Turn) -> _Found:
    letter = await letter_of(turn, turn.request.path_params["message_id"])
    path = turn.request.path_params["path"]
    part = part_at(letter, path)
    return _Found(letter, part, shown_name(part.filename), file_at(letter, path))


async def preview(turn: Turn) -> Response:
    """``…/apercu``: the file in a frame, with what can be done with it."""
    found = await _found(turn)
    look = await turn.run(_look, turn, found)
    if not look.kind.look:
        raise Missing
    path = f"/messages/{found.letter.message_id}/piece/{turn.request.path_params['path']}"
    text, _ = await turn.run(as_page, turn, look.text)  # a long text of links takes a second
    return turn.page(
        "mail/letter_preview.html",
        letter=found.letter,
        number=found.letter.message_id,
        file=found.file,
        name=found.name,
        path=path,
        look=look,
        text=text,
    )


async def frame(turn: Turn) -> Response:
    """``…/contenu``: what the frame holds; ``?document=N`` one of an archive."""
    found = await _found(turn)
    wanted = turn.asked("document")
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 4 else 0
    made = await turn.run(_content, turn, found, number)
    if isinstance(made, bytes):
        return Response(made, headers=content.head(found.name, "application/pdf", shown=True))
    if made is None:
        path = f"/messages/{found.letter.message_id}/piece/{turn.request.path_params['path']}?voir"
        return RedirectResponse(path, 303)
    body = draw_page(turn, "record/frame.html", "", {"shown": made, "style": content.STYLE})
    return content.frame(body)


async def inside(turn: Turn) -> Response:
    """``…/document/{n}``: one document of an archive, to be kept on one's device."""
    found = await _found(turn)
    number = turn.request.path_params["number"]
    data = await turn.run(_from_archive, turn, found, number)
    kind = kinds.kind_of(data[: kinds.HEAD], "", "")
    name = f"document-{number}.xml" if kind is kinds.CDA else f"document-{number}"
    return Response(data, headers=head_of(name, kind))


def _look(turn: Turn, found: _Found) -> Look:
    body = turn.store.open_body(found.letter.message)
    head, _ = read_some(body, found.part, kinds.HEAD)
    kind = kinds.kind_of(head, found.name, found.part.media)
    if kind.look == "xdm":
        try:
            return Look(kind, _documents(_archive(turn, found)))
        except PasserelleError:
            return Look(kind, wrong=_BAD_ARCHIVE)
    if kind.look == "mail":
        return _message(turn, found, kind)
    return Look(kind)


def _whole(turn: Turn, found: _Found) -> bytes:
    """All octets of a file. Raises :class:`Missing` beyond what is looked at."""
    data, cut = read_some(turn.store.open_body(found.letter.message), found.part, _MOST)
    if cut:
        raise Missing
    return data


def _archive(turn: Turn, found: _Found) -> XdmArchive:
    """Raises :class:`BridgeError`: it is no archive that may be opened."""
    return XdmArchive(io.BytesIO(_whole(turn, found)))


def _documents(archive: XdmArchive) -> list[Inside]:
    made = []
    for number, one in enumerate(archive.documents[:_DOCUMENTS], 1):
        try:
            head = archive.read(one)[: kinds.HEAD]
        except BridgeError:
            kind = kinds.UNKNOWN
        else:
            kind = kinds.kind_of(head, shown_name(one.metadata.uri), "")
        made.append(Inside(number, shown(one.metadata.title or one.metadata.uri, 150), kind))
    return made


def _from_archive(turn: Turn, found: _Found, number: int) -> bytes:
    archive = _archive(turn, found)
    if not 1 <= number <= min(len(archive.documents), _DOCUMENTS):
        raise Missing
    return archive.read(archive.documents[number - 1])


def _message(turn: Turn, found: _Found, kind: Kind) -> Look:
    """An attached message: its head and text, out of the index of the whole."""
    if not found.part.children:
        data, _ = read_some(turn.store.open_body(found.letter.message), found.part, _TEXT)
        return Look(kind, text=lines(decoded(data, "")))
    root = found.part.children[0]
    body = turn.store.open_body(found.letter.message)
    header = body.read(root.header_start, min(root.body_start - root.header_start, 64 * 1024))
    indexer = Indexer()
    indexer.feed(header)
    facts = indexer.close().facts
    sender = facts.from_[0] if facts.from_ else None
    return Look(
        kind,
        title=shown(subject_of(facts.subject)),
        sender=shown(sender.name or sender.address, 120) if sender else "",
        date=shown(facts.date, 60),
        text=joined(texts_of(body, root, rich=False)),
    )


def _content(turn: Turn, found: _Found, number: int) -> Shown | bytes | None:
    """What a frame holds: a page of ours, a PDF, or None for the piece itself (a PDF too). Blocking."""
    data = _whole(turn, found)
    name, media = found.name, found.part.media
    if number:
        data, name, media = _from_archive(turn, found, number), "", ""
    kind = kinds.kind_of(data[: kinds.HEAD], name, media)
    title = name or turn.say(kind.label)
    try:
        if kind is kinds.PDF:
            return data if number else None
        return _page(kind, data, title, found.part.params.get("charset", ""), turn.language)
    except (DossierError, UnsafeXmlError):
        return Shown(title=title, sentence=_NOT_SHOWN)


def _page(kind: Kind, data: bytes, title: str, charset: str, language: Language) -> Shown | bytes:
    if kind.look == "cda":
        try:
            within = dossier.embedded(data)
        except DossierError:
            within = None
        if within is not None and within[0] == "application/pdf" and _level_one(data, language):
            return within[1]
        if within is not None and within[0] in ("image/jpeg", "image/tiff"):
            pictures = draw(within[0], within[1])
            return Shown(title=title, pictures=pictures.addresses, cut=pictures.cut)
        return Shown(title=title, html=dossier.render_cda(data, language).html)
    if kind.look == "image":
        if kind.media == "image/gif":
            drawn = kinds.raster(data)
            if drawn is None:
                return Shown(title=title, sentence=_NOT_SHOWN)
            pictures = draw(drawn[0], drawn[1])
        else:
            pictures = draw(kind.media, data)
        return Shown(title=title, pictures=pictures.addresses, cut=pictures.cut)
    if kind.look == "text":
        return Shown(title=title, text=lines(decoded(data[:_TEXT], charset)), cut=len(data) > _TEXT)
    return Shown(title=title, sentence=_NOT_SHOWN)


def _level_one(data: bytes, language: Language) -> bool:
    """Whether a CDA document is no more than the file that it wraps."""
    return bool(dossier.render_cda(data, language).body_mime)


ROUTES: Final[list[BaseRoute]] = [
    get("/messages/{message_id:int}/piece/{path}/apercu", preview),
    get("/messages/{message_id:int}/piece/{path}/contenu", frame),
    get("/messages/{message_id:int}/piece/{path}/document/{number:int}", inside),
]
