"""``/documents/…/contenu`` and ``/telecharger``: a document's content, once the history has the opening."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

import dossier
from dossier import Document, DossierError, UnsafeXmlError, file_extension, is_kind
from store import BodyReader
from webmail import content
from webmail.guards import get
from webmail.languages import N_, Language
from webmail.record.asking import asked, number_of
from webmail.record.pictures import Pictures, draw
from webmail.rendering import draw as draw_page
from webmail.turn import Turn

_PDF: Final = "application/pdf"
_CDA: Final = "text/xml"
_PICTURES: Final = ("image/jpeg", "image/png", "image/tiff")
#: Octets of a text that are shown; the rest by download.
_TEXT: Final = 1_000_000
_ENDS: Final = 4096

NOT_SHOWN: Final = N_(
    "Ce fichier ne peut pas être affiché ici : il est endommagé, ou n'est pas ce qu'il prétend être. Ne "
    "l'ouvrez que si vous savez de qui il vient."
)


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a frame holds: HTML of ours, pages of a picture, a text, or only a sentence."""

    title: str
    html: str = ""
    text: str = ""
    pictures: list[str] = []
    cut: bool = False
    sentence: str = ""


def kind_of(document: Document) -> str:
    """What a person sees of a document: the file that a level 1 document wraps, or the file that it is."""
    return document.info.body_mime or document.info.mime


def framed_as_file(document: Document) -> bool:
    """Whether its frame shows the file itself, by the browser's own viewer."""
    return kind_of(document) == _PDF


def named(document: Document) -> str:
    """The name that a document is kept under: its title, of which no part is a folder."""
    return document.info.title.replace("/", "-").replace("\\", "-")


async def shown(turn: Turn) -> Response:
    """``/documents/N/contenu``, in a frame or a tab of its own: the one place that shows a document.

    Each answer is one opening in the history; HEAD and a browser that looks ahead are none.
    """
    number, visit = number_of(turn), turn.visit
    if content.is_look_ahead(turn.request):
        return await _announced(turn, number)
    document, reader = await asked(
        turn, dossier.read_document, visit.store, visit.box_id, number, visit.actor
    )
    if document.info.mime == _PDF and await turn.run(_is_pdf, reader):
        name = content.head(named(document), _PDF, shown=True)
        return content.streamed(visit.store, reader.chunks, reader.size, name)
    octets = await turn.run(reader.read, 0, reader.size)
    if document.info.body_mime == _PDF:
        inside = await turn.run(_inside, octets)
        if inside is not None and inside[0] == _PDF:
            return Response(inside[1], headers=content.head(named(document), _PDF, shown=True))
    made = await turn.run(_made, document, octets, turn.language)
    body = draw_page(turn, "record/frame.html", "", {"shown": made, "style": content.STYLE})
    return content.frame(body)


async def download(turn: Turn) -> Response:
    """``/documents/N/telecharger``: the file that one has use for; ``?forme=origine``: as it was filed."""
    number, visit = number_of(turn), turn.visit
    if content.is_look_ahead(turn.request):
        return await _announced(turn, number)
    document, reader = await asked(
        turn, dossier.read_document, visit.store, visit.box_id, number, visit.actor
    )
    title = named(document)
    if document.info.mime == _CDA and turn.asked("forme") != "origine":
        inside = await turn.run(lambda: _inside(reader.read(0, reader.size)))
        if inside is not None:
            return Response(inside[1], headers=content.head(title, inside[0]))
    name = f"{title}.{file_extension(document.info.mime)}" if document.info.mime == _CDA else title
    return content.streamed(visit.store, reader.chunks, reader.size, content.head(name, document.info.mime))


async def _announced(turn: Turn, number: int) -> Response:
    """To who only asks whether there is something: nothing of it, and nothing is written down."""
    visit = turn.visit
    await turn.read(dossier.document_for, visit.store, visit.box_id, number, visit.actor)
    if turn.request.method == "HEAD":
        return content.frame("")
    return Response(status_code=503, headers={"Cache-Control": "no-store"})


def _is_pdf(reader: BodyReader) -> bool:
    ends = reader.read(0, _ENDS) + reader.read(max(0, reader.size - _ENDS), _ENDS)
    return is_kind(_PDF, ends)


def _inside(octets: bytes) -> tuple[str, bytes] | None:
    """The file inside a CDA document, if there is one and it is what it says."""
    try:
        return dossier.embedded(octets)
    except DossierError:
        return None


def _made(document: Document, octets: bytes, language: Language) -> Shown:
    """A frame's content out of a document's octets. Blocking."""
    title = document.info.title
    try:
        if document.info.mime == _CDA:
            return _cda(document, octets, language)
        return _file(title, document.info.mime, octets)
    except (DossierError, UnsafeXmlError):
        return Shown(title=title, sentence=NOT_SHOWN)


def _cda(document: Document, octets: bytes, language: Language) -> Shown:
    title = document.info.title
    if document.info.body_mime in (*_PICTURES, _PDF):
        inside = dossier.embedded(octets)
        if inside is not None and inside[0] in _PICTURES:
            return _file(title, *inside)
    rendered = dossier.render_cda(octets, language)
    return Shown(title=title, html=rendered.html, cut=False)


def _file(title: str, media: str, octets: bytes) -> Shown:
    if media in _PICTURES:
        pictures: Pictures = draw(media, octets)
        return Shown(title=title, pictures=pictures.addresses, cut=pictures.cut)
    if media == "text/plain" and is_kind(media, octets):
        return Shown(title=title, text=_read(octets[:_TEXT]), cut=len(octets) > _TEXT)
    return Shown(title=title, sentence=NOT_SHOWN)


def _read(octets: bytes) -> str:
    """A text in UTF-8, or as old programs of Windows write."""
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


ROUTES: Final[list[BaseRoute]] = [
    get("/documents/{document_id:int}/contenu", shown),
    get("/documents/{document_id:int}/telecharger", download),
]
