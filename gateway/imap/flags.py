"""Message flags between their wire form and the store's (RFC 3501 §2.3.2, §9 flag)."""

from __future__ import annotations

from typing import Final

from gateway.imap.errors import BadError, NoError
from gateway.imap.grammar import Cursor

SEEN: Final = 1
ANSWERED: Final = 2
FLAGGED: Final = 4
DELETED: Final = 8
DRAFT: Final = 16

SYSTEM: Final = (
    (ANSWERED, "\\Answered"),
    (FLAGGED, "\\Flagged"),
    (DELETED, "\\Deleted"),
    (SEEN, "\\Seen"),
    (DRAFT, "\\Draft"),
)
_BITS: Final = {name.upper(): bit for bit, name in SYSTEM}

MAX_KEYWORDS: Final = 100
MAX_KEYWORD_LENGTH: Final = 100


def flag_text(flags: int, keywords: str, recent: bool = False) -> str:
    """The flags of a message as they stand between the parentheses of FLAGS ()."""
    names = [name for bit, name in SYSTEM if flags & bit]
    if recent:
        names.append("\\Recent")
    if keywords:
        names.append(keywords)
    return " ".join(names)


def parse_flag(cursor: Cursor) -> tuple[int, str]:
    """One flag: (bit, "") for a system flag, (0, keyword) for a keyword."""
    if not cursor.accept(b"\\"):
        keyword = cursor.atom("a flag")
        if len(keyword) > MAX_KEYWORD_LENGTH:
            raise NoError("A keyword is too long", "LIMIT")
        return 0, keyword
    name = "\\" + cursor.keyword("a flag")
    bit = _BITS.get(name)
    if bit is None:  # \Recent cannot be set by a client (RFC 3501 §2.3.2)
        raise BadError("Unknown system flag")
    return bit, ""


def parse_flags(cursor: Cursor) -> tuple[int, tuple[str, ...]]:
    """flag-list, with or without parentheses (RFC 3501 §9 store-att-flags)."""
    parenthesised = cursor.accept(b"(")
    bits = 0
    keywords: dict[str, str] = {}
    if parenthesised and cursor.accept(b")"):
        return 0, ()
    while True:
        bit, keyword = parse_flag(cursor)
        bits |= bit
        if keyword:
            keywords.setdefault(keyword.upper(), keyword)
        if parenthesised and cursor.accept(b")"):
            break
        if not parenthesised and cursor.at_end():
            break
        cursor.space()
    if len(keywords) > MAX_KEYWORDS:
        raise NoError("Too many keywords", "LIMIT")
    return bits, tuple(keywords.values())
