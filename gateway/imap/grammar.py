"""The strict tokenizer: a cursor over one complete command with its literals inside.

The bytes read are those of the wire: a literal stands as ``{n}`` CRLF and its ``n`` octets, so the
grammar needs nothing but the buffer, and a test can hand it any bytes. Every method either consumes
exactly its production of RFC 3501 §9 or raises :class:`BadError` naming what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

from gateway.imap.errors import BadError
from gateway.imap.sets import MAX_NUMBER, STAR, SequenceSet

MODSEQ_MAX: Final = (1 << 63) - 1
"""RFC 7162 §3.1: modification sequences are positive 63-bit numbers."""

# RFC 3501 §9: atom-specials are ( ) { SP CTL list-wildcards quoted-specials resp-specials.
_ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
_ASTRING = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]+')
_LIST = re.compile(rb'[^\x00-\x20\x7f-\xff(){"\\]+')
_TAG = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\+]+')
_QUOTED = re.compile(rb'"((?:[^"\\\x00\r\n]|\\["\\])*)"')
_ESCAPED = re.compile(rb"\\(.)")
_LITERAL = re.compile(rb"\{(\d{1,10})(\+?)\}\r\n")
_NUMBER = re.compile(rb"\d+")
_SET = re.compile(rb"(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?(?:,(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?)*")
_DATE = re.compile(rb"(\d{1,2})-([A-Za-z]{3})-(\d{4})")
_DATE_TIME = re.compile(rb'"([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"')
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBER = {name.upper().encode(): number for number, name in enumerate(MONTHS, 1)}


class Cursor:
    """A position in a command; each method consumes one production."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position

    def _match(self, pattern: re.Pattern[bytes], expected: str) -> re.Match[bytes]:
        found = pattern.match(self.data, self.position)
        if not found:
            raise BadError(f"Expected {expected} at position {self.position}")
        self.position = found.end()
        return found

    # -- separators

    def peek(self) -> bytes:
        """The next octet, empty at the end."""
        return self.data[self.position : self.position + 1]

    def at_end(self) -> bool:
        return self.position >= len(self.data)

    def end(self) -> None:
        if not self.at_end():
            raise BadError(f"Unexpected text at position {self.position}")

    def space(self) -> None:
        self.expect(b" ", "a space")

    def expect(self, octets: bytes, name: str = "") -> None:
        if not self.data.startswith(octets, self.position):
            raise BadError(f"Expected {name or octets.decode('ascii')} at position {self.position}")
        self.position += len(octets)

    def accept(self, octets: bytes) -> bool:
        """Consume ``octets`` if they come next."""
        if self.data.startswith(octets, self.position):
            self.position += len(octets)
            return True
        return False

    # -- words

    def tag(self) -> str:
        return self._match(_TAG, "a tag").group().decode("ascii")

    def atom(self, expected: str = "an atom") -> str:
        return self._match(_ATOM, expected).group().decode("ascii")

    def keyword(self, expected: str = "a keyword") -> str:
        """An atom that names something, upper-cased (RFC 3501 §9 note 1: case-insensitive)."""
        return self.atom(expected).upper()

    def string(self) -> bytes:
        """quoted / literal."""
        if self.peek() == b'"':
            found = self._match(_QUOTED, "a complete quoted string")
            return _ESCAPED.sub(rb"\1", found.group(1))
        return self.literal()

    def literal(self) -> bytes:
        size = int(self._match(_LITERAL, "a string").group(1))
        octets = self.data[self.position : self.position + size]
        if len(octets) != size:
            raise BadError("The literal is not complete")
        if b"\0" in octets:  # RFC 3501 §9 CHAR8: %x01-ff
            raise BadError("A literal contains a NUL octet")
        self.position += size
        return octets

    def astring(self) -> bytes:
        """1*ASTRING-CHAR / string; 8-bit text only inside a string."""
        if self.peek() in (b'"', b"{"):
            return self.string()
        return self._match(_ASTRING, "a string").group()

    def nstring(self) -> bytes | None:
        if self.peek() in (b'"', b"{"):
            return self.string()
        if self.keyword("a string or NIL") != "NIL":
            raise BadError("Expected a string or NIL")
        return None

    def list_mailbox(self) -> bytes:
        """1*list-char / string: a pattern of LIST and LSUB."""
        if self.peek() in (b'"', b"{"):
            return self.string()
        return self._match(_LIST, "a folder pattern").group()

    def rest(self) -> bytes:
        """Everything up to the end of the command."""
        octets = self.data[self.position :]
        self.position = len(self.data)
        return octets

    # -- numbers

    def number(self, low: int = 0, high: int = MAX_NUMBER) -> int:
        digits = self._match(_NUMBER, "a number").group()
        value = int(digits) if len(digits) <= 20 else high + 1
        if not low <= value <= high:
            raise BadError("A number is out of range")
        return value

    def sequence_set(self) -> SequenceSet:
        text = self._match(_SET, "a sequence set").group()
        ranges: list[tuple[int, int]] = []
        for item in text.split(b","):
            first, _, second = item.partition(b":")
            low = self._seq_number(first)
            ranges.append((low, self._seq_number(second) if second else low))
        return SequenceSet(tuple(ranges))

    @staticmethod
    def _seq_number(text: bytes) -> int:
        if text == b"*":
            return STAR
        value = int(text)
        if not 1 <= value <= MAX_NUMBER:  # RFC 3501 §9 nz-number
            raise BadError("A sequence number is out of range")
        return value

    # -- dates

    def date(self) -> date:
        """date: ``1-Feb-1994``, quoted or not."""
        quoted = self.accept(b'"')
        found = self._match(_DATE, "a date")
        if quoted:
            self.expect(b'"')
        try:
            return date(int(found[3]), _month(found[2]), int(found[1]))
        except ValueError:
            raise BadError("There is no such date") from None

    def date_time(self) -> int:
        """date-time: ``" 1-Feb-1994 21:52:25 -0800"`` as milliseconds since the epoch, UTC."""
        found = self._match(_DATE_TIME, "a date and time")
        zone = timedelta(hours=int(found[8]), minutes=int(found[9]))
        try:
            when = datetime(
                int(found[3]),
                _month(found[2]),
                int(found[1]),
                int(found[4]),
                int(found[5]),
                min(int(found[6]), 59),  # a leap second
                tzinfo=timezone(-zone if found[7] == b"-" else zone),
            )
            milliseconds = int(when.astimezone(UTC).timestamp()) * 1000
        except (ValueError, OverflowError):
            raise BadError("There is no such date") from None
        if milliseconds < 0:
            raise BadError("The date is before 1970")
        return milliseconds

    # -- lists

    def parenthesised(self, names: Iterable[str], expected: str) -> list[str]:
        """``(NAME NAME …)`` of known names, upper-cased, at least one."""
        known = frozenset(names)
        self.expect(b"(")
        out: list[str] = []
        while True:
            name = self.keyword(expected)
            if name not in known:
                raise BadError(f"Expected {expected}")
            out.append(name)
            if self.accept(b")"):
                return out
            self.space()


def _month(text: bytes) -> int:
    number = _MONTH_NUMBER.get(text.upper())
    if number is None:
        raise ValueError
    return number
