"""Subject names as the whitelist writes them, compared with those that certificates carry.

The list holds texts, most specific first: ``CN=<host>,OU=<id>,O=<name>,ST=<département>,C=FR``. About
one in forty is quoted as Java does (RFC 1779), holds bare quotes or non-breaking blanks, or names the
département ``L``. A certificate's text is RFC 4514. Both are brought to one canonical form; commas and
quotes that belong to a value never split it, or a crafted organisation name could pass for another.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from annuaire.names import storable

_KEYS: Final = "CN|OU|O|ST|S|L|C|SERIALNUMBER|EMAILADDRESS|E|DC|UID|2.5.4.97|ORGANIZATIONIDENTIFIER"
_KEY: Final = re.compile(rf"\s*({_KEYS.replace('.', '[.]')})\s*=\s*", re.IGNORECASE)
_NEXT: Final = re.compile(rf"\s*[,;]\s*(?=(?:{_KEYS.replace('.', '[.]')})\s*=)", re.IGNORECASE)
_ESCAPED: Final = re.compile(r"(?P<octets>(?:\\[0-9A-Fa-f]{2})+)|\\(?P<mark>.)", re.DOTALL)
_LONGEST: Final = 4096
#: The département is written ST, sometimes L or (Microsoft) S: one key.
_SAME: Final = {"L": "ST", "S": "ST", "E": "EMAILADDRESS", "2.5.4.97": "ORGANIZATIONIDENTIFIER"}


def split_dn(text: str) -> list[tuple[str, str]]:
    """The ``(KEY, value)`` pairs of a subject name, most specific first; values unquoted, unescaped.

    Tolerant: what is no ``KEY=value`` list gives one pair with an empty key.
    """
    pairs: list[tuple[str, str]] = []
    position = 0
    if len(text) > _LONGEST:
        return [("", text)]
    while position < len(text):
        key = _KEY.match(text, position)
        if key is None:
            return [("", _blanks(text))]
        value, position = _value(text, key.end())
        pairs.append((key[1].upper(), value))
    if pairs and pairs[0][0] == "C" and pairs[-1][0] != "C":
        pairs.reverse()  # written least specific first, as OpenSSL prints it
    return pairs


def fold_dn(text: str) -> str:
    """The canonical form of a subject name; two names are the same when theirs are equal.

    Case folded, quotes dropped, blanks single, ``L`` and ``S`` read as ``ST``; separators inside values
    are escaped, so that different lists of pairs never give one text.
    """
    folded = []
    for key, value in split_dn(text):
        plain = unicodedata.normalize("NFKC", storable(value)).casefold().replace('"', "")
        plain = _blanks(plain).replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
        folded.append(f"{_SAME.get(key, key)}={plain}")
    return ",".join(folded)


def same_dn(one: str, other: str) -> bool:
    """Whether two texts write the same subject name."""
    return fold_dn(one) == fold_dn(other)


def _value(text: str, start: int) -> tuple[str, int]:
    """The value that starts at ``start`` and the place after its separator."""
    if text.startswith('"', start):
        # RFC 1779 §2.3: a quoted value ends at a quote that the next key, or nothing, follows. A quote
        # that anything else follows is a bare one and belongs to the text.
        for close in _unescaped(text, '"', start + 1):
            rest = _NEXT.match(text, close + 1)
            if rest is not None or not text[close + 1 :].strip():
                return _plain(text[start + 1 : close]), rest.end() if rest else len(text)
    for separator in _NEXT.finditer(text, start):
        comma = separator.start() + len(separator[0]) - len(separator[0].lstrip())
        if not _is_escaped(text, comma):
            return _plain(text[start : separator.start()]), separator.end()
    return _plain(text[start:]), len(text)


def _unescaped(text: str, mark: str, start: int) -> list[int]:
    places = []
    place = text.find(mark, start)
    while place >= 0:
        if not _is_escaped(text, place):
            places.append(place)
        place = text.find(mark, place + 1)
    return places


def _is_escaped(text: str, place: int) -> bool:
    before = text[:place]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _plain(value: str) -> str:
    return _blanks(_ESCAPED.sub(_unescape, value))


def _unescape(found: re.Match[str]) -> str:
    # RFC 4514 §2.4: an octet may be written \\XX, any special character after a backslash.
    if octets := found["octets"]:
        return bytes.fromhex(octets.replace("\\", "")).decode("utf-8", "replace")
    return found["mark"]


def _blanks(value: str) -> str:
    return " ".join(value.split())  # str.split() knows U+00A0 and its kin
