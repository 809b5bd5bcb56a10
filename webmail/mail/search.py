"""Looking for letters: by names, professions, places, subjects and names of files; then by their text.

What lists know is searched whole, at once. Bodies are sealed one by one and kept in no index, so their text
is read newest first for :data:`PATIENCE_S`; the page says how far that went, and goes on where it ended.
"""

from __future__ import annotations

import re
import time
from html import unescape
from typing import Final

import msgspec
from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

from gateway.message import Part, codec_of, decode_meta, decode_stream
from store import BodyReader, Store, StoreError
from webmail.guards import get
from webmail.mail.lists import ROWS
from webmail.mail.rooms import Room, rooms_of, targets
from webmail.mail.rows import about_of, item_row
from webmail.mail.shelf import view_for
from webmail.mail.views import BIN, JUNK, Conversation, Item, View, searched
from webmail.paging import page_number, page_of
from webmail.people import Contact
from webmail.turn import Turn

PATIENCE_S: Final = 1.0
#: What one call in a reading thread takes at most, about.
_SLICE_S: Final = 0.04
_SLICE: Final = 25
#: Octets of a letter's text that are looked at.
_TEXT: Final = 128 * 1024
_LONGEST: Final = 200
_WORDS: Final = 12
_PEOPLE: Final = 8
_NAME: Final = re.compile(r"/?[a-zA-Z]*")


class Found(msgspec.Struct):
    """``read`` letters were opened for their text of ``whole`` that could be; ``after``: where to go on."""

    people: list[Conversation]
    items: list[Item]
    read: int
    whole: int
    after: int


async def search(turn: Turn) -> Response:
    """``/messages/recherche?q=``"""
    asked = turn.asked("q")[:_LONGEST]
    after = turn.asked("apres")
    view = await view_for(turn)
    rooms = rooms_of(turn, view)
    wanted = words_of(asked)
    found = Found([], [], 0, 0, 0)
    if wanted:
        start = int(after) if after.isascii() and after.isdigit() and len(after) < 9 else 0
        found = await _search(turn, view, wanted, start)
    items, number, last = page_of(found.items, page_number(turn), ROWS)
    return turn.page(
        "mail/search.html",
        view=view,
        rooms=rooms,
        asked=asked,
        wanted=wanted,
        found=found,
        items=[item_row(turn, view, one, note=_where(one, rooms)) for one in items],
        about={one.path: about_of(turn, one.contact) for one in found.people},
        number=number,
        last=last,
        targets=targets(rooms),
    )


def words_of(text: str) -> list[str]:
    """What must all be found."""
    return list(dict.fromkeys(searched(text).split()))[:_WORDS]


async def _search(turn: Turn, view: View, wanted: list[str], after: int) -> Found:
    known = await turn.run(by_lists, view, wanted)
    hits = {one.message_id for one in known}
    people = [one for one in view.conversations if _matches(_contact_text(one.contact), wanted)][:_PEOPLE]
    rest = [one for one in view.items if one.message_id not in hits]
    until = time.monotonic() + PATIENCE_S
    place = after
    in_text: list[Item] = []
    while place < len(rest) and time.monotonic() < until:
        # A trip for each slice: other readers of the store come between.
        some, done = await turn.read(
            by_text, turn.store, turn.visit.box_id, rest[place : place + _SLICE], view, wanted
        )
        in_text += some
        place += done
    shown = in_text if after else [*known, *in_text]
    shown.sort(key=lambda one: (one.at, one.message_id), reverse=True)
    return Found([] if after else people, shown, place, len(rest), place if place < len(rest) else 0)


def by_lists(view: View, wanted: list[str]) -> list[Item]:
    """The letters of which the lists know all the words. Pure; 10 000 take some 15 ms."""
    every = (1 << len(wanted)) - 1
    bits = [(1 << place, word) for place, word in enumerate(wanted)]
    # What is known of who wrote is compared once for each of them, not for each letter.
    known = {address: _told(_contact_text(one), bits) for address, one in view.contacts.items()}
    found = []
    for item in view.items:
        told = 0
        for address, _ in item.people:
            told |= known[address]
        text = item.words
        if told == every or all(word in text for bit, word in bits if not told & bit):
            found.append(item)
    return found


def _told(text: str, bits: list[tuple[int, str]]) -> int:
    return sum(bit for bit, word in bits if word in text)


def by_text(
    conn: Connection, store: Store, box_id: int, items: list[Item], view: View, wanted: list[str]
) -> tuple[list[Item], int]:
    """The letters whose text, with what lists know, has all the words; and how many were looked at."""
    until = time.monotonic() + _SLICE_S
    held = store.messages(conn, box_id, [one.message_id for one in items])
    found, done = [], 0
    for item in items:
        if time.monotonic() > until and done:
            break
        done += 1
        message = held.get(item.message_id)
        if message is None:
            continue
        meta = decode_meta(message.meta)
        try:
            raw = store.open_body(message)
            text = searched("\n".join(_part(raw, one) for one in _texts(meta.index.root)))
        except StoreError:
            continue  # its own page says that it does not open
        whole = "\n".join((item.words, text, *(_contact_text(one) for one in view.people(item))))
        if all(word in whole for word in wanted):
            found.append(item)
    return found, done


def _texts(root: Part) -> list[Part]:
    """The parts that a reader is shown as text; of an alternative the plain one."""
    if root.media == "multipart/alternative":
        plain = [one for one in root.children if one.media == "text/plain"]
        return plain[:1] or [part for one in root.children for part in _texts(one)]
    if root.media.startswith("multipart/"):
        return [part for one in root.children for part in _texts(one)]
    return [root] if root.media in ("text/plain", "text/html") and not root.attached else []


def _part(raw: BodyReader, part: Part) -> str:
    octets = raw.read(part.body_start, min(part.size, _TEXT))
    plain = b"".join(decode_stream([octets], part.encoding))
    codec = codec_of(part.params.get("charset", "") or "utf-8")
    text = plain.decode(codec.name if codec is not None else "utf-8", "replace")
    return text_of_html(text) if part.media == "text/html" else text


def text_of_html(html: str) -> str:
    """What of a page is text, near enough to search in it; linear in its length whatever it is. Pure."""
    first, *pieces = html.split("<")
    kept, within = [first], ""
    for piece in pieces:
        tag, closed, text = piece.partition(">")
        found = _NAME.match(tag)
        name = found[0].lower() if found else ""
        if within:
            if name == f"/{within}":
                within = ""
                kept.append(text)
        elif name in ("style", "script"):
            within = name
        else:
            kept.append(text if closed else piece)
    return unescape(" ".join(kept))


def _contact_text(one: Contact) -> str:
    return searched("\n".join((one.name, *one.professions, one.speciality, one.place, one.town, one.domain)))


def _matches(text: str, wanted: list[str]) -> bool:
    return all(word in text for word in wanted)


def _where(item: Item, rooms: list[Room]) -> str:
    """The folder to name beside a hit: the bin and undesired mail before all."""
    held = {place[0] for place in item.places}
    names = [one for one in rooms if one.folder_id in held]
    names.sort(key=lambda one: one.use not in (BIN, JUNK))
    return names[0].title if names and names[0].use else ""


ROUTES: Final[list[BaseRoute]] = [get("/messages/recherche", search)]
