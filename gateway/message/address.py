"""Address lists of header fields (RFC 5322 §3.4, obsolete forms of §4.4 included), never refused.

What cannot be read shows as MISSING_MAILBOX, MISSING_DOMAIN, SYNTAX_ERROR or INVALID_ROUTE in its place, as
Dovecot shows it, so that a client sees that something was there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.message.lexer import ATEXT, BROKEN, END, MORE, QUOTE, Lexer
from gateway.message.quoting import human_string, nstring
from gateway.message.types import Address
from gateway.message.words import decode_words, to_text

_MISSING_MAILBOX = b"MISSING_MAILBOX"
_MISSING_DOMAIN = b"MISSING_DOMAIN"
_SYNTAX_ERROR = b"SYNTAX_ERROR"
_INVALID_ROUTE = b"INVALID_ROUTE"
_COLON, _SEMICOLON, _COMMA, _LESS, _MORE_THAN, _AT = b":;,<>@"

_DOT_ATOM = rb"[" + ATEXT + rb"]++(?:\.[" + ATEXT + rb"]++)*+"
_BLANK = rb"[ \t\n]*+"
# The two shapes nearly all mail has: [name] <local@domain> and local@domain, then a comma or the end.
_COMMON = re.compile(
    _BLANK
    + rb'(?:(?:"([^"\\\x00-\x1f\x7f-\xff]*+)"|(['
    + ATEXT
    + rb"][."
    + ATEXT
    + rb"]*+(?: [."
    + ATEXT
    + rb"]++)*+))?"
    + _BLANK
    + rb"<("
    + _DOT_ATOM
    + rb")@("
    + _DOT_ATOM
    + rb")>|("
    + _DOT_ATOM
    + rb")@("
    + _DOT_ATOM
    + rb"))"
    + _BLANK
    + rb"(?:,"
    + _BLANK
    + rb"|\Z)"
)
_IS_DOT_ATOM = re.compile(_DOT_ATOM + rb"\Z").match
_ESCAPED = re.compile(rb'(["\\])')


class Entry(NamedTuple):
    """One address structure of RFC 3501 §7.4.2. A group starts with an entry that has only a mailbox (its
    name) and ends with one that has nothing."""

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    domain: bytes | None


def parse_addresses(value: bytes, limit: int) -> list[Entry]:
    """The entries of an address list, at most about `limit` (a group is not cut)."""
    entries: list[Entry] = []
    place, end = 0, len(value)
    while place < end and len(entries) < limit:
        found = _COMMON.match(value, place)
        if found is None:
            return _Parser(value, limit).run() if value.strip(b" \t\n") else []
        quoted, phrase, local, domain, bare_local, bare_domain = found.groups()
        if local:
            entries.append(Entry(quoted or phrase or None, None, local, domain))
        else:
            entries.append(Entry(None, None, bare_local, bare_domain))
        place = found.end()
    return entries


def write_addresses(entries: list[Entry]) -> bytes:
    """The ENVELOPE form: NIL, or the parenthesised structures."""
    if not entries:
        return b"NIL"
    return b"(%b)" % b"".join([_write(entry) for entry in entries])


def _write(entry: Entry) -> bytes:
    name, route, mailbox, domain = entry
    shown = b"NIL" if name is None else human_string(name)
    return b"(%b %b %b %b)" % (shown, nstring(route), nstring(mailbox), nstring(domain))


def addresses(entries: list[Entry]) -> list[Address]:
    """The mailboxes of the entries, groups flattened."""
    return [_address(entry) for entry in entries if entry.domain is not None] if entries else []


def _address(entry: Entry) -> Address:
    name, _, mailbox, domain = entry
    shown = ""
    if name is not None:
        shown = to_text(name.replace(b"\n", b"")).strip()
        if "=?" in shown:
            shown = decode_words(shown)
    if not mailbox or not domain or mailbox == _MISSING_MAILBOX or domain in (_MISSING_DOMAIN, _SYNTAX_ERROR):
        return Address(shown, "")
    if not _IS_DOT_ATOM(mailbox):
        mailbox = b'"%b"' % _ESCAPED.sub(rb"\\\1", mailbox)
    return Address(shown, to_text(mailbox + b"@" + domain))


class _Parser:
    """The whole grammar. Methods give BROKEN, END or MORE like the lexer's; entries gather in `entries`."""

    def __init__(self, value: bytes, limit: int) -> None:
        self.lex = Lexer(value)
        self.limit = limit
        self.entries: list[Entry] = []

    def run(self) -> list[Entry]:
        lex = self.lex
        if lex.skip() != MORE:
            return []
        while len(self.entries) < self.limit:
            if self._address() == END or lex.peek() != _COMMA:
                break
            lex.place += 1
            status = lex.skip()
            if status == BROKEN:
                self.entries.append(Entry(None, None, _MISSING_MAILBOX, _MISSING_DOMAIN))
            if status != MORE:
                break
        return self.entries

    def _address(self) -> int:
        start = self.lex.place
        if self.lex.read_phrase() == MORE and self.lex.peek() == _COLON:
            return self._group(self.lex.out)
        self.lex.place = start
        return self._mailbox()

    def _group(self, name: bytes) -> int:
        """After the name, at the colon; the end entry is written even when the group is not closed."""
        lex = self.lex
        self.entries.append(Entry(None, None, name, None))
        lex.place += 1
        status = lex.skip()
        if status == MORE and lex.peek() != _SEMICOLON:
            while True:
                self._mailbox()
                if lex.peek() != _COMMA:
                    break
                lex.place += 1
                if lex.skip() != MORE:
                    status = BROKEN
                    break
        if status != BROKEN and lex.peek() == _SEMICOLON:
            lex.place += 1
            status = lex.skip()
        elif status != BROKEN:
            status = BROKEN
        self.entries.append(Entry(None, None, None, None))
        return END if status == END else MORE

    def _mailbox(self) -> int:
        lex = self.lex
        start = lex.place
        if lex.read_phrase() == MORE and lex.peek() == _LESS:
            name = lex.out or None
            route, mailbox, domain, good = self._angle()
            if not good:
                domain = _SYNTAX_ERROR
            status = MORE if lex.place < lex.end else END
        else:
            lex.place = start
            name, mailbox, domain, status = self._bare()
            route = None
        if mailbox is None:
            mailbox = _MISSING_MAILBOX
        self.entries.append(Entry(name, route, mailbox, domain or _MISSING_DOMAIN))
        return status

    def _angle(self) -> tuple[bytes | None, bytes | None, bytes | None, bool]:
        """At "<": route, local part, domain, and whether it was well formed to its ">"."""
        lex = self.lex
        route = mailbox = domain = None
        lex.place += 1
        if lex.skip() != MORE:
            return route, mailbox, domain, False
        if lex.peek() == _AT:
            route = self._route()
            if lex.skip() != MORE:
                return route, mailbox, domain, False
        if lex.peek() != _MORE_THAN:
            status = lex.read_local()
            mailbox = lex.out if status != BROKEN else None
            if status == MORE and lex.peek() == _AT:
                status = lex.read_domain()
                domain = lex.out if status != BROKEN else None
            if status != MORE or lex.peek() != _MORE_THAN:
                return route, mailbox, domain, False
        lex.place += 1
        return route, mailbox, domain, lex.skip() != BROKEN

    def _route(self) -> bytes:
        """At "@": the domain list of an obsolete route, up to and with its colon (RFC 5322 §4.4)."""
        lex = self.lex
        hops: list[bytes] = []
        while lex.peek() == _AT:
            if lex.read_domain() != MORE:
                return _INVALID_ROUTE
            hops.append(b"@" + lex.out)
            while lex.skip() == MORE and lex.peek() == _COMMA:
                lex.place += 1
        if lex.peek() != _COLON:
            return _INVALID_ROUTE
        lex.place += 1
        return b",".join(hops)

    def _bare(self) -> tuple[bytes | None, bytes | None, bytes | None, int]:
        """local@domain, with its name in a comment; or words that are no address at all."""
        lex = self.lex
        lex.comment = b""
        quoted = lex.peek() == QUOTE
        status = lex.read_local()
        local = lex.out
        mailbox = local if status != BROKEN else None
        domain: bytes | None = None
        invalid, no_domain = status != MORE, True
        if status != END and lex.peek() == _AT:
            no_domain = False
            domain_status = lex.read_domain()
            domain = lex.out if domain_status != BROKEN else None
            status = domain_status if domain_status != MORE else status
        name = lex.comment or None
        if name is None and no_domain:
            lex.read_phrase()
            if lex.out:
                mailbox, name = None, local + b" " + lex.out
            elif not quoted:
                domain = b""
            invalid, status = True, BROKEN
        if invalid and name is None and mailbox is not None and domain is None:
            name, mailbox = mailbox, None
        return name, mailbox, domain, status
