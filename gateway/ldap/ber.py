"""The part of BER that LDAP uses (RFC 4511 §5.1): definite lengths, one-octet tags, primitive strings.

A codec of our own because the one at hand (asn1crypto) takes 2.6 ms to write an entry of twelve attributes,
some thirty times what this takes, and reads indefinite lengths, which RFC 4511 forbids. Tests hold this one
against that one.
"""

from __future__ import annotations

from typing import Final

from gateway.ldap.errors import MalformedError

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
OCTETS: Final = 0x04
NULL: Final = 0x05
ENUMERATED: Final = 0x0A
SEQUENCE: Final = 0x30
SET: Final = 0x31
MAX_INT: Final = 2**31 - 1  # RFC 4511 §4.1.1: maxInt


def message_size(buffer: bytes | bytearray, limit: int) -> int | None:
    """How many octets the message at the start of ``buffer`` has; None while its header is not there whole.

    :raises MalformedError: not a SEQUENCE of definite length, or longer than ``limit``.
    """
    if not buffer:
        return None
    if buffer[0] != SEQUENCE:
        raise MalformedError("that is no LDAP message")
    if len(buffer) < 2:
        return None
    first = buffer[1]
    if first < 0x80:
        return 2 + first
    count = first & 0x7F
    if not 1 <= count <= 4:  # RFC 4511 §5.1 (1): the definite form only
        raise MalformedError("a length is not definite")
    if len(buffer) < 2 + count:
        return None
    size = 2 + count + int.from_bytes(buffer[2 : 2 + count], "big")
    if size > limit:
        raise MalformedError("the request is too large", rule="ldap.size")
    return size


class Reader:
    """The elements of a constructed value, in order. Every method raises :class:`MalformedError`."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._at = start
        self._end = len(data) if end is None else end

    @property
    def more(self) -> bool:
        """Whether an element is left."""
        return self._at < self._end

    def tag(self) -> int:
        """The tag of the next element; -1 at the end."""
        return self._data[self._at] if self._at < self._end else -1

    def _element(self, tag: int) -> tuple[int, int]:
        at, data = self._at, self._data
        if self._end - at < 2:
            raise MalformedError("an element is cut short")
        if data[at] != tag:
            raise MalformedError("an element of another kind was expected")
        size = data[at + 1]
        at += 2
        if size >= 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4 or self._end - at < count:
                raise MalformedError("a length is not definite")
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        if size > self._end - at:
            raise MalformedError("an element is longer than what holds it")
        self._at = at + size
        return at, at + size

    def inside(self, tag: int = SEQUENCE) -> Reader:
        """The elements of the next one, which is constructed."""
        start, end = self._element(tag)
        return Reader(self._data, start, end)

    def octets(self, tag: int = OCTETS) -> bytes:
        """The octets of the next element."""
        start, end = self._element(tag)
        return self._data[start:end]

    def text(self, tag: int = OCTETS) -> str:
        """An LDAPString: UTF-8 (RFC 4511 §4.1.2)."""
        try:
            return self.octets(tag).decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("a text is not UTF-8") from None

    def integer(self, tag: int = INTEGER, most: int = MAX_INT) -> int:
        """A number from 0 to ``most``."""
        start, end = self._element(tag)
        if not 1 <= end - start <= 8:
            raise MalformedError("a number is out of its range")
        number = int.from_bytes(self._data[start:end], "big", signed=True)
        if not 0 <= number <= most:
            raise MalformedError("a number is out of its range")
        return number

    def boolean(self, tag: int = BOOLEAN) -> bool:
        """TRUE is written FF (RFC 4511 §5.1); any octet but 00 is read as it."""
        value = self.octets(tag)
        if len(value) != 1:
            raise MalformedError("a truth value has not one octet")
        return value != b"\0"

    def finish(self) -> None:
        """Nothing may be left."""
        if self.more:
            raise MalformedError("more elements than there may be")


def element(tag: int, *parts: bytes) -> bytes:
    """One element that holds ``parts``."""
    content = parts[0] if len(parts) == 1 else b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def octets(value: bytes | str, tag: int = OCTETS) -> bytes:
    """An OCTET STRING; text as UTF-8."""
    return element(tag, value.encode("utf-8") if isinstance(value, str) else value)


def integer(value: int, tag: int = INTEGER) -> bytes:
    """An INTEGER or ENUMERATED, not negative."""
    return element(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))
