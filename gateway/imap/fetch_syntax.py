"""The arguments of FETCH (RFC 3501 §6.4.5, §9 fetch; RFC 7162 §3.1.4)."""

from __future__ import annotations

import re
from typing import Final, Literal, cast

from gateway.imap.commands import Section
from gateway.imap.errors import BadError
from gateway.imap.grammar import MODSEQ_MAX, Cursor

MAX_ITEMS: Final = 100
_NAME = re.compile(rb"[A-Za-z0-9.]+")
_PATH = re.compile(rb"[1-9]\d{0,4}(?:\.[1-9]\d{0,4}){0,99}")

_MACROS: Final[dict[str, tuple[str, ...]]] = {
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}
_SIMPLE: Final = frozenset(
    {"FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "MODSEQ", "ENVELOPE", "BODY", "BODYSTRUCTURE"}
)
_RFC822: Final = {
    "RFC822": Section((), "", (), None, False, "RFC822"),
    "RFC822.HEADER": Section((), "HEADER", (), None, True, "RFC822.HEADER"),
    "RFC822.TEXT": Section((), "TEXT", (), None, False, "RFC822.TEXT"),
}
_What = Literal["", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"]


def parse_fetch_items(cursor: Cursor) -> tuple[str | Section, ...]:
    """A macro, one item, or a list of items; duplicates are answered once."""
    if not cursor.accept(b"("):
        name = _name(cursor)
        if name in _MACROS:
            return _MACROS[name]
        return (_item(cursor, name),)
    items: dict[str | Section, None] = {}
    while True:
        items[_item(cursor, _name(cursor))] = None
        if cursor.accept(b")"):
            break
        cursor.space()
    if len(items) > MAX_ITEMS:
        raise BadError("Too many FETCH items")
    return tuple(items)


def parse_fetch_modifiers(cursor: Cursor) -> int | None:
    """``(CHANGEDSINCE n)`` if it follows (RFC 7162 §3.1.4.1)."""
    if cursor.at_end():
        return None
    cursor.space()
    cursor.expect(b"(")
    if cursor.keyword("CHANGEDSINCE") != "CHANGEDSINCE":
        raise BadError("The only FETCH modifier is CHANGEDSINCE")
    cursor.space()
    value = cursor.number(1, MODSEQ_MAX)
    cursor.expect(b")")
    return value


def _name(cursor: Cursor) -> str:
    found = _NAME.match(cursor.data, cursor.position)
    if not found:
        raise BadError(f"Expected a FETCH item at position {cursor.position}")
    cursor.position = found.end()
    return found.group().decode("ascii").upper()


def _item(cursor: Cursor, name: str) -> str | Section:
    if name in ("BODY", "BODY.PEEK") and cursor.peek() == b"[":
        return _section(cursor, peek=name == "BODY.PEEK")
    if name in _SIMPLE:
        return name
    if name in _RFC822:
        return _RFC822[name]
    raise BadError(f"Unknown FETCH item {name[:40]}")


def _section(cursor: Cursor, *, peek: bool) -> Section:
    start = cursor.position
    cursor.expect(b"[")
    path: tuple[int, ...] = ()
    what = ""
    found = _PATH.match(cursor.data, cursor.position)
    if found:
        cursor.position = found.end()
        path = tuple(int(number) for number in found.group().split(b"."))
        if cursor.accept(b"."):
            what = _name(cursor)
    elif cursor.peek() != b"]":
        what = _name(cursor)
    fields: tuple[str, ...] = ()
    if what in ("HEADER.FIELDS", "HEADER.FIELDS.NOT"):
        cursor.space()
        fields = _field_names(cursor)
    elif what not in ("", "HEADER", "TEXT", "MIME"):
        raise BadError(f"Unknown section {what[:40]}")
    if what == "MIME" and not path:  # RFC 3501 §9 section-text: MIME only after a part number
        raise BadError("MIME needs a part number")
    cursor.expect(b"]")
    label = _label(path, what, fields, cursor.data[start : cursor.position])
    partial = None
    if cursor.accept(b"<"):
        origin = cursor.number()
        cursor.expect(b".")
        partial = (origin, cursor.number(1))
        cursor.expect(b">")
        label += f"<{origin}>"  # RFC 3501 §7.4.2: the origin octet is told, the length is not
    return Section(path, cast(_What, what), fields, partial, peek, label)


def _label(path: tuple[int, ...], what: str, fields: tuple[str, ...], written: bytes) -> str:
    if fields and b"\n" not in written and written.isascii():
        # Header names are echoed as the client wrote them.
        names = written[written.index(b"(") : written.rindex(b")") + 1].decode("ascii")
    elif fields:
        names = "(" + " ".join(f'"{name}"' for name in fields) + ")"
    else:
        names = ""
    section = ".".join([*map(str, path), *([what] if what else [])])
    return f"BODY[{section}{' ' if names else ''}{names}]"


def _field_names(cursor: Cursor) -> tuple[str, ...]:
    cursor.expect(b"(")
    names: list[str] = []
    while True:
        name = cursor.astring()
        # RFC 5322 §3.6.8 ftext: printable ASCII without the colon.
        if not name or not all(33 <= octet <= 126 and octet != 58 for octet in name):
            raise BadError("Not a header field name")
        names.append(name.decode("ascii"))
        if cursor.accept(b")"):
            break
        cursor.space()
    if len(names) > MAX_ITEMS:
        raise BadError("Too many header fields")
    return tuple(names)
