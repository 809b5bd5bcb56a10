"""Modified UTF-7, the form of folder names on the wire (RFC 3501 §5.1.3)."""

from __future__ import annotations

import binascii
import re

from gateway.imap.errors import NoError

_PLAIN = re.compile(r"[\x20-\x25\x27-\x7e]+")
_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")


def _shift(text: str) -> str:
    if text == "&":
        return "&-"
    packed = binascii.b2a_base64(text.encode("utf-16-be"), newline=False).rstrip(b"=")
    return "&" + packed.replace(b"/", b",").decode("ascii") + "-"


def encode(name: str) -> bytes:
    """A Unicode folder name as its wire form, pure ASCII."""
    out: list[str] = []
    position = 0
    while position < len(name):
        plain = _PLAIN.match(name, position)
        if plain:
            out.append(plain.group())
            position = plain.end()
        elif name[position] == "&":
            out.append("&-")
            position += 1
        else:
            end = position
            while end < len(name) and name[end] != "&" and not _PLAIN.match(name, end):
                end += 1
            out.append(_shift(name[position:end]))
            position = end
    return "".join(out).encode("ascii")


def decode(wire: bytes) -> str:
    """A wire name as Unicode; :class:`NoError` when it is not well-formed modified UTF-7.

    Only the canonical form is taken, so that a folder has exactly one name on the wire.
    """
    out: list[str] = []
    position = 0
    try:
        while position < len(wire):
            ampersand = wire.find(b"&", position)
            if ampersand < 0:
                ampersand = len(wire)
            out.append(wire[position:ampersand].decode("ascii"))
            position = ampersand
            if position == len(wire):
                break
            shifted = _SHIFTED.match(wire, position)
            if not shifted:
                raise ValueError
            packed = shifted.group(1).replace(b",", b"/")
            if packed:
                raw = binascii.a2b_base64(packed + b"=" * (-len(packed) % 4))
                out.append(raw.decode("utf-16-be"))
            else:
                out.append("&")
            position = shifted.end()
    except (ValueError, binascii.Error):
        raise NoError("The folder name is not valid modified UTF-7", "CANNOT") from None
    name = "".join(out)
    if encode(name) != wire:
        raise NoError("The folder name is not canonical modified UTF-7", "CANNOT")
    return name
