"""One command off a connection: its lines and literals gathered within limits (RFC 3501 §2.2.1).

A message given to APPEND is never gathered: the command is handed over when its literal begins.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.imap.commands import AppendHead
from gateway.imap.connection import Connection
from gateway.imap.errors import BadError, ByeError, ImapError, NoError
from gateway.imap.parser import command_tag, is_append, parse_append
from gateway.imap.settings import Limits

_LITERAL_END: Final = re.compile(rb"\{(\d{1,20})(\+?)\}\Z")
_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
CONTINUE: Final = b"+ OK\r\n"
MAX_DISCARD: Final = 256 * 1024 * 1024
"""A refused literal that the client sends unasked is read and forgotten up to this size."""


class Refused(Exception):  # noqa: N818
    """The command was read to its end, or its client told not to send it, and is not executed."""

    def __init__(self, tag: str, error: ImapError) -> None:
        super().__init__(tag)
        self.tag = tag
        self.error = error


async def read_command(connection: Connection, limits: Limits, logged_in: bool) -> bytes | AppendHead:
    """The next command, without its final CRLF, or an APPEND up to its message.

    Raises :class:`Refused` with what to answer, ``LineTooLong`` and ``ConnectionClosed``.
    """
    line_limit = limits.line if logged_in else limits.line_before_login
    literal_limit = limits.literal if logged_in else limits.literal_before_login
    data = bytearray()
    refusal: ImapError | None = None
    while True:
        line = await connection.read_line(line_limit)
        if not line.endswith(b"\r"):
            # RFC 3501 §2.2: all lines end with CRLF.
            refusal = refusal or BadError("Lines end with CRLF")
        else:
            line = line[:-1]
        data += line
        literal = _literal_at_end(line)
        tag = command_tag(bytes(data[:200]))
        if literal is None:
            if refusal:
                raise Refused(tag, refusal)
            return bytes(data)
        size, synchronising = literal
        if refusal is None and logged_in and is_append(bytes(data[:200])):
            try:
                head = parse_append(bytes(data))
            except ImapError as error:
                refusal = error
            else:
                if head is not None:
                    return head
        if refusal is None and (size > literal_limit or len(data) + size > limits.command):
            # RFC 7888 §4: a literal can be refused before any of it is stored.
            kind = NoError if logged_in else BadError
            refusal = kind("A literal is too large", "TOOBIG")
        if refusal:
            if synchronising:
                raise Refused(tag, refusal)
            if size > MAX_DISCARD:
                raise Refused("*", ByeError("A literal is too large", "TOOBIG"))
            await connection.discard(size)
            data = data[:200]
            continue
        if synchronising:
            connection.write(CONTINUE)
            await connection.flush()
        data += b"\r\n"
        data += await connection.read_exactly(size)


def _literal_at_end(line: bytes) -> tuple[int, bool] | None:
    """(size, synchronising) when the line announces a literal; braces inside quotes do not."""
    found = _LITERAL_END.search(line)
    if not found:
        return None
    if b'"' in _QUOTED.sub(b"", line[: found.start()]):  # an open quote: its text ends with braces
        return None
    return int(found[1]), not found[2]
