"""Search filters: read from octets (RFC 4511 §4.5.1.7), and judged on an entry. Pure.

A filter is true, false or undefined (None) of an entry; only where it is true is the entry found. Texts are
compared by :func:`prepare`: case, accents and runs of blanks do not count.
"""

from __future__ import annotations

from typing import Final

import msgspec

import annuaire
from gateway.ldap.ber import Reader
from gateway.ldap.errors import MalformedError
from gateway.ldap.schema import Entry, canonical, known, matches_texts, object_class
from gateway.ldap.settings import Limits


class And(msgspec.Struct, frozen=True):
    """True where all are; of none, true (RFC 4526)."""

    parts: tuple[Filter, ...]


class Or(msgspec.Struct, frozen=True):
    """True where one is; of none, false (RFC 4526)."""

    parts: tuple[Filter, ...]


class Not(msgspec.Struct, frozen=True):
    """True where its part is false."""

    part: Filter


class Equal(msgspec.Struct, frozen=True):
    """``(attribute=value)``; with ``approx``, ``(attribute~=value)``."""

    attribute: str
    value: bytes
    approx: bool = False


class Substrings(msgspec.Struct, frozen=True):
    """``(attribute=initial*any*any*final)``; what is not given is None."""

    attribute: str
    initial: bytes | None
    middle: tuple[bytes, ...]
    final: bytes | None


class Present(msgspec.Struct, frozen=True):
    """``(attribute=*)``."""

    attribute: str


class Unsupported(msgspec.Struct, frozen=True):
    """Ordering and extensible matches: no attribute here has a rule for them, so they are undefined."""


Filter = And | Or | Not | Equal | Substrings | Present | Unsupported

_AND, _OR, _NOT, _EQUAL, _SUBSTRINGS = 0xA0, 0xA1, 0xA2, 0xA3, 0xA4
_GREATER, _LESS, _PRESENT, _APPROX, _EXTENSIBLE = 0xA5, 0xA6, 0x87, 0xA8, 0xA9
_INITIAL: Final = 0x80
_ANY: Final = 0x81
_FINAL: Final = 0x82


# -- reading


def read_filter(reader: Reader, limits: Limits) -> Filter:
    """The next element as a filter, within the limits on depth and parts. Raises :class:`MalformedError`."""
    return _Reading(limits).one(reader, 1)


class _Reading:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parts = 0

    def one(self, reader: Reader, depth: int) -> Filter:
        self._parts += 1
        if depth > self._limits.filter_depth or self._parts > self._limits.filter_parts:
            raise MalformedError("the filter is too deep or too long", rule="ldap.size")
        tag = reader.tag()
        if tag in (_AND, _OR):
            inner = reader.inside(tag)
            parts: list[Filter] = []
            while inner.more:
                parts.append(self.one(inner, depth + 1))
            return And(tuple(parts)) if tag == _AND else Or(tuple(parts))
        if tag == _NOT:
            inner = reader.inside(tag)
            part = self.one(inner, depth + 1)
            inner.finish()
            return Not(part)
        if tag in (_EQUAL, _APPROX, _GREATER, _LESS):
            inner = reader.inside(tag)
            attribute, value = inner.text(), inner.octets()
            inner.finish()
            if tag in (_GREATER, _LESS):
                return Unsupported()
            return Equal(attribute, value, tag == _APPROX)
        if tag == _SUBSTRINGS:
            return self._substrings(reader.inside(tag))
        if tag == _PRESENT:
            return Present(reader.text(tag))
        if tag == _EXTENSIBLE:
            reader.octets(tag)
            return Unsupported()
        raise MalformedError("no such filter")

    def _substrings(self, reader: Reader) -> Substrings:
        attribute = reader.text()
        pieces = reader.inside()
        reader.finish()
        initial: bytes | None = None
        middle: list[bytes] = []
        final: bytes | None = None
        count = 0
        while pieces.more:
            self._parts += 1
            count += 1
            tag = pieces.tag()
            if final is not None or (tag == _INITIAL and count > 1):  # §4.5.1.7.2: first, last, at most once
                raise MalformedError("the parts of a substring are out of order")
            if tag == _INITIAL:
                initial = pieces.octets(tag)
            elif tag == _ANY:
                middle.append(pieces.octets(tag))
            else:
                final = pieces.octets(_FINAL)
        if not count or self._parts > self._limits.filter_parts:
            raise MalformedError("a substring has no parts, or too many")
        return Substrings(attribute, initial, tuple(middle), final)


# -- judging


def prepare(text: str) -> str:
    """A value for comparison (RFC 4518): case folded, blanks single, none at the ends, no accents."""
    return annuaire.fold(text)


def matches(wanted: Filter, entry: Entry) -> bool | None:
    """Whether ``wanted`` is true of ``entry``; None when undefined (RFC 4511 §4.5.1.7)."""
    if isinstance(wanted, And):
        told = [matches(part, entry) for part in wanted.parts]
        return False if False in told else None if None in told else True
    if isinstance(wanted, Or):
        told = [matches(part, entry) for part in wanted.parts]
        return True if True in told else None if None in told else False
    if isinstance(wanted, Not):
        inner = matches(wanted.part, entry)
        return None if inner is None else not inner
    if isinstance(wanted, Unsupported):
        return None
    if not known(wanted.attribute):
        return None  # an attribute description that is not recognised
    values = entry.values(wanted.attribute)
    if isinstance(wanted, Present):
        return bool(values)
    if isinstance(wanted, Equal):
        return _equal(wanted, values)
    return _substring(wanted, values) if matches_texts(wanted.attribute) else None


def _equal(wanted: Equal, values: tuple[str, ...]) -> bool | None:
    text = decoded(wanted.value)
    if text is None:
        return None
    if wanted.approx:  # §4.5.1.7.6 leaves the rule to us: every word begins a word of the value
        return any(begins(annuaire.words(text), annuaire.words(value)) for value in values)
    if canonical(wanted.attribute) in ("objectClass", "structuralObjectClass"):
        return object_class(text) in map(object_class, values)
    return prepare(text) in map(prepare, values)


def begins(asked: list[str], there: list[str]) -> bool:
    """Whether each word of ``asked`` begins a word of ``there``; false for no words."""
    return bool(asked) and all(any(word.startswith(start) for word in there) for start in asked)


def _substring(wanted: Substrings, values: tuple[str, ...]) -> bool | None:
    initial, middle, final = decoded(wanted.initial), map(decoded, wanted.middle), decoded(wanted.final)
    pieces = list(middle)
    if (initial is None, final is None) != (wanted.initial is None, wanted.final is None) or None in pieces:
        return None
    start = _inner(initial or "").lstrip()
    inner = [_inner(piece or "") for piece in pieces]
    end = _inner(final or "").rstrip()
    return any(_holds(prepare(value), start, inner, end) for value in values)


def _inner(piece: str) -> str:
    """A part of a substring, prepared; a blank at an end of it stays (RFC 4518 §2.6.1)."""
    plain = prepare(piece)
    if not plain:
        return " " if piece else ""
    before = " " if piece[:1].isspace() else ""
    after = " " if piece[-1:].isspace() else ""
    return f"{before}{plain}{after}"


def _holds(value: str, start: str, inner: list[str], end: str) -> bool:
    if not value.startswith(start):
        return False
    place = len(start)
    for piece in inner:
        found = value.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    return len(value) - place >= len(end) and value.endswith(end)


def decoded(value: bytes | None) -> str | None:
    """An assertion value as text; None for none, or for what is not UTF-8."""
    if value is None:
        return None
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None
