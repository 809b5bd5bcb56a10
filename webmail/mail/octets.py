"""The octets of a part: read by range from the sealed body, decoded, never more than is wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gateway.message import Part, codec_of, decode_stream
from store import BodyReader

_META_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9._:-]{1,40})", re.I)


def octets_of(part: Part) -> int:
    """About how large a part is once decoded: base64 makes four octets of three."""
    return max(0, part.size - 2 * part.lines) * 3 // 4 if part.encoding == "base64" else part.size


def content(body: BodyReader, part: Part) -> Iterator[bytes]:
    """The decoded octets of a part, in pieces. Blocking."""
    return decode_stream(body.chunks(part.body_start, part.size), part.encoding)


def read_some(body: BodyReader, part: Part, most: int) -> tuple[bytes, bool]:
    """At most ``most`` decoded octets of a part, and whether there are more. Blocking."""
    taken = bytearray()
    # A part is read no further than its octets could count, whatever its encoding hides: RFC 2045 §6.7
    # writes one octet as three, with soft line ends.
    for piece in decode_stream(body.chunks(part.body_start, min(part.size, 4 * most + 1024)), part.encoding):
        taken += piece
        if len(taken) > most:
            return bytes(taken[:most]), True
    return bytes(taken), part.size > 4 * most + 1024


def decoded(raw: bytes, charset: str, *, html: bool = False) -> str:
    """Octets as text, whatever the charset is worth: a byte order mark, the one that is said, the one that
    an HTML page says itself, UTF-8, Windows-1252."""
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return _safe(raw[3:] if name == "utf-8" else raw, name)
    if html and not charset:
        found = _META_CHARSET.search(raw[:2048])
        charset = found[1].decode() if found else ""
    charset = charset.strip().strip("'\"").lower()
    if (
        charset in ("", "us-ascii", "ascii", "utf-8", "utf8")
        or len(charset) > 40
        or codec_of(charset) is None
    ):
        try:
            return _safe(raw, "utf-8", "strict")
        except UnicodeDecodeError:
            known = charset in ("utf-8", "utf8")
            return _safe(raw, "utf-8" if known else "cp1252")
    if charset in ("iso-8859-1", "latin1", "latin-1", "iso8859-1"):
        charset = "cp1252"  # what is said to be the one is nearly always the other
    return _safe(raw, charset)


def _safe(raw: bytes, charset: str, errors: str = "replace") -> str:
    """Decoded; lone surrogates (UTF-7 can give them) and NULs are seen as U+FFFD."""
    codec = codec_of(charset)
    try:
        text = codec.decode(raw, errors)[0] if codec is not None else raw.decode("latin-1")
    except UnicodeDecodeError:
        raise
    except (UnicodeError, ValueError):
        text = raw.decode("latin-1")
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
