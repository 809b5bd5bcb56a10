"""From entries and stored indexes to the octets of FETCH responses (RFC 3501 §7.4.2).

Runs in the store's reader threads, except the columns of entries, which need no store. The message
as served is the stored prefix followed by the raw body; no octet of either is ever changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection

from gateway.imap.commands import Section
from gateway.imap.flags import flag_text
from gateway.imap.responses import internal_date
from gateway.message import MessageMeta, decode_meta, header_fields, section_span
from store import BodyReader, PasserelleError, Store
from store.mail import Entry, StoredMessage

log = structlog.get_logger("imap")

INLINE: Final = 512 * 1024
"""A response longer than this is streamed."""

ENTRY_ITEMS: Final = frozenset({"FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "MODSEQ"})
_TEMPLATES: Final = {
    "FLAGS": "FLAGS (%s)",
    "UID": "UID %d",
    "INTERNALDATE": "INTERNALDATE %s",
    "RFC822.SIZE": "RFC822.SIZE %d",
    "MODSEQ": "MODSEQ (%d)",
}


@dataclass(frozen=True, slots=True)
class Span:
    """Octets of the raw body that have not been read yet."""

    start: int
    length: int


Piece = bytes | Span


@dataclass(frozen=True, slots=True)
class Streamed:
    """A response too large to be whole in memory."""

    pieces: list[Piece]
    reader: BodyReader

    def chunks(self) -> Iterator[bytes]:
        """Blocking: reads the body in pieces of at most 256 KiB."""
        for piece in self.pieces:
            if isinstance(piece, Span):
                yield from self.reader.chunks(piece.start, piece.length)
            else:
                yield piece


@dataclass(frozen=True, slots=True)
class Row:
    """One message to render: ``head`` is the response so far, ``* 3 FETCH (UID 7``."""

    head: str
    message_id: int


def entry_columns(
    items: Sequence[str], numbers: Iterable[int], chosen: list[Entry], recent: set[int]
) -> list[str]:
    """``* n FETCH (`` and the items that live in memory, for many messages at once.

    No parenthesis is closed yet.
    """
    columns: list[Iterable[object]] = []
    for item in items:
        if item == "FLAGS":
            columns.append(_flags_column(chosen, recent))
        elif item == "UID":
            columns.append([entry.uid for entry in chosen])
        elif item == "INTERNALDATE":
            columns.append([internal_date(entry.internal_date) for entry in chosen])
        elif item == "RFC822.SIZE":
            columns.append([entry.size for entry in chosen])
        else:
            columns.append([entry.modseq for entry in chosen])
    template = "* %d FETCH (" + " ".join(_TEMPLATES[item] for item in items)
    return [template % row for row in zip(numbers, *columns, strict=True)]


def _flags_column(chosen: list[Entry], recent: set[int]) -> list[str]:
    if recent:
        return [flag_text(entry.flags, entry.keywords, entry.uid in recent) for entry in chosen]
    known: dict[tuple[int, str], str] = {}
    column: list[str] = []
    for entry in chosen:
        key = (entry.flags, entry.keywords)
        text = known.get(key)
        if text is None:
            text = known[key] = flag_text(*key)
        column.append(text)
    return column


def load_messages(
    connection: Connection, store: Store, box_id: int, message_ids: list[int]
) -> dict[int, StoredMessage]:
    """The messages that can be opened; one that is damaged does not hide the others."""
    try:
        return store.messages(connection, box_id, message_ids)
    except PasserelleError:
        found: dict[int, StoredMessage] = {}
        for message_id in message_ids:
            try:
                found.update(store.messages(connection, box_id, [message_id]))
            except PasserelleError as error:
                log.error("message_unreadable", box_id=box_id, message_id=message_id, rule=error.rule)
        return found


def render_group(
    connection: Connection,
    store: Store,
    box_id: int,
    rows: list[Row],
    items: Sequence[str | Section],
) -> list[bytes | Streamed | None]:
    """Complete responses for ``rows``, in order; None for a message that cannot be read. Blocking."""
    found = load_messages(connection, store, box_id, list({row.message_id for row in rows}))
    out: list[bytes | Streamed | None] = []
    for row in rows:
        message = found.get(row.message_id)
        try:
            out.append(None if message is None else _render(store, message, row.head, items))
        except (PasserelleError, OSError, msgspec.MsgspecError) as error:
            log.error(
                "message_unreadable", box_id=box_id, message_id=row.message_id, error=type(error).__name__
            )
            out.append(None)
    return out


def _render(
    store: Store, message: StoredMessage, head: str, items: Sequence[str | Section]
) -> bytes | Streamed:
    meta = decode_meta(message.meta)
    reader: BodyReader | None = None

    def read(start: int, length: int) -> bytes:
        nonlocal reader
        reader = reader or store.open_body(message)
        return reader.read(start, length)

    pieces: list[Piece] = [head.encode("ascii")]
    separator = b"" if head.endswith("(") else b" "
    for item in items:
        if isinstance(item, Section):
            found = section_pieces(item, meta, read)
            if found is None:
                pieces.append(b"%b%b NIL" % (separator, item.label.encode("ascii")))
            else:
                size = sum(_length(piece) for piece in found)
                pieces.append(b"%b%b {%d}\r\n" % (separator, item.label.encode("ascii"), size))
                pieces += found
        else:
            ready = {"ENVELOPE": meta.index.envelope, "BODYSTRUCTURE": meta.index.bodystructure}
            pieces.append(b"%b%b %b" % (separator, item.encode("ascii"), ready.get(item, meta.index.body)))
        separator = b" "
    pieces.append(b")\r\n")
    spans = [piece for piece in pieces if isinstance(piece, Span)]
    if spans and sum(map(_length, pieces)) > INLINE:
        for span in spans:
            read(span.start, 1)  # a body that does not open is found out before its length is told
        return Streamed(pieces, reader or store.open_body(message))
    return b"".join(read(piece.start, piece.length) if isinstance(piece, Span) else piece for piece in pieces)


def _length(piece: Piece) -> int:
    return piece.length if isinstance(piece, Span) else len(piece)


def section_pieces(
    section: Section, meta: MessageMeta, read: Callable[[int, int], bytes]
) -> list[Piece] | None:
    """The content of BODY[section]<partial>; None when the message has no such part (NIL).

    :param read: (start, length) → octets of the raw body, for headers of parts that are filtered.
    """
    index = meta.index
    filtered = section.what.startswith("HEADER.FIELDS")
    pieces: list[Piece]
    if section.path:
        what = section.what
        if what == "HEADER.FIELDS" or what == "HEADER.FIELDS.NOT":
            what = "HEADER"
        span = section_span(index, section.path, what)
        if span is None:
            return None
        pieces = [Span(span[0], span[1] - span[0])]
        if what == "MIME" and section.path == (1,) and not index.root.media.startswith("multipart/"):
            pieces.insert(0, meta.prefix)  # the only part's MIME header is the message's header
    elif section.what == "":
        pieces = [meta.prefix, Span(0, index.size)]
    elif section.what == "TEXT":
        pieces = [Span(index.header_end, index.size - index.header_end)]
    elif len(index.header) < index.header_end:  # the index keeps only the start of a huge header
        pieces = [meta.prefix, Span(0, index.header_end)]
    else:
        pieces = [meta.prefix, index.header]
    if filtered:
        header = b"".join(read(p.start, p.length) if isinstance(p, Span) else p for p in pieces)
        inverse = section.what == "HEADER.FIELDS.NOT"
        pieces = [header_fields(header, list(section.fields), inverse=inverse)]
    if section.partial is not None:
        pieces = list(_cut(pieces, *section.partial))
    return [piece for piece in pieces if _length(piece)]


def _cut(pieces: list[Piece], origin: int, count: int) -> Iterator[Piece]:
    """RFC 3501 §6.4.5: ``count`` octets from ``origin``, fewer or none at the end."""
    for piece in pieces:
        length = _length(piece)
        low, high = min(origin, length), min(origin + count, length)
        if low < high:
            yield Span(piece.start + low, high - low) if isinstance(piece, Span) else piece[low:high]
        taken = high - low
        origin = max(origin - length, 0)
        count -= taken
        if count <= 0:
            return
