"""Encoded text in headers: RFC 2047 encoded words, RFC 2231 extended parameters, charsets of real mail."""

from __future__ import annotations

import binascii
import codecs
import functools
import re
from urllib.parse import unquote_to_bytes

_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?\r\n]*)\?=([ \t]*)")
_QP = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64 = bytes(i for i in range(256) if not (chr(i).isalnum() and i < 128) and i not in b"+/")


#: Codecs of Python that no mail is written in: punycode takes minutes for a megabyte.
_NO_CHARSETS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined"})


@functools.lru_cache(128)
def codec_of(charset: str) -> codecs.CodecInfo | None:
    """The codec of a charset, None for one that is not known."""
    try:
        found = codecs.lookup(charset)
    except (LookupError, ValueError):
        return None
    if found.name in _NO_CHARSETS:
        return None
    # codecs that do not make text of octets ("rot13", "zlib") are not charsets
    return found if getattr(found, "_is_text_encoding", True) else None


def to_text(data: bytes, charset: str = "") -> str:
    """Octets as text that can always be encoded again as UTF-8: in `charset` when known, else UTF-8, else
    Latin-1. NULs become U+FFFD."""
    text = data.decode("ascii") if not charset and data.isascii() else _decode(data, charset)
    return text.replace("\0", "\ufffd") if "\0" in text else text


def _decode(data: bytes, charset: str) -> str:
    codec = codec_of(charset) if charset and len(charset) < 40 else None
    if codec is not None:
        try:
            text, _ = codec.decode(data, "replace")
        except (UnicodeError, ValueError):
            text = data.decode("latin-1")
        # UTF-7 and its like can give lone surrogates
        return text.encode("utf-8", "replace").decode("utf-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def decode_words(text: str) -> str:
    """Text with its encoded words decoded; blanks between two words go (RFC 2047 §6.2). Words whose
    characters were cut in two by a sender are joined first. What is not well formed stays as written."""
    out: list[str] = []
    held, held_charset, blanks, place = b"", "", "", 0
    for word in _WORD.finditer(text):
        between = text[place : word.start()]
        charset = word[1].lower()
        if between or (held and charset != held_charset):
            out.append(to_text(held, held_charset))
            held = b""
        if between:
            out.append(blanks + between)
        held += _octets(word[2], word[3])
        held_charset, blanks, place = charset, word[4], word.end()
    out.append(to_text(held, held_charset))
    out.append(blanks + text[place:] if place < len(text) else "")
    return "".join(out)


def _octets(kind: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if kind in "qQ":
        return _QP.sub(lambda found: binascii.unhexlify(found[1]), data.replace(b"_", b" "))
    return loose_base64(data)


def loose_base64(data: bytes) -> bytes:
    """Base64 decoded whatever stands between its characters; a lone last character is dropped."""
    clean = data.translate(None, _NOT_BASE64)
    spare = len(clean) % 4
    if spare == 1:
        clean = clean[:-1]
    elif spare:
        clean += b"=" * (4 - spare)
    return binascii.a2b_base64(clean)


def decode_extended(value: bytes) -> str:
    """The text of an RFC 2231 §4 value: charset'language'percent-encoded octets."""
    pieces = value.split(b"'", 2)
    if len(pieces) < 3:
        return to_text(unquote_to_bytes(value))
    return to_text(unquote_to_bytes(pieces[2]), pieces[0].decode("ascii", "replace"))
