"""Search keys compiled to one function over what is known of a message so far.

A message is judged in three steps, each only when the one before could not decide: by its entry in
memory, by its stored index, by its body. A matcher returns None for "not known yet".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from gateway.imap import search_text
from gateway.imap.commands import Key
from gateway.imap.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from gateway.imap.view import View
from gateway.message import MessageMeta
from store import BodyReader
from store.mail import Entry

DAY: Final = 86_400_000
_EPOCH: Final = date(1970, 1, 1).toordinal()
_FLAG_KEYS: Final = {
    "ANSWERED": ANSWERED,
    "DELETED": DELETED,
    "DRAFT": DRAFT,
    "FLAGGED": FLAGGED,
    "SEEN": SEEN,
}


@dataclass(slots=True)
class Candidate:
    """A message and what has been read of it."""

    position: int
    entry: Entry
    recent: bool
    meta: MessageMeta | None = None
    body: BodyReader | None = None


Matcher = Callable[[Candidate], bool | None]


def compile_key(key: Key, view: View, announced: int) -> Matcher:
    """The matcher of ``key``. ``announced`` is the number of messages the client knew of."""
    if key.name in ("AND", "OR"):
        return _combine(key.name, [compile_key(inner, view, announced) for inner in key.keys])
    if key.name == "NOT":
        inner = compile_key(key.keys[0], view, announced)
        return lambda c: None if (known := inner(c)) is None else not known
    if key.name == "SEQUENCE" and key.messages is not None:
        # Numbers beyond the last message match nothing; neither does "*" in an empty folder.
        bounds = key.messages.bounds(announced)
        return _within(bounds, lambda c: c.position + 1)
    if key.name == "UID" and key.messages is not None:
        return _within(key.messages.bounds(view.uids[-1] if view.uids else 0), lambda c: c.entry.uid)
    return _flag_matcher(key) or _number_matcher(key) or _date_matcher(key) or _text_matcher(key)


def _combine(name: str, parts: list[Matcher]) -> Matcher:
    decisive = name == "OR"

    def match(candidate: Candidate) -> bool | None:
        unknown = False
        for part in parts:
            known = part(candidate)
            if known is None:
                unknown = True
            elif known == decisive:
                return decisive
        return None if unknown else not decisive

    return parts[0] if len(parts) == 1 else match


def _within(bounds: Sequence[tuple[int, int]], number_of: Callable[[Candidate], int]) -> Matcher:
    lows = [low for low, _ in bounds]

    def match(candidate: Candidate) -> bool:
        number = number_of(candidate)
        at = bisect_right(lows, number) - 1
        return at >= 0 and number <= bounds[at][1]

    return match


def _flag_matcher(key: Key) -> Matcher | None:
    name = key.name
    if name == "ALL":
        return lambda c: True
    if name in _FLAG_KEYS:
        bit = _FLAG_KEYS[name]
        return lambda c: bool(c.entry.flags & bit)
    if name.startswith("UN") and name[2:] in _FLAG_KEYS:
        bit = _FLAG_KEYS[name[2:]]
        return lambda c: not c.entry.flags & bit
    if name == "RECENT":
        return lambda c: c.recent
    if name == "OLD":
        return lambda c: not c.recent
    if name == "NEW":
        return lambda c: c.recent and not c.entry.flags & SEEN
    if name == "KEYWORD":
        word = key.text
        return lambda c: word in c.entry.keywords.upper().split(" ")
    if name == "UNKEYWORD":
        word = key.text
        return lambda c: word not in c.entry.keywords.upper().split(" ")
    return None


def _number_matcher(key: Key) -> Matcher | None:
    number = key.number
    if key.name == "LARGER":
        return lambda c: c.entry.size > number
    if key.name == "SMALLER":
        return lambda c: c.entry.size < number
    if key.name == "MODSEQ":
        return lambda c: c.entry.modseq >= number
    return None


def _date_matcher(key: Key) -> Matcher | None:
    if key.day is None:
        return None
    relation = key.name.removeprefix("SENT")
    wanted = key.day.toordinal() - _EPOCH

    def compare(day: int) -> bool:
        if relation == "BEFORE":
            return day < wanted
        return day == wanted if relation == "ON" else day >= wanted

    if relation == key.name:
        return lambda c: compare(c.entry.internal_date // DAY)  # days are UTC's, as INTERNALDATE shows

    def sent(candidate: Candidate) -> bool | None:
        if candidate.meta is None:
            return None
        day = search_text.sent_date(search_text.header_block(candidate.meta))
        return day is not None and compare(day.toordinal() - _EPOCH)

    return sent


def _text_matcher(key: Key) -> Matcher:
    text = key.text
    if key.name == "HEADER":

        def header(candidate: Candidate) -> bool | None:
            if candidate.meta is None:
                return None
            values = search_text.header_values(search_text.header_block(candidate.meta), key.field_name)
            return any(text in value for value in values)

        return header

    def body(candidate: Candidate) -> bool | None:
        if candidate.meta is None:
            return None
        if not text:
            return True
        if key.name == "TEXT" and search_text.header_contains(search_text.header_block(candidate.meta), text):
            return True
        if candidate.body is None:
            return None
        return search_text.body_contains(candidate.body, candidate.meta.index, text)

    return body
