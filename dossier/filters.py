"""Which documents of a list are wanted, and in which order: pure functions over what the list holds."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

import msgspec

from dossier.categories import CATEGORIES, category
from dossier.model import Document, Status

Order = Literal["newest", "oldest", "filed", "title", "author", "category"]
_LETTERS: Final = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l"})


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; what is empty or None does not matter.

    ``category`` is a heading (:data:`dossier.CATEGORIES`), ``since`` and ``until`` (ms, the latter excluded)
    speak of the document's own date; each word of ``author`` and ``text`` must be found, whatever its accents
    and capitals: ``author`` in author and organisation, ``text`` in these, title, type and heading.
    """

    category: str = ""
    type_code: str = ""
    class_code: str = ""
    author: str = ""
    text: str = ""
    since: int | None = None
    until: int | None = None
    status: Status | Literal[""] = ""

    def matches(self, document: Document) -> bool:
        """Whether a document is one of those."""
        info = document.info
        heading = category(info.type_code, info.class_code)
        return (
            self.category in ("", heading)
            and self.type_code in ("", info.type_code)
            and self.class_code in ("", info.class_code)
            and self.status in ("", document.status)
            and (self.since is None or document.created_at >= self.since)
            and (self.until is None or document.created_at < self.until)
            and _found(self.author, info.author, info.organisation)
            and _found(self.text, info.title, info.type_label, heading, info.author, info.organisation)
        )


def _found(words: str, *texts: str) -> bool:
    wanted = fold(words).split()
    if not wanted:
        return True
    haystack = fold(" ".join(texts))
    return all(word in haystack for word in wanted)


def fold(text: str) -> str:
    """A text as it is searched: no accents, no capitals, one space for whatever is no letter or digit."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS)).casefold()
    kept = (char if char.isalnum() else " " for char in plain if not unicodedata.combining(char))
    return " ".join("".join(kept).split())


_KEYS: Final[dict[Order, Callable[[Document], Any]]] = {
    "newest": lambda one: (-one.created_at, -one.document_id),
    "oldest": lambda one: (one.created_at, one.document_id),
    "filed": lambda one: (-one.filed_at, -one.document_id),
    "title": lambda one: (fold(one.info.title), -one.created_at, -one.document_id),
    "author": lambda one: (fold(one.info.author), -one.created_at, -one.document_id),
    "category": lambda one: (
        CATEGORIES.index(category(one.info.type_code, one.info.class_code)),
        -one.created_at,
        -one.document_id,
    ),
}


def ordered(documents: Iterable[Document], order: Order = "newest") -> list[Document]:
    """Documents in one of the orders; what is equal, newest first."""
    return sorted(documents, key=_KEYS[order])
