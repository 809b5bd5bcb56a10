"""Header blocks into fields (RFC 5322 §2.2), and field values into text."""

from __future__ import annotations

import re

from gateway.message.words import decode_words, to_text

Fields = dict[bytes, list[bytes]]

# The name may be followed by blanks (RFC 5322 §4.5); lines that start with a blank continue a field. A line
# without colon is not a field, nor are its continuations.
_FIELD = re.compile(rb"^([^\s:][^\n:]*+):([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
_RAW_FIELD = re.compile(rb"^([^\s:][^\n:]*+):[^\n]*+(?:\n[ \t][^\n]*+)*+\n?", re.MULTILINE)
_ANY_FIELD = re.compile(rb"(?:[^\r\n]|\r(?!\n))[^\n]*+(?:\n[ \t][^\n]*+)*+\n?")
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")

_WANTED = frozenset(
    b"date subject from sender reply-to to cc bcc in-reply-to message-id references mime-version "
    b"content-type content-transfer-encoding content-disposition content-id content-description "
    b"content-md5 content-language content-location "
    b"auto-submitted disposition-notification-to x-mss-mes x-mss-codecda x-mss-ins x-mss-nil".split()
)


def read_fields(block: bytes) -> Fields:
    """The fields of a header block that we look at: lower case name to values in order.

    A value keeps its folding as LF plus blanks; the blanks after the colon are gone.
    """
    fields: Fields = {}
    for name, value in _FIELD.findall(block):
        key = name.lower()
        if key not in _WANTED:
            key = key.rstrip(b" \t")
            if key not in _WANTED:
                continue
        if value[:1] == b" " and value[-1:] == b"\r" and b"\n" not in value and value[1] not in b" \t\r":
            value = value[1:-1]  # what nearly all fields look like
        else:
            value = _clean(value)
        if key in fields:
            fields[key].append(value)
        else:
            fields[key] = [value]
    return fields


def _clean(value: bytes) -> bytes:
    value = value.removesuffix(b"\r")
    if b"\n" in value:
        value = value.replace(b"\r\n", b"\n")
    bare = value.lstrip(b" \t")
    if bare and bare[0] != 0x0A:
        return bare
    # a blank first line keeps what follows its first blank
    return value[1:] if value[:1] in (b" ", b"\t") else value


def text_of(value: bytes) -> str:
    """An unstructured value as text on one line, encoded words decoded (RFC 2047 §5)."""
    text = plain_text(value)
    return decode_words(text) if "=?" in text else text


def plain_text(value: bytes) -> str:
    """A value as written, on one line."""
    if value.isascii() and b"\n" not in value and b"\0" not in value:
        return value.decode("ascii").strip()
    return to_text(value.replace(b"\n", b"")).strip()


def message_ids(text: str) -> list[str]:
    """The identifiers, angle brackets included, of a field of RFC 5322 §3.6.4."""
    return _MESSAGE_ID.findall(text) if text else []


def header_fields(header: bytes, names: list[str], *, inverse: bool = False) -> bytes:
    """The fields of `header` named in `names` (or, with `inverse`, all others), raw and in order, with the
    blank line that ends them (RFC 3501 §6.4.5 HEADER.FIELDS and HEADER.FIELDS.NOT). A message that has no
    blank line gets one for `names` only, as Dovecot does."""
    wanted = {name.encode("ascii", "replace").lower() for name in names}
    kept: list[bytes] = []
    end = 0
    for found in _ANY_FIELD.finditer(header):
        line = found[0]
        end = found.end()
        named = _RAW_FIELD.match(line)
        key = named[1].rstrip(b" \t").lower() if named else b""
        if (key in wanted) != inverse:
            kept.append(line)
    blank = header[end:]
    if not inverse and not blank:
        if kept and not kept[-1].endswith(b"\n"):
            kept.append(b"\r\n")
        blank = b"\r\n"
    return b"".join(kept) + blank
