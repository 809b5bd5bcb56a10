"""Distinguished names: written and read (RFC 4514), and the place of the view in the tree."""

from __future__ import annotations

import re
from typing import Final

import annuaire
from gateway.ldap.errors import INVALID_DN_SYNTAX, LdapError
from gateway.ldap.schema import canonical

Name = tuple[tuple[str, str], ...]
"""(attribute, value) of each part, most specific first; both folded, so that equal names are equal."""

_TYPE: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)\s*=\s*")
_LONGEST: Final = 2048


def default_base(hostname: str) -> str:
    """``ou=annuaire,dc=mss,dc=example,dc=test`` for the gateway ``mss.example.test`` (RFC 2247)."""
    return ",".join(["ou=annuaire", *(f"dc={escape(label)}" for label in hostname.split("."))])


def escape(value: str) -> str:
    """A value as it stands in a name (RFC 4514 §2.4)."""
    out = re.sub(r'(["+,;<>\\])', r"\\\1", value).replace("\0", "\\00")
    if out[:1] in ("#", " "):
        out = f"\\{out}"
    if len(out) > 1 and out.endswith(" ") and not out.endswith("\\ "):
        out = f"{out[:-1]}\\ "
    return out


def parse_dn(text: str) -> Name:
    """A name as (attribute, value) pairs, folded; empty for "".

    :raises LdapError: invalidDNSyntax. Parts of several attributes (``a=1+b=2``) are none of ours.
    """
    if len(text) > _LONGEST:
        raise _invalid()
    parts: list[tuple[str, str]] = []
    place = 0
    while place < len(text) or (parts and place == len(text)):
        found = _TYPE.match(text, place)
        if found is None:
            raise _invalid()
        value, place = _value(text, found.end())
        key = canonical(found[1]) or found[1].casefold()
        folded = annuaire.fold_address(value) if key == "mail" else annuaire.fold(value)
        parts.append((key, folded))
        if place > len(text):
            break
    return tuple(parts)


def _value(text: str, place: int) -> tuple[str, int]:
    """The plain value that begins at ``place``, and where the next part begins: beyond the end, if none."""
    out = bytearray()
    while place < len(text):
        letter = text[place]
        if letter in ",;":
            return _text(out), place + 1
        if letter in '"+<>\0' or (letter == "#" and not out):
            raise _invalid()
        if letter == "\\":
            pair = text[place + 1 : place + 3]
            if re.fullmatch("[0-9A-Fa-f]{2}", pair):
                out.append(int(pair, 16))
                place += 3
                continue
            if not pair or pair[0] not in ' "#+,;<=>\\':
                raise _invalid()
            letter = pair[0]
            place += 1
        out += letter.encode("utf-8", "surrogatepass")
        place += 1
    return _text(out), place + 1


def _text(octets: bytearray) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise _invalid() from None


def _invalid() -> LdapError:
    return LdapError("ldap.name", "that is no distinguished name", INVALID_DN_SYNTAX)
