"""Looking for text in a message: headers decoded, bodies decoded as a stream (RFC 3501 §6.4.4).

Text is compared folded (NFC, case-insensitive). A body is read in chunks; what is kept between two is
one chunk and the length of the needle.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from datetime import date
from email.utils import parsedate
from functools import lru_cache
from typing import Final

from gateway.imap.search_keys import fold
from gateway.message import MessageIndex, MessageMeta, Part, codec_of, decode_stream, decode_words, walk
from store import BodyReader

HTML_LIMIT: Final = 2 * 1024 * 1024
"""An HTML part up to this size is searched as the text a reader sees; beyond, as it is written."""

_FIELD: Final = re.compile(rb"^([!-9;-~]+)[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_MARKUP: Final = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.IGNORECASE | re.DOTALL)
_BLANKS: Final = re.compile(r"\s+")


def header_block(meta: MessageMeta) -> bytes:
    """The header as served: our prefix, then the message's own."""
    return meta.prefix + meta.index.header


def header_values(block: bytes, name: str) -> list[str]:
    """The folded text of every header field called ``name`` (lower case), encoded words decoded."""
    return [fold(_text(value)) for value in _field_pattern(name).findall(block)]


@lru_cache(maxsize=256)
def _field_pattern(name: str) -> re.Pattern[bytes]:
    wanted = re.escape(name.encode("ascii", "replace"))
    return re.compile(
        rb"^" + wanted + rb"[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE | re.IGNORECASE
    )


def header_contains(block: bytes, text: str) -> bool:
    """``text`` occurs in a field's name or value, or across both."""
    return any(
        text in fold(f"{found[1].decode('ascii')}: {_text(found[2])}") for found in _FIELD.finditer(block)
    )


def _text(value: bytes) -> str:
    """A field's value on one line, encoded words decoded; raw 8-bit text is UTF-8, else Latin-1."""
    value = value.replace(b"\r", b"").replace(b"\n", b"").strip()
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return decode_words(text) if "=?" in text else text


def sent_date(block: bytes) -> date | None:
    """The day of the first Date field, its time and zone disregarded (RFC 3501 §6.4.4 SENTON)."""
    values = header_values(block, "date")
    parsed = parsedate(values[0]) if values else None
    if parsed is None:
        return None
    try:
        return date(*parsed[:3])
    except ValueError:
        return None


def body_contains(reader: BodyReader, index: MessageIndex, text: str) -> bool:
    """``text`` occurs in a text part, or in the header of an attached message. Blocking."""
    for _, part in walk(index.root):
        if part.media == "message/rfc822" and part.children:
            inner = part.children[0]
            block = reader.read(inner.header_start, inner.body_start - inner.header_start)
            if header_contains(block, text):
                return True
        elif part.media.startswith("text/") and _part_contains(reader, part, text):
            return True
    return False


def _part_contains(reader: BodyReader, part: Part, text: str) -> bool:
    pieces = _decoded(reader, part)
    if part.media == "text/html" and part.size <= HTML_LIMIT:
        return text in fold(html.unescape(_MARKUP.sub(" ", "".join(pieces))))
    kept = ""
    for piece in pieces:
        window = kept + fold(piece)
        if text in window:
            return True
        kept = window[-(len(text) + 8) :]
    return False


def _decoded(reader: BodyReader, part: Part) -> Iterator[str]:
    """The text of a part in pieces; octets that its charset does not know become U+FFFD."""
    decoder = _decoder(part.params.get("charset", ""))
    chunks = reader.chunks(part.body_start, part.end - part.body_start)
    for octets in decode_stream(chunks, part.encoding):
        yield decoder.decode(octets)
    yield decoder.decode(b"", True)


def _decoder(charset: str) -> codecs.IncrementalDecoder:
    found = codec_of(charset or "utf-8")
    return codecs.getincrementaldecoder(found.name if found is not None else "latin-1")("replace")
