"""Nasty messages, in wire form: every line ends with CRLF, no bare CR or LF, no NUL.

`nasty_messages()` is what the road of a message is tried with, byte for byte. A message whose name is in
`WITHOUT_FINAL_LINE_END` cannot pass by DATA unchanged (it needs BDAT or APPEND); those in `EIGHT_BIT` need
8BITMIME, those in `UTF8_HEADERS` need SMTPUTF8 (a few hold raw Latin-1, which only tolerance lets in).
"""

from __future__ import annotations

from tests.corpus.headers import header_messages
from tests.corpus.structures import large_message, structure_messages


def nasty_messages() -> dict[str, bytes]:
    """Name to message. The same bytes at each call."""
    messages = header_messages() | structure_messages()
    for name, data in messages.items():
        assert b"\0" not in data, name
        assert data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n"), name
    return messages


def _names(test: str) -> frozenset[str]:
    found = set()
    for name, data in nasty_messages().items():
        header = data.partition(b"\r\n\r\n")[0]
        if (
            (test == "final" and not data.endswith(b"\r\n"))
            or (test == "eight" and not data.isascii())
            or (test == "utf8" and not header.isascii())
        ):
            found.add(name)
    return frozenset(found)


WITHOUT_FINAL_LINE_END = _names("final")
EIGHT_BIT = _names("eight")
UTF8_HEADERS = _names("utf8")

__all__ = ["EIGHT_BIT", "UTF8_HEADERS", "WITHOUT_FINAL_LINE_END", "large_message", "nasty_messages"]
