"""Names that strangers give, made fit for lists: one line, nothing that hides or reverses what it says."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: CI-SIS "Structuration minimale" §title: at most 128 characters.
TITLE_LENGTH: Final = 128
FILENAME_LENGTH: Final = 128
_UNSAFE: Final = re.compile(r'[/\\:*?"<>|]')


def clean(text: str, length: int = TITLE_LENGTH) -> str:
    """``text`` in one line of at most ``length`` characters, without control characters and those that are
    not seen: bidirectional marks (UAX #9), joiners, byte order marks, private and unassigned ones."""
    kept = (
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFC", text)
        if char.isspace() or not unicodedata.category(char).startswith("C")
    )
    return " ".join("".join(kept).split())[:length].rstrip()


def clean_filename(name: str) -> str:
    """The last part of a file's name, fit for any file system; "" when nothing is left of it."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return clean(_UNSAFE.sub("_", last), FILENAME_LENGTH).lstrip(".").strip()


def title_from(filename: str, otherwise: str) -> str:
    """A title: the file's name in words, else ``otherwise``."""
    stem = clean_filename(filename).rpartition(".")
    return clean(re.sub(r"[_\s]+", " ", stem[0] or stem[2])) or clean(otherwise)
