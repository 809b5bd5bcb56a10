"""The ENVELOPE of a message as ready IMAP bytes (RFC 3501 §7.4.2 and §2.3.5)."""

from __future__ import annotations

from typing import NamedTuple

from gateway.message.address import Entry, parse_addresses, write_addresses
from gateway.message.headers import Fields
from gateway.message.quoting import human_string, line_nstring


class Envelope(NamedTuple):
    """The bytes, parentheses included, and the address entries they hold."""

    wire: bytes
    from_: list[Entry]
    sender: list[Entry]
    reply_to: list[Entry]
    to: list[Entry]
    cc: list[Entry]
    bcc: list[Entry]

    def total(self) -> int:
        return sum(len(entries) for entries in self[1:])


_ADDRESS_FIELDS = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")
_NOTHING: list[Entry] = []


def entries_of(fields: Fields, name: bytes, limit: int) -> list[Entry]:
    """The entries of every field of that name: a second From must not hide behind the first."""
    values = fields.get(name)
    if values is None:
        return _NOTHING
    found = parse_addresses(values[0], limit)
    for value in values[1:]:
        found += parse_addresses(value, limit - len(found))
    return found


def _last(fields: Fields, name: bytes) -> bytes | None:
    values = fields.get(name)
    return values[-1] if values else None


def build_envelope(fields: Fields, limit: int) -> Envelope:
    """The envelope of the message whose header has these fields; `limit` bounds the addresses of a field."""
    lists = [entries_of(fields, name, limit) if name in fields else _NOTHING for name in _ADDRESS_FIELDS]
    sender_wire = from_wire = write_addresses(lists[0])
    reply_wire = from_wire
    if lists[1]:
        sender_wire = write_addresses(lists[1])
    if lists[2]:
        reply_wire = write_addresses(lists[2])
    subject = _last(fields, b"subject")
    wire = b"(%b %b %b %b %b %b %b %b %b %b)" % (
        line_nstring(_last(fields, b"date")),
        b"NIL" if subject is None else human_string(subject),
        from_wire,
        sender_wire,  # RFC 3501 §7.4.2: sender and reply-to default to from
        reply_wire,
        write_addresses(lists[3]) if lists[3] else b"NIL",
        write_addresses(lists[4]) if lists[4] else b"NIL",
        write_addresses(lists[5]) if lists[5] else b"NIL",
        line_nstring(_last(fields, b"in-reply-to")),
        line_nstring(_last(fields, b"message-id")),
    )
    return Envelope(wire, *lists)
