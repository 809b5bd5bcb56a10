"""Response text: quoting, dates, status lines (RFC 3501 §7, §9)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from gateway.imap import utf7
from gateway.imap.grammar import MONTHS

_ATOM = re.compile(r"[A-Za-z0-9_.$+/=,;:!?'<>@#^|~&-]+")


def quoted(text: bytes) -> bytes:
    """A string: quoted when that can hold it, else a literal."""
    if text.isascii() and b"\r" not in text and b"\n" not in text and b"\0" not in text:
        return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return b"{%d}\r\n%b" % (len(text), text)


def folder_name(name: str) -> bytes:
    """A folder's name as an astring: an atom where possible, as clients expect of INBOX."""
    wire = utf7.encode(name)
    if name == "INBOX" or (_ATOM.fullmatch(wire.decode("ascii")) and wire.upper() != b"NIL"):
        return wire
    return quoted(wire)


@lru_cache(maxsize=20_000)
def _seconds(second: int) -> str:
    when = datetime.fromtimestamp(second, UTC)
    return when.strftime(f'"%d-{MONTHS[when.month - 1]}-%Y %H:%M:%S +0000"')


def internal_date(milliseconds: int) -> str:
    """date-time, quoted, in UTC: ``"17-Jul-1996 02:44:25 +0000"``."""
    return _seconds(milliseconds // 1000)


def tagged(tag: str, status: str, text: str, code: str = "") -> bytes:
    """A tagged response, or an untagged one with tag ``*``."""
    bracketed = f"[{code}] " if code else ""
    return f"{tag} {status} {bracketed}{text}\r\n".encode("ascii")
