"""LDAP messages: octets to requests, responses to octets (RFC 4511 §4).

What cannot be read raises :class:`gateway.ldap.errors.MalformedError`, and the session ends.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.ldap import ber
from gateway.ldap.ber import ENUMERATED, OCTETS, SEQUENCE, SET, Reader
from gateway.ldap.errors import MalformedError
from gateway.ldap.filters import Filter, read_filter
from gateway.ldap.settings import Limits

_BIND: Final = 0x60
_BIND_RESPONSE: Final = 0x61
_UNBIND: Final = 0x42
_SEARCH: Final = 0x63
_ENTRY: Final = 0x64
_SEARCH_DONE: Final = 0x65
_ABANDON: Final = 0x50
_EXTENDED: Final = 0x77
_EXTENDED_RESPONSE: Final = 0x78
_CONTROLS: Final = 0xA0
#: Requests that would change something, and compare: tag → tag of the response.
_OTHERS: Final = {0x66: 0x67, 0x68: 0x69, 0x4A: 0x6B, 0x6C: 0x6D, 0x6E: 0x6F}

NOTICE_OF_DISCONNECTION: Final = "1.3.6.1.4.1.1466.20036"


class Bind(msgspec.Struct, frozen=True):
    """BindRequest (§4.2); ``password`` is None with SASL, whose mechanism then stands beside it."""

    version: int
    name: str
    password: bytes | None
    mechanism: str = ""


class Unbind(msgspec.Struct, frozen=True):
    """UnbindRequest (§4.3)."""


class Search(msgspec.Struct, frozen=True):
    """SearchRequest (§4.5.1); ``scope``: 0 base, 1 one level, 2 subtree. Limits: 0 is none."""

    base: str
    scope: int
    size_limit: int
    time_limit: int
    types_only: bool
    filter: Filter
    attributes: tuple[str, ...]


class Abandon(msgspec.Struct, frozen=True):
    """AbandonRequest (§4.11)."""

    message_id: int


class Extended(msgspec.Struct, frozen=True):
    """ExtendedRequest (§4.12)."""

    name: str


class Other(msgspec.Struct, frozen=True):
    """A request that is never done here: add, delete, modify, modifyDN, compare."""

    answer: int  # tag of its response


Operation = Bind | Unbind | Search | Abandon | Extended | Other


class Control(msgspec.Struct, frozen=True):
    """§4.1.11."""

    oid: str
    critical: bool
    value: bytes | None


class Request(msgspec.Struct, frozen=True):
    """LDAPMessage as a client sends it."""

    message_id: int
    operation: Operation
    controls: tuple[Control, ...] = ()


def read_request(data: bytes, limits: Limits) -> Request:
    """One whole message. Raises :class:`MalformedError`."""
    whole = Reader(data)
    message = whole.inside()
    whole.finish()
    message_id = message.integer()
    tag = message.tag()
    operation: Operation
    if tag == _BIND:
        operation = _read_bind(message.inside(_BIND))
    elif tag == _UNBIND:
        message.octets(_UNBIND)
        operation = Unbind()
    elif tag == _SEARCH:
        operation = _read_search(message.inside(_SEARCH), limits)
    elif tag == _ABANDON:
        operation = Abandon(message.integer(_ABANDON))
    elif tag == _EXTENDED:
        operation = _read_extended(message.inside(_EXTENDED))
    elif tag in _OTHERS:
        message.octets(tag)
        operation = Other(_OTHERS[tag])
    else:
        raise MalformedError("no such operation")
    # RFC 4511 §4.1.1.1: 0 is for what the server says unasked
    if message_id == 0:
        raise MalformedError("a request has no number")
    controls = _read_controls(message) if message.tag() == _CONTROLS else ()
    message.finish()
    return Request(message_id, operation, controls)


def _read_bind(reader: Reader) -> Bind:
    version, name = reader.integer(most=127), reader.text()
    if reader.tag() == 0x80:
        bind = Bind(version, name, reader.octets(0x80))
    elif reader.tag() == 0xA3:
        sasl = reader.inside(0xA3)
        bind = Bind(version, name, None, sasl.text())
    else:
        raise MalformedError("no such way to sign in")
    reader.finish()
    return bind


def _read_search(reader: Reader, limits: Limits) -> Search:
    base = reader.text()
    scope = reader.integer(ENUMERATED, most=2)
    reader.integer(ENUMERATED, most=3)  # derefAliases: there are no aliases
    size_limit, time_limit = reader.integer(), reader.integer()
    types_only = reader.boolean()
    wanted = read_filter(reader, limits)
    selection = reader.inside()
    attributes: list[str] = []
    while selection.more:
        if len(attributes) >= limits.attributes:
            raise MalformedError("too many attributes are named", rule="ldap.size")
        attributes.append(selection.text())
    reader.finish()
    return Search(base, scope, size_limit, time_limit, types_only, wanted, tuple(attributes))


def _read_extended(reader: Reader) -> Extended:
    extended = Extended(reader.text(0x80))
    if reader.tag() == 0x81:
        reader.octets(0x81)
    reader.finish()
    return extended


def _read_controls(message: Reader) -> tuple[Control, ...]:
    reader = message.inside(_CONTROLS)
    controls: list[Control] = []
    while reader.more:
        if len(controls) >= 16:
            raise MalformedError("too many controls", rule="ldap.size")
        one = reader.inside()
        oid = one.text()
        critical = one.boolean() if one.tag() == ber.BOOLEAN else False
        value = one.octets() if one.tag() == OCTETS else None
        one.finish()
        controls.append(Control(oid, critical, value))
    return tuple(controls)


# -- what the server says


def message(message_id: int, operation: bytes, controls: bytes = b"") -> bytes:
    """LDAPMessage; ``controls`` as :func:`control` makes them."""
    rest = ber.element(_CONTROLS, controls) if controls else b""
    return ber.element(SEQUENCE, ber.integer(message_id), operation, rest)


def control(oid: str, value: bytes) -> bytes:
    """A response control."""
    return ber.element(SEQUENCE, ber.octets(oid), ber.octets(value))


def result(tag: int, code: int, diagnostic: str = "", matched: str = "", more: bytes = b"") -> bytes:
    """LDAPResult under a response's tag (§4.1.9)."""
    return ber.element(tag, ber.integer(code, ENUMERATED), ber.octets(matched), ber.octets(diagnostic), more)


def bind_response(code: int, diagnostic: str = "") -> bytes:
    """BindResponse."""
    return result(_BIND_RESPONSE, code, diagnostic)


def search_done(code: int, diagnostic: str = "", matched: str = "") -> bytes:
    """SearchResultDone."""
    return result(_SEARCH_DONE, code, diagnostic, matched)


def extended_response(code: int, diagnostic: str = "", name: str = "", value: bytes | None = None) -> bytes:
    """ExtendedResponse."""
    more = ber.octets(name, 0x8A) if name else b""
    if value is not None:
        more += ber.octets(value, 0x8B)
    return result(_EXTENDED_RESPONSE, code, diagnostic, more=more)


def disconnection(code: int, diagnostic: str) -> bytes:
    """Notice of Disconnection, a whole message (§4.4.1)."""
    return message(0, extended_response(code, diagnostic, NOTICE_OF_DISCONNECTION))


def entry(dn: str, attributes: list[tuple[str, tuple[str, ...]]], *, types_only: bool = False) -> bytes:
    """SearchResultEntry (§4.5.2)."""
    listed = [
        ber.element(
            SEQUENCE,
            ber.octets(name),
            ber.element(SET, *([] if types_only else [ber.octets(value) for value in values]), b""),
        )
        for name, values in attributes
    ]
    return ber.element(_ENTRY, ber.octets(dn), ber.element(SEQUENCE, *listed, b""))


def read_pages(value: bytes | None) -> tuple[int, bytes]:
    """Size and cookie of a paged results request (RFC 2696 §2). Raises :class:`MalformedError`."""
    whole = Reader(value or b"")
    inner = whole.inside()
    whole.finish()
    size, cookie = inner.integer(), inner.octets()
    inner.finish()
    return size, cookie


def pages(size: int, cookie: bytes) -> bytes:
    """The value of a paged results response (RFC 2696 §2)."""
    return ber.element(SEQUENCE, ber.integer(size), ber.octets(cookie))
