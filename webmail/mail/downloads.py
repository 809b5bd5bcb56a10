"""Files of letters given out: one piece, or the whole letter as mail programs keep it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from webmail import content
from webmail.guards import get
from webmail.mail import kinds
from webmail.mail.kinds import Kind
from webmail.mail.letters import Letter, letter_of
from webmail.mail.octets import content as octets
from webmail.mail.octets import read_some
from webmail.mail.parts import Attachment, attachments_of, part_at
from webmail.mail.wording import shown, shown_name, subject_of
from webmail.rendering import PAGE_HEADERS
from webmail.turn import Turn

_PDF: Final = "application/pdf"


async def piece(turn: Turn) -> Response:
    """``/messages/{id}/piece/{path}``: a download; with ``?voir`` a PDF for the browser's own viewer."""
    letter = await letter_of(turn, turn.request.path_params["message_id"])
    part = part_at(letter, turn.request.path_params["path"])
    body = await turn.run(turn.store.open_body, letter.message)
    head, _ = await turn.run(read_some, body, part, kinds.HEAD)
    name = shown_name(part.filename)
    kind = kinds.kind_of(head, name, part.media)
    seen = "voir" in turn.request.query_params and kind.media == _PDF
    return _sent(turn, lambda: octets(body, part), head_of(name, kind, seen=seen))


def head_of(name: str, kind: Kind, *, seen: bool = False) -> dict[str, str]:
    """The head of a file. What could act is a download of no kind, under the name that tells what it is."""
    if kind.media == "message/rfc822":
        return eml_head(name.removesuffix(".eml") or "message")
    if kind.media in ("text/plain", "text/html", "text/xml") or kind.danger:
        head = content.head("document", "application/octet-stream", shown=False)
        head["Content-Disposition"] = content.disposition(name or "document.txt", shown=False)
        return head
    return content.head(name, kind.media, shown=seen)


def eml_head(name: str) -> dict[str, str]:
    """Of a whole message: never shown, for browsers know archives of pages under this type."""
    return {
        **PAGE_HEADERS,
        "Content-Type": "message/rfc822",
        "Content-Disposition": content.disposition(f"{name[:80]}.eml", shown=False),
        "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
    }


def _sent(turn: Turn, chunks: Callable[[], Iterator[bytes]], headers: dict[str, str]) -> Response:
    """Pieces read one by one in threads; nothing is read for HEAD."""
    if turn.request.method == "HEAD":
        return Response(headers=headers)
    store = turn.store

    async def pieces() -> AsyncIterator[bytes]:
        reading = await store.in_thread(chunks)
        while (one := await store.in_thread(next, reading, None)) is not None:
            if one:
                yield one

    return StreamingResponse(pieces(), headers=headers)


async def whole(turn: Turn) -> Response:
    """``/messages/{id}.eml``: the octets that IMAP gives, our lines (Received…) before those that came."""
    letter = await letter_of(turn, turn.request.path_params["message_id"])
    body = await turn.run(turn.store.open_body, letter.message)
    name = shown_name(shown(subject_of(letter.meta.index.facts.subject), 60)) or "message"
    headers = eml_head(name)
    headers["Content-Length"] = str(len(letter.meta.prefix) + body.size)

    def chunks() -> Iterator[bytes]:
        yield letter.meta.prefix
        yield from body.chunks()

    return _sent(turn, chunks, headers)


def file_at(letter: Letter, path: str) -> Attachment | None:
    """The file of a letter with that number, None for a part that is none."""
    return next((one for one in attachments_of(letter) if one.path == path), None)


ROUTES: Final[list[BaseRoute]] = [
    get("/messages/{message_id:int}.eml", whole),
    get("/messages/{message_id:int}/piece/{path}", piece),
]
