"""Text as IMAP strings (RFC 3501 §4.3): quoted where that is safe and short, literal otherwise."""

from __future__ import annotations

import re

NUL_TEXT = "\ufffd".encode()  # what a NUL becomes: IMAP strings cannot hold one (RFC 3501 §4.3)

_PLAIN = re.compile(rb'[^"\\\r\n\x00\x80-\xff]*+\Z').match
_SPECIAL = re.compile(rb'(["\\])')
_LITERAL_ONLY = re.compile(rb"[\r\n\x80-\xff]").search
_HUMAN_PLAIN = re.compile(rb'(?:[^"\\\x00\t\r\n \x80-\xff]++(?: (?!\Z))?)*+\Z').match
_BREAK_IN_TEXT = re.compile(rb"[\r\n](?=[^ \t\r\n])")
_SPACES = re.compile(rb"[ \t\r\n]+")
_MAX_ESCAPES = 4  # a literal is shorter from the fifth on


def literal(value: bytes) -> bytes:
    """`value` as a literal (RFC 3501 §4.3)."""
    return b"{%d}\r\n%b" % (len(value), value)


def string(value: bytes) -> bytes:
    """`value` as a quoted string, or as a literal where it holds line ends, 8-bit octets or many quotes."""
    if _PLAIN(value):
        return b'"%b"' % value
    value = value.replace(b"\0", NUL_TEXT)
    if _LITERAL_ONLY(value) or value.count(b'"') + value.count(b"\\") > _MAX_ESCAPES:
        return literal(value)
    return b'"%b"' % _SPECIAL.sub(rb"\\\1", value)


def nstring(value: bytes | None) -> bytes:
    """`value` as a string, NIL for None."""
    return b"NIL" if value is None else string(value)


def unfolded(value: bytes) -> bytes:
    """`value` on one line: line ends go, a blank stays where one would be lost (RFC 5322 §2.2.3)."""
    if b"\n" not in value and b"\r" not in value:
        return value
    value = _BREAK_IN_TEXT.sub(b" ", value)
    return value.replace(b"\r", b"").replace(b"\n", b"")


def line_nstring(value: bytes | None) -> bytes:
    """A header value on one line, or NIL."""
    return b"NIL" if value is None else string(unfolded(value))


def human_string(value: bytes) -> bytes:
    """Text for people (subjects, names): runs of blanks become one, none at the ends."""
    if _HUMAN_PLAIN(value):
        return b'"%b"' % value
    text = value.replace(b"\0", NUL_TEXT)
    shown = _SPACES.sub(b" ", text).strip(b" ")
    if not shown:
        return b'""'
    return literal(shown) if shown != text or not _PLAIN(shown) else b'"%b"' % shown
