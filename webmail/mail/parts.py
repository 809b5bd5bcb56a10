"""The parts of a letter: which of them are its text, which its files, and their octets read by range."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from gateway.message import Part, attachments, find_part, walk
from store import BodyReader
from webmail.mail import html, plain
from webmail.mail.letters import Letter
from webmail.mail.octets import decoded, octets_of, read_some
from webmail.mail.wording import lines, shown_name
from webmail.turn import Missing

#: What of a letter's text is read, in octets; the whole is in its .eml.
TEXT_LIMIT: Final = 1024 * 1024
#: Parts that are put one after the other to make a text.
_LEAVES: Final = 50
_PATH: Final = re.compile(r"[0-9]{1,5}(\.[0-9]{1,5}){0,120}")


class Attachment(msgspec.Struct, frozen=True):
    """One file of a letter. ``path`` is its IMAP part number ("2.1"), ``number`` counts files from 1 as
    filing does, ``name`` is safe to show ("" where the letter gives none), ``octets`` is about its size."""

    path: str
    number: int
    name: str
    media: str
    octets: int
    part: Part


class Text(msgspec.Struct, frozen=True):
    """A piece of the text of a letter as it stands: decoded, cut at :data:`TEXT_LIMIT`."""

    text: str
    html: bool
    flowed: bool = False
    del_space: bool = False
    cut: bool = False


def attachments_of(letter: Letter) -> list[Attachment]:
    """The files of a letter in order. Nothing is read."""
    root = letter.meta.index.root
    paths = {id(part): path for path, part in walk(root)}
    return [
        Attachment(
            ".".join(map(str, paths[id(part)])),
            number,
            shown_name(part.filename),
            part.media,
            octets_of(part),
            part,
        )
        for number, part in enumerate(attachments(root), 1)
        if id(part) in paths
    ]


def part_at(letter: Letter, path: str) -> Part:
    """The leaf (or attached message) of that number. Raises :class:`Missing`: there is none."""
    if not _PATH.fullmatch(path):
        raise Missing
    found = find_part(letter.meta.index.root, tuple(int(one) for one in path.split(".")))
    if found is None or found.media.startswith("multipart/"):
        raise Missing
    return found


def chosen(root: Part, *, rich: bool) -> list[Part]:
    """The parts that make the text of a letter, in order; ``rich`` prefers its HTML (RFC 2046 §5.1.4)."""
    found: list[Part] = []
    _choose(root, rich, found)
    return found[:_LEAVES]


def _choose(part: Part, rich: bool, found: list[Part]) -> None:
    media, children = part.media, part.children
    if len(found) >= _LEAVES:
        return
    if not media.startswith("multipart/"):
        if media.startswith("text/") and media != "text/calendar" and not part.attached:
            found.append(part)
        return
    if not children:
        return
    if media == "multipart/alternative":
        _alternative(children, rich, found)
    elif media in ("multipart/signed", "multipart/report"):  # RFC 1847 §2.1; RFC 6522 §3: for people
        _choose(children[0], rich, found)
    elif media == "multipart/related":
        start = part.params.get("start", "")
        _choose(
            next((one for one in children if start and one.content_id == start), children[0]), rich, found
        )
    else:
        for child in children:
            _choose(child, rich, found)


def _alternative(children: list[Part], rich: bool, found: list[Part]) -> None:
    """RFC 2046 §5.1.4: the last one that can be shown is the best; for plain text the first that is."""
    wanted = "text/html" if rich else "text/plain"
    fallback: list[Part] = []
    for child in reversed(children) if rich else children:
        inside: list[Part] = []
        _choose(child, rich, inside)
        if any(one.media == wanted for one in inside):
            found.extend(inside)
            return
        fallback = fallback or inside
    found.extend(fallback)


def has_html(root: Part) -> bool:
    """Whether a letter has an HTML text."""
    return any(one.media == "text/html" for one in chosen(root, rich=True))


def texts_of(body: BodyReader, root: Part, *, rich: bool) -> list[Text]:
    """The text of a message, piece by piece; ``root`` is that of the message. Blocking."""
    made = []
    left = TEXT_LIMIT
    for part in chosen(root, rich=rich):
        raw, cut = read_some(body, part, left)
        left -= len(raw)
        html = part.media == "text/html"
        form = part.params.get("format", "").lower()
        flowed = form == "flowed" and not html
        made.append(
            Text(
                decoded(raw, part.params.get("charset", ""), html=html),
                html,
                flowed,
                flowed and part.params.get("delsp", "").lower() == "yes",
                cut,
            )
        )
        if left <= 0:
            break
    return made


def joined(pieces: list[Text]) -> str:
    """Pieces of a text as one, HTML in words."""
    made = []
    for one in pieces:
        if one.html:
            made.append(html.words_of(one.text))
        elif one.flowed:
            made.append(plain.unflowed(lines(one.text), del_space=one.del_space))
        else:
            made.append(lines(one.text))
    return "\n\n".join(text.strip("\n") for text in made if text.strip())
