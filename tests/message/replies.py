"""A small reader of IMAP replies (RFC 3501 §9), strict enough to tell when bytes are not well formed."""

from __future__ import annotations

import re
from typing import Any

_ATOM = re.compile(rb'[^\x00-\x20()"{%*\\\[\]\x7f-\xff]+(?:\[[^\]]*\](?:<\d+>)?)?')
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00\x80-\xff]|\\["\\])*)"')
_LITERAL = re.compile(rb"\{(\d+)\}\r\n")
_NUMBER = re.compile(rb"\d+\Z")


class Malformed(ValueError):  # noqa: N818  (what was read, not an accident)
    pass


def read_value(data: bytes, place: int = 0) -> tuple[Any, int]:
    """One value: bytes for strings, int for numbers, None for NIL, str for other atoms, list; and its end."""
    mark = data[place : place + 1]
    if mark == b"(":
        items: list[Any] = []
        place += 1
        while data[place : place + 1] != b")":
            if items and data[place : place + 1] == b" ":
                place += 1
            item, place = read_value(data, place)
            items.append(item)
        return items, place + 1
    if mark == b'"':
        quoted = _QUOTED.match(data, place)
        if not quoted:
            raise Malformed(data[place : place + 80])
        return re.sub(rb"\\(.)", rb"\1", quoted[1]), quoted.end()
    if mark == b"{":
        literal = _LITERAL.match(data, place)
        if not literal:
            raise Malformed(data[place : place + 80])
        stop = literal.end() + int(literal[1])
        text = data[literal.end() : stop]
        if len(text) != int(literal[1]) or b"\0" in text:
            raise Malformed(data[place : place + 80])
        return text, stop
    atom = _ATOM.match(data, place)
    if not atom:
        raise Malformed(data[place : place + 80])
    text = atom[0]
    if text.upper() == b"NIL":
        return None, atom.end()
    return (int(text) if _NUMBER.match(text) else text.decode()), atom.end()


def read_whole(data: bytes) -> Any:
    value, end = read_value(data)
    if end != len(data):
        raise Malformed(data[end : end + 80])
    return value


def read_fetches(data: bytes) -> dict[int, dict[str, bytes]]:
    """The untagged FETCH replies of a session: message number to item name to the raw bytes of its value."""
    found: dict[int, dict[str, bytes]] = {}
    place = 0
    start = re.compile(rb"\* (\d+) FETCH \(")
    while place < len(data):
        fetch = start.match(data, place)
        if not fetch:
            line_end = data.find(b"\r\n", place)
            place = len(data) if line_end < 0 else line_end + 2
            continue
        items = found.setdefault(int(fetch[1]), {})
        place = fetch.end()
        while data[place : place + 1] != b")":
            if data[place : place + 1] == b" ":
                place += 1
            name = _ATOM.match(data, place)
            assert name, data[place : place + 80]
            value_start = name.end() + 1
            _, place = read_value(data, value_start)
            items[name[0].decode()] = data[value_start:place]
        place += 3
    return found
