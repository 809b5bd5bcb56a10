"""The arguments of SEARCH (RFC 3501 §6.4.4, §9 search-key; RFC 7162 §3.1.5)."""

from __future__ import annotations

import unicodedata
from typing import Final

from gateway.imap.commands import Key
from gateway.imap.errors import BadError, NoError
from gateway.imap.grammar import MODSEQ_MAX, Cursor

MAX_DEPTH: Final = 30
MAX_KEYS: Final = 300

_PLAIN: Final = frozenset(
    [
        "ALL",
        "ANSWERED",
        "DELETED",
        "DRAFT",
        "FLAGGED",
        "NEW",
        "OLD",
        "RECENT",
        "SEEN",
        "UNANSWERED",
        "UNDELETED",
        "UNDRAFT",
        "UNFLAGGED",
        "UNSEEN",
    ]
)
_ADDRESS: Final = frozenset({"BCC", "CC", "FROM", "TO", "SUBJECT"})
_DATED: Final = frozenset({"BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"})

_WITH_ARGUMENTS: Final = (
    _ADDRESS
    | _DATED
    | {"BODY", "TEXT", "HEADER", "KEYWORD", "UNKEYWORD", "LARGER", "SMALLER", "NOT", "OR", "UID", "MODSEQ"}
)


def parse_search(cursor: Cursor) -> tuple[Key, bool]:
    """The whole program as one AND key, and whether MODSEQ is used.

    Raises :class:`NoError` with BADCHARSET for a charset other than US-ASCII and UTF-8.
    """
    charset = "UTF-8"  # undeclared 8-bit text is taken for what today's clients mean by it
    cursor.space()
    mark = cursor.position
    if cursor.data[mark : mark + 8].upper() == b"CHARSET ":
        cursor.position = mark + 8
        charset = cursor.astring().decode("ascii", "replace").upper()
        if charset not in ("US-ASCII", "UTF-8"):
            # RFC 3501 §6.4.4: a tagged NO with the charsets that are known.
            raise NoError("That charset is not supported", "BADCHARSET (US-ASCII UTF-8)")
        cursor.space()
    reader = _Reader(cursor, charset)
    keys = [reader.key(0)]
    while not cursor.at_end():
        cursor.space()
        keys.append(reader.key(0))
    return Key("AND", keys=tuple(keys)), reader.modseq


def fold(text: str) -> str:
    """Text as it is compared: RFC 3501 §6.4.4 matching is case-insensitive."""
    return unicodedata.normalize("NFC", text).casefold()


class _Reader:
    def __init__(self, cursor: Cursor, charset: str) -> None:
        self.cursor = cursor
        self.charset = charset
        self.modseq = False
        self._count = 0

    def key(self, depth: int) -> Key:
        cursor = self.cursor
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_KEYS:
            raise BadError("The search is too complex")
        following = cursor.peek()
        if following == b"(":
            return self._group(depth)
        if following.isdigit() or following == b"*":
            return Key("SEQUENCE", messages=cursor.sequence_set())
        name = cursor.keyword("a search key")
        if name in _PLAIN:
            return Key(name)
        return self._with_arguments(name, depth)

    def _group(self, depth: int) -> Key:
        self.cursor.expect(b"(")
        keys = [self.key(depth + 1)]
        while not self.cursor.accept(b")"):
            self.cursor.space()
            keys.append(self.key(depth + 1))
        return Key("AND", keys=tuple(keys))

    def _with_arguments(self, name: str, depth: int) -> Key:
        cursor = self.cursor
        if name not in _WITH_ARGUMENTS:
            raise BadError(f"Unknown search key {name[:40]}")
        cursor.space()
        if name in _ADDRESS:
            return Key("HEADER", field_name=name.lower(), text=self._text())
        if name in ("BODY", "TEXT"):
            return Key(name, text=self._text())
        if name == "HEADER":
            field = cursor.astring().decode("ascii", "replace").lower()
            cursor.space()
            return Key("HEADER", field_name=field, text=self._text())
        if name in _DATED:
            return Key(name, day=cursor.date())
        if name in ("KEYWORD", "UNKEYWORD"):
            return Key(name, text=cursor.atom("a keyword").upper())
        if name in ("LARGER", "SMALLER"):
            return Key(name, number=cursor.number())
        if name == "NOT":
            return Key("NOT", keys=(self.key(depth + 1),))
        if name == "OR":
            first = self.key(depth + 1)
            cursor.space()
            return Key("OR", keys=(first, self.key(depth + 1)))
        if name == "UID":
            return Key("UID", messages=cursor.sequence_set())
        return self._modseq()

    def _modseq(self) -> Key:
        """MODSEQ [entry-name entry-type] n; flags share one MODSEQ here (RFC 7162 §3.1.5)."""
        cursor = self.cursor
        if cursor.peek() == b'"':
            if not cursor.string().lower().startswith(b"/flags/"):
                raise BadError("The entry name of MODSEQ starts with /flags/")
            cursor.space()
            if cursor.keyword("priv, shared or all") not in ("PRIV", "SHARED", "ALL"):
                raise BadError("Expected priv, shared or all")
            cursor.space()
        self.modseq = True
        return Key("MODSEQ", number=cursor.number(0, MODSEQ_MAX))

    def _text(self) -> str:
        octets = self.cursor.astring()
        try:
            return fold(octets.decode("ascii" if self.charset == "US-ASCII" else "utf-8"))
        except UnicodeDecodeError:
            raise BadError(f"A search string is not {self.charset}") from None
