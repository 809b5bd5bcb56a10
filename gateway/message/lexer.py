"""The lexical grammar of header fields (RFC 5322 §3.2, RFC 2045 §5.1), with the tolerance real mail needs.

8-bit octets are atom characters (RFC 6532 §3.2 when they are UTF-8; raw octets of old mail otherwise). Blanks
and comments are allowed wherever the obsolete grammar of RFC 5322 §4 has them.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.message.quoting import NUL_TEXT

# What a reading step tells about the input after it.
BROKEN: Final = -1  # the construct is not well formed
END: Final = 0  # read, and nothing follows
MORE: Final = 1  # read, and something follows

ATEXT = rb"!#-'*+\-/0-9=?A-Z^_`a-z{|}~\x80-\xff"
_BLANKS = re.compile(rb"[ \t\r\n]*+")
_DOTS = re.compile(rb"[.]++")
_ATOM = re.compile(rb"[" + ATEXT + rb"]++")
_DOTTED = re.compile(rb"[." + ATEXT + rb"]*+")
_TOKEN = re.compile(rb"[!#-'*+\-.0-9A-Z^_`a-z{|}~\x80-\xff]*+")  # RFC 2045 §5.1 token
_COMMENT_RUN = re.compile(rb"[^()\\\x00\n]*+")
_QUOTED_RUN = re.compile(rb'[^"\\\x00\n]*+')
_LITERAL_RUN = re.compile(rb"[^\[\]\\\x00\n]*+")
_ATEXT_SET = frozenset(i for i in range(256) if _ATOM.match(bytes((i,))))
_WORD_SET = _ATEXT_SET | {0x22, 0x2E}  # a word may also start with a quote or, in obs-phrase, a dot
QUOTE, BACKSLASH, OPEN, CLOSE, DOT, AT = 0x22, 0x5C, 0x28, 0x29, 0x2E, 0x40
_CR, _LF, _NUL = 0x0D, 0x0A, 0x00


class Lexer:
    """A place in one unfolded or folded header value. Each `read_*` moves on and says BROKEN, END or MORE;
    what it read is in `out`. `comment` is the text of the last comment passed."""

    __slots__ = ("comment", "data", "end", "out", "place")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.end = len(data)
        self.place = 0
        self.out = b""
        self.comment = b""

    def peek(self) -> int:
        """The next octet, -1 at the end."""
        return self.data[self.place] if self.place < self.end else -1

    def skip(self) -> int:
        """Passes blanks and comments (RFC 5322 §3.2.2 CFWS)."""
        data = self.data
        while True:
            found = _BLANKS.match(data, self.place)
            self.place = found.end() if found else self.place
            if self.place >= self.end:
                return END
            if data[self.place] != OPEN:
                return MORE
            if not self._skip_comment():
                return BROKEN

    def _skip_comment(self) -> bool:
        data, end = self.data, self.end
        place, depth, text = self.place + 1, 1, []
        self.comment = b""
        while place < end:
            run = _COMMENT_RUN.match(data, place)
            stop = run.end() if run else place
            text.append(data[place:stop])
            if stop >= end:
                break
            mark = data[stop]
            place = stop + 1
            if mark == CLOSE:
                depth -= 1
                if not depth:
                    self.place, self.comment = place, b"".join(text)
                    return True
                text.append(b")")
            elif mark == OPEN:
                depth += 1
                text.append(b"(")
            else:
                place = _special(data, stop, end, text)
        self.place = end
        return False

    def read_atom(self) -> int:
        found = _ATOM.match(self.data, self.place)
        if not found:
            return BROKEN
        self.out = found[0]
        self.place = found.end()
        return self.skip()

    def read_token(self) -> int:
        """A MIME token; it may be empty, which the caller judges."""
        found = _TOKEN.match(self.data, self.place)
        self.out = found[0] if found else b""
        self.place += len(self.out)
        return self.skip()

    def read_quoted(self) -> int:
        """A quoted string without its quotes, escapes undone (RFC 5322 §3.2.4)."""
        status, self.out = self._read_enclosed(_QUOTED_RUN, QUOTE)
        return status

    def read_domain(self) -> int:
        """What follows "@", which is next: a dot-atom or a domain literal (RFC 5322 §3.4.1)."""
        self.place += 1
        if self.skip() != MORE:
            return BROKEN
        if self.data[self.place] == 0x5B:
            status, text = self._read_enclosed(_LITERAL_RUN, 0x5D, keep_escapes=True)
            self.out = b"[" + text + b"]"
            return status
        return self._read_dot_atom()

    def _read_enclosed(
        self, run: re.Pattern[bytes], closing: int, *, keep_escapes: bool = False
    ) -> tuple[int, bytes]:
        data, end = self.data, self.end
        place, text = self.place + 1, []
        while place < end:
            found = run.match(data, place)
            stop = found.end() if found else place
            text.append(data[place:stop])
            if stop >= end:
                break
            mark = data[stop]
            if mark == closing:
                self.place = stop + 1
                return self.skip(), b"".join(text)
            if mark == 0x5B:  # "[" within a domain literal
                self.place = stop
                return BROKEN, b""
            if mark == BACKSLASH and keep_escapes and data[stop + 1 : stop + 2] not in (b"\r", b"\n", b"\0"):
                text.append(b"\\")
            place = _special(data, stop, end, text)
        self.place = end
        return BROKEN, b""

    def _read_dot_atom(self) -> int:
        """Atoms joined by dots, blanks allowed around them (RFC 5322 §4.4 obs-domain)."""
        words: list[bytes] = []
        while True:
            found = _ATOM.match(self.data, self.place)
            if not found:
                return BROKEN
            words.append(found[0])
            self.place = found.end()
            status = self.skip() if self.place < self.end else END
            if status == MORE and self.data[self.place] == DOT:
                self.place += 1
                if self.skip() != MORE:
                    return BROKEN
                continue
            self.out = b".".join(words)
            return status

    def read_local(self) -> int:
        """A local part: a quoted string, or atoms and dots in any order, as mail in the wild has them.
        When BROKEN, `out` is what could be read."""
        if self.data[self.place] == QUOTE:
            return self.read_quoted()
        words: list[bytes] = []
        status = BROKEN
        while True:
            dots = _DOTS.match(self.data, self.place)
            if dots:
                words.append(dots[0])
                self.place = dots.end()
                status = MORE if self.place < self.end else END
                if status == END:
                    break
            if status == MORE and self.data[self.place] == AT:
                break
            self.out = b""
            status = self.read_atom()
            words.append(self.out)
            if status != MORE or self.data[self.place] != DOT:
                break
        self.out = b"".join(words)
        return status

    def read_phrase(self) -> int:
        """A display name: words joined by single blanks (RFC 5322 §3.2.5, obs-phrase of §4.1)."""
        self.out = b""
        if self.place >= self.end:
            return END
        if self.data[self.place] == DOT:
            return BROKEN
        words: list[bytes] = []
        while True:
            if self.data[self.place] == QUOTE:
                status = self.read_quoted()
                words.append(self.out)
            else:
                found = _DOTTED.match(self.data, self.place)
                words.append(found[0] if found else b"")
                self.place += len(words[-1])
                status = self.skip()
            if status != MORE or self.data[self.place] not in _WORD_SET:
                self.out = b" ".join(words)
                return status


def _special(data: bytes, place: int, end: int, text: list[bytes]) -> int:
    """Handles the octet at `place` that stopped a run (NUL, line end, backslash); returns where to go on."""
    mark = data[place]
    if mark == _NUL:
        text.append(NUL_TEXT)
        return place + 1
    if mark == _LF:  # folding: the line end goes, the blank after it stays
        if text and text[-1].endswith(b"\r"):
            text[-1] = text[-1][:-1]
        return place + 1
    place += 1  # a backslash
    if place >= end:
        return end
    if data[place] in (_CR, _LF, _NUL):  # not a quoted-pair, RFC 5322 §3.2.1
        text.append(b"\\")
        return place
    text.append(data[place : place + 1])
    return place + 1
